import assert from "node:assert/strict";
import { test } from "node:test";
import { BackOff } from "./back-off.ts";

test("doubles from half a second to ten, and begins anew after a stable minute", () => {
  const backOff = new BackOff();
  const delays = Array.from({ length: 7 }, () => backOff.after(0));
  assert.deepEqual(delays, [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
  assert.equal(backOff.after(59_999), 10_000);
  assert.equal(backOff.after(60_000), 500);
  assert.equal(backOff.after(0), 1_000);
});
