import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { StoredSegment } from "../../packaging/stored-rendition.ts";
import { pickMoments, segmentsWithin } from "./moments.ts";

const TIMESCALE = 90_000;

/** Segments of these lengths in seconds, one after another. */
function rendition(lengthsS: readonly number[]) {
  let start = 0;
  const segments = lengthsS.map((lengthS): StoredSegment => {
    const duration = Math.round(lengthS * TIMESCALE);
    const segment = { start, duration, byteLength: 1, frameCount: 1, keyFrames: [], key: `${start}` };
    start += duration;
    return segment;
  });
  return { segments, timescale: TIMESCALE };
}

const inSeconds = (moments: ReturnType<typeof pickMoments>) =>
  moments.map(({ startMs, endMs }) => [startMs / 1000, endMs / 1000]);

test("shows all of a short video, and nothing of none", () => {
  assert.deepEqual(inSeconds(pickMoments(rendition([4, 4, 2.5]))), [[0, 10.5]]);
  assert.deepEqual(pickMoments(rendition([])), []);
});

test("shows six moments of a longer one, evenly, from the beginnings of segments on", () => {
  const hour = rendition(new Array<number>(900).fill(4));
  const moments = pickMoments(hour);
  assert.deepEqual(inSeconds(moments), [
    [296, 301],
    [896, 901],
    [1496, 1501],
    [2096, 2101],
    [2696, 2701],
    [3296, 3301],
  ]);
  assert.deepEqual(
    segmentsWithin(hour, moments.slice(0, 1)).map(({ start }) => start / TIMESCALE),
    [296, 300],
  );
});

test("never shows a moment twice, and never more than 30 seconds", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.04, max: 12, noNaN: true }), { minLength: 1, maxLength: 200 }),
      (lengths) => {
        const source = rendition(lengths);
        const moments = pickMoments(source);
        assert.ok(moments.length > 0);
        let before = 0;
        for (const { startMs, endMs } of moments) {
          assert.ok(startMs >= before && endMs > startMs);
          before = endMs;
        }
        const lengthMs = moments.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0);
        assert.ok(lengthMs <= 30_000.001, `${lengthMs}`);
        assert.ok(segmentsWithin(source, moments).length >= moments.length);
      },
    ),
  );
});
