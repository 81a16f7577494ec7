import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeAudio } from "../../../test/support/encoded-track.ts";
import { MalformedInput } from "../../core/errors.ts";
import { readAc3Config, readAc3Frame, readEac3Config } from "./ac3.ts";

const LAYOUTS = { mono: 1, stereo: 2, "5.0(side)": 5, "5.1(side)": 6 };

for (const [layout, channelCount] of Object.entries(LAYOUTS)) {
  test(`reads the same from an AC-3 frame as ffmpeg wrote into dac3 (${layout})`, async () => {
    const { track, samples } = await encodeAudio("ac3", "-af", `aformat=channel_layouts=${layout}`);
    const format = readAc3Frame(samples[0]?.data ?? new Uint8Array(0));
    assert.deepEqual(Buffer.from(format.config), Buffer.from(track.format.config));
    assert.deepEqual(readAc3Config(format.config), format);
    assert.equal(format.channelCount, channelCount);
    assert.equal(format.samplesPerUnit, samples[0]?.duration);
  });

  test(`reads the same from an E-AC-3 access unit as ffmpeg wrote into dec3 (${layout})`, async () => {
    const { track, samples } = await encodeAudio("eac3", "-af", `aformat=channel_layouts=${layout}`);
    const format = readAc3Frame(samples[0]?.data ?? new Uint8Array(0));
    // The data rate in front is an average there and of one unit here.
    assert.deepEqual(Buffer.from(format.config.subarray(2)), Buffer.from(track.format.config.subarray(2)));
    assert.deepEqual(readEac3Config(format.config), format);
    assert.equal(format.channelCount, channelCount);
    assert.equal(format.samplesPerUnit, samples[0]?.duration);
  });
}

test("adds the channels of a dependent substream", () => {
  // Independent 5.1 at 48 kHz in 8 bytes, then a dependent pair with chanmap bit 6 (Lrs/Rrs): 7.1.
  const independent = Buffer.from("0b7700033f870000", "hex");
  const dependent = Buffer.alloc(16);
  Buffer.from("0b774007358700", "hex").copy(dependent);
  // dialnorm 5 bits, compre 0, chanmape 1, chanmap 0x0200
  Buffer.from("3580", "hex").copy(dependent, 4);
  writeBits(dependent, 45, `00000 0 1 0000001000000000`);
  const format = readAc3Frame(Buffer.concat([independent, dependent]));
  assert.equal(format.channelCount, 8);
  assert.deepEqual(readEac3Config(format.config), format);
});

test("refuses what is not AC-3", () => {
  assert.throws(() => readAc3Frame(new Uint8Array(8)), MalformedInput);
  assert.throws(() => readAc3Frame(Buffer.from("0b77000000500000", "hex")), /unknown bit stream id/);
  assert.throws(() => readAc3Frame(Buffer.from("0b770000c0400000", "hex")), /reserved rate/);
  assert.throws(() => readAc3Frame(Buffer.from("0b77400734870000", "hex")), /begins with a dependent/);
});

function writeBits(bytes: Buffer, at: number, bitText: string): void {
  [...bitText.replaceAll(" ", "")].forEach((bit, i) => {
    const mask = 0x80 >> ((at + i) % 8);
    const index = (at + i) >> 3;
    const byte = bytes[index] ?? 0;
    bytes[index] = bit === "1" ? byte | mask : byte & ~mask;
  });
}
