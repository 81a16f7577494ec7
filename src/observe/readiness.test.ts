import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../core/clock.ts";
import { type Check, Readiness } from "./readiness.ts";

test("says of every check whether it is ready, and why not", async () => {
  const checks: Check[] = [
    { name: "ffmpeg", run: async () => "5.1" },
    { name: "catalog", run: () => Promise.reject(new Error("the disk is full")) },
    {
      name: "store",
      run: () => {
        throw new Error("thrown at once");
      },
    },
  ];
  assert.deepEqual(await new Readiness({ checks, clock: new ManualClock() }).check(), [
    { name: "ffmpeg", isReady: true, detail: "5.1" },
    { name: "catalog", isReady: false, detail: "the disk is full" },
    { name: "store", isReady: false, detail: "thrown at once" },
  ]);
});

test("does not wait for a check that never answers", async () => {
  const clock = new ManualClock();
  const checks = [{ name: "stuck", run: () => new Promise<undefined>(() => {}) }];
  const results = new Readiness({ checks, clock, maxWaitMs: 500 }).check();
  clock.advance(500);
  assert.deepEqual(await results, [{ name: "stuck", isReady: false, detail: "no answer within 500 ms" }]);
});

test("asks once for all who ask at a time, and again after a while", async () => {
  const clock = new ManualClock();
  let asked = 0;
  const readiness = new Readiness({ checks: [{ name: "one", run: async () => String(++asked) }], clock, keepMs: 1000 });
  await Promise.all([readiness.check(), readiness.check()]);
  await readiness.check();
  assert.equal(asked, 1);
  clock.advance(1000);
  assert.equal((await readiness.check())[0]?.detail, "2");
});
