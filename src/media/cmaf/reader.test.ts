import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeAudio, encodeVideo, VIDEO_ENCODERS } from "../../../test/support/encoded-track.ts";
import { ffmpegOutput, ffprobeJson } from "../../../test/support/ffmpeg-output.ts";
import { AAC_48K, H264_360P } from "../../../test/support/source-units.ts";
import { MalformedInput } from "../../core/errors.ts";
import { writeChunk } from "./chunk.ts";
import { writeInitSegment } from "./init-segment.ts";
import { type CmafEvent, CmafReader, type ReadSample } from "./reader.ts";

const INIT = writeInitSegment([{ trackId: 1, timescale: 90_000, format: H264_360P }]);
const SAMPLE = { duration: 3000, cts: 0, isKey: true, data: Uint8Array.of(1, 2, 3, 4) };
const CHUNK = writeChunk({
  sequenceNumber: 1,
  trackId: 1,
  baseDecodeTime: 0,
  samples: [SAMPLE],
  isSegmentStart: false,
}).bytes;

function readAll(bytes: Uint8Array, limitBytes = 1 << 20): CmafEvent[] {
  const reader = new CmafReader({ limitBytes });
  const events = reader.push(bytes);
  reader.end();
  return events;
}

function samplesOf(events: readonly CmafEvent[], trackId: number): ReadSample[] {
  return events.flatMap((event) => (event.kind === "sample" && event.trackId === trackId ? [event] : []));
}

function box(type: string, ...content: (Uint8Array | number[])[]): Buffer {
  const body = Buffer.concat(content.map((part) => Uint8Array.from(part)));
  const head = Buffer.alloc(8);
  head.writeUInt32BE(body.length + 8);
  head.write(type, 4, "latin1");
  return Buffer.concat([head, body]);
}

interface ProbedPacket {
  readonly stream_index: number;
  readonly pts: number;
  readonly dts: number;
  readonly size: string;
  readonly flags: string;
}

function packetsOf(packets: readonly ProbedPacket[], index: number): unknown[][] {
  return packets
    .filter((packet) => packet.stream_index === index)
    .map(({ dts, pts, size, flags }) => [dts, pts, Number(size), flags.startsWith("K")]);
}

const PICTURE = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=2"];
const TONE = ["-f", "lavfi", "-i", "sine=sample_rate=48000:duration=2"];
const ENCODERS = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "25", "-c:a", "aac"];

/** Movie flags with which ffmpeg writes composition offsets as ffprobe reads them back. */
const MOVFLAGS = [
  "+frag_keyframe+empty_moov+default_base_moof",
  "+frag_keyframe+delay_moov+default_base_moof",
  "+frag_every_frame+empty_moov",
  "+frag_keyframe+empty_moov",
  "+dash+frag_keyframe+empty_moov+skip_sidx",
  "+frag_keyframe+empty_moov+omit_tfhd_offset+separate_moof",
];

for (const movflags of MOVFLAGS) {
  test(`reads the packets that ffprobe reads: ${movflags}`, async () => {
    const mp4 = await ffmpegOutput(...PICTURE, ...TONE, ...ENCODERS, "-movflags", movflags, "-f", "mp4", "-");
    const events = readAll(mp4);
    const { packets } = (await ffprobeJson(mp4, "-show_packets")) as { packets: ProbedPacket[] };
    for (const index of [0, 1]) {
      assert.deepEqual(
        samplesOf(events, index + 1).map((s) => [s.dts, s.dts + s.cts, s.data.length, s.isKey]),
        packetsOf(packets, index),
      );
    }
  });
}

test("reads ffmpeg's CMAF with negative composition offsets: unbroken time, all frames, from time 0", async () => {
  const movflags = "+cmaf+frag_every_frame+empty_moov+default_base_moof";
  const mp4 = await ffmpegOutput(...PICTURE, ...TONE, ...ENCODERS, "-movflags", movflags, "-f", "mp4", "-");
  const events = readAll(mp4);
  const video = samplesOf(events, 1);
  assert.deepEqual(
    video.map(({ dts }) => dts),
    video.map((_, i) => i * 512),
  );
  assert.deepEqual(
    video.map(({ dts, cts }) => dts + cts).sort((a, b) => a - b),
    video.map((_, i) => i * 512),
  );
  assert.equal(video.length, 50);
  assert.ok(video.some(({ cts }) => cts < 0));
});

