import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { Database } from "../database/database.ts";
import { EmbeddedJobQueue } from "../jobs/embedded/embedded-job-queue.ts";
import type { JobQueue } from "../jobs/job-queue.ts";
import { JOB_LANES } from "./job-lanes.ts";
import type { Config } from "./settings.ts";

export interface OpenJobQueueOptions {
  readonly config: Pick<Config, "jobs" | "redis">;
  /** Has the queue's table where there is no Redis; closed by its owner, after the queue. */
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told of each job that is put in here. */
  readonly onAdd?: () => void;
}

/** The queue as it is configured: on Redis, else a table. Throws UNAVAILABLE when what it is kept in does not answer. */
export async function openJobQueue({ config, database, clock, log, onAdd }: OpenJobQueueOptions): Promise<JobQueue> {
  const { leaseMs, retentionMs: ageMs, retentionCount: count } = config.jobs;
  const options = { leaseMs, retention: { ageMs, count }, lanes: JOB_LANES, clock, log, onAdd };
  const { url } = config.redis;
  if (url === undefined) return EmbeddedJobQueue.open({ ...options, database });
  // Who has no Redis needs no client of it in memory.
  const { BullmqJobQueue } = await import("../jobs/bullmq/bullmq-job-queue.ts");
  return BullmqJobQueue.open({ ...options, url });
}
