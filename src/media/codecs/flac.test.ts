import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeAudio } from "../../../test/support/encoded-track.ts";
import { MalformedInput } from "../../core/errors.ts";
import { flacFrameSamples, readDfla, readFlacConfig } from "./flac.ts";

const STREAMINFO = Buffer.from(
  "12001200000000004a580bb802f0000000000000000000000000000000000000000000",
  "hex",
).subarray(0, 34);

test("takes STREAMINFO bare, with the fLaC signature, and from a dfLa box, to the same format", () => {
  const bare = readFlacConfig(STREAMINFO);
  const signed = readFlacConfig(Buffer.concat([Buffer.from("fLaC\x80\0\0\x22", "latin1"), STREAMINFO]));
  assert.deepEqual(signed, bare);
  assert.deepEqual(readDfla(bare.config), bare);
  assert.equal(bare.sampleRateHz, 48_000);
  assert.equal(bare.channelCount, 2);
  assert.equal(Buffer.from(bare.config).toString("hex"), `0000000080000022${STREAMINFO.toString("hex")}`);
});

test("reads the frame lengths that ffmpeg states beside them", async () => {
  const { samples } = await encodeAudio("flac");
  assert.ok(samples.length > 1);
  for (const { data, duration } of samples.slice(0, -1)) assert.equal(flacFrameSamples(data), duration);
  const total = samples.reduce((sum, { data }) => sum + flacFrameSamples(data), 0);
  assert.equal(total, 24_000);
});

test("reads a rate that a sample entry has no room for", async () => {
  const { track } = await encodeAudio("flac", "-ar", "96000");
  assert.equal(readDfla(track.format.config).sampleRateHz, 96_000);
  assert.ok(track.format.kind === "audio" && track.format.sampleRateHz === 96_000);
});

test("reads frame lengths that stand behind a long sample number", () => {
  assert.equal(flacFrameSamples(Uint8Array.of(0xff, 0xf9, 0x70, 0, 0xc2, 0x80, 0x01, 0x02)), 0x103);
  assert.equal(flacFrameSamples(Uint8Array.of(0xff, 0xf8, 0x60, 0, 0x7f, 0xff)), 256);
});

test("refuses what is not FLAC", () => {
  assert.throws(() => readFlacConfig(Buffer.from("fLaX\x80\0\0\x22".padEnd(42, "\0"), "latin1")), MalformedInput);
  assert.throws(() => readFlacConfig(Buffer.from("fLaC\x81\0\0\x22".padEnd(42, "\0"), "latin1")), MalformedInput);
  assert.throws(() => readFlacConfig(new Uint8Array(34)), /sample rate is 0/);
  assert.throws(() => flacFrameSamples(Uint8Array.of(0xff, 0xf8, 0x00, 0, 0)), /reserved block size/);
  assert.throws(() => flacFrameSamples(Uint8Array.of(0xff, 0xf8, 0x60, 0, 0x80, 0, 0)), /coded number/);
});
