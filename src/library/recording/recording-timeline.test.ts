import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { H264 } from "../../../test/support/presentation.ts";
import { type CellScript, livePeriod, row, SOUND, SOURCE, WALL_ZERO_MS } from "../../../test/support/recorded-rows.ts";
import type { StoredRendition, StoredSegment } from "../../packaging/stored-rendition.ts";
import { StoredTrack } from "../../packaging/stored-track.ts";
import { onOneClock } from "./one-clock.ts";
import { type PlacedRow, RecordingTimeline } from "./recording-timeline.ts";

const RUNG: CellScript = { id: "360p" };

/** Start, duration and what opens with it, of one rendition; a gap is said. */
function told({ segments }: PlacedRow, id: string) {
  const segment = segments.get(id);
  if (!segment) return undefined;
  const { start, duration, isGap, opens } = segment;
  const period = opens && [opens.period.index, opens.period.startMs, opens.period.placeMs, opens.isDiscontinuity];
  return { start, duration, ...(isGap && { isGap }), ...(period && { period }) };
}

test("keeps the clock of the media, and says where it stands in the video", () => {
  const timeline = new RecordingTimeline();
  const period = livePeriod();
  const first = timeline.place(row({ msn: 7, period, atMs: 0, cells: [SOURCE, SOUND] }), false);
  assert.deepEqual(told(first, "source"), { start: 900_000, duration: 90_000, period: [0, 10_000, 0, false] });
  assert.deepEqual(told(first, "audio_source"), { start: 480_000, duration: 48_000, period: [0, 10_000, 0, false] });
  assert.equal(first.segments.get("source")?.opens?.period.wallZeroMs, WALL_ZERO_MS);
  assert.deepEqual(first.segments.get("source")?.keyFrames, [{ start: 900_000, offset: 0, length: 4 }]);
  const second = timeline.place(row({ msn: 8, period, atMs: 1_000, cells: [SOURCE, SOUND] }), false);
  assert.deepEqual(told(second, "source"), { start: 990_000, duration: 90_000 });
  assert.deepEqual([second.endMs, second.before.get("source"), timeline.rowCount], [2_000, [], 2]);
});

test("leaves out the time in which nothing came, but for a gap that players jump", () => {
  const timeline = new RecordingTimeline();
  timeline.place(row({ msn: 1, period: livePeriod(), atMs: 0, cells: [SOURCE, SOUND] }), false);
  const later = livePeriod(1, { startMs: 60_000 });
  const back = timeline.place(row({ msn: 9, period: later, atMs: 0, cells: [SOURCE, SOUND] }), false);
  assert.deepEqual(
    [...back.before.values()].map(([gap]) => [gap?.start, gap?.duration, gap?.isGap]),
    [
      [990_000, 18_000, true],
      [528_000, 9_600, true],
    ],
  );
  assert.deepEqual(told(back, "source"), { start: 5_400_000, duration: 90_000, period: [1, 60_000, 1_200, true] });
  assert.equal(back.endMs, 2_200);
});

test("says where something was lost", () => {
  const timeline = new RecordingTimeline();
  const period = livePeriod();
  timeline.place(row({ msn: 1, period, atMs: 0, cells: [SOURCE] }), false);
  const next = timeline.place(row({ msn: 5, period, atMs: 4_000, cells: [SOURCE] }), true);
  assert.deepEqual(told(next, "source"), { start: 1_260_000, duration: 90_000, period: [1, 14_000, 1_200, true] });
});

test("lists a rung as a gap where its encoder was away, in a period without it", () => {
  const timeline = new RecordingTimeline();
  const period = livePeriod();
  const both = [SOURCE, RUNG];
  timeline.place(row({ msn: 1, period, atMs: 0, cells: both }), false);
  const without = timeline.place(row({ msn: 2, period, atMs: 1_000, cells: [SOURCE] }), false);
  assert.deepEqual(told(without, "360p"), {
    ...{ start: 990_000, duration: 90_000, isGap: true },
    period: [1, 11_000, 1_000, false],
  });
  const again = timeline.place(row({ msn: 3, period, atMs: 2_000, cells: both }), false);
  assert.deepEqual(told(again, "360p"), { start: 1_080_000, duration: 90_000, period: [2, 12_000, 2_000, false] });
});

test("gives a rendition that comes late the gaps of all rows before it", () => {
  const timeline = new RecordingTimeline();
  timeline.place(row({ msn: 1, period: livePeriod(), atMs: 0, cells: [SOURCE] }), false);
  timeline.place(row({ msn: 2, period: livePeriod(1, { startMs: 20_000 }), atMs: 0, cells: [SOURCE] }), false);
  const late = row({ msn: 3, period: livePeriod(2, { startMs: 40_000 }), atMs: 0, cells: [SOURCE, SOUND] });
  const gaps = timeline.place(late, false).before.get("audio_source");
  assert.deepEqual(
    gaps?.map(({ start, duration, opens }) => [start, duration, opens?.period.index]),
    [
      [480_000, 48_000, 0],
      [528_000, 9_600, undefined],
      [960_000, 48_000, 1],
      [1_008_000, 9_600, undefined],
    ],
  );
});

