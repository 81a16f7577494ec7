import assert from "node:assert/strict";
import { test } from "node:test";
import { DomainError } from "../core/errors.ts";
import { failureOf } from "./job-failure.ts";

test("takes an error of what was asked for as final", () => {
  for (const code of ["NOT_MEDIA", "UNAUTHENTICATED", "VIDEO_NOT_FOUND", "VIDEO_CONFLICT"] as const) {
    assert.deepEqual(failureOf(new DomainError(code, "because")), { code, message: "because", isFinal: true });
  }
});

test("takes every other error as one that may pass", () => {
  for (const code of ["STORAGE_FULL", "UNAVAILABLE", "LIMIT_REACHED", "INTERNAL"] as const) {
    assert.equal(failureOf(new DomainError(code)).isFinal, false);
  }
  assert.deepEqual(failureOf(new TypeError("oops")), { code: "INTERNAL", message: "oops", isFinal: false });
  assert.deepEqual(failureOf("thrown text"), { code: "INTERNAL", message: "thrown text", isFinal: false });
});

test("keeps no program's whole output as a reason", () => {
  assert.equal(failureOf(new Error("x".repeat(1_000_000))).message.length, 2000);
});
