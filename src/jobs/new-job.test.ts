import assert from "node:assert/strict";
import { test } from "node:test";
import { completeJob, retryDelayMs } from "./new-job.ts";

test("fills in what an adder leaves out", () => {
  assert.deepEqual(completeJob({ kind: "a", data: {} }), {
    kind: "a",
    data: {},
    priority: 100,
    delayMs: 0,
    maxAttempts: 3,
    backOff: { kind: "exponential", delayMs: 1000 },
    dedupKey: undefined,
  });
});

test("refuses numbers that are out of range", () => {
  const bad = [
    { priority: -1 },
    { priority: 1_000_001 },
    { priority: 0.5 },
    { maxAttempts: 0 },
    { delayMs: -1 },
    { backOff: { kind: "fixed", delayMs: Number.NaN } },
    { backOff: { kind: "exponential", delayMs: 1, maxDelayMs: 0.5 } },
  ] as const;
  for (const fields of bad) {
    assert.throws(() => completeJob({ kind: "a", data: {}, ...fields }), { code: "INVALID_REQUEST" });
  }
});

test("waits always as long, or twice as long each time up to an hour or what was said", () => {
  const delaysOf = (kind: "fixed" | "exponential") =>
    [1, 2, 3, 30].map((attempt) => retryDelayMs({ kind, delayMs: 500 }, attempt));
  assert.deepEqual(delaysOf("fixed"), [500, 500, 500, 500]);
  assert.deepEqual(delaysOf("exponential"), [500, 1000, 2000, 3_600_000]);
  assert.equal(retryDelayMs({ kind: "exponential", delayMs: 500, maxDelayMs: 1500 }, 3), 1500);
});
