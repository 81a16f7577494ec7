import assert from "node:assert/strict";
import { before, test } from "node:test";
import { type EncodedTrack, encodeAudio } from "../../../test/support/encoded-track.ts";
import { MalformedInput } from "../../core/errors.ts";
import { opusPacketSamples, readOpusConfig, readOpusHead } from "./opus.ts";

let encoded: EncodedTrack;
before(async () => {
  encoded = await encodeAudio("libopus", "-frame_duration", "20");
});

test("turns an identification header into a dOps body", () => {
  const head = Buffer.from("OpusHead\x01\x02\x38\x01\x80\xbb\0\0\x10\0\0", "latin1");
  const format = readOpusHead(head);
  assert.equal(Buffer.from(format.config).toString("hex"), "000201380000bb80001000");
  assert.deepEqual(
    { ...format, config: undefined },
    {
      kind: "audio",
      codec: "opus",
      config: undefined,
      codecString: "opus",
      sampleRateHz: 48_000,
      channelCount: 2,
      samplesPerUnit: undefined,
    },
  );
});

test("makes the same dOps as ffmpeg from what ffmpeg encoded", () => {
  assert.deepEqual(readOpusConfig(encoded.track.format.config), encoded.track.format);
});

test("takes stereo for granted when the header is missing, or as many channels as it is told", () => {
  assert.equal(Buffer.from(readOpusHead(new Uint8Array(0)).config).toString("hex"), "000201380000bb80000000");
  assert.equal(
    Buffer.from(readOpusHead(new Uint8Array(0), 6).config).toString("hex"),
    "000601380000bb8000000104020004010203" + "05",
  );
});

test("keeps the channel mapping of surround sound", () => {
  const head = Buffer.from("OpusHead\x01\x03\x38\x01\x80\xbb\0\0\0\0\x01\x02\x01\0\x02\x01", "latin1");
  assert.equal(Buffer.from(readOpusHead(head).config).toString("hex"), "000301380000bb800000010201000201");
});

test("counts the samples of every packet that ffmpeg made", () => {
  assert.ok(encoded.samples.length >= 25);
  for (const { data } of encoded.samples) assert.equal(opusPacketSamples(data), 960);
});

test("counts the samples of packets with several frames, up to 120 ms", () => {
  assert.equal(opusPacketSamples(Uint8Array.of(16 << 3)), 120);
  assert.equal(opusPacketSamples(Uint8Array.of((3 << 3) | 1)), 5760);
  assert.equal(opusPacketSamples(Uint8Array.of((17 << 3) | 3, 0x80 | 5)), 1200);
  assert.throws(() => opusPacketSamples(Uint8Array.of((3 << 3) | 3, 3)), MalformedInput);
  assert.throws(() => opusPacketSamples(Uint8Array.of(3, 0)), MalformedInput);
  assert.throws(() => opusPacketSamples(new Uint8Array(0)), MalformedInput);
});

test("refuses headers that no decoder could follow", () => {
  const wrong = [
    "OpusTags\x01\x02\0\0\0\0\0\0\0\0\0",
    "OpusHead\x10\x02\0\0\0\0\0\0\0\0\0",
    "OpusHead\x01\0\0\0\0\0\0\0\0\0\0",
  ];
  const cut = ["OpusHead", "OpusHead\x01\x03\0\0\0\0\0\0\0\0\x01\x02\x01\0\x02", "OpusHead\x01\x03\0\0\0\0\0\0\0\0\0"];
  for (const head of [...wrong, ...cut]) assert.throws(() => readOpusHead(Buffer.from(head, "latin1")), MalformedInput);
});