test("names a new header where a rendition is encoded otherwise", () => {
  const timeline = new RecordingTimeline();
  const period = livePeriod();
  const first = timeline.place(row({ msn: 1, period, atMs: 0, cells: [SOURCE] }), false);
  assert.equal(first.segments.get("source")?.opens?.header, undefined, "the first is the rendition's own");
  const format = { ...H264, width: 640, height: 360 };
  const changed = row({
    msn: 2,
    period: livePeriod(1),
    atMs: 5_000,
    cells: [{ ...SOURCE, format, header: "<small>" }],
  });
  const opens = timeline.place(changed, false).segments.get("source")?.opens;
  assert.deepEqual(
    [opens?.header?.format, Buffer.from(opens?.header?.initBytes ?? []).toString()],
    [format, "<small>"],
  );
});

/** Rows with pauses, losses, rungs that come and go, and new encodings. */
const script = fc.array(
  fc.record({
    durationMs: fc.integer({ min: 20, max: 4_000 }),
    soundMs: fc.integer({ min: -60, max: 60 }),
    pauseMs: fc.option(fc.integer({ min: 0, max: 60_000 }), { nil: undefined, freq: 4 }),
    isAfterLoss: fc.boolean(),
    hasRung: fc.boolean(),
    header: fc.constantFrom("<a>", "<b>"),
  }),
  { minLength: 1, maxLength: 30 },
);

test("makes of whatever comes renditions of one length, on a timeline without holes", () => {
  fc.assert(
    fc.property(script, (steps) => {
      const timeline = new RecordingTimeline();
      const segments = new Map<string, StoredSegment[]>();
      const add = (id: string, placed: Omit<StoredSegment, "key">) =>
        segments.set(id, [...(segments.get(id) ?? []), { ...placed, key: "k" }]);
      let period = livePeriod();
      let atMs = 0;
      let realMs = 0;
      for (const [index, { durationMs, soundMs, pauseMs, isAfterLoss, hasRung, header }] of steps.entries()) {
        if (pauseMs !== undefined) {
          period = livePeriod(index + 1, { startMs: period.startMs + atMs + pauseMs + 100 });
          atMs = 0;
        }
        const sound = { ...SOUND, durationMs: Math.max(10, durationMs + soundMs) };
        const cells = [{ ...SOURCE, header }, sound, ...(hasRung ? [RUNG] : [])];
        const made = row({ msn: index + 1, period, atMs, durationMs, cells });
        const placed = timeline.place(made, isAfterLoss);
        for (const [id, gaps] of placed.before) for (const gap of gaps) add(id, gap);
        for (const [id, segment] of placed.segments) add(id, segment);
        assert.ok(placed.endMs >= realMs, "time goes on");
        realMs = placed.endMs;
        atMs += durationMs;
      }
      const counts = [...segments.values()].map((list) => list.length);
      assert.deepEqual(
        counts,
        counts.map(() => timeline.rowCount),
        "every rendition lists every row",
      );
      for (const [id, list] of segments) {
        const rendition = storedOf(id, list);
        const track = new StoredTrack(rendition, 0, 1_000);
        const places = track.periods.map(({ placeMs = 0 }) => placeMs);
        assert.deepEqual(
          places,
          places.toSorted((a, b) => a - b),
          "periods follow each other",
        );
        assert.ok(track.endMs <= timeline.endMs + 70, `${id} ends at ${track.endMs} of ${timeline.endMs}`);
        const flat = onOneClock(rendition).segments.map(({ start }) => start);
        assert.deepEqual(
          flat,
          flat.toSorted((a, b) => a - b),
          "on one clock segments follow each other",
        );
      }
      const resumed = RecordingTimeline.after(
        [...segments].map(([id, list]) => storedOf(id, list)),
        1_000,
      );
      assert.equal(resumed.rowCount, timeline.rowCount);
      // The sound of a row may reach beyond that of the next one.
      assert.ok(Math.abs(resumed.endMs - timeline.endMs) <= 60, `${resumed.endMs} of ${timeline.endMs}`);
    }),
  );
});

function storedOf(id: string, segments: readonly StoredSegment[]): StoredRendition {
  const isSound = id === "audio_source";
  const format = isSound ? (SOUND.format ?? H264) : H264;
  return {
    ...{ id, kind: format.kind, origin: id === "360p" ? "rung" : "source", epoch: "e", format, segments },
    leadTicks: 0,
    timescale: isSound ? 48_000 : 90_000,
    initBytes: Buffer.from(id === "source" ? "<a>" : `<header of ${id}>`),
    ...{ audioRenditionId: undefined, language: undefined, label: undefined, isComplete: true },
  };
}
