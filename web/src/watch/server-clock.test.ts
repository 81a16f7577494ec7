import assert from "node:assert/strict";
import { test } from "node:test";
import { skewMs } from "./server-clock.ts";

test("the skew is measured against the middle of question and answer", () => {
  const askedAtMs = Date.parse("2030-01-01T00:00:00.000Z");
  assert.equal(skewMs("2030-01-01T00:00:05.100Z\n", askedAtMs, askedAtMs + 200), 5000);
  assert.equal(skewMs("2029-12-31T23:59:59.000Z", askedAtMs, askedAtMs), -1000);
});

test("an answer that is no time counts as no skew", () => {
  assert.equal(skewMs("<html>", 0, 0), 0);
});
