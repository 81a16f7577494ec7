import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LIVE_RANGE_END, parseByteRange, selectRange } from "./ranges.ts";

test("selects first, last and open-ended bytes", () => {
  assert.deepEqual(selectRange("bytes=0-99", 500), { kind: "partial", first: 0, last: 99 });
  assert.deepEqual(selectRange("bytes=-50", 500), { kind: "partial", first: 450, last: 499 });
  assert.deepEqual(selectRange("bytes=100-", 500), { kind: "partial", first: 100, last: 499 });
  assert.deepEqual(selectRange("Bytes=499-499", 500), { kind: "partial", first: 499, last: 499 });
});

test("cuts a range at the end, however far its last byte lies", () => {
  assert.deepEqual(selectRange("bytes=400-999", 500), { kind: "partial", first: 400, last: 499 });
  assert.deepEqual(selectRange(`bytes=10-${LIVE_RANGE_END}`, 500), { kind: "partial", first: 10, last: 499 });
  assert.deepEqual(selectRange(`bytes=10-${"9".repeat(400)}`, 500), { kind: "partial", first: 10, last: 499 });
  assert.deepEqual(selectRange("bytes=-900", 500), { kind: "partial", first: 0, last: 499 });
});

test("calls a range unsatisfiable when it holds no byte", () => {
  for (const header of ["bytes=500-", "bytes=500-600", "bytes=-0", `bytes=${LIVE_RANGE_END}-`]) {
    assert.deepEqual(selectRange(header, 500), { kind: "unsatisfiable" }, header);
  }
  assert.deepEqual(selectRange("bytes=-5", 0), { kind: "unsatisfiable" });
});

test("answers in full what is malformed, of another unit or several ranges", () => {
  const headers = [undefined, "", "bytes", "bytes=", "bytes=-", "bytes=5-2", "bytes=a-b", "bytes=1-2x", "items=0-1"];
  for (const header of [...headers, "bytes=0-1,3-4", "bytes=0-0,0-0,0-0", "bytes=-1-2", "bytes=0x1-2", "bytes=1e2-"]) {
    assert.deepEqual(selectRange(header, 500), { kind: "full" }, String(header));
  }
});

test("never selects a byte outside the representation, whatever the header", () => {
  const numbers = fc.oneof(fc.constant(""), fc.bigInt({ min: 0n, max: 2n ** 70n }).map(String));
  const header = fc.oneof(
    fc.string(),
    fc.tuple(numbers, numbers).map(([a, b]) => `bytes=${a}-${b}`),
  );
  fc.assert(
    fc.property(header, fc.nat(), (text, lengthBytes) => {
      const selection = selectRange(text, lengthBytes);
      if (selection.kind !== "partial") return true;
      return 0 <= selection.first && selection.first <= selection.last && selection.last < lengthBytes;
    }),
  );
});

test("reads back every range it could have been given", () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), (first, extra) => {
      const range = parseByteRange(`bytes=${first}-${first + extra}`);
      assert.deepEqual(range, { first, last: first + extra });
    }),
  );
});
