import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { evaluatePreconditions, isRangeCurrent, parseHttpDate } from "./conditional.ts";

const AT_MS = Date.UTC(2026, 10, 21, 9, 30, 5, 250);
const AT = new Date(AT_MS).toUTCString();
const BEFORE = new Date(AT_MS - 60_000).toUTCString();
const current = { etag: '"a"', lastModifiedMs: AT_MS };

test("answers not-modified when If-None-Match lists the tag, strong or weak", () => {
  for (const header of ['"a"', 'W/"a"', '"x", "a"', '"x",W/"a" ', "*"]) {
    assert.equal(evaluatePreconditions("GET", { "if-none-match": header }, current), "not-modified", header);
  }
  for (const header of ['"b"', "a", '"A"', '"x, a"', ""]) {
    assert.equal(evaluatePreconditions("GET", { "if-none-match": header }, current), "proceed", header);
  }
});

test("fails a write whose If-None-Match matches", () => {
  assert.equal(evaluatePreconditions("PUT", { "if-none-match": "*" }, current), "failed");
});

test("compares If-Match strongly", () => {
  assert.equal(evaluatePreconditions("GET", { "if-match": '"a"' }, current), "proceed");
  assert.equal(evaluatePreconditions("GET", { "if-match": 'W/"a"' }, current), "failed");
  assert.equal(evaluatePreconditions("GET", { "if-match": 'W/"a"' }, { etag: 'W/"a"' }), "failed");
  assert.equal(evaluatePreconditions("GET", { "if-match": "*" }, { etag: undefined }), "failed");
});

test("weighs If-Match before If-None-Match, and tags before dates", () => {
  const both = { "if-match": '"b"', "if-none-match": '"a"' };
  assert.equal(evaluatePreconditions("GET", both, current), "failed");
  const tagAndDate = { "if-none-match": '"b"', "if-modified-since": AT };
  assert.equal(evaluatePreconditions("GET", tagAndDate, current), "proceed");
  const matchAndDate = { "if-match": '"a"', "if-unmodified-since": BEFORE };
  assert.equal(evaluatePreconditions("GET", matchAndDate, current), "proceed");
});

test("compares dates by the second", () => {
  assert.equal(evaluatePreconditions("GET", { "if-modified-since": AT }, current), "not-modified");
  assert.equal(evaluatePreconditions("GET", { "if-modified-since": BEFORE }, current), "proceed");
  assert.equal(evaluatePreconditions("POST", { "if-modified-since": AT }, current), "proceed");
  assert.equal(evaluatePreconditions("GET", { "if-unmodified-since": AT }, current), "proceed");
  assert.equal(evaluatePreconditions("GET", { "if-unmodified-since": BEFORE }, current), "failed");
  assert.equal(evaluatePreconditions("GET", { "if-modified-since": "yesterday" }, current), "proceed");
});

test("honours a range only under the current strong tag or date", () => {
  assert.equal(isRangeCurrent(undefined, current), true);
  assert.equal(isRangeCurrent('"a"', current), true);
  assert.equal(isRangeCurrent(AT, current), true);
  for (const header of ['"b"', 'W/"a"', BEFORE, "a", ""]) assert.equal(isRangeCurrent(header, current), false, header);
  assert.equal(isRangeCurrent('W/"a"', { etag: 'W/"a"' }), false);
});

test("reads every date that a server writes", () => {
  fc.assert(
    fc.property(fc.date({ min: new Date(0), max: new Date("9999-12-31"), noInvalidDate: true }), (date) => {
      assert.equal(parseHttpDate(date.toUTCString()), Math.floor(date.getTime() / 1000) * 1000);
    }),
  );
});

test("takes any header without throwing, and says not-modified only for a listed tag", () => {
  fc.assert(
    fc.property(fc.string(), (header) => {
      const outcome = evaluatePreconditions("GET", { "if-none-match": header }, current);
      assert.equal(outcome, header.includes('"a"') || header.trim() === "*" ? outcome : "proceed");
      isRangeCurrent(header, current);
    }),
  );
});
