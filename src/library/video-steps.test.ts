import assert from "node:assert/strict";
import { test } from "node:test";
import type { RenditionStatus } from "../catalog/video-record.ts";
import { NAMED_QUALITIES, type QualityName } from "../encode/ladder.ts";
import type { PlannedRendition, VideoState } from "./video-records.ts";
import { lackingChunkCount, missingJobs, rungsAstray, wholeRungs } from "./video-steps.ts";

/** A copy of the source beside its only rung; both have their first chunk. */
function besideCopy(copyStatus: RenditionStatus, rungChunkCount: number | null): VideoState {
  const state = encoded("720p");
  const copy = {
    record: { renditionId: "source", epoch: "c1", status: copyStatus, kind: "video", chunkCount: null },
    spec: { kind: "video", method: "copy" },
  };
  const [rung] = state.renditions;
  assert.ok(rung);
  return {
    ...state,
    plan: { road: "repackage", chunkCount: 1 },
    renditions: [copy, { ...rung, record: { ...rung.record, chunkCount: rungChunkCount } }],
    committed: new Map([
      ["source/c1", new Set([0, 1])],
      ["720p/e1", new Set([0])],
    ]),
  } as unknown as VideoState;
}

/** What the steps read of a video whose picture is to be encoded in these qualities, and of which nothing is there. */
function encoded(...names: QualityName[]): VideoState {
  const renditions = names.map((renditionId) => ({
    record: { renditionId, epoch: "e1", status: "waiting", kind: "video", chunkCount: 3 },
    spec: { kind: "video", method: "encode", ...NAMED_QUALITIES[renditionId] },
  })) as unknown as PlannedRendition[];
  const video = { videoId: "v", status: "preparing", source: { key: "k" } };
  return { video, plan: { chunkCount: 3 }, renditions, committed: new Map() } as unknown as VideoState;
}

function encodes(state: VideoState): unknown[] {
  return missingJobs(state).map(({ kind, data: { index, targets } }) => {
    const names = (targets as { renditionId: string }[]).map(({ renditionId }) => renditionId);
    return [kind === "video.opening" ? "opening" : index, names];
  });
}

test("every chunk of a picture is one job for all its qualities", () => {
  const names = ["720p", "480p", "240p"] as const;
  assert.deepEqual(encodes(encoded(...names)), [
    ["opening", names],
    [1, names],
    [2, names],
  ]);
});

test("a picture above 720p begins with its small qualities", () => {
  for (const large of [["2160p", "1080p"], ["1080p"]] as const) {
    const [first, second, third] = encodes(encoded(...large, "720p", "240p"));
    assert.deepEqual(first, ["opening", ["720p", "240p"]]);
    assert.deepEqual(second, [0, large]);
    assert.deepEqual(third, [1, [...large, "720p", "240p"]]);
  }
});

test("a large quality that is made alone is one job", () => {
  assert.deepEqual(encodes(encoded("2160p"))[0], ["opening", ["2160p"]]);
});

test("a video of which there is something to be seen has been opened", () => {
  const state = encoded("720p", "240p");
  assert.deepEqual(encodes({ ...state, committed: new Map([["720p/e1", new Set([0])]]) })[0], [0, ["240p"]]);
  const lacking = (copyStatus: RenditionStatus, rungChunkCount: number | null) => {
    const state = besideCopy(copyStatus, rungChunkCount);
    return { ...state, committed: new Map([...state.committed].filter(([key]) => key === "source/c1")) };
  };
  assert.deepEqual(encodes(lacking("working", null)).at(-2), [0, ["720p"]]);
  assert.deepEqual(encodes(lacking("errored", 1)), [["opening", ["720p"]]], "a copy that was given up does not go on");
});

test("chunks are lacking where any quality of them is", () => {
  const state = encoded("720p", "240p");
  const committed = new Map([
    ["720p/e1", new Set([0, 1])],
    ["240p/e1", new Set([0])],
  ]);
  assert.equal(lackingChunkCount(state), 3);
  assert.equal(lackingChunkCount({ ...state, committed }), 2);
});

const astray = (state: VideoState) => rungsAstray(state).map(({ record }) => record.renditionId);

test("a rung goes on beside the copy that it was begun beside, and without one when it was begun without", () => {
  assert.deepEqual(astray(besideCopy("working", null)), []);
  assert.deepEqual(encodes(besideCopy("working", null)).at(-1), [1, ["720p"]]);
  assert.deepEqual(astray(besideCopy("errored", 1)), []);
  assert.equal(wholeRungs(besideCopy("errored", 1)).length, 1);
});

test("a rung whose borders are elsewhere now neither goes on nor is whole", () => {
  for (const state of [besideCopy("errored", null), besideCopy("working", 1)]) {
    assert.deepEqual(astray(state), ["720p"]);
    assert.deepEqual(encodes(state).flat(2).includes("720p"), false);
    assert.deepEqual(wholeRungs(state), []);
  }
});
