import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createFile, MP4BoxBuffer } from "mp4box";
import { AAC_48K, H264_360P } from "../../../test/support/source-units.ts";
import { type FileTrack, layOutMovie } from "./movie-file.ts";
import { SampleTable, type TableSample } from "./sample-table.ts";

function tableOf(samples: readonly TableSample[]): SampleTable {
  const table = new SampleTable();
  for (const sample of samples) table.push(sample);
  return table;
}

/** The file of a layout, in which each byte of a sample is the place of its track and sample. */
function fileOf(tracks: readonly FileTrack[]): Uint8Array {
  const { head, chunks } = layOutMovie(tracks);
  const places = tracks.map(() => 0);
  const media = chunks.map(({ track, sampleCount, byteLength }) => {
    const pieces = Array.from({ length: sampleCount }, () => {
      const place = places[track] ?? 0;
      places[track] = place + 1;
      return Buffer.alloc(tracks[track]?.samples.sizes[place] ?? 0, marker(track, place));
    });
    const bytes = Buffer.concat(pieces);
    assert.equal(bytes.length, byteLength);
    return bytes;
  });
  return Buffer.concat([head, ...media]);
}

const marker = (track: number, place: number) => (track * 128 + place) % 256;

function readByMp4box(bytes: Uint8Array) {
  const box = createFile();
  box.onError = (module, message) => assert.fail(`${module}: ${message}`);
  box.appendBuffer(MP4BoxBuffer.fromArrayBuffer(new Uint8Array(bytes).buffer, 0));
  box.flush();
  return box;
}

const sample = fc.record({
  duration: fc.integer({ min: 1, max: 9_000 }),
  cts: fc.integer({ min: -6_000, max: 6_000 }),
  isKey: fc.boolean(),
  byteLength: fc.integer({ min: 0, max: 40 }),
});
const track = fc.record({
  kind: fc.constantFrom("video", "audio"),
  start: fc.integer({ min: -3_000, max: 90_000 }),
  samples: fc.array(sample, { minLength: 1, maxLength: 60 }),
});

test("tells another reader where every sample is, and when", () => {
  fc.assert(
    fc.property(fc.array(track, { minLength: 1, maxLength: 3 }), (wanted) => {
      const tracks = wanted.map(({ kind, start, samples }): FileTrack => {
        const format = kind === "video" ? H264_360P : AAC_48K;
        return { format, timescale: kind === "video" ? 90_000 : 48_000, start, samples: tableOf(samples) };
      });
      const bytes = fileOf(tracks);
      const box = readByMp4box(bytes);
      for (const [index, { samples }] of wanted.entries()) {
        const read = box.getTrackSamplesInfo(index + 1);
        const least = Math.min(0, ...samples.map(({ cts }) => cts));
        let dts = 0;
        assert.equal(read.length, samples.length);
        for (const [place, { duration, cts, isKey, byteLength }] of samples.entries()) {
          const seen = read[place];
          assert.ok(seen);
          assert.deepEqual(
            [seen.dts, seen.cts, seen.duration, seen.size, seen.is_sync],
            [dts, dts + cts - least, duration, byteLength, isKey],
          );
          const data = bytes.subarray(seen.offset, seen.offset + seen.size);
          assert.ok(data.every((byte) => byte === marker(index, place)));
          dts += duration;
        }
      }
    }),
    { numRuns: 60 },
  );
});

test("puts presentation zero where it was, before the tracks begin and behind it", () => {
  const samples = tableOf([
    { duration: 3_000, cts: 3_000, isKey: true, byteLength: 5 },
    { duration: 3_000, cts: -3_000, isKey: false, byteLength: 5 },
  ]);
  const editsFrom = (start: number) => {
    const box = readByMp4box(fileOf([{ format: H264_360P, timescale: 90_000, start, samples }]));
    return box.moov.traks[0]?.edts?.elst?.entries.map(({ media_time, segment_duration }) => [
      media_time,
      segment_duration,
    ]);
  };
  assert.deepEqual(editsFrom(0), [[3_000, 67]]);
  assert.deepEqual(editsFrom(-3_000), [[6_000, 33]]);
  assert.deepEqual(editsFrom(93_000), [
    [-1, 1_000],
    [0, 100],
  ]);
});

test("lets no track wait for another longer than half a second", () => {
  const steady = (count: number, duration: number) =>
    tableOf(Array.from({ length: count }, () => ({ duration, cts: 0, isKey: true, byteLength: 3 })));
  const { chunks } = layOutMovie([
    { format: H264_360P, timescale: 90_000, start: 0, samples: steady(125, 3_600) },
    { format: AAC_48K, timescale: 48_000, start: 0, samples: steady(235, 1_024) },
  ]);
  const reachedMs = [0, 0];
  for (const { track, sampleCount } of chunks) {
    reachedMs[track] =
      (reachedMs[track] ?? 0) + (sampleCount * (track === 0 ? 3_600_000 : 1_024_000)) / (track === 0 ? 90_000 : 48_000);
    const [video = 0, audio = 0] = reachedMs;
    assert.ok(Math.abs(video - audio) < 600, `${video} beside ${audio} ms`);
  }
  assert.ok(chunks.length > 18);
});

test("addresses media beyond what 32 bits can tell", () => {
  const large = { duration: 90_000, cts: 0, isKey: true, byteLength: 2 ** 30 };
  const samples = tableOf([large, large, large, large, large]);
  const { head, chunks } = layOutMovie([{ format: H264_360P, timescale: 90_000, start: 0, samples }]);
  const box = readByMp4box(head);
  const offsets = box.moov.traks[0]?.mdia.minf.stbl.co64?.chunk_offsets;
  assert.deepEqual(
    offsets,
    chunks.map((_, index) => head.length + index * 2 ** 30),
  );
  assert.equal(Buffer.from(head).readBigUInt64BE(head.length - 8), 16n + 5n * 2n ** 30n);
});
