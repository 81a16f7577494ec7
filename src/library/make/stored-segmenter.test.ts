import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readBoxes } from "../../media/isobmff/box.ts";
import type { SegmentRule } from "./contract.ts";
import { type CutSegment, StoredSegmenter, type StoredUnit } from "./stored-segmenter.ts";
import { Unpackageable } from "./unpackageable.ts";

const EVERY_SECOND: SegmentRule = { kind: "every", targetMs: 1000 };

function segmenter(change: Partial<ConstructorParameters<typeof StoredSegmenter>[0]> = {}): StoredSegmenter {
  return new StoredSegmenter({
    kind: "video",
    timescale: 90_000,
    rule: EVERY_SECOND,
    usualDuration: 3600,
    leadTicks: 0,
    ...change,
  });
}

function unit(pts: number, isKey = false, byteCount = 3): StoredUnit {
  return { pts, isKey, data: new Uint8Array(byteCount).fill(pts % 251) };
}

function cutAll(target: StoredSegmenter, units: readonly StoredUnit[], nextStart?: number): CutSegment[] {
  const cut = units.flatMap((each) => target.push(each) ?? []);
  return [...cut, target.finish(nextStart) ?? []].flat();
}

/** What each trun entry of a segment says, with times as they come out: [dts, pts, duration, bytes]. */
function entries({ bytes }: CutSegment): number[][] {
  return readBoxes(bytes)
    .filter(({ type }) => type === "moof")
    .flatMap(({ body }) => {
      const [, traf] = readBoxes(body);
      const [tfhd, tfdt, trun] = readBoxes(traf?.body ?? body).map((box) => box.body);
      assert.ok(tfhd && tfdt && trun);
      return readRun(Buffer.from(tfhd), Number(Buffer.from(tfdt).readBigUInt64BE(4)), Buffer.from(trun));
    });
}

function readRun(tfhd: Buffer, baseTime: number, trun: Buffer): number[][] {
  const flags = trun.readUInt32BE(0) & 0xffffff;
  let at = 12 + (flags & 4 ? 4 : 0);
  const next = (isThere: number, read: (place: number) => number, otherwise: number) => {
    if (!isThere) return otherwise;
    at += 4;
    return read(at - 4);
  };
  let dts = baseTime;
  return Array.from({ length: trun.readUInt32BE(4) }, () => {
    const duration = next(flags & 0x100, (place) => trun.readUInt32BE(place), tfhd.readUInt32BE(8));
    const size = next(flags & 0x200, (place) => trun.readUInt32BE(place), tfhd.readUInt32BE(12));
    next(flags & 0x400, (place) => trun.readUInt32BE(place), 0);
    const entry = [dts, dts + next(flags & 0x800, (place) => trun.readInt32BE(place), 0), duration, size];
    dts += duration;
    return entry;
  });
}

test("decodes the n-th unit at the n-th smallest presentation time", () => {
  const units = [unit(0, true), unit(10_800), unit(3600), unit(7200), unit(14_400)];
  const [segment] = cutAll(segmenter(), units);
  assert.ok(segment);
  assert.deepEqual(entries(segment), [
    [0, 0, 3600, 3],
    [3600, 10_800, 3600, 3],
    [7200, 3600, 3600, 3],
    [10_800, 7200, 3600, 3],
    [14_400, 14_400, 3600, 3],
  ]);
  assert.deepEqual([segment.start, segment.duration, segment.frameCount], [0, 18_000, 5]);
});

test("presents all of it later by the lead, and decodes nothing after it is shown", () => {
  const units = [unit(0, true), unit(10_800), unit(3600), unit(7200)];
  const [segment] = cutAll(segmenter({ leadTicks: 7200 }), units);
  assert.ok(segment);
  assert.deepEqual(
    entries(segment).map(([dts, pts]) => [dts, pts]),
    [
      [0, 7200],
      [3600, 18_000],
      [7200, 10_800],
      [10_800, 14_400],
    ],
  );
  assert.deepEqual([segment.start, segment.keyFrames[0]?.start], [0, 0]);
  const sound = { kind: "audio", timescale: 48_000, leadTicks: 3840 } as const;
  const [heard] = cutAll(segmenter(sound), [unit(0, true), unit(1024, true)]);
  assert.ok(heard);
  assert.deepEqual(
    entries(heard).map(([dts, pts]) => [dts, pts]),
    [
      [3840, 3840],
      [4864, 4864],
    ],
  );
});

test("begins segments at the first key frame at or after each multiple of the target", () => {
  const keysMs = [0, 400, 900, 1000, 1999, 2001, 5500, 5900, 6000];
  const cut = cutAll(
    segmenter(),
    keysMs.map((ms) => unit(ms * 90, true)),
    6100 * 90,
  );
  assert.deepEqual(
    cut.map(({ start }) => start / 90),
    [0, 1000, 2001, 5500, 6000],
  );
  assert.deepEqual(
    cut.map(({ duration }) => duration / 90),
    [1000, 1001, 3499, 500, 100],
  );
});

test("begins segments where it is told to", () => {
  const rule: SegmentRule = { kind: "at", starts: [0, 3600, 10_800] };
  const cut = cutAll(
    segmenter({ rule }),
    [0, 1, 2, 3, 4].map((place) => unit(place * 3600, true)),
  );
  assert.deepEqual(
    cut.map(({ start, frameCount }) => [start, frameCount]),
    [
      [0, 1],
      [3600, 2],
      [10_800, 2],
    ],
  );
});

