import assert from "node:assert/strict";
import { test } from "node:test";
import { MalformedInput } from "../../core/errors.ts";
import { readAacConfig } from "./aac.ts";

/** An AudioSpecificConfig from its fields as bit text; spaces are for the eye. */
function asc(bitText: string): Uint8Array {
  const bits = bitText.replaceAll(" ", "");
  return Uint8Array.from(bits.match(/.{1,8}/g) ?? [], (byte) => Number.parseInt(byte.padEnd(8, "0"), 2));
}

function summary(config: Uint8Array): string {
  const { codecString, sampleRateHz, channelCount, samplesPerUnit } = readAacConfig(config);
  return `${codecString} ${sampleRateHz} Hz ${channelCount} ch ${samplesPerUnit}`;
}

test("reads AAC-LC as encoders send it", () => {
  assert.equal(summary(Uint8Array.of(0x12, 0x10)), "mp4a.40.2 44100 Hz 2 ch 1024");
  assert.equal(summary(Uint8Array.of(0x11, 0x90)), "mp4a.40.2 48000 Hz 2 ch 1024");
  assert.equal(summary(Uint8Array.of(0x11, 0xb0)), "mp4a.40.2 48000 Hz 6 ch 1024");
  assert.equal(summary(Uint8Array.of(0x15, 0x88)), "mp4a.40.2 8000 Hz 1 ch 1024");
});

test("reads a sample rate that is written out, and frames of 960 samples", () => {
  assert.equal(summary(asc("00010 1111 000000001011101110000000 0010 100")), "mp4a.40.2 48000 Hz 2 ch 960");
});

test("counts seven channel configurations, the last as 7.1", () => {
  const counts = [1, 2, 3, 4, 5, 6, 7].map(
    (configuration) => readAacConfig(asc(`00010 0011 ${configuration.toString(2).padStart(4, "0")} 000`)).channelCount,
  );
  assert.deepEqual(counts, [1, 2, 3, 4, 5, 6, 8]);
});

test("gives HE-AAC the rate of its output, with units of 2048 samples", () => {
  // AOT 5, core 24 kHz, stereo, extension 48 kHz, core AOT 2
  assert.equal(summary(asc("00101 0110 0010 0011 00010 000")), "mp4a.40.5 48000 Hz 2 ch 2048");
  // AOT 29, core 22.05 kHz mono, extension 44.1 kHz: parametric stereo makes two channels of one
  assert.equal(summary(asc("11101 0111 0001 0100 00010 000")), "mp4a.40.29 44100 Hz 2 ch 2048");
});

test("reads backward compatible signalling of SBR and PS", () => {
  const core = "00010 0110 0010 000";
  assert.equal(summary(asc(`${core} 01010110111 00101 1 0011`)), "mp4a.40.5 48000 Hz 2 ch 2048");
  assert.equal(summary(asc(`${core} 01010110111 00101 1 0011 10101001000 1`)), "mp4a.40.29 48000 Hz 2 ch 2048");
  assert.equal(summary(asc(`${core} 01010110111 00101 0`)), "mp4a.40.2 24000 Hz 2 ch 1024");
});

test("lets SBR that keeps the rate keep the units", () => {
  assert.equal(summary(asc("00101 0011 0010 0011 00010 000")), "mp4a.40.5 48000 Hz 2 ch 1024");
});

test("counts the channels of a program config element", () => {
  // 1 front pair, 1 front single, 1 back pair, 1 LFE = 5.1
  const pce = "0000 01 0011 0010 0000 0001 01 000 0000 0 0 0 0 0000 1 0001 1 0010 0011";
  assert.equal(readAacConfig(asc(`00010 0011 0000 000 ${pce} 0000000 00000000`)).channelCount, 6);
});

test("reads xHE-AAC", () => {
  assert.equal(summary(asc("11111 001010 0011 0010 00011 001 00010")), "mp4a.40.42 48000 Hz 2 ch 1024");
});

test("refuses what cannot be played in time", () => {
  const wrong = {
    "no bytes": "",
    "cut off": "00010 0",
    "reserved sample rate": "00010 1101 0010 000",
    "sample rate 0": "00010 1111 000000000000000000000000 0010 000",
    "sample rate above all": "00010 1111 111111111111111111111111 0010 000",
    "reserved channel configuration": "00010 0011 1000 000",
    "object type without audio": "00000 0011 0010 000",
    "SBR that triples the rate": "00101 1000 0010 0011 00010 000",
  };
  for (const [what, bits] of Object.entries(wrong)) assert.throws(() => readAacConfig(asc(bits)), MalformedInput, what);
});
