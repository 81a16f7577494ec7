import assert from "node:assert/strict";
import { test } from "node:test";
import { EncodeLag } from "./encode-lag.ts";

function fedFrames(count: number): EncodeLag {
  const lag = new EncodeLag(["high", "low"]);
  for (let frame = 0; frame < count; frame++) lag.feed(frame * 40, 1_000 + frame * 40, 5_000 + frame * 40);
  return lag;
}

test("measures from the oldest frame that the slowest output still owes", () => {
  const lag = fedFrames(51);
  lag.takeOut("high", 2_000);
  assert.equal(lag.behindMs(3_000), 2_000);
  lag.takeOut("low", 1_000);
  assert.equal(lag.behindMs(3_000), 960);
  lag.takeOut("low", 2_000);
  assert.equal(lag.behindMs(60_000), 0);
});

test("takes neither a burst of input nor a pausing source for delay", () => {
  const burst = new EncodeLag(["high"]);
  for (let frame = 0; frame < 500; frame++) burst.feed(frame * 40, 1_000, 5_000);
  assert.equal(burst.behindMs(1_010), 10);
  const paused = fedFrames(3);
  assert.equal(paused.behindMs(60_000), 80);
});

test("tells when the source unit of an output had arrived", () => {
  const lag = fedFrames(10);
  assert.equal(lag.takeOut("high", 80), 5_080);
  assert.equal(lag.takeOut("low", 100), 5_080);
  assert.equal(fedFrames(3).takeOut("low", -21), 5_000);
  assert.equal(new EncodeLag(["high"]).takeOut("high", 0), undefined);
});

test("forgets what came out, and holds no more than its bound when nothing does", () => {
  const lag = new EncodeLag(["high"]);
  for (let frame = 0; frame < 10_000; frame++) lag.feed(frame, frame, frame);
  assert.equal(lag.takeOut("high", 0), 10_000 - 8_192);
});
