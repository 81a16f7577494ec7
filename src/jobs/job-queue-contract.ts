import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { DomainError } from "../core/errors.ts";
import type { JsonObject } from "../core/json.ts";
import {
  JOB_STATES,
  type Job,
  type JobAttempt,
  type JobQueue,
  type JobQueueOptions,
  type JobState,
} from "./job-queue.ts";

/** A queue of its own, which any number of processes may open. */
export interface QueuePlace {
  open(options?: Partial<Pick<JobQueueOptions, "leaseMs" | "retention" | "lanes">>): Promise<JobQueue>;
  /** A worker in a process of its own: `echo` gives its pid, `hold` goes on until it is aborted and longer. */
  spawnWorker(options?: { leaseMs?: number; concurrency?: number }): Promise<WorkerProcess>;
  /** The server behind the queue; undefined when there is none. */
  readonly server?: { stop(): Promise<void>; start(): Promise<void> };
}

/** What such a worker tells. */
export interface WorkerEvent {
  readonly event: "begun" | "aborted" | "ended";
  readonly jobId: string;
}

export interface WorkerProcess {
  readonly pid: number;
  /** Resolves with the first event, from the start on, that it takes. */
  until(event: WorkerEvent["event"], jobId: string): Promise<void>;
  kill(signal: NodeJS.Signals): void;
}

const LIMIT = { timeout: 120_000 };
/** Between two questions about a state that no event tells of. */
const ASK_EVERY_MS = 25;
const LEASE_MS = 1_500;
const NONE: Readonly<Record<JobState, number>> = {
  waiting: 0,
  delayed: 0,
  active: 0,
  completed: 0,
  failed: 0,
  cancelled: 0,
};

async function until<Value>(ask: () => Promise<Value>, accept: (value: Value) => boolean): Promise<Value> {
  const tooLong = AbortSignal.timeout(60_000);
  for (;;) {
    const value = await ask();
    if (accept(value)) return value;
    if (tooLong.aborted) throw new Error(`it stayed ${JSON.stringify(value)}`);
    await delay(ASK_EVERY_MS);
  }
}

async function untilState(queue: JobQueue, jobId: string, ...states: JobState[]): Promise<Job> {
  const job = await until(
    () => queue.get(jobId),
    (found) => states.includes(found?.state ?? "waiting"),
  );
  return job ?? assert.fail("the job is gone");
}

