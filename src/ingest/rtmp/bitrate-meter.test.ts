import assert from "node:assert/strict";
import { test } from "node:test";
import { BitrateMeter } from "./bitrate-meter.ts";

test("measures a steady stream as it is", () => {
  const meter = new BitrateMeter();
  for (let nowMs = 0; nowMs < 20_000; nowMs += 100) meter.add(12_500, nowMs);
  assert.equal(meter.bitrateBps, 1_000_000);
});

test("spreads a burst over five seconds and forgets it after them", () => {
  const meter = new BitrateMeter();
  meter.add(625_000, 700);
  assert.equal(meter.bitrateBps, 1_000_000);
  meter.add(0, 5400);
  assert.equal(meter.bitrateBps, 1_000_000);
  meter.add(0, 5600);
  assert.equal(meter.bitrateBps, 0);
});

test("forgets everything after a long silence", () => {
  const meter = new BitrateMeter();
  for (let nowMs = 0; nowMs < 5000; nowMs += 250) meter.add(1000, nowMs);
  meter.add(625, 10_000_000);
  assert.equal(meter.bitrateBps, 1000);
});
