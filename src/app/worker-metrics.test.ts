import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../core/clock.ts";
import { DomainError } from "../core/errors.ts";
import type { JobAttempt } from "../jobs/job-queue.ts";
import { type JobEnd, tellEnds } from "./job-ends.ts";
import { WorkerMetrics } from "./worker-metrics.ts";

const LOCAL = "127.0.0.1";

test("tells how each attempt ended, and what time it took", async () => {
  const clock = new ManualClock();
  const ends: JobEnd[] = [];
  const stop = new AbortController();
  const handlers = tellEnds(
    {
      good: async () => {
        clock.advance(1_500);
        return { count: 1 };
      },
      bad: () => Promise.reject(new Error("no picture")),
      long: async () => {
        stop.abort(new Error("the worker ends"));
        throw stop.signal.reason;
      },
    },
    (end) => ends.push(end),
    clock,
  );
  // The handlers of this test look at nothing else of an attempt.
  const attempt = { signal: stop.signal } as JobAttempt;
  assert.deepEqual(await handlers.good?.(attempt), { count: 1 });
  await assert.rejects(async () => handlers.bad?.(attempt), /no picture/);
  await assert.rejects(async () => handlers.long?.(attempt), /the worker ends/);
  assert.deepEqual(ends, [
    { kind: "good", outcome: "completed", seconds: 1.5 },
    { kind: "bad", outcome: "failed", seconds: 0 },
    { kind: "long", outcome: "returned", seconds: 0 },
  ]);
});

test("a worker of its own answers what it did, and that it lives", async (t) => {
  const metrics = new WorkerMetrics();
  t.after(() => metrics.close());
  const port = await metrics.listen(LOCAL, 0);
  metrics.onJobEnd({ kind: "video.encode", outcome: "completed", seconds: 3 });
  const ask = async (path: string) => fetch(`http://${LOCAL}:${port}${path}`);
  const text = await (await ask("/metrics")).text();
  assert.match(
    text,
    /streaming_service_transcoding_duration_seconds_count\{kind="video.encode",outcome="completed"\} 1/,
  );
  assert.equal(await (await ask("/healthz")).text(), "ok\n");
  assert.equal((await ask("/else")).status, 404);
  await assert.rejects(
    () => WorkerMetrics.open({ host: LOCAL, port }),
    (error) => error instanceof DomainError && error.code === "PORT_IN_USE" && /metrics_port/.test(error.message),
  );
});