/** A promise with its ends outside. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

const untilAborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });

const unavailable = (problem: unknown) => problem instanceof DomainError && problem.code === "UNAVAILABLE";

type MakePlace = (t: TestContext) => Promise<QueuePlace>;

async function openPlace(t: TestContext, makePlace: MakePlace, options: Parameters<QueuePlace["open"]>[0] = {}) {
  const place = await makePlace(t);
  const queue = await place.open({ leaseMs: LEASE_MS, ...options });
  return { place, queue };
}

/** The tests that every JobQueue passes. `makePlace` gives an empty queue at each call, gone with its test. */
export function testJobQueue(title: string, makePlace: MakePlace): void {
  const open = (t: TestContext, options?: Parameters<QueuePlace["open"]>[0]) => openPlace(t, makePlace, options);

  describe(title, { concurrency: 4 }, () => {
    test("keeps a job as it was added", LIMIT, async (t) => {
      const { queue } = await open(t);
      const data = { videoId: "v", deep: [1, { '{"a"': "\u0000é" }] };
      const before = Date.now();
      const jobId = await queue.add({ kind: "probe", data, priority: 7, maxAttempts: 5 });
      const job = await queue.get(jobId);
      assert.ok(job && job.createdAtMs >= before - 1000 && job.createdAtMs <= Date.now() + 1000);
      assert.deepEqual(job, {
        ...{ jobId, kind: "probe", data, state: "waiting", priority: 7, attemptCount: 0, maxAttempts: 5 },
        ...{ progress: null, result: null, error: null, startedAtMs: null, finishedAtMs: null },
        createdAtMs: job.createdAtMs,
      });
      assert.equal(await queue.get("no-such-job"), undefined);
      assert.equal(await queue.get("01234567-89ab-7def-8123-456789abcdef"), undefined);
      assert.deepEqual(await queue.counts(), { ...NONE, waiting: 1 });
      await queue.check();
    });

    test("refuses what is out of range", LIMIT, async (t) => {
      const { queue } = await open(t);
      await assert.rejects(queue.add({ kind: "a", data: {}, priority: 1_000_001 }), { code: "INVALID_REQUEST" });
      await assert.rejects(queue.list({ limit: 1, cursor: "?" }), { code: "INVALID_REQUEST" });
    });

    test("does a job, tells its progress, and keeps its result", LIMIT, async (t) => {
      const { queue } = await open(t);
      const goOn = gate();
      const attempts: JobAttempt[] = [];
      const work = async (attempt: JobAttempt) => {
        attempts.push(attempt);
        attempt.report({ percent: 10 });
        await goOn.opened;
        attempt.report({ percent: 99 });
        return { made: ["a"] };
      };
      const worker = queue.work({ handlers: { make: work }, concurrency: 1 });
      const jobId = await queue.add({ kind: "make", data: { from: 1 } });
      const running = await until(
        () => queue.get(jobId),
        (job) => job?.progress !== null,
      );
      assert.deepEqual([running?.state, running?.progress, running?.attemptCount], ["active", { percent: 10 }, 1]);
      assert.equal(worker.activeCount, 1);
      assert.deepEqual(attempts[0]?.job.data, { from: 1 });
      assert.match(attempts[0]?.attemptId ?? "", /^[A-Za-z0-9._-]{8,100}$/);
      goOn.open();
      const done = await untilState(queue, jobId, "completed");
      assert.deepEqual(
        [done.result, done.progress, done.attemptCount, done.error],
        [{ made: ["a"] }, { percent: 99 }, 1, null],
      );
      assert.ok(done.createdAtMs <= (done.startedAtMs ?? 0) && (done.startedAtMs ?? 0) <= (done.finishedAtMs ?? 0));
      assert.deepEqual(await queue.counts(), { ...NONE, completed: 1 });
      assert.equal(await queue.cancel(jobId), false);
      assert.equal(attempts[0]?.signal.aborted, false);
    });

    test("does what is most urgent first, and of that what was there first", LIMIT, async (t) => {
      const { queue } = await open(t);
      const order: JsonObject[] = [];
      const ids: string[] = [];
      for (const [n, priority] of [100, 5, 0, 1_000_000, 5, 0, 100].entries()) {
        ids.push(await queue.add({ kind: "note", data: { n }, priority }));
      }
      const note = async ({ job }: JobAttempt) => void order.push(job.data);
      queue.work({ handlers: { note: (attempt) => note(attempt).then(() => undefined) }, concurrency: 1 });
      for (const jobId of ids) await untilState(queue, jobId, "completed");
      assert.deepEqual(
        order.map(({ n }) => n),
        [2, 5, 1, 4, 0, 6, 3],
      );
    });

    test("does no more at once than it was told", LIMIT, async (t) => {
      const { queue } = await open(t);
      const goOn = gate();
      let [now, most] = [0, 0];
      const count = async () => {
        now += 1;
        most = Math.max(most, now);
        if (now === 3) goOn.open();
        await goOn.opened;
        now -= 1;
        return undefined;
      };
      const ids = await Promise.all(Array.from({ length: 8 }, () => queue.add({ kind: "count", data: {} })));
      queue.work({ handlers: { count }, concurrency: 3 });
      for (const jobId of ids) await untilState(queue, jobId, "completed");
      assert.equal(most, 3);
    });

    test("does a delayed job not before its time", LIMIT, async (t) => {
      const { queue } = await open(t);
      queue.work({ handlers: { a: async () => undefined }, concurrency: 1 });
      const jobId = await queue.add({ kind: "a", data: {}, delayMs: 1200 });
      assert.equal((await queue.get(jobId))?.state, "delayed");
      assert.deepEqual(await queue.counts(), { ...NONE, delayed: 1 });
      const done = await untilState(queue, jobId, "completed");
      assert.ok((done.startedAtMs ?? 0) - done.createdAtMs >= 1200);
    });

    test("tries again with back-off, and says why it failed until it does not", LIMIT, async (t) => {
      const { queue } = await open(t);
      const begun: number[] = [];
      const attemptIds = new Set<string>();
      const flaky = async ({ job, attemptId }: JobAttempt) => {
        begun.push(Date.now());
        attemptIds.add(attemptId);
        if (job.attemptCount < 3) throw new Error(`attempt ${job.attemptCount} broke`);
        return { error: job.error };
      };
      queue.work({ handlers: { flaky }, concurrency: 1 });
      const backOff = { kind: "exponential", delayMs: 300 } as const;
      const jobId = await queue.add({ kind: "flaky", data: {}, backOff });
      const waiting = await untilState(queue, jobId, "delayed");
      assert.deepEqual(waiting.error, { code: "INTERNAL", message: `attempt ${waiting.attemptCount} broke` });
      const done = await untilState(queue, jobId, "completed");
      assert.deepEqual([done.attemptCount, done.error, begun.length, attemptIds.size], [3, null, 3, 3]);
      assert.deepEqual(done.result, { error: { code: "INTERNAL", message: "attempt 2 broke" } });
      const [first = 0, second = 0, third = 0] = begun;
      assert.ok(second - first >= 295 && third - second >= 595, `${begun}`);
    });

    test("fails a job for good after its last attempt", LIMIT, async (t) => {
      const { queue } = await open(t);
      const full = async () => {
        throw new DomainError("STORAGE_FULL", "no space left");
      };
      queue.work({ handlers: { full }, concurrency: 1 });
      const backOff = { kind: "fixed", delayMs: 0 } as const;
      const jobId = await queue.add({ kind: "full", data: {}, maxAttempts: 2, backOff });
      const failed = await untilState(queue, jobId, "failed");
      assert.deepEqual(
        [failed.attemptCount, failed.error, failed.result],
        [2, { code: "STORAGE_FULL", message: "no space left" }, null],
      );
      assert.ok(failed.finishedAtMs);
    });

    test("does not try again what cannot succeed", LIMIT, async (t) => {
      const { queue } = await open(t);
      const refuse = async () => {
        throw new DomainError("NOT_MEDIA", "it is a zip");
      };
      queue.work({ handlers: { refuse }, concurrency: 1 });
      const jobId = await queue.add({ kind: "refuse", data: {}, maxAttempts: 5 });
      const failed = await untilState(queue, jobId, "failed");
      assert.deepEqual([failed.attemptCount, failed.error], [1, { code: "NOT_MEDIA", message: "it is a zip" }]);
    });

    test("adds no second job of a key while one waits, is delayed or runs", LIMIT, async (t) => {
      const { queue } = await open(t);
      const goOn = gate();
      const outcomes: Record<string, () => Promise<undefined>> = {
        done: () => goOn.opened.then(() => undefined),
        broken: () => goOn.opened.then(() => assert.fail("broken")),
      };
      const add = (kind: string, delayMs = 0) =>
        queue.add({ kind, data: {}, dedupKey: `key:${kind}`, maxAttempts: 1, delayMs });
      const ids = await Promise.all(Array.from({ length: 5 }, () => add("done")));
      assert.equal(new Set(ids).size, 1);
      const [done = ""] = ids;
      const broken = await add("broken");
      const held = await add("held", 3_600_000);
      assert.equal(await add("held"), held);
      queue.work({ handlers: outcomes, concurrency: 2 });
      await untilState(queue, done, "active");
      assert.equal(await add("done"), done);
      goOn.open();
      await untilState(queue, done, "completed");
      await untilState(queue, broken, "failed");
      await queue.cancel(held);
      assert.notEqual(await add("done"), done);
      assert.notEqual(await add("broken"), broken);
      assert.notEqual(await add("held"), held);
    });

    test("takes out jobs that wait", LIMIT, async (t) => {
      const { queue } = await open(t);
      const waiting = await queue.add({ kind: "a", data: { n: 1 }, priority: 3 });
      const delayed = await queue.add({ kind: "a", data: {}, delayMs: 60_000 });
      for (const jobId of [waiting, delayed]) {
        assert.equal(await queue.cancel(jobId), true);
        assert.equal(await queue.cancel(jobId), false);
      }
      const job = await queue.get(waiting);
      assert.deepEqual([job?.state, job?.data, job?.attemptCount], ["cancelled", { n: 1 }, 0]);
      assert.ok(job?.finishedAtMs);
      assert.equal(await queue.cancel("no-such-job"), false);
      assert.deepEqual(await queue.counts(), { ...NONE, cancelled: 2 });
      const ran: string[] = [];
      queue.work({
        handlers: { a: async ({ job: { jobId } }) => void ran.push(jobId) as undefined },
        concurrency: 1,
      });
      const last = await queue.add({ kind: "a", data: {}, priority: 1_000_000 });
      await untilState(queue, last, "completed");
      assert.deepEqual(ran, [last]);
    });

    test("aborts a job that runs when it is cancelled, and takes nothing from it any more", LIMIT, async (t) => {
      const { queue } = await open(t);
      const [begun, ended] = [gate(), gate()];
      const stubborn = async ({ signal, report }: JobAttempt) => {
        begun.open();
        await untilAborted(signal).catch(() => undefined);
        report({ percent: 100 });
        ended.open();
        return { late: true };
      };
      const worker = queue.work({ handlers: { stubborn }, concurrency: 1 });
      const jobId = await queue.add({ kind: "stubborn", data: {}, dedupKey: "k" });
      await begun.opened;
      assert.equal(await queue.cancel(jobId), true);
      await ended.opened;
      await until(
        async () => worker.activeCount,
        (activeCount) => activeCount === 0,
      );
      const job = await queue.get(jobId);
      assert.deepEqual([job?.state, job?.result, job?.progress], ["cancelled", null, null]);
      assert.equal(await queue.cancel(jobId), false);
      await until(
        () => queue.counts(),
        (counts) => counts.cancelled === 1 && JOB_STATES.every((state) => state === "cancelled" || counts[state] === 0),
      );
    });

    test("aborts a job that runs in another process", LIMIT, async (t) => {
      const { place, queue } = await open(t);
      // With a long lease: the word comes from the cancellation, not from the lease that runs out.
      const worker = await place.spawnWorker({ leaseMs: 20_000 });
      const jobId = await queue.add({ kind: "hold", data: {} });
      await worker.until("begun", jobId);
      assert.equal(await queue.cancel(jobId), true);
      await worker.until("aborted", jobId);
      assert.equal((await queue.get(jobId))?.state, "cancelled");
      const next = await queue.add({ kind: "echo", data: {} });
      assert.deepEqual((await untilState(queue, next, "completed")).result, { pid: worker.pid });
    });

    test("gives the job of a worker that was killed to another", LIMIT, async (t) => {
      const { place, queue } = await open(t);
      const [one, other] = [await place.spawnWorker({ leaseMs: LEASE_MS }), gate()];
      const jobId = await queue.add({ kind: "hold", data: {} });
      await one.until("begun", jobId);
      const hold = async (attempt: JobAttempt) => {
        other.open();
        return { attemptCount: attempt.job.attemptCount };
      };
      queue.work({ handlers: { hold }, concurrency: 1 });
      one.kill("SIGKILL");
      await other.opened;
      assert.deepEqual((await untilState(queue, jobId, "completed")).result, { attemptCount: 2 });
    });

    test("fails a job that has ended every worker it was given to", LIMIT, async (t) => {
      const { place, queue } = await open(t);
      const doomed = await place.spawnWorker({ leaseMs: LEASE_MS });
      const jobId = await queue.add({ kind: "hold", data: {}, maxAttempts: 1 });
      await doomed.until("begun", jobId);
      doomed.kill("SIGKILL");
      queue.work({ handlers: { hold: async () => ({ ran: true }) }, concurrency: 1 });
      const failed = await untilState(queue, jobId, "failed", "completed");
      assert.deepEqual([failed.state, failed.error?.code, failed.attemptCount], ["failed", "WORKER_LOST", 1]);
    });

    test("aborts an attempt that lost its lease, and records nothing of it", LIMIT, async (t) => {
      const { place, queue } = await open(t);
      const frozen = await place.spawnWorker({ leaseMs: LEASE_MS });
      const jobId = await queue.add({ kind: "hold", data: {} });
      await frozen.until("begun", jobId);
      frozen.kill("SIGSTOP");
      const taken = gate();
      const goOn = gate();
      const hold = async () => {
        taken.open();
        await goOn.opened;
        return { by: "the other" };
      };
      queue.work({ handlers: { hold }, concurrency: 1 });
      await taken.opened;
      frozen.kill("SIGCONT");
      await frozen.until("aborted", jobId);
      await frozen.until("ended", jobId);
      assert.equal((await queue.get(jobId))?.state, "active");
      goOn.open();
      const done = await untilState(queue, jobId, "completed");
      assert.deepEqual([done.result, done.attemptCount], [{ by: "the other" }, 2]);
    });

    test("gives its jobs back when it is closed, and counts no attempt", LIMIT, async (t) => {
      const { place, queue } = await open(t, { leaseMs: 60_000 });
      const begun = gate();
      const hold = async ({ signal }: JobAttempt) => {
        begun.open();
        return untilAborted(signal);
      };
      const worker = queue.work({ handlers: { hold }, concurrency: 1 });
      const jobId = await queue.add({ kind: "hold", data: {}, maxAttempts: 1 });
      await begun.opened;
      await worker.close();
      await worker.close();
      assert.equal(worker.activeCount, 0);
      const job = await queue.get(jobId);
      assert.deepEqual([job?.state, job?.attemptCount, job?.error], ["waiting", 0, null]);
      const second = await place.open({ leaseMs: 60_000 });
      second.work({ handlers: { hold: async () => ({ by: "the next" }) }, concurrency: 1 });
      const done = await untilState(queue, jobId, "completed");
      assert.deepEqual([done.result, done.attemptCount], [{ by: "the next" }, 1]);
    });

    test("leaves jobs alone that no handler is for, or that are not accepted now", LIMIT, async (t) => {
      const { queue } = await open(t);
      let isBusy = true;
      const handlers = { heavy: async () => undefined, light: async () => undefined };
      queue.work({ handlers, concurrency: 1, accepts: (kind) => kind !== "heavy" || !isBusy });
      const foreign = await queue.add({ kind: "foreign", data: {}, priority: 0 });
      const heavy = await queue.add({ kind: "heavy", data: {}, priority: 0 });
      const light = await queue.add({ kind: "light", data: {}, priority: 500 });
      await untilState(queue, light, "completed");
      for (const jobId of [foreign, heavy]) {
        const job = await queue.get(jobId);
        assert.deepEqual([job?.attemptCount, job?.finishedAtMs], [0, null]);
      }
      isBusy = false;
      assert.equal((await untilState(queue, heavy, "completed")).attemptCount, 1);
    });

    test("leaves the queue to others while nothing is accepted", LIMIT, async (t) => {
      const { queue } = await open(t);
      let [isBusy, askedCount] = [true, 0];
      const accepts = () => {
        askedCount += 1;
        return !isBusy;
      };
      const ids = await Promise.all(Array.from({ length: 12 }, () => queue.add({ kind: "heavy", data: {} })));
      queue.work({ handlers: { heavy: async () => undefined }, concurrency: 2, accepts });
      await until(
        async () => askedCount,
        (count) => count >= 8,
      );
      const { waiting, delayed } = await queue.counts();
      assert.ok(waiting >= 10 && waiting + delayed === 12, `${waiting} wait, ${delayed} are delayed`);
      isBusy = false;
      for (const jobId of ids) assert.equal((await untilState(queue, jobId, "completed")).attemptCount, 1);
    });

    test("does not touch the jobs of one lane when it takes those of another", LIMIT, async (t) => {
      const lanes = { names: ["light", "heavy"], of: (kind: string) => (kind === "encode" ? "heavy" : "light") };
      const { queue } = await open(t, { lanes });
      const kinds = ["encode", "probe", "encode", "clean", "encode", "probe"];
      const ids: string[] = [];
      for (const [at, kind] of kinds.entries()) ids.push(await queue.add({ kind, data: {}, priority: at }));
      const light = { probe: async () => undefined, clean: async () => undefined };
      queue.work({ handlers: light, concurrency: 1 });
      for (const [at, jobId] of ids.entries()) if (kinds[at] !== "encode") await untilState(queue, jobId, "completed");
      const { jobs } = await queue.list({ limit: 10 });
      assert.deepEqual(
        jobs.map(({ jobId, state }) => [jobId, state]),
        ids.map((jobId, at) => [jobId, kinds[at] === "encode" ? "waiting" : "completed"]).reverse(),
      );
      assert.deepEqual(await queue.counts(), { ...NONE, waiting: 3, completed: 3 });
      assert.equal(await queue.cancel(ids[2] ?? ""), true);
      queue.work({ handlers: { encode: async () => ({ done: true }) }, concurrency: 1 });
      for (const at of [0, 4])
        assert.deepEqual((await untilState(queue, ids[at] ?? "", "completed")).result, { done: true });
      assert.deepEqual(await queue.counts(), { ...NONE, completed: 5, cancelled: 1 });
    });

    test("does every job once, with workers in several processes", LIMIT, async (t) => {
      const { place, queue } = await open(t);
      const workers = await Promise.all([1, 2].map(() => place.spawnWorker({ concurrency: 2 })));
      const ids = await Promise.all(Array.from({ length: 60 }, (_, n) => queue.add({ kind: "echo", data: { n } })));
      const pids = new Set<unknown>();
      for (const jobId of ids) {
        const done = await untilState(queue, jobId, "completed");
        assert.equal(done.attemptCount, 1);
        pids.add(done.result?.pid);
      }
      for (const pid of pids) assert.ok(workers.some((worker) => worker.pid === pid));
      assert.deepEqual(await queue.counts(), { ...NONE, completed: 60 });
    });

    test("lists newest first, page by page", LIMIT, async (t) => {
      const { queue } = await open(t);
      const ids: string[] = [];
      for (let n = 0; n < 7; n++)
        ids.unshift(await queue.add({ kind: n % 2 ? "odd" : "even", data: { n }, priority: n }));
      const idsOf = (jobs: readonly Job[]) => jobs.map((job) => job.jobId);
      const first = await queue.list({ limit: 3 });
      assert.deepEqual(idsOf(first.jobs), ids.slice(0, 3));
      await queue.cancel(ids[4] ?? "");
      await queue.add({ kind: "newer", data: {} });
      const second = await queue.list({ limit: 3, cursor: first.nextCursor ?? "" });
      assert.deepEqual(idsOf(second.jobs), ids.slice(3, 6));
      const third = await queue.list({ limit: 3, cursor: second.nextCursor ?? "" });
      assert.deepEqual([idsOf(third.jobs), third.nextCursor], [ids.slice(6), undefined]);
      const odd = await queue.list({ limit: 10, kind: "odd", state: "waiting" });
      assert.deepEqual(idsOf(odd.jobs), [ids[1], ids[3], ids[5]]);
      const cancelled = await queue.list({ limit: 10, state: "cancelled" });
      assert.deepEqual(idsOf(cancelled.jobs), [ids[4]]);
      assert.deepEqual((await queue.list({ limit: 10, state: "failed" })).jobs, []);
    });

    test("forgets old jobs, of each end its own number", LIMIT, async (t) => {
      const { queue } = await open(t, { retention: { ageMs: 3_600_000, count: 2 } });
      const handlers = { good: async () => undefined, bad: async () => assert.fail("bad") };
      const ids: Record<string, string[]> = { good: [], bad: [], none: [] };
      for (const [kind, added] of Object.entries(ids)) {
        for (let n = 0; n < 5; n++) added.push(await queue.add({ kind, data: {}, maxAttempts: 1 }));
      }
      for (const jobId of ids.none ?? []) await queue.cancel(jobId);
      queue.work({ handlers, concurrency: 1 });
      await until(
        () => queue.counts(),
        ({ waiting, active }) => waiting + active === 0,
      );
      // What is swept by the clock is swept when a worker begins, too.
      await queue.work({ handlers: { other: async () => undefined }, concurrency: 1 });
      await until(
        () => queue.counts(),
        ({ completed, failed, cancelled }) => completed === 2 && failed === 2 && cancelled === 2,
      );
      assert.equal(await queue.get(ids.good?.[0] ?? ""), undefined);
      assert.equal((await queue.get(ids.good?.[4] ?? ""))?.state, "completed");
    });

    test("forgets jobs that ended long ago", LIMIT, async (t) => {
      const { queue } = await open(t, { retention: { ageMs: 1_000, count: 1000 } });
      const run = async () => {
        const worker = queue.work({ handlers: { a: async () => undefined }, concurrency: 1 });
        const jobId = await queue.add({ kind: "a", data: {} });
        await until(
          () => queue.get(jobId),
          (job) => job === undefined || job.state === "completed",
        );
        await worker.close();
        return jobId;
      };
      const first = await run();
      await until(
        async () => {
          await run();
          return queue.get(first);
        },
        (job) => job === undefined,
      );
    });
  });
}

