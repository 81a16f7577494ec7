import assert from "node:assert/strict";
import { test } from "node:test";
import { NAMED_QUALITIES, type QualityName } from "../encode/ladder.ts";
import type { PlannedRendition, VideoState } from "./video-records.ts";
import { missingJobs } from "./video-steps.ts";

/** What the steps read of a video whose picture is to be encoded in these qualities, and of which nothing is there. */
function encoded(...names: QualityName[]): VideoState {
  const renditions = names.map((renditionId) => ({
    record: { renditionId, epoch: "e1", status: "waiting", kind: "video" },
    spec: { kind: "video", method: "encode", ...NAMED_QUALITIES[renditionId] },
  })) as unknown as PlannedRendition[];
  const video = { videoId: "v", status: "preparing", source: { key: "k" } };
  return { video, plan: { chunkCount: 3 }, renditions, committed: new Map() } as unknown as VideoState;
}

function encodes(state: VideoState): unknown[] {
  return missingJobs(state).map(({ data: { index, targets } }) => {
    return [index, (targets as { renditionId: string }[]).map(({ renditionId }) => renditionId)];
  });
}

test("every chunk of a picture is one job for all its qualities", () => {
  const names = ["1080p", "720p", "240p"] as const;
  assert.deepEqual(encodes(encoded(...names)), [
    [0, names],
    [1, names],
    [2, names],
  ]);
});

test("a picture above 1080p begins with its small qualities", () => {
  const [first, second, third] = encodes(encoded("2160p", "1080p", "720p", "240p"));
  assert.deepEqual(first, [0, ["720p", "240p"]]);
  assert.deepEqual(second, [0, ["2160p", "1080p"]]);
  assert.deepEqual(third, [1, ["2160p", "1080p", "720p", "240p"]]);
});

test("a large quality that is made alone is one job", () => {
  assert.deepEqual(encodes(encoded("2160p"))[0], [0, ["2160p"]]);
});
