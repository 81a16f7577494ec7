import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SlidingWindow } from "./sliding-window.ts";

test("sums up what is not older than the window", () => {
  const window = new SlidingWindow({ slotMs: 100, slotCount: 3 });
  window.add(5, 0);
  window.add(1, 100);
  window.add(3, 299);
  assert.deepEqual({ ...window.read(299) }, { index: 2, count: 3, sum: 9, min: 1, max: 5 });
  assert.equal(window.read(300).sum, 4);
  assert.equal(window.read(500).count, 0);
});

test("holds nothing after clear", () => {
  const window = new SlidingWindow({ slotMs: 100, slotCount: 3 });
  window.add(5, 0);
  window.clear();
  assert.equal(window.read(0).count, 0);
});

test("agrees with a plain list of values, whatever the gaps", () => {
  const steps = fc.array(fc.record({ gapMs: fc.nat(400), value: fc.integer({ min: -1000, max: 1000 }) }));
  fc.assert(
    fc.property(steps, (list) => {
      const window = new SlidingWindow({ slotMs: 100, slotCount: 4 });
      let atMs = 0;
      const added = list.map(({ gapMs, value }) => {
        atMs += gapMs;
        window.add(value, atMs);
        return { slot: Math.floor(atMs / 100), value };
      });
      const kept = added.filter(({ slot }) => slot > Math.floor(atMs / 100) - 4).map(({ value }) => value);
      const { count, sum, min, max } = window.read(atMs);
      assert.deepEqual(
        { count, sum, min, max },
        { count: kept.length, sum: kept.reduce((a, b) => a + b, 0), min: Math.min(...kept), max: Math.max(...kept) },
      );
    }),
  );
});
