import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeAudio } from "../../../test/support/encoded-track.ts";
import { MalformedInput } from "../../core/errors.ts";
import { readMp3Frame } from "./mp3.ts";

for (const [rateHz, samplesPerUnit] of [
  [48_000, 1152],
  [22_050, 576],
] as const) {
  test(`reads a frame header at ${rateHz} Hz`, async () => {
    const { samples } = await encodeAudio("libmp3lame", "-ar", String(rateHz), "-ac", "1");
    const format = readMp3Frame(samples[0]?.data ?? new Uint8Array(0));
    assert.equal(format.sampleRateHz, rateHz);
    assert.equal(format.channelCount, 1);
    assert.equal(format.samplesPerUnit, samplesPerUnit);
    assert.equal(format.samplesPerUnit, samples[0]?.duration);
  });
}

test("refuses other layers, and rates that are reserved", () => {
  for (const header of ["fff56000", "fffb0000", "fffbf000", "fffb6c00", "ffeb6000", "00fb6000", "ff"]) {
    assert.throws(() => readMp3Frame(Buffer.from(header, "hex")), MalformedInput, header);
  }
});
