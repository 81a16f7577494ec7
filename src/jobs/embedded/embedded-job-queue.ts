import { sql } from "kysely";
import { type Clock, systemClock } from "../../core/clock.ts";
import { DomainError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import type { Database } from "../../database/database.ts";
import { JobIds } from "../job-ids.ts";
import type {
  Job,
  JobPage,
  JobQueue,
  JobQueueOptions,
  JobState,
  JobWorker,
  NewJob,
  WorkerOptions,
} from "../job-queue.ts";
import { completeJob } from "../new-job.ts";
import { isJobId, readCursor, writeCursor } from "../page-cursor.ts";
import { EmbeddedWorker } from "./embedded-worker.ts";
import { JOB_MIGRATIONS } from "./job-migrations.ts";
import type { JobSchema } from "./job-schema.ts";
import { JobTable } from "./job-table.ts";

/** A job of the same key that ends just as we look leaves room for ours: tried so often. */
const MAX_ADD_TRIES = 5;
/** By the database server's clock, so that workers on several machines agree on when a lease ends. */
const POSTGRES_NOW = sql<number>`(extract(epoch from clock_timestamp()) * 1000)::bigint`;

export interface EmbeddedJobQueueOptions extends JobQueueOptions {
  /** Its owner closes it, after the queue. */
  readonly database: Database;
}

/** The queue as a table of the database that is there anyway. */
export class EmbeddedJobQueue implements JobQueue {
  readonly #options: EmbeddedJobQueueOptions;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #table: JobTable;
  readonly #ids = new JobIds();
  readonly #workers = new Set<EmbeddedWorker>();

  /** Brings its table up to date. Throws UNAVAILABLE when the database does not answer. */
  static async open(options: EmbeddedJobQueueOptions): Promise<EmbeddedJobQueue> {
    await options.database.migrate(JOB_MIGRATIONS);
    return new EmbeddedJobQueue(options);
  }

  private constructor(options: EmbeddedJobQueueOptions) {
    const { database, clock = systemClock } = options;
    this.#options = options;
    this.#clock = clock;
    this.#log = options.log;
    this.#table = new JobTable({
      ...database.tables<JobSchema>(),
      now: database.kind === "postgres" ? () => POSTGRES_NOW : () => sql.lit(Math.floor(clock.nowMs())),
      locksRows: database.kind === "postgres",
    });
  }

  async add(job: NewJob): Promise<string> {
    const complete = completeJob(job);
    this.#options.onAdd?.();
    const jobId = this.#ids.next(this.#clock.nowMs());
    for (let tryCount = 0; tryCount < MAX_ADD_TRIES; tryCount++) {
      if (await this.#table.insert(jobId, complete)) {
        for (const worker of this.#workers) worker.wake();
        return jobId;
      }
      const existing = await this.#table.findByDedupKey(complete.dedupKey ?? "");
      if (existing !== undefined) return existing;
    }
    throw new DomainError("UNAVAILABLE", `jobs of the key ${complete.dedupKey} come and go too fast`);
  }

  work(options: WorkerOptions): JobWorker {
    const { leaseMs, retention } = this.#options;
    const worker = new EmbeddedWorker({
      ...options,
      table: this.#table,
      leaseMs,
      retention,
      clock: this.#clock,
      log: this.#log,
      onClose: () => this.#workers.delete(worker),
    });
    this.#workers.add(worker);
    return worker;
  }

  async cancel(jobId: string): Promise<boolean> {
    const isCancelled = isJobId(jobId) && (await this.#table.cancel(jobId));
    if (isCancelled) for (const worker of this.#workers) worker.cancel(jobId);
    return isCancelled;
  }

  async get(jobId: string): Promise<Job | undefined> {
    return isJobId(jobId) ? this.#table.get(jobId) : undefined;
  }

  async list(query: { state?: JobState; kind?: string; limit: number; cursor?: string }): Promise<JobPage> {
    const { cursor, limit, ...rest } = query;
    const before = cursor === undefined ? {} : { before: readCursor(cursor) };
    const found = await this.#table.list({ ...rest, ...before, limit: limit + 1 });
    const jobs = found.slice(0, limit);
    const last = jobs.at(-1);
    return { jobs, nextCursor: found.length > limit && last ? writeCursor(last.jobId) : undefined };
  }

  counts(): Promise<Readonly<Record<JobState, number>>> {
    return this.#table.counts();
  }

  check(): Promise<void> {
    return this.#table.check();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#workers].map((worker) => worker.close()));
  }
}
