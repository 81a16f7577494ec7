import { type Kysely, type RawBuilder, type Selectable, sql, type UpdateObject } from "kysely";
import { DomainError } from "../../core/errors.ts";
import type { JsonObject } from "../../core/json.ts";
import type { Tables } from "../../database/database.ts";
import type { JobFailure } from "../job-failure.ts";
import { type BackOff, JOB_STATES, type Job, type JobState } from "../job-queue.ts";
import type { CompleteJob } from "../new-job.ts";
import type { JobSchema, JobTableRow, StoredJobState } from "./job-schema.ts";

export interface JobTableOptions extends Tables<JobSchema> {
  /** The time by which all processes go that share the table, as SQL. */
  readonly now: () => RawBuilder<number>;
  /** Rows can be locked one by one: who claims steps over what another is claiming. */
  readonly locksRows: boolean;
}

/** A job that was claimed, with what its worker must know beside. */
export interface ClaimedJob {
  readonly job: Job;
  readonly backOff: BackOff;
}

export interface JobListQuery {
  readonly state?: JobState;
  readonly kind?: string;
  readonly limit: number;
  /** Only what was made before the job of this id. */
  readonly before?: string;
}

/** Rows that one statement of the clean-up takes at most, so that it holds nobody up. */
const SWEEP_COUNT = 1000;
const RUNNABLE = sql<boolean>`state = 'waiting'`;
const ACTIVE = sql<boolean>`state = 'active'`;
const ENDED = sql<boolean>`finished_at_ms is not null`;
const UNDER_WAY = sql<boolean>`state in ('waiting', 'active')`;
/** A job that is over, or waits, belongs to no attempt. */
const NO_ATTEMPT = { attempt_id: null, worker_id: null, lease_until_ms: null } as const;
const ENDED_STATES = ["completed", "failed", "cancelled"] as const satisfies StoredJobState[];

/**
 * The queue's state machine, on one table: each step is one statement that says from which state it leads, so it
 * happens once however many processes try. What an attempt writes is taken only while the job is that attempt's.
 */
export class JobTable {
  readonly #reader: Kysely<JobSchema>;
  readonly #writer: Kysely<JobSchema>;
  readonly #now: () => RawBuilder<number>;
  readonly #locksRows: boolean;

  constructor(options: JobTableOptions) {
    this.#reader = options.reader;
    this.#writer = options.writer;
    this.#now = options.now;
    this.#locksRows = options.locksRows;
  }

  /** False when another job holds its `dedupKey`. */
  async insert(jobId: string, job: CompleteJob): Promise<boolean> {
    const row = await this.#writer
      .insertInto("job")
      .values({
        job_id: jobId,
        kind: job.kind,
        data: JSON.stringify(job.data),
        state: "waiting" satisfies StoredJobState,
        priority: job.priority,
        run_at_ms: this.#in(job.delayMs),
        attempt_count: 0,
        max_attempts: job.maxAttempts,
        back_off: JSON.stringify(job.backOff),
        dedup_key: job.dedupKey ?? null,
        created_at_ms: this.#now(),
      })
      .onConflict((conflict) => conflict.column("dedup_key").doNothing())
      .returning("job_id")
      .executeTakeFirst();
    return row !== undefined;
  }

  /** The job that waits or runs under this key. */
  async findByDedupKey(dedupKey: string): Promise<string | undefined> {
    const row = await this.#reader
      .selectFrom("job")
      .select("job_id")
      .where("dedup_key", "=", dedupKey)
      .executeTakeFirst();
    return row?.job_id;
  }

  /** Whether a claim would get one; costs no write. */
  async hasRunnable(kinds: readonly string[]): Promise<boolean> {
    // In no order: whatever else waits is not looked at.
    const row = await this.#runnable(this.#reader).where("kind", "in", kinds).limit(1).executeTakeFirst();
    return row !== undefined;
  }

