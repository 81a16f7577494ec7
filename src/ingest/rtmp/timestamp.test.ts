import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TimestampUnwrapper } from "./timestamp.ts";

function unwrapAll(raws: readonly number[]): number[] {
  const unwrapper = new TimestampUnwrapper();
  return raws.map((raw) => unwrapper.unwrap(raw));
}

test("begins where the peer begins", () => {
  assert.deepEqual(unwrapAll([5000, 5040]), [5000, 5040]);
});

test("goes on across 2^32", () => {
  assert.deepEqual(unwrapAll([2 ** 32 - 20, 20, 60]), [2 ** 32 - 20, 2 ** 32 + 20, 2 ** 32 + 60]);
});

test("goes on across 2^24 of a peer that does not wrap there", () => {
  assert.deepEqual(unwrapAll([2 ** 24 - 20, 2 ** 24 + 20]), [2 ** 24 - 20, 2 ** 24 + 20]);
});

test("goes on across 2^24 of a peer that wraps there, with audio and video on both sides", () => {
  const raws = [2 ** 24 - 40, 2 ** 24 - 20, 3, 2 ** 24 - 1, 26, 13, 1000];
  const top = 2 ** 24;
  assert.deepEqual(unwrapAll(raws), [top - 40, top - 20, top + 3, top - 1, top + 26, top + 13, top + 1000]);
});

test("goes on across 2^31 of a peer that counts in signed numbers", () => {
  assert.deepEqual(unwrapAll([2 ** 31 - 20, 20]), [2 ** 31 - 20, 2 ** 31 + 20]);
});

test("leaves a step back a step back", () => {
  assert.deepEqual(unwrapAll([60_000, 59_990, 0, 2 ** 32 - 10]), [60_000, 59_990, 0, -10]);
  assert.deepEqual(unwrapAll([2 ** 24 + 50_000, 0]), [2 ** 24 + 50_000, 0]);
});

test("returns to 32 bits when a short clock turns out not to be one", () => {
  assert.deepEqual(unwrapAll([2 ** 24 - 1, 0, 2 ** 24 + 7]), [2 ** 24 - 1, 2 ** 24, 2 ** 25 + 7]);
});

for (const bits of [24, 32]) {
  test(`gives back any clock with steps under 20 s that was cut to ${bits} bits`, () => {
    // Not at the very wrap: a clock that begins at 0 and steps back can't be told from one that jumps ahead.
    const start = fc.integer({ min: 0, max: 2 ** bits - 1 - 40 });
    const steps = fc.array(fc.integer({ min: -40, max: 20_000 }), { maxLength: 3000, minLength: 1 });
    fc.assert(
      fc.property(start, steps, (first, deltas) => {
        const times = [first + 40];
        for (const delta of deltas) times.push(Math.max(first, (times.at(-1) ?? 0) + delta));
        const expected = times.map((time) => time - (times[0] ?? 0));
        const unwrapped = unwrapAll(times.map((time) => time % 2 ** bits));
        assert.deepEqual(
          unwrapped.map((time) => time - (unwrapped[0] ?? 0)),
          expected,
        );
      }),
    );
  });
}
