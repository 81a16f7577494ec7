import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../core/clock.ts";
import { progressOf } from "./video-progress.ts";
import type { VideoState } from "./video-records.ts";

const MINUTE_MS = 60_000;

/** What is read of a film of ten minutes in ten chunks, of which these renditions have so many. */
function film(
  createdAtMs: number,
  renditions: Readonly<Record<string, readonly [begunAtMs: number | null, made: number]>>,
) {
  const planned = Object.entries(renditions).map(([renditionId, [begunAtMs, made]]) => ({
    record: { renditionId, epoch: "e", chunkCount: 10, begunAtMs, status: made === 10 ? "ready" : "working" },
    spec: { kind: "video", method: "encode" },
  }));
  const committed = Object.entries(renditions).map(
    ([id, [, made]]) => [`${id}/e`, new Set(Array(made).keys())] as const,
  );
  return {
    video: { status: "playable", createdAtMs },
    plan: { durationMs: 10 * MINUTE_MS, chunkTargetMs: MINUTE_MS, chunkCount: 10 },
    renditions: planned,
    committed: new Map(committed),
  } as unknown as VideoState;
}

test("measures what is being made by the time since it was begun", () => {
  const clock = new ManualClock();
  const nowMs = clock.nowMs();
  const daysAgo = nowMs - 2 * 24 * 60 * MINUTE_MS;
  const { share, remainingMs, renditions } = progressOf(
    film(daysAgo, { "720p": [daysAgo, 10], "360p": [nowMs - 2 * MINUTE_MS, 5] }),
    clock,
  );
  assert.deepEqual([share, remainingMs], [0.75, 2 * MINUTE_MS]);
  assert.deepEqual(
    renditions.map(({ share, speed }) => [share, speed]),
    [
      [1, undefined],
      [0.5, 2.5],
    ],
  );
});

test("measures from when the video came what an earlier version began, and tells nothing too early", () => {
  const clock = new ManualClock();
  const nowMs = clock.nowMs();
  assert.equal(progressOf(film(nowMs - MINUTE_MS, { "720p": [null, 5] }), clock).remainingMs, MINUTE_MS);
  assert.equal(progressOf(film(nowMs - MINUTE_MS, { "720p": [nowMs, 0] }), clock).remainingMs, undefined);
});
