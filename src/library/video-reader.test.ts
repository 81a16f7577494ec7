import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { temporaryDirectory } from "../../test/support/databases.ts";
import { writeLongFilm } from "../../test/support/long-film.ts";
import { Catalog } from "../catalog/catalog.ts";
import { silentLogger } from "../core/logger.ts";
import { VideoReader } from "./video-reader.ts";

const HOURS = 3;
const SEGMENT_S = 4;
const CHUNKS_OF_RENDITION = (HOURS * 3600) / (5 * SEGMENT_S);

test("reads a film of hours in many turns of the event loop", { timeout: 60_000 }, async (t) => {
  const dataDir = await temporaryDirectory(t);
  const videoId = await writeLongFilm(dataDir, HOURS * 3_600_000);
  const catalog = await Catalog.open({ dataDir, databaseUrl: undefined, log: silentLogger });
  t.after(() => catalog.close());
  const reader = new VideoReader({ videos: catalog.videos });
  let turns = 0;
  let isRead = false;
  const others = async () => {
    for (; !isRead; turns++) await nextTurn();
  };
  const [video] = await Promise.all([reader.get(videoId).finally(() => (isRead = true)), others()]);
  assert.ok(video && video.renditions.length > 1);
  for (const { segments, isComplete } of video.renditions) {
    assert.ok(isComplete);
    const starts = segments.map(({ start, duration }) => start / duration);
    assert.deepEqual(starts, [...Array((HOURS * 3600) / SEGMENT_S).keys()]);
  }
  assert.ok(turns >= video.renditions.length * Math.floor(CHUNKS_OF_RENDITION / 50), `${turns} turns`);
});

test("calls final what is ready, and not what failed and may be tried again", { timeout: 60_000 }, async (t) => {
  const dataDir = await temporaryDirectory(t);
  const videoId = await writeLongFilm(dataDir, 60_000);
  const catalog = await Catalog.open({ dataDir, databaseUrl: undefined, log: silentLogger });
  t.after(() => catalog.close());
  const reader = new VideoReader({ videos: catalog.videos });
  const ready = await reader.get(videoId);
  assert.equal(ready?.isFinal, true);
  const [, second] = await catalog.videos.renditions(videoId);
  assert.ok(second);
  await catalog.videos.renewRendition({ ...second, nextEpoch: "another" });
  await catalog.videos.setStatus(videoId, { status: "errored", error: { code: "INTERNAL", message: "lost" } });
  const failed = await reader.get(videoId, ready);
  assert.deepEqual([failed?.isFinal, failed?.isPlayable], [false, true]);
});
