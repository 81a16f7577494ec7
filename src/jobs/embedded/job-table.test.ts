import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { type RootOperationNode, sql } from "kysely";
import { silentLogger } from "../../core/logger.ts";
import { Database } from "../../database/database.ts";
import { WORKER_LOST } from "../job-failure.ts";
import { JobIds } from "../job-ids.ts";
import type { JobState } from "../job-queue.ts";
import { completeJob } from "../new-job.ts";
import { JOB_MIGRATIONS } from "./job-migrations.ts";
import type { JobSchema } from "./job-schema.ts";
import { JobTable } from "./job-table.ts";

const LEASE_MS = 100;
const FAILURE = { code: "INTERNAL", message: "no", isFinal: false };

let database: Database;
let directory = "";
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "headwater-jobs-"));
  database = await Database.open({ dataDir: directory, log: silentLogger });
  await database.migrate(JOB_MIGRATIONS);
});
after(async () => {
  await database.close();
  await rm(directory, { recursive: true });
});

/** What a job is, said in as few words as can be; the table must agree after every step. */
interface ModelJob {
  readonly jobId: string;
  readonly kind: string;
  readonly priority: number;
  readonly maxAttempts: number;
  dedupKey: string | undefined;
  state: Exclude<JobState, "delayed">;
  runAtMs: number;
  attemptCount: number;
  attemptId: string | undefined;
  workerId: string | undefined;
  leaseUntilMs: number;
  finishedAtMs: number | null;
}

class Model {
  nowMs = 1_000_000;
  jobs: ModelJob[] = [];
  /** Every attempt there ever was, dead ones too. */
  readonly attemptIds: string[] = [];

  next(kinds: readonly string[]): ModelJob | undefined {
    return this.jobs
      .filter((job) => job.state === "waiting" && job.runAtMs <= this.nowMs && kinds.includes(job.kind))
      .sort((a, b) => a.priority - b.priority || a.runAtMs - b.runAtMs || (a.jobId < b.jobId ? -1 : 1))[0];
  }

  holder(attemptId: string): ModelJob | undefined {
    return this.jobs.find((job) => job.attemptId === attemptId);
  }

  release(job: ModelJob, state: "waiting" | "completed" | "failed" | "cancelled"): void {
    job.state = state;
    job.attemptId = undefined;
    job.workerId = undefined;
    if (state === "waiting") return;
    job.dedupKey = undefined;
    job.finishedAtMs = this.nowMs;
  }
}

type Step = (model: Model, table: JobTable, ids: JobIds) => Promise<void>;

const kind = fc.constantFrom("a", "b");
const worker = fc.constantFrom("w1", "w2");
const delay = fc.constantFrom(0, 0, 30, 250);
const pick = fc.nat();

const add: fc.Arbitrary<Step> = fc
  .record({
    kind,
    priority: fc.constantFrom(0, 1, 100),
    delayMs: delay,
    maxAttempts: fc.integer({ min: 1, max: 3 }),
    key: fc.option(fc.constantFrom("x", "y"), { nil: undefined }),
  })
  .map(({ key: dedupKey, ...fields }) => async (model, table, ids) => {
    const jobId = ids.next(model.nowMs);
    const holder = dedupKey === undefined ? undefined : model.jobs.find((job) => job.dedupKey === dedupKey);
    const job = completeJob({ data: {}, ...fields, ...(dedupKey === undefined ? {} : { dedupKey }) });
    assert.equal(await table.insert(jobId, job), holder === undefined);
    if (dedupKey !== undefined) assert.equal(await table.findByDedupKey(dedupKey), holder?.jobId ?? jobId);
    if (holder) return;
    const times = { runAtMs: model.nowMs + fields.delayMs, leaseUntilMs: 0, finishedAtMs: null };
    const idle = { state: "waiting", attemptCount: 0, attemptId: undefined, workerId: undefined } as const;
    model.jobs.push({ jobId, dedupKey, ...fields, ...times, ...idle });
  });

const claim: fc.Arbitrary<Step> = fc
  .record({ kinds: fc.subarray(["a", "b"], { minLength: 1 }), workerId: worker })
  .map(({ kinds, workerId }) => async (model, table) => {
    const attemptId = `attempt-${model.attemptIds.length}`;
    const expected = model.next(kinds);
    assert.equal(await table.hasRunnable(kinds), expected !== undefined);
    const claimed = await table.claim({ attemptId, workerId, kinds, leaseMs: LEASE_MS });
    assert.equal(claimed?.job.jobId, expected?.jobId);
    if (!expected) return;
    model.attemptIds.push(attemptId);
    Object.assign(expected, { state: "active", attemptId, workerId, leaseUntilMs: model.nowMs + LEASE_MS });
    expected.attemptCount += 1;
    assert.equal(claimed?.job.attemptCount, expected.attemptCount);
  });

const renew: fc.Arbitrary<Step> = worker.map((workerId) => async (model, table) => {
  const held = model.jobs.filter((job) => job.workerId === workerId);
  for (const job of held) job.leaseUntilMs = model.nowMs + LEASE_MS;
  const expected = held.map((job) => job.attemptId).sort();
  assert.deepEqual([...(await table.renew(workerId, LEASE_MS))].sort(), expected);
  assert.deepEqual([...(await table.attemptsOf(workerId))].sort(), expected);
});

/** One that an attempt, living or long dead, tries to write. */
function attemptStep(
  write: (table: JobTable, attemptId: string) => Promise<boolean>,
  change: (model: Model, job: ModelJob) => void,
): fc.Arbitrary<Step> {
  return pick.map((index) => async (model, table) => {
    const attemptId = model.attemptIds[index % Math.max(1, model.attemptIds.length)];
    if (attemptId === undefined) return;
    const job = model.holder(attemptId);
    assert.equal(await write(table, attemptId), job !== undefined);
    if (job) change(model, job);
  });
}

