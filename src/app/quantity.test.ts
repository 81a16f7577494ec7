import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BITRATE_UNITS, DURATION_UNITS, formatQuantity, parseQuantity, SIZE_UNITS } from "./quantity.ts";

test("reads a number with its unit", () => {
  assert.equal(parseQuantity("500ms", DURATION_UNITS), 500);
  assert.equal(parseQuantity("1.5 s", DURATION_UNITS), 1500);
  assert.equal(parseQuantity("2h", DURATION_UNITS), 7_200_000);
  assert.equal(parseQuantity("10MB", SIZE_UNITS), 10_000_000);
  assert.equal(parseQuantity("10mib", SIZE_UNITS), 10_485_760);
  assert.equal(parseQuantity("3500kbps", BITRATE_UNITS), 3_500_000);
});

test("refuses what is not exactly a whole number of the smallest unit", () => {
  for (const text of ["", "500", "ms", "-1s", "1e3ms", "0.0005s", "1 fortnight", "1s2", "99999999999999999h"]) {
    assert.equal(parseQuantity(text, DURATION_UNITS), undefined, text);
  }
});

test("writes what it reads back", () => {
  for (const units of [DURATION_UNITS, SIZE_UNITS, BITRATE_UNITS]) {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 40 }), (value) => parseQuantity(formatQuantity(value, units), units) === value),
    );
  }
  assert.equal(formatQuantity(120_000, DURATION_UNITS), "2min");
  assert.equal(formatQuantity(0, DURATION_UNITS), "0ms");
});
