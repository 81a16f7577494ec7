import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { JobIds } from "./job-ids.ts";

test("makes UUIDs of version 7 that say when they were made", () => {
  const id = new JobIds().next(0x0123456789ab);
  assert.match(id, /^01234567-89ab-7000-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test("makes ids that sort as they were made, whatever the clock does", () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 2 ** 45 }), { minLength: 2, maxLength: 50 }), (clock) => {
      const ids = new JobIds();
      const made = clock.map((nowMs) => ids.next(nowMs));
      assert.deepEqual(made.toSorted(), made);
      assert.equal(new Set(made).size, made.length);
    }),
  );
});

test("makes more in a millisecond than its counter holds", () => {
  const ids = new JobIds();
  const made = Array.from({ length: 5000 }, () => ids.next(1000));
  assert.deepEqual(made.toSorted(), made);
  assert.equal(new Set(made).size, made.length);
});
