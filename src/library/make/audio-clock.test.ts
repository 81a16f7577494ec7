import assert from "node:assert/strict";
import { test } from "node:test";
import type { AudioFormat } from "../../media/format.ts";
import { AudioClock } from "./audio-clock.ts";

const AAC: AudioFormat = {
  ...{ kind: "audio", codec: "aac", config: Uint8Array.of(0x11, 0x90), codecString: "mp4a.40.2" },
  ...{ sampleRateHz: 48_000, channelCount: 2, samplesPerUnit: 1024 },
};
const NO_DATA = new Uint8Array();

function placeAll(times: readonly number[], format = AAC): (number | undefined)[] {
  const clock = new AudioClock(format);
  return times.map((pts) => clock.place(pts, NO_DATA));
}

test("counts samples where a container rounds to milliseconds", () => {
  // 0, 21.3, 42.7, 64 ms as Matroska tells them.
  assert.deepEqual(placeAll([0, 1008, 2064, 3072]), [0, 1024, 2048, 3072]);
});

test("leaves out what is heard before zero, and takes a rounding for zero", () => {
  assert.deepEqual(placeAll([-2048, -1024, 0, 1024]), [undefined, undefined, 0, 1024]);
  assert.deepEqual(placeAll([-20, 1004]), [0, 1024]);
});

test("begins where sound begins, when that is soon", () => {
  assert.deepEqual(placeAll([700, 1724]), [700, 1724]);
  assert.throws(() => placeAll([4801]), { reason: "AUDIO_HOLES", message: "sound begins 100 ms after the picture" });
});

test("tells sound that is missing or told twice", () => {
  assert.throws(() => placeAll([0, 1024, 4096]), {
    reason: "AUDIO_HOLES",
    message: "43 ms of sound is missing at 0.043 s",
  });
  assert.throws(() => placeAll([0, 0]), { reason: "AUDIO_HOLES", message: "21 ms of sound is told twice at 0.021 s" });
});

test("refuses units that do not tell their length", () => {
  assert.throws(() => placeAll([0], { ...AAC, samplesPerUnit: undefined }), { reason: "CODEC" });
});
