import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { H264_360P } from "../../test/support/source-units.ts";
import type { Unit } from "../live/unit.ts";
import { OpenPart, type Units } from "./open-part.ts";

const TRACK = { timescale: 1000, format: H264_360P };
const TARGET = { partTicks: 500, kind: "video" } as const;

/** Units with these durations, in ticks of a millisecond. */
function unitsOf(durations: readonly number[], cts = 0): Unit[] {
  let dts = 10_000;
  return durations.map((duration, index) => {
    const unit = { track: TRACK, dts, cts, duration, isKey: index === 0, data: new Uint8Array(1), arrivedAtMs: 0 };
    dts += duration;
    return unit;
  });
}

/** What a segment of these units is cut into when nothing but their lengths decides. */
function cut(units: readonly Unit[], options: ConstructorParameters<typeof OpenPart>[0] = TARGET): readonly Units[] {
  const open = new OpenPart(options);
  return [...units.flatMap((unit) => open.add(unit)), ...open.takeAll()];
}

const lengths = (parts: readonly Units[]) => parts.map((part) => part.reduce((sum, { duration }) => sum + duration, 0));

/** Every part is what players can take: none too long, none but the last too short, all of them the segment. */
function assertWhole(parts: readonly Units[], units: readonly Unit[]): void {
  const cutLengths = lengths(parts);
  for (const length of cutLengths) assert.ok(length <= 500, `${cutLengths}`);
  for (const length of cutLengths.slice(0, -1)) assert.ok(length >= 425, `${cutLengths}`);
  const placed = parts.flat();
  assert.deepEqual(
    placed.map(({ dts, cts }) => dts + cts),
    units.map(({ dts, cts }) => dts + cts),
    "pictures are shown when they were",
  );
  let end = units[0]?.dts;
  for (const { dts, duration } of placed) {
    assert.equal(dts, end, "decode times have neither hole nor overlap");
    assert.ok(duration > 0);
    end = dts + duration;
  }
  const last = units.at(-1);
  assert.equal(end, last && last.dts + last.duration, "the segment ends where it did");
}

const frames = (count: number) => new Array<number>(count).fill(33);

describe("OpenPart", () => {
  it("leaves frames that come in time as they are", () => {
    const units = unitsOf(frames(60));
    const parts = cut(units);
    assert.deepEqual(lengths(parts), [495, 495, 495, 495]);
    assert.deepEqual(parts.flat(), units);
  });

  it("fills the part before a long frame by as little as it takes", () => {
    const parts = cut(unitsOf([...frames(5), 400, ...frames(20)]));
    assert.deepEqual(lengths(parts), [425, 470, 330]);
  });

  for (const [what, durations] of [
    ["after some frames, longer than a part", [...frames(7), 900, ...frames(30)]],
    ["after some frames, to the end of the segment", [...frames(17), 1400]],
    ["at the beginning of a part, longer than a part", [...frames(15), 800, ...frames(20)]],
    ["and more of them", [...frames(3), 300, 33, 700, 33, 250, 250, 120, ...frames(20)]],
  ] as const) {
    it(`spreads a hole over the parts that it needs: ${what}`, () => {
      const units = unitsOf(durations);
      assertWhole(cut(units), units);
    });
  }

  it("makes a part too long only where there are fewer frames than parts", () => {
    assert.deepEqual(lengths(cut(unitsOf([1200]))), [1200]);
    assert.deepEqual(lengths(cut(unitsOf([33, 1200]))), [500, 733]);
    assert.deepEqual(lengths(cut(unitsOf([1000, 1000, 1000]))), [1000, 1000, 1000]);
  });

  it("makes one part of a segment that is not cut into parts", () => {
    assert.deepEqual(lengths(cut(unitsOf([...frames(90), 700]), { ...TARGET, partTicks: Infinity })), [3670]);
  });

  it("gives sound no composition offset", () => {
    const parts = cut(unitsOf([...frames(4), 120, ...frames(10)]), { partTicks: 200, kind: "audio" });
    assert.deepEqual(lengths(parts), [170, 181, 198, 33]);
    assert.ok(parts.flat().every(({ cts }) => cts === 0));
  });

  it("keeps parts whole wherever frames are missing", () => {
    const anyDuration = fc.oneof(
      { weight: 12, arbitrary: fc.integer({ min: 32, max: 34 }) },
      { weight: 2, arbitrary: fc.integer({ min: 1, max: 500 }) },
    );
    fc.assert(
      fc.property(fc.array(anyDuration, { minLength: 1, maxLength: 90 }), fc.constantFrom(0, 80), (durations, cts) => {
        const units = unitsOf(durations, cts);
        assertWhole(cut(units), units);
      }),
      { numRuns: 500 },
    );
  });

  it("keeps parts whole around a hole of any length that enough frames follow", () => {
    const anyHole = fc.record({ before: fc.nat(40), duration: fc.integer({ min: 34, max: 3000 }) });
    fc.assert(
      fc.property(anyHole, ({ before, duration }) => {
        const units = unitsOf([...frames(before), duration, ...frames(8)]);
        assertWhole(cut(units), units);
      }),
      { numRuns: 300 },
    );
  });
});
