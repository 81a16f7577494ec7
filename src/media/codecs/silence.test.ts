import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { buffer, text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { writeChunk } from "../cmaf/chunk.ts";
import { writeInitSegment } from "../cmaf/init-segment.ts";
import type { AudioFormat } from "../format.ts";
import { readAacConfig } from "./aac.ts";
import { readOpusHead } from "./opus.ts";
import { silentUnit } from "./silence.ts";

const UNIT_COUNT = 50;

/** What ffmpeg hears in silent units alone, as 32-bit samples of one channel. */
async function decode(format: AudioFormat): Promise<Float32Array> {
  const silence = silentUnit(format);
  assert.ok(silence);
  const timescale = format.sampleRateHz;
  const sample = { duration: silence.sampleCount, cts: 0, isKey: true, data: silence.data };
  const { bytes } = writeChunk({
    ...{ sequenceNumber: 1, trackId: 1, baseDecodeTime: 0, isSegmentStart: true },
    samples: Array.from({ length: UNIT_COUNT }, () => sample),
  });
  const ffmpeg = spawn("ffmpeg", [
    ...["-hide_banner", "-loglevel", "warning", "-err_detect", "explode", "-i", "pipe:0"],
    ...["-ac", "1", "-f", "f32le", "pipe:1"],
  ]);
  ffmpeg.stdin.end(Buffer.concat([writeInitSegment([{ trackId: 1, timescale, format }]), bytes]));
  const [pcm, complaints] = await Promise.all([buffer(ffmpeg.stdout), text(ffmpeg.stderr), once(ffmpeg, "exit")]);
  assert.equal(complaints, "");
  return new Float32Array(new Uint8Array(pcm).buffer);
}

describe("silentUnit", () => {
  for (const [name, format] of [
    ["AAC-LC, mono, 44.1 kHz", readAacConfig(Buffer.from("1208", "hex"))],
    ["AAC-LC, stereo, 48 kHz", readAacConfig(Buffer.from("1190", "hex"))],
    ["AAC-LC, 5.1, 48 kHz", readAacConfig(Buffer.from("11b0", "hex"))],
    ["HE-AAC, stereo", readAacConfig(Buffer.from("2b118800", "hex"))],
    ["Opus, mono", readOpusHead(new Uint8Array(), 1)],
    ["Opus, stereo", readOpusHead(new Uint8Array(), 2)],
  ] as const) {
    it(`is heard as silence by a decoder: ${name}`, async () => {
      const samples = await decode(format);
      assert.ok(samples.length >= (UNIT_COUNT - 2) * 960, `${samples.length} samples`);
      assert.ok(samples.every((sample) => Math.abs(sample) < 1e-6));
    });
  }

  it("is not written in formats that have none here", () => {
    const mp3: AudioFormat = { ...readOpusHead(new Uint8Array(), 2), codec: "mp3", samplesPerUnit: 1152 };
    assert.equal(silentUnit(mp3), undefined);
    assert.equal(silentUnit({ ...readOpusHead(new Uint8Array(), 2), channelCount: 6 }), undefined);
  });
});