  /** Begins an attempt of the next job of these kinds. */
  async claim(options: {
    attemptId: string;
    workerId: string;
    kinds: readonly string[];
    leaseMs: number;
  }): Promise<ClaimedJob | undefined> {
    const next = this.#next(this.#writer, options.kinds);
    const row = await this.#writer
      .updateTable("job")
      .set({
        state: "active" satisfies StoredJobState,
        attempt_count: sql<number>`attempt_count + 1`,
        attempt_id: options.attemptId,
        worker_id: options.workerId,
        lease_until_ms: this.#in(options.leaseMs),
        started_at_ms: this.#now(),
      })
      .where("job_id", "=", this.#locksRows ? next.forUpdate().skipLocked() : next)
      .returningAll()
      .executeTakeFirst();
    return row && { job: toJob(row, row.state), backOff: JSON.parse(row.back_off) };
  }

  /** Gives all attempts of this worker their full lease again; those that it does not name are lost. */
  async renew(workerId: string, leaseMs: number): Promise<ReadonlySet<string>> {
    const rows = await this.#writer
      .updateTable("job")
      .set({ lease_until_ms: this.#in(leaseMs) })
      .where("worker_id", "=", workerId)
      .where(ACTIVE)
      .returning("attempt_id")
      .execute();
    return attemptIdsOf(rows);
  }

  /** The attempts that are this worker's now. */
  async attemptsOf(workerId: string): Promise<ReadonlySet<string>> {
    const rows = await this.#reader
      .selectFrom("job")
      .select("attempt_id")
      .where("worker_id", "=", workerId)
      .where(ACTIVE)
      .execute();
    return attemptIdsOf(rows);
  }

  async saveProgress(attemptId: string, progress: JsonObject): Promise<boolean> {
    return this.#changeAttempt(attemptId, { progress: JSON.stringify(progress) });
  }

  /** False when the job is this attempt's no more; then nothing was written. So with `fail`, `retry` and `giveBack`. */
  async complete(attemptId: string, result: JsonObject | null, progress: JsonObject | undefined): Promise<boolean> {
    return this.#changeAttempt(attemptId, {
      ...this.#ended("completed"),
      ...written(progress),
      result: result && JSON.stringify(result),
      error: null,
    });
  }

  async fail(attemptId: string, failure: JobFailure, progress: JsonObject | undefined): Promise<boolean> {
    return this.#changeAttempt(attemptId, {
      ...this.#ended("failed"),
      ...written(progress),
      error: errorText(failure),
    });
  }

  async retry(
    attemptId: string,
    failure: JobFailure,
    delayMs: number,
    progress: JsonObject | undefined,
  ): Promise<boolean> {
    return this.#changeAttempt(attemptId, {
      ...NO_ATTEMPT,
      ...written(progress),
      state: "waiting" satisfies StoredJobState,
      run_at_ms: this.#in(delayMs),
      error: errorText(failure),
    });
  }

  /** Undoes the claim: the job waits where it was in the order. */
  async giveBack(attemptId: string): Promise<boolean> {
    return this.#changeAttempt(attemptId, {
      ...NO_ATTEMPT,
      state: "waiting" satisfies StoredJobState,
      attempt_count: sql<number>`attempt_count - 1`,
    });
  }

  /** Lets jobs wait again whose lease ran out, and fails those that have no attempt left. Gives the ids of both. */
  async recover(failure: JobFailure): Promise<{ failed: readonly string[]; retried: readonly string[] }> {
    const failed = await this.#expired()
      .set({ ...this.#ended("failed"), error: errorText(failure) })
      .where((eb) => eb("attempt_count", ">=", eb.ref("max_attempts")))
      .returning("job_id")
      .execute();
    const retried = await this.#expired()
      .set({ ...NO_ATTEMPT, state: "waiting" satisfies StoredJobState })
      .where((eb) => eb("attempt_count", "<", eb.ref("max_attempts")))
      .returning("job_id")
      .execute();
    const ids = (rows: readonly { job_id: string }[]) => rows.map((row) => row.job_id);
    return { failed: ids(failed), retried: ids(retried) };
  }

  /** False when it had ended. */
  async cancel(jobId: string): Promise<boolean> {
    const row = await this.#writer
      .updateTable("job")
      .set(this.#ended("cancelled"))
      .where("job_id", "=", jobId)
      .where(UNDER_WAY)
      .returning("job_id")
      .executeTakeFirst();
    return row !== undefined;
  }

  async get(jobId: string): Promise<Job | undefined> {
    const row = await this.#seen().where("job_id", "=", jobId).executeTakeFirst();
    return row && toJob(row, row.seen_state);
  }

  /** Newest first. */
  async list({ state, kind, limit, before }: JobListQuery): Promise<readonly Job[]> {
    let query = this.#seen();
    if (state !== undefined) query = query.where(this.#seenState(), "=", state);
    if (kind !== undefined) query = query.where("kind", "=", kind);
    if (before !== undefined) query = query.where("job_id", "<", before);
    const rows = await query.orderBy("job_id", "desc").limit(limit).execute();
    return rows.map((row) => toJob(row, row.seen_state));
  }

  async counts(): Promise<Readonly<Record<JobState, number>>> {
    const rows = await this.#reader
      .selectFrom((from) => from.selectFrom("job").select(this.#seenState().as("seen_state")).as("seen"))
      .select(["seen_state", (eb) => eb.fn.countAll<number>().as("job_count")])
      .groupBy("seen_state")
      .execute();
    const counts: Record<JobState, number> = {
      waiting: 0,
      delayed: 0,
      active: 0,
      completed: 0,
      failed: 0,
      cancelled: 0,
    };
    for (const { seen_state, job_count } of rows) counts[stateOf(seen_state)] = Number(job_count);
    return counts;
  }

  /** Deletes jobs that ended longer ago than `ageMs`, and of each way to end all but the newest `count`. Gives their number. */
  async sweep({ ageMs, count }: { ageMs: number; count: number }): Promise<number> {
    let deletedCount = 0;
    for (const state of ENDED_STATES) {
      const ended = sql<boolean>`state = ${sql.lit(state)}`;
      const select = () => this.#writer.selectFrom("job").select("job_id").where(ended).where(ENDED).limit(SWEEP_COUNT);
      const old = select().where("finished_at_ms", "<", this.#in(-ageMs));
      const surplus = select().orderBy("finished_at_ms", "desc").orderBy("job_id", "desc").offset(count);
      for (const ids of [old, surplus]) {
        const { numDeletedRows } = await this.#writer
          .deleteFrom("job")
          .where("job_id", "in", ids)
          .executeTakeFirstOrThrow();
        deletedCount += Number(numDeletedRows);
      }
    }
    return deletedCount;
  }

  async check(): Promise<void> {
    await this.#reader.selectFrom("job").select("job_id").limit(1).execute();
  }

  #runnable(db: Kysely<JobSchema>) {
    return db.selectFrom("job").select("job_id").where(RUNNABLE).where("run_at_ms", "<=", this.#now());
  }

  /** The id of the next job: the most urgent, and of those the one that may run for the longest time. */
  #next(db: Kysely<JobSchema>, kinds: readonly string[]) {
    // As an expression, lest the index by kind is taken and all that waits is sorted for one.
    const kind = sql<string>`kind || ''`;
    const ofKinds = this.#runnable(db).where(kind, "in", kinds);
    return ofKinds.orderBy("priority").orderBy("run_at_ms").orderBy("job_id").limit(1);
  }

  #expired() {
    return this.#writer.updateTable("job").where(ACTIVE).where("lease_until_ms", "<", this.#now());
  }

  /** Jobs with their state as their owners see it. */
  #seen() {
    return this.#reader.selectFrom("job").selectAll().select(this.#seenState().as("seen_state"));
  }

  #seenState(): RawBuilder<string> {
    return sql<string>`case when state = 'waiting' and run_at_ms > ${this.#now()} then 'delayed' else state end`;
  }

  #ended(state: (typeof ENDED_STATES)[number]) {
    return { ...NO_ATTEMPT, state, dedup_key: null, finished_at_ms: this.#now() };
  }

  async #changeAttempt(attemptId: string, change: UpdateObject<JobSchema, "job">): Promise<boolean> {
    const row = await this.#writer
      .updateTable("job")
      .set(change)
      .where("attempt_id", "=", attemptId)
      .where(ACTIVE)
      .returning("job_id")
      .executeTakeFirst();
    return row !== undefined;
  }

  #in(delayMs: number): RawBuilder<number> {
    return sql<number>`${this.#now()} + ${sql.lit(Math.round(delayMs))}`;
  }
}

