import assert from "node:assert/strict";
import { test } from "node:test";
import { createFile, type Movie, MP4BoxBuffer } from "mp4box";
import { AAC_48K, H264_360P } from "../../../test/support/source-units.ts";
import type { VideoFormat } from "../format.ts";
import { readBoxes } from "../isobmff/box.ts";
import { writeInitSegment } from "./init-segment.ts";
import type { CmafTrack } from "./track.ts";

const VIDEO: CmafTrack = { trackId: 1, timescale: 90_000, format: H264_360P };
const AUDIO: CmafTrack = { trackId: 2, timescale: 48_000, format: AAC_48K };
const CONTAINERS = new Set(["moov", "trak", "mdia", "minf", "dinf", "stbl", "mvex"]);

function readByMp4box(bytes: Uint8Array): Movie {
  const box = createFile();
  let read: Movie | undefined;
  box.onReady = (movie) => {
    read = movie;
  };
  box.onError = (module, message) => assert.fail(`${module}: ${message}`);
  box.appendBuffer(MP4BoxBuffer.fromArrayBuffer(new Uint8Array(bytes).buffer, 0));
  box.flush();
  assert.ok(read);
  return read;
}

function outline(bytes: Uint8Array): string {
  return readBoxes(bytes)
    .map(({ type, body }) => (CONTAINERS.has(type) ? `${type}(${outline(body)})` : type))
    .join(" ");
}

/** The body of the first box of `type` anywhere within `bytes`, found by its name. */
function bodyOf(bytes: Uint8Array, type: string): Buffer {
  const buffer = Buffer.from(bytes);
  const at = buffer.indexOf(type, 0, "latin1");
  assert.ok(at >= 4, `${type} is there`);
  return buffer.subarray(at + 4, at - 4 + buffer.readUInt32BE(at - 4));
}

test("has the boxes of a CMAF header in their order, for video and audio", () => {
  const track = (header: string) =>
    `trak(tkhd mdia(mdhd hdlr minf(${header} dinf(dref) stbl(stsd stts stsc stsz stco))))`;
  assert.equal(outline(writeInitSegment([VIDEO])), `ftyp moov(mvhd ${track("vmhd")} mvex(trex))`);
  assert.equal(
    outline(writeInitSegment([VIDEO, AUDIO])),
    `ftyp moov(mvhd ${track("vmhd")} ${track("smhd")} mvex(trex trex))`,
  );
});

test("names the brands that CMAF asks for", () => {
  assert.equal(bodyOf(writeInitSegment([VIDEO]), "ftyp").toString("latin1"), "iso6\0\0\0\0iso6cmfccmf2");
});

test("is a fragmented movie without samples to mp4box, with our tracks", () => {
  const movie = readByMp4box(writeInitSegment([VIDEO, AUDIO]));
  assert.equal(movie.isFragmented, true);
  assert.equal(movie.duration, 0);
  const seen = movie.tracks.map(({ id, timescale, codec, nb_samples, duration }) => ({
    id,
    timescale,
    codec,
    nb_samples,
    duration,
  }));
  assert.deepEqual(seen, [
    { id: 1, timescale: 90_000, codec: "avc1.64001e", nb_samples: 0, duration: 0 },
    { id: 2, timescale: 48_000, codec: "mp4a.40.2", nb_samples: 0, duration: 0 },
  ]);
  assert.deepEqual([movie.tracks[0]?.video?.width, movie.tracks[0]?.video?.height], [640, 360]);
  assert.deepEqual([movie.tracks[1]?.audio?.sample_rate, movie.tracks[1]?.audio?.channel_count], [48_000, 2]);
});

test("makes equal bytes of equal formats", () => {
  assert.deepEqual(writeInitSegment([VIDEO]), writeInitSegment([{ ...VIDEO, format: { ...H264_360P } }]));
});

test("tells the shape of pixels and the colours when they are known", () => {
  const colour = { primaries: 9, transfer: 16, matrix: 9, isFullRange: true };
  const format: VideoFormat = { ...H264_360P, sampleAspect: { width: 4, height: 3 }, colour };
  const init = writeInitSegment([{ ...VIDEO, format }]);
  assert.equal(bodyOf(init, "pasp").toString("hex"), "0000000400000003");
  assert.equal(bodyOf(init, "colr").toString("hex"), `${Buffer.from("nclx").toString("hex")}00090010000980`);
  assert.deepEqual(
    [bodyOf(init, "tkhd").readUInt32BE(76) / 65_536, bodyOf(init, "tkhd").readUInt32BE(80) / 65_536],
    [853, 360],
  );
  const plain = Buffer.from(writeInitSegment([VIDEO])).toString("latin1");
  assert.ok(!plain.includes("pasp") && !plain.includes("colr"));
});
