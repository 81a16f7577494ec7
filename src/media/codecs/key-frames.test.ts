import assert from "node:assert/strict";
import { test } from "node:test";
import { type EncodedTrack, encodeVideo, VIDEO_ENCODERS } from "../../../test/support/encoded-track.ts";
import { MalformedInput } from "../../core/errors.ts";
import { isAv1KeyFrame, stripTemporalDelimiters } from "./av1.ts";
import { avcNalLengthSize, isH264KeyFrame } from "./h264.ts";
import { hevcNalLengthSize, isHevcKeyFrame } from "./hevc.ts";
import { isVp9KeyFrame, readVp9KeyFrame, vp9Format } from "./vp9.ts";

const JUDGES: Readonly<Record<string, (track: EncodedTrack, data: Uint8Array) => boolean>> = {
  libx264: ({ track }, data) => isH264KeyFrame(data, avcNalLengthSize(track.format.config)),
  libx265: ({ track }, data) => isHevcKeyFrame(data, hevcNalLengthSize(track.format.config)),
  libsvtav1: (_track, data) => isAv1KeyFrame(data),
  "libvpx-vp9": (_track, data) => isVp9KeyFrame(data),
};

for (const [encoder, judge] of Object.entries(JUDGES)) {
  test(`tells key frames from others as the muxer does: ${encoder}`, async () => {
    const encoded = await encodeVideo(encoder, ...(VIDEO_ENCODERS[encoder] ?? []), "-g", "5");
    const { samples } = encoded;
    assert.ok(samples.some(({ isKey }) => isKey) && samples.some(({ isKey }) => !isKey));
    assert.deepEqual(
      samples.map(({ data }) => judge(encoded, data)),
      samples.map(({ isKey }) => isKey),
    );
  });
}

test("refuses NAL units that reach past the end, whichever the length size", () => {
  for (const lengthSize of [1, 2, 4]) {
    const unit = new Uint8Array(lengthSize + 1);
    unit[lengthSize - 1] = 2;
    assert.throws(() => isH264KeyFrame(unit, lengthSize), MalformedInput);
    assert.throws(() => isHevcKeyFrame(unit.subarray(0, lengthSize - 1 || 1), lengthSize), MalformedInput);
  }
  assert.throws(() => avcNalLengthSize(Uint8Array.of(1, 66, 0, 30, 0xfe, 0xe1, 0)), MalformedInput);
  assert.throws(() => hevcNalLengthSize(new Uint8Array(22)), MalformedInput);
});

test("looks past parameter sets and messages for the picture", () => {
  const aud = [0, 0, 0, 2, 9, 0x10];
  const idr = [0, 0, 0, 2, 0x65, 0x88];
  const slice = [0, 0, 0, 2, 0x41, 0x9a];
  const empty = [0, 0, 0, 0];
  assert.equal(isH264KeyFrame(Uint8Array.from([...aud, ...empty, ...idr]), 4), true);
  assert.equal(isH264KeyFrame(Uint8Array.from([...aud, ...slice]), 4), false);
  assert.equal(isH264KeyFrame(Uint8Array.from(aud), 4), false);
});

test("takes temporal delimiters away, without a copy when they stand in front", () => {
  const delimiter = [0x12, 0];
  const padding = [0x7a, 1, 0x80];
  const frame = [0x32, 2, 0x10, 0];
  const unit = Uint8Array.from([...delimiter, ...padding, ...frame]);
  const stripped = stripTemporalDelimiters(unit);
  assert.deepEqual([...stripped], [...padding, ...frame]);
  assert.equal(stripped.buffer, unit.buffer);
  assert.deepEqual(
    [...stripTemporalDelimiters(Uint8Array.from([...padding, ...delimiter, ...frame, ...delimiter]))],
    [...padding, ...frame],
  );
  assert.equal(stripTemporalDelimiters(Uint8Array.from(delimiter)).length, 0);
});

test("refuses OBUs whose sizes lie", () => {
  assert.throws(() => isAv1KeyFrame(Uint8Array.of(0x32, 5, 0)), /reaches past the end/);
  assert.throws(() => isAv1KeyFrame(Uint8Array.of(0x32, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)), MalformedInput);
  assert.throws(() => isAv1KeyFrame(Uint8Array.of(0xb2, 0)), /forbidden bit/);
});

test("takes the picture size of VP9 from a key frame, and makes a configuration where there is none", async () => {
  const { track, samples } = await encodeVideo("libvpx-vp9", ...(VIDEO_ENCODERS["libvpx-vp9"] ?? []));
  const keyFrame = readVp9KeyFrame(samples[0]?.data ?? new Uint8Array(0));
  assert.ok(keyFrame && track.format.kind === "video");
  assert.deepEqual(keyFrame, {
    profile: 0,
    bitDepth: 8,
    chromaSubsampling: 1,
    isFullRange: false,
    width: 322,
    height: 182,
  });
  const withoutVersion = track.format.config.subarray(4);
  assert.deepEqual(vp9Format(withoutVersion, keyFrame), { ...vp9Format(track.format.config, keyFrame) });
  const made = vp9Format(undefined, keyFrame);
  assert.equal(made.codecString, track.format.codecString);
  assert.equal(Buffer.from(made.config).toString("hex"), Buffer.from(track.format.config).toString("hex"));
});