const complete = attemptStep(
  (table, attemptId) => table.complete(attemptId, { done: true }, undefined),
  (model, job) => model.release(job, "completed"),
);
const fail = attemptStep(
  (table, attemptId) => table.fail(attemptId, FAILURE, undefined),
  (model, job) => model.release(job, "failed"),
);
const retry = attemptStep(
  (table, attemptId) => table.retry(attemptId, FAILURE, 40, undefined),
  (model, job) => {
    model.release(job, "waiting");
    job.runAtMs = model.nowMs + 40;
  },
);
const giveBack = attemptStep(
  (table, attemptId) => table.giveBack(attemptId),
  (model, job) => {
    model.release(job, "waiting");
    job.attemptCount -= 1;
  },
);

const cancel: fc.Arbitrary<Step> = pick.map((index) => async (model, table) => {
  const job = model.jobs[index % Math.max(1, model.jobs.length)];
  if (!job) return;
  const isUnderWay = job.state === "waiting" || job.state === "active";
  assert.equal(await table.cancel(job.jobId), isUnderWay);
  if (isUnderWay) model.release(job, "cancelled");
});

const advance: fc.Arbitrary<Step> = fc.constantFrom(1, 35, 120).map((deltaMs) => async (model) => {
  model.nowMs += deltaMs;
});

const recover: fc.Arbitrary<Step> = fc.constant(async (model, table) => {
  const expired = model.jobs.filter((job) => job.state === "active" && job.leaseUntilMs < model.nowMs);
  const failed = expired.filter((job) => job.attemptCount >= job.maxAttempts);
  const retried = expired.filter((job) => job.attemptCount < job.maxAttempts);
  for (const job of failed) model.release(job, "failed");
  for (const job of retried) model.release(job, "waiting");
  const ids = (jobs: readonly ModelJob[]) => jobs.map((job) => job.jobId).sort();
  const recovered = await table.recover(WORKER_LOST);
  assert.deepEqual(
    { failed: [...recovered.failed].sort(), retried: [...recovered.retried].sort() },
    { failed: ids(failed), retried: ids(retried) },
  );
});

const sweep: fc.Arbitrary<Step> = fc
  .record({ ageMs: fc.constantFrom(50, 10_000), count: fc.integer({ min: 0, max: 3 }) })
  .map(({ ageMs, count }) => async (model, table) => {
    const kept = new Set<ModelJob>();
    for (const state of ["completed", "failed", "cancelled"] as const) {
      model.jobs
        .filter((job) => job.state === state && (job.finishedAtMs ?? 0) >= model.nowMs - ageMs)
        .sort((a, b) => (b.finishedAtMs ?? 0) - (a.finishedAtMs ?? 0) || (a.jobId < b.jobId ? 1 : -1))
        .slice(0, count)
        .map((job) => kept.add(job));
    }
    const before = model.jobs.length;
    model.jobs = model.jobs.filter((job) => job.finishedAtMs === null || kept.has(job));
    assert.equal(await table.sweep({ ageMs, count }), before - model.jobs.length);
  });

async function assertAgreement(model: Model, table: JobTable): Promise<void> {
  const stateOf = ({ state, runAtMs }: ModelJob) => (state === "waiting" && runAtMs > model.nowMs ? "delayed" : state);
  const expected = model.jobs.map((job) => [job.jobId, stateOf(job), job.attemptCount, job.finishedAtMs]);
  const jobs = await table.list({ limit: 1000 });
  assert.deepEqual(
    jobs.map((job) => [job.jobId, job.state, job.attemptCount, job.finishedAtMs]),
    expected.reverse(),
  );
  const counts: Partial<Record<JobState, number>> = {};
  for (const job of model.jobs) counts[stateOf(job)] = (counts[stateOf(job)] ?? 0) + 1;
  const none = { waiting: 0, delayed: 0, active: 0, completed: 0, failed: 0, cancelled: 0 };
  assert.deepEqual(await table.counts(), { ...none, ...counts });
}

test("is at every step what a plain model of the queue is", { timeout: 120_000 }, async () => {
  const step = fc.oneof(
    add,
    add,
    claim,
    claim,
    renew,
    complete,
    fail,
    retry,
    giveBack,
    cancel,
    advance,
    recover,
    sweep,
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const model = new Model();
      const tables = database.tables<JobSchema>();
      await tables.writer.deleteFrom("job").execute();
      const table = new JobTable({ ...tables, now: () => sql.lit(model.nowMs), locksRows: false });
      const ids = new JobIds();
      for (const run of steps) {
        await run(model, table, ids);
        await assertAgreement(model, table);
      }
    }),
    { numRuns: 60 },
  );
});

test("finds the next job by its index, however many there are", async () => {
  const { reader, writer } = database.tables<JobSchema>();
  const queries: RootOperationNode[] = [];
  const watched = reader.withPlugin({
    transformQuery({ node }) {
      queries.push(node);
      return node;
    },
    transformResult: async ({ result }) => result,
  });
  await new JobTable({ reader: watched, writer, now: () => sql.lit(0), locksRows: false }).hasRunnable(["a"]);
  const [query] = queries;
  assert.ok(query);
  const { sql: text } = reader.getExecutor().compileQuery(query, { queryId: "next" });
  const { rows } = await sql<{ detail: string }>`explain query plan ${sql.raw(text)}`.execute(reader);
  assert.match(rows.map(({ detail }) => detail).join("; "), /^S\w+ job USING INDEX job_next[^;]*$/);
});