test("names the bytes of every key frame, each in a moof of its own", () => {
  const units = [unit(0, true, 100), unit(3600, false, 10), unit(7200, true, 200), unit(10_800, false, 20)];
  const [segment] = cutAll(segmenter(), units);
  assert.ok(segment);
  assert.deepEqual(
    readBoxes(segment.bytes).map(({ type }) => type),
    ["styp", "moof", "mdat", "moof", "mdat"],
  );
  assert.equal(segment.byteLength, segment.bytes.length);
  assert.deepEqual(
    segment.keyFrames.map(({ start }) => start),
    [0, 7200],
  );
  for (const [place, { offset, length }] of segment.keyFrames.entries()) {
    const named: Buffer = Buffer.from(segment.bytes.subarray(offset, offset + length));
    assert.equal(named.toString("latin1", 4, 8), "moof");
    const media = named.subarray(named.readUInt32BE(0) + 8);
    assert.deepEqual(media, Buffer.from(units[place * 2]?.data ?? []));
  }
});

test("puts the sound of a segment under one moof", () => {
  const units = Array.from({ length: 100 }, (_, place) => unit(place * 1024, true));
  const cut = cutAll(segmenter({ kind: "audio", timescale: 48_000 }), units);
  assert.deepEqual(
    cut.map(({ start, frameCount }) => [start / 1024, frameCount]),
    [
      [0, 47],
      [47, 47],
      [94, 6],
    ],
  );
  for (const { bytes, keyFrames } of cut) {
    assert.deepEqual(
      readBoxes(bytes).map(({ type }) => type),
      ["styp", "moof", "mdat"],
    );
    assert.deepEqual(keyFrames, []);
  }
});

test("lets a last frame that comes alone last as long as frames usually do", () => {
  assert.equal(cutAll(segmenter(), [unit(0, true)])[0]?.duration, 3600);
  assert.equal(segmenter().finish(), undefined);
});

function reasonOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof Unpackageable) return error.reason;
    throw error;
  }
  return "none";
}

test("refuses units that no closed segment can be made of", () => {
  const refuse = (units: readonly StoredUnit[], change = {}) => reasonOf(() => cutAll(segmenter(change), units));
  assert.equal(refuse([unit(0)]), "OPEN_GOP", "no key frame first");
  assert.equal(refuse([unit(7200, true), unit(3600)]), "OPEN_GOP", "shown before its key frame");
  assert.equal(refuse([unit(0, true), unit(3600), unit(3600)]), "TIMES_BROKEN", "two at once");
  assert.equal(refuse([unit(0, true), unit(7200), unit(3600, true)]), "TIMES_BROKEN", "shown after the next key frame");
  assert.equal(refuse([unit(0, true), unit(180_000)], { mostGopMs: 2000 }), "GOP_TOO_LONG");
  assert.equal(refuse([unit(0, true, 60), unit(3600, false, 60)], { mostGroupBytes: 100 }), "GOP_TOO_LONG");
  assert.equal(refuse([unit(0, true), unit(3600)], { mostGroupBytes: 100, mostGopMs: 2000 }), "none");
});

/** Closed groups of pictures in decode order, with uneven distances and any order of the pictures in between. */
const film = fc
  .array(fc.array(fc.tuple(fc.integer({ min: 1, max: 90_000 }), fc.integer()), { minLength: 1, maxLength: 12 }), {
    minLength: 1,
    maxLength: 12,
  })
  .map((groups) => {
    let time = 0;
    return groups.flatMap((group) => {
      const shown = group.map(([distance, order], place) => {
        const pts = time;
        time += distance;
        return { pts, order: place === 0 ? Number.NEGATIVE_INFINITY : order };
      });
      return shown.sort((a, b) => a.order - b.order).map(({ pts }, place) => unit(pts, place === 0, 1 + (pts % 50)));
    });
  });

test("loses no frame, changes no time and leaves no seam, whatever the film", () => {
  fc.assert(
    fc.property(film, fc.integer({ min: 100, max: 5000 }), (units, targetMs) => {
      const end = Math.max(...units.map(({ pts }) => pts)) + 1234;
      const cut = cutAll(segmenter({ rule: { kind: "every", targetMs } }), units, end);
      const told = cut.flatMap(entries);
      assert.deepEqual(
        told.map(([, pts, , size]) => [pts, size]),
        units.map(({ pts, data }) => [pts, data.length]),
      );
      for (const [place, [dts = 0, , duration = 0]] of told.entries()) {
        assert.equal(dts + duration, told[place + 1]?.[0] ?? end);
      }
      for (const [place, { start, duration }] of cut.entries()) {
        assert.equal(start + duration, cut[place + 1]?.start ?? end);
      }
      const keys = units.filter(({ isKey }) => isKey).map(({ pts }) => pts);
      assert.deepEqual(
        cut.flatMap(({ keyFrames }) => keyFrames.map(({ start }) => start)),
        keys,
      );
      const wanted = keys.filter((key, place) => {
        const before = Math.floor((keys[place - 1] ?? -1) / 90 / targetMs);
        return Math.floor(key / 90 / targetMs) > before;
      });
      assert.deepEqual(
        cut.map(({ start }) => start),
        wanted,
      );
    }),
  );
});
