import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeAudio, encodeVideo } from "../../test/support/encoded-track.ts";
import type { VideoChunkRecord, VideoRenditionRecord } from "../catalog/video-record.ts";
import { newVideoId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { StoredSegment } from "../packaging/stored-rendition.ts";
import { renditionInit } from "./make/rendition-init.ts";
import { readRenditionInit, readSegments, renditionInitJson, segmentsJson, storedRendition } from "./rendition-json.ts";

const video = renditionInit((await encodeVideo("libx264", "-preset", "ultrafast")).track.format, 7200);
const audio = renditionInit((await encodeAudio("aac")).track.format, 7200);
const videoId = newVideoId();

/** As a database gives it back. */
const stored = <T>(json: T): T => JSON.parse(JSON.stringify(json));

function segment(keyPrefix: string, place: number): StoredSegment {
  const keyFrames = [{ start: 9000 * place, offset: 32, length: 500 }];
  const key = `${keyPrefix}${place + 1}.m4s`;
  return { start: 9000 * place, duration: 9000, byteLength: 2000 + place, frameCount: 25, keyFrames, key };
}

function chunk(index: number, change: Partial<VideoChunkRecord> = {}): VideoChunkRecord {
  const keyPrefix = `videos/v/720p/e1/a${index}/${index}/`;
  const segments = stored(segmentsJson([segment(keyPrefix, 0), segment(keyPrefix, 1)]));
  return { videoId, renditionId: "720p", epoch: "e1", index, keyPrefix, segments, ...change };
}

const SPEC: JsonObject = {
  ...{ kind: "video", method: "encode", id: "720p", streamIndex: 0, width: 1280, height: 720, bitrateBps: 1 },
  ...{ profile: "main", level: "3.1", audioRenditionId: "aac_128" },
};
const RECORD: VideoRenditionRecord = {
  ...{ videoId, renditionId: "720p", kind: "video", origin: "rung", epoch: "e1", status: "working", position: 0 },
  ...{ spec: SPEC, init: stored(renditionInitJson(video)), chunkCount: 3, error: null, begunAtMs: 0 },
};

test("keeps what a header says, for either medium", () => {
  for (const init of [video, audio]) {
    assert.deepEqual(readRenditionInit(stored(renditionInitJson(init))), {
      ...init,
      bytes: new Uint8Array(init.bytes),
      format: { ...init.format, config: new Uint8Array(init.format.config) },
    });
  }
});

test("keeps segments, and finds their keys by the prefix of their chunk", () => {
  const record = chunk(2);
  assert.deepEqual(readSegments(record), [segment(record.keyPrefix, 0), segment(record.keyPrefix, 1)]);
});

test("shows a rendition as far as its chunks follow each other", () => {
  const rendition = storedRendition(RECORD, [chunk(3), chunk(1), chunk(0), chunk(2, { epoch: "e0" })])?.rendition;
  assert.equal(rendition?.segments.length, 4);
  assert.equal(rendition?.segments[2]?.key, "videos/v/720p/e1/a1/1/1.m4s");
  assert.deepEqual([rendition?.isComplete, rendition?.audioRenditionId], [false, "aac_128"]);
  const whole = storedRendition(RECORD, [chunk(2), chunk(1), chunk(0)])?.rendition;
  assert.deepEqual([whole?.isComplete, whole?.segments.length], [true, 6]);
});

test("shows what people choose sound by", () => {
  const spec: JsonObject = {
    ...{ kind: "audio", method: "copy", id: "audio_source", streamIndex: 1, channelCount: 2, sampleRateHz: 48_000 },
    ...{ language: "de", label: "Deutsch", isDefault: true, codec: "aac" },
  };
  const record: VideoRenditionRecord = { ...RECORD, kind: "audio", spec, init: stored(renditionInitJson(audio)) };
  const rendition = storedRendition(record, [])?.rendition;
  assert.deepEqual([rendition?.language, rendition?.label, rendition?.segments], ["de", "Deutsch", []]);
});

test("shows nothing of text, and nothing before the first chunk", () => {
  assert.equal(storedRendition({ ...RECORD, kind: "text" }, []), undefined);
  assert.equal(storedRendition({ ...RECORD, init: null }, []), undefined);
});

test("refuses records that say something else", () => {
  assert.throws(() => readSegments({ keyPrefix: "a/", segments: [{ start: -1 }] }), { name: "ZodError" });
  assert.throws(() => readRenditionInit({ format: {}, timescale: 1, bytes: "" }), { name: "ZodError" });
});

test("refuses segments that are none, and takes every one that is written", () => {
  const own = chunk(0);
  const [json] = own.segments;
  assert.ok(json);
  for (const broken of [
    { start: -1 },
    { start: 0.5 },
    { duration: 0 },
    { bytes: "9" },
    { frames: null },
    { keys: {} },
    { keys: [[0, 32]] },
    { keys: [[0, 32, 0]] },
  ]) {
    const segments = [{ ...json, ...broken }] as unknown as readonly JsonObject[];
    assert.throws(() => readSegments({ ...own, segments }), { name: "ZodError" }, JSON.stringify(broken));
  }
  const { keys: _, ...rest } = json;
  assert.throws(() => readSegments({ ...own, segments: [rest] }), { name: "ZodError" });
});
