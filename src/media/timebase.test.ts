import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compareTicks, msToTicks, rescale, ticksToMs, VIDEO_TIMESCALE } from "./timebase.ts";

const timescale = fc.integer({ min: 1, max: 1_000_000 });
const ticks = fc.integer({ min: -(2 ** 40), max: 2 ** 40 });

function nearest(numerator: bigint, denominator: bigint): bigint {
  const doubled = 2n * numerator + denominator;
  const quotient = doubled / (2n * denominator);
  return doubled < 0n && quotient * 2n * denominator !== doubled ? quotient - 1n : quotient;
}

test("rescales to the nearest tick, half up, as exact arithmetic does", () => {
  fc.assert(
    fc.property(ticks, timescale, timescale, (value, from, to) => {
      const expected = nearest(BigInt(value) * BigInt(to), BigInt(from));
      fc.pre(expected > Number.MIN_SAFE_INTEGER && expected < Number.MAX_SAFE_INTEGER);
      assert.equal(BigInt(rescale(value, from, to)), expected);
    }),
  );
});

test("brings milliseconds to the video timescale and back without loss", () => {
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 32), max: 2 ** 42 }), (ms) => {
      assert.equal(rescale(rescale(ms, 1000, VIDEO_TIMESCALE), VIDEO_TIMESCALE, 1000), ms);
    }),
  );
});

test("compares instants of different timescales as exact arithmetic does", () => {
  fc.assert(
    fc.property(ticks, timescale, ticks, timescale, (a, aScale, b, bScale) => {
      const difference = BigInt(a) * BigInt(bScale) - BigInt(b) * BigInt(aScale);
      assert.equal(compareTicks(a, aScale, b, bScale), difference < 0n ? -1 : difference > 0n ? 1 : 0);
    }),
  );
});

test("finds instants equal that only their timescales tell apart", () => {
  assert.equal(compareTicks(1001, 30_000, 3003, 90_000), 0);
  assert.equal(compareTicks(1001, 30_000, 3004, 90_000), -1);
  assert.equal(compareTicks(-1, 1000, -91, 90_000), 1);
});

test("turns ticks into milliseconds and milliseconds into the nearest tick", () => {
  assert.equal(ticksToMs(1024, 48_000), 21.333333333333332);
  assert.equal(msToTicks(21.333333333333332, 48_000), 1024);
  assert.equal(msToTicks(33.4, 90_000), 3006);
});
