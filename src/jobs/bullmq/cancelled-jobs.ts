import type { Redis } from "ioredis";
import type { Job, JobRetention } from "../job-queue.ts";

/**
 * Jobs that were cancelled, which BullMQ has no state for: it only forgets them. What stands here comes before what
 * BullMQ says of the same job, whose worker may still be on its way to stopping.
 */
export class CancelledJobs {
  /** Where workers hear which job was cancelled. */
  readonly channel: string;
  readonly #redis: Redis;
  readonly #prefix: string;
  readonly #retention: JobRetention;

  constructor(options: { redis: Redis; prefix: string; retention: JobRetention }) {
    this.#redis = options.redis;
    this.#retention = options.retention;
    this.#prefix = `${options.prefix}:cancelled-jobs`;
    this.channel = `${this.#prefix}:told`;
  }

  /** False when it was there already. Lets go of those that are too old or too many. */
  async add(job: Job, nowMs: number): Promise<boolean> {
    const { ageMs, count } = this.#retention;
    const record = JSON.stringify({ ...job, state: "cancelled", finishedAtMs: nowMs } satisfies Job);
    const isNew = await this.#redis.set(this.#key(job.jobId), record, "PX", ageMs, "NX");
    if (isNew === null) return false;
    await this.#redis.zadd(this.#prefix, nowMs, job.jobId);
    await this.#redis.zremrangebyscore(this.#prefix, "-inf", `${nowMs - ageMs}`);
    const surplus = await this.#redis.zrange(this.#prefix, 0, `${-(count + 1)}`);
    if (surplus.length > 0) await this.remove(surplus);
    return true;
  }

  async remove(jobIds: readonly string[]): Promise<void> {
    await this.#redis.zrem(this.#prefix, ...jobIds);
    await this.#redis.del(...jobIds.map((jobId) => this.#key(jobId)));
  }

  /** Tells all workers; one that does not hear it looks by itself before long. */
  async tell(jobId: string): Promise<void> {
    await this.#redis.publish(this.channel, jobId);
  }

  async get(jobId: string): Promise<Job | undefined> {
    const record = await this.#redis.get(this.#key(jobId));
    return record === null ? undefined : JSON.parse(record);
  }

  async has(jobId: string): Promise<boolean> {
    return (await this.#redis.exists(this.#key(jobId))) === 1;
  }

  async ids(nowMs: number): Promise<readonly string[]> {
    return this.#redis.zrangebyscore(this.#prefix, `(${nowMs - this.#retention.ageMs}`, "+inf");
  }

  #key(jobId: string): string {
    return `${this.#prefix}:${jobId}`;
  }
}
