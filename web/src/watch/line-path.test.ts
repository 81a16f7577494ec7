import assert from "node:assert/strict";
import { test } from "node:test";
import { linePath } from "./line-path.ts";

test("the newest sample is at the right edge, the largest at the top", () => {
  assert.equal(linePath([1, 2], 3, 100, 12), "M50 6L100 1");
});

test("what is not known leaves a gap", () => {
  assert.equal(linePath([2, Number.NaN, 2], 3, 100, 12), "M0 1M100 1");
});

test("nothing draws nothing", () => {
  assert.equal(linePath([], 3, 100, 12), "");
  assert.equal(linePath([Number.NaN], 3, 100, 12), "");
});