function written(progress: JsonObject | undefined): { progress?: string } {
  return progress === undefined ? {} : { progress: JSON.stringify(progress) };
}

function errorText({ code, message }: JobFailure): string {
  return JSON.stringify({ code, message });
}

function attemptIdsOf(rows: readonly { attempt_id: string | null }[]): ReadonlySet<string> {
  return new Set(rows.flatMap(({ attempt_id }) => attempt_id ?? []));
}

function toJob(row: Selectable<JobTableRow>, state: string): Job {
  return {
    jobId: row.job_id,
    kind: row.kind,
    data: JSON.parse(row.data),
    state: stateOf(state),
    priority: row.priority,
    attemptCount: row.attempt_count,
    maxAttempts: row.max_attempts,
    progress: row.progress === null ? null : JSON.parse(row.progress),
    result: row.result === null ? null : JSON.parse(row.result),
    error: row.error === null ? null : JSON.parse(row.error),
    createdAtMs: row.created_at_ms,
    startedAtMs: row.started_at_ms,
    finishedAtMs: row.finished_at_ms,
  };
}

function stateOf(text: string): JobState {
  const state = JOB_STATES.find((known) => known === text);
  if (!state) throw new DomainError("INTERNAL", `the table of jobs holds an unknown state ${text}`);
  return state;
}