/** What one on a server passes beside: each place has a server of its own, which comes and goes. */
export function testJobQueueOutages(title: string, makePlace: MakePlace): void {
  const open = async (t: TestContext, options?: Parameters<QueuePlace["open"]>[0]) => {
    const { place, queue } = await openPlace(t, makePlace, options);
    const { server } = place;
    assert.ok(server);
    return { place, queue, server };
  };

  describe(title, { concurrency: 4 }, () => {
    test("goes on when the server behind it was away, and fails at once meanwhile", LIMIT, async (t) => {
      const { queue, server } = await open(t, { leaseMs: 4_000 });
      const [begun, goOn] = [gate(), gate()];
      const long = async ({ report }: JobAttempt) => {
        begun.open();
        report({ percent: 1 });
        await goOn.opened;
        return { done: true };
      };
      const echo = async () => ({ echo: true });
      queue.work({ handlers: { long, echo }, concurrency: 2 });
      const jobId = await queue.add({ kind: "long", data: {}, maxAttempts: 5 });
      await begun.opened;
      await server.stop();
      for (const ask of [() => queue.add({ kind: "echo", data: {} }), () => queue.get(jobId), () => queue.check()]) {
        const askedAt = performance.now();
        await assert.rejects(ask(), unavailable);
        assert.ok(performance.now() - askedAt < 15_000);
      }
      goOn.open();
      await server.start();
      const next = await until(
        () => queue.add({ kind: "echo", data: {} }).catch(() => undefined),
        (added) => added !== undefined,
      );
      assert.deepEqual((await untilState(queue, jobId, "completed")).result, { done: true });
      assert.deepEqual((await untilState(queue, next ?? "", "completed")).result, { echo: true });
    });

    for (const isBack of [false, true]) {
      const when = isBack ? "has just come back" : "is away";
      test(`is closed in time when the server behind it ${when}, and leaves nothing running`, LIMIT, async (t) => {
        const { place, queue, server } = await open(t);
        const begun = gate();
        const hold = async ({ signal }: JobAttempt) => {
          begun.open();
          return untilAborted(signal);
        };
        queue.work({ handlers: { hold }, concurrency: 1 });
        const jobId = await queue.add({ kind: "hold", data: {} });
        await begun.opened;
        await server.stop();
        await assert.rejects(queue.check(), unavailable);
        if (isBack) await server.start();
        await queue.close();
        if (!isBack) await server.start();
        const second = await place.open({ leaseMs: LEASE_MS });
        second.work({ handlers: { hold: async () => ({ by: "the next" }) }, concurrency: 1 });
        assert.deepEqual((await untilState(second, jobId, "completed")).result, { by: "the next" });
      });
    }
  });
}
