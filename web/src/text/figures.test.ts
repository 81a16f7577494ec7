import assert from "node:assert/strict";
import { test } from "node:test";
import {
  bitrateText,
  bytesText,
  codecText,
  countText,
  delayText,
  formatText,
  lengthText,
  spanText,
} from "./figures.ts";

test("bit rates read as kbit/s below one Mbit/s and keep one decimal below ten", () => {
  assert.deepEqual([128_000, 999_400, 1_000_000, 4_249_000, 24_600_000].map(bitrateText), [
    "128 kbit/s",
    "999 kbit/s",
    "1.0 Mbit/s",
    "4.2 Mbit/s",
    "25 Mbit/s",
  ]);
});

test("what is not measured is a dash", () => {
  assert.deepEqual([undefined, null, 0, Number.NaN].map(bitrateText), ["—", "—", "—", "—"]);
  assert.deepEqual([undefined, null, Number.POSITIVE_INFINITY].map(delayText), ["—", "—", "—"]);
});

test("delays below a second read in milliseconds", () => {
  assert.deepEqual([0.2404, 0.9999, 1.84, 12].map(delayText), ["240 ms", "1.0 s", "1.8 s", "12.0 s"]);
});

test("spans use the two largest units that say something", () => {
  assert.deepEqual([-5, 42_900, 60_000, 3_600_000 + 5 * 60_000, 52 * 3_600_000].map(spanText), [
    "0 s",
    "42 s",
    "1 min",
    "1 h 05 min",
    "2 d 4 h",
  ]);
});

test("counts agree with their noun", () => {
  assert.equal(countText(0, "viewer", "viewers"), "0 viewers");
  assert.equal(countText(1, "viewer", "viewers"), "1 viewer");
  assert.equal(countText(12_400, "viewer", "viewers"), "12,400 viewers");
});

test("a format tells only what is known", () => {
  assert.equal(formatText({ width: 1280, height: 720, frameRate: 29.97003 }), "1280×720 · 29.97 fps");
  assert.equal(formatText({ sampleRateHz: 44_100, channelCount: 2 }), "44.1 kHz · stereo");
  assert.equal(formatText({ width: null, height: 720 }), "");
});

test("codec strings read as the names that people use", () => {
  assert.deepEqual(
    ["avc1.640028", "hvc1.1.6.L93", "av01.0.04M", "mp4a.40.2", "mp4a.40.34", "opus", "dts"].map(codecText),
    ["H.264", "HEVC", "AV1", "AAC", "MP3", "Opus", "dts"],
  );
});

test("bytes are counted in powers of ten", () => {
  assert.deepEqual([0, 999, 1000, 1_440_000_000, 123_400_000].map(bytesText), [
    "0 B",
    "999 B",
    "1 kB",
    "1.4 GB",
    "123 MB",
  ]);
});

test("a film's length reads as players show it", () => {
  assert.deepEqual([0, 42_400, 725_000, 3_800_000].map(lengthText), ["0:00", "0:42", "12:05", "1:03:20"]);
});