test("is fed by our own writer what ffmpeg reads too: two tracks in turn, times kept to the tick", async () => {
  const [video, audio] = [
    await encodeVideo("libx264", ...(VIDEO_ENCODERS.libx264 ?? []), "-movflags", "frag_every_frame+empty_moov"),
    await encodeAudio("aac"),
  ];
  const tracks = [video.track, { ...audio.track, trackId: 2 }];
  const units = [video, audio]
    .flatMap(({ track, samples }, index) =>
      samples.map((sample) => ({ ...sample, trackId: index + 1, seconds: sample.dts / track.timescale })),
    )
    .sort((a, b) => a.seconds - b.seconds);
  const startOf = (trackId: number) => 10 * (tracks[trackId - 1]?.timescale ?? 0);
  const chunks = units.map(
    (unit, i) =>
      writeChunk({
        sequenceNumber: i + 1,
        trackId: unit.trackId,
        baseDecodeTime: startOf(unit.trackId) + unit.dts,
        samples: [unit],
        isSegmentStart: false,
      }).bytes,
  );
  const file = Buffer.concat([writeInitSegment(tracks), ...chunks]);
  const { packets } = (await ffprobeJson(file, "-show_packets")) as { packets: ProbedPacket[] };
  const events = readAll(file);
  for (const trackId of [1, 2]) {
    const written = units
      .filter((unit) => unit.trackId === trackId)
      .map(({ dts, cts, data, isKey }) => [startOf(trackId) + dts, startOf(trackId) + dts + cts, data.length, isKey]);
    assert.ok(written.length > 10);
    assert.deepEqual(packetsOf(packets, trackId - 1), written);
    assert.deepEqual(
      samplesOf(events, trackId).map((s) => [s.dts, s.dts + s.cts, s.data.length, s.isKey]),
      written,
    );
  }
});

test("gives each sample as soon as its bytes are there", () => {
  const reader = new CmafReader();
  reader.push(INIT);
  assert.deepEqual(reader.push(CHUNK.subarray(0, -1)), []);
  assert.equal(reader.push(CHUNK.subarray(-1)).length, 1);
});

test("keeps no view of the bytes it was given", () => {
  const reader = new CmafReader();
  const given = Buffer.concat([INIT, CHUNK]);
  const [, event] = reader.push(given);
  given.fill(0xff);
  assert.ok(event?.kind === "sample");
  assert.deepEqual([...event.data], [1, 2, 3, 4]);
});

test("reads two tracks of one file", () => {
  const init = writeInitSegment([
    { trackId: 1, timescale: 90_000, format: H264_360P },
    { trackId: 2, timescale: 48_000, format: AAC_48K },
  ]);
  const audio = writeChunk({
    sequenceNumber: 2,
    trackId: 2,
    baseDecodeTime: 77,
    samples: [SAMPLE],
    isSegmentStart: false,
  }).bytes;
  const events = readAll(Buffer.concat([init, CHUNK, audio]));
  assert.deepEqual(
    samplesOf(events, 2).map(({ dts }) => dts),
    [77],
  );
  assert.deepEqual(
    samplesOf(events, 1).map(({ dts }) => dts),
    [0],
  );
});

test("passes over boxes that it does not know, however large, without holding them", () => {
  const reader = new CmafReader({ limitBytes: 4096 });
  reader.push(INIT);
  const head = Buffer.alloc(16);
  head.writeUInt32BE(1);
  head.write("free", 4, "latin1");
  head.writeBigUInt64BE(16n + 100_000n, 8);
  reader.push(head);
  for (let i = 0; i < 100; i += 1) assert.deepEqual(reader.push(new Uint8Array(1000)), []);
  assert.equal(reader.push(CHUNK).length, 1);
  reader.end();
});

test("refuses what would not fit, lies or comes in the wrong order", () => {
  const tooLarge = Buffer.from("7fffffff6d646174", "hex");
  const toTheEnd = Buffer.from("000000006d646174", "hex");
  const impossible = Buffer.from("000000076d646174", "hex");
  assert.throws(() => readAll(Buffer.concat([INIT, tooLarge])), /mdat has 2147483647 bytes/);
  assert.throws(() => readAll(Buffer.concat([INIT, toTheEnd])), /has no end/);
  assert.throws(() => readAll(impossible), /box size 7 is not possible/);
  assert.throws(() => readAll(CHUNK), /moof before moov/);
  assert.throws(() => readAll(Buffer.concat([INIT, INIT])), /second moov/);
  assert.throws(() => readAll(Buffer.concat([INIT, CHUNK.subarray(0, -12), CHUNK])), /moof without its mdat/);
  assert.throws(() => readAll(INIT.subarray(0, -1)), /ends within a box/);
  assert.throws(() => readAll(box("moov", box("moov"))), MalformedInput);
});

test("refuses a sample that lies outside the media data", () => {
  const moved = Buffer.from(CHUNK);
  const dataOffsetAt = moved.indexOf("trun", 0, "latin1") + 12;
  moved.writeInt32BE(moved.readInt32BE(dataOffsetAt) + 1, dataOffsetAt);
  assert.throws(() => readAll(Buffer.concat([INIT, moved])), /outside its mdat/);
});

test("refuses to announce more samples than a fragment may have", () => {
  const endless = Buffer.from(CHUNK);
  endless.writeUInt32BE(0xffffffff, endless.indexOf("trun", 0, "latin1") + 8);
  assert.throws(() => readAll(Buffer.concat([INIT, endless])), /announces 4294967295 samples/);
});

test("refuses boxes that lie too deep", () => {
  let nested = box("trak");
  for (let i = 0; i < 40; i += 1) nested = box("moov", nested);
  assert.throws(() => readAll(nested), MalformedInput);
});
