import { type JobType, Queue } from "bullmq";
import type { Redis } from "ioredis";
import { type Clock, systemClock } from "../../core/clock.ts";
import type { JsonObject } from "../../core/json.ts";
import { JobIds } from "../job-ids.ts";
import type {
  Job,
  JobLanes,
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
import { type CarriedData, type CarriedJob, isUnchanged, stateOf, toJob } from "./bullmq-job.ts";
import { BullmqWorker } from "./bullmq-worker.ts";
import { CancelledJobs } from "./cancelled-jobs.ts";
import { answerOf, connectRedis } from "./redis-connection.ts";

/** BullMQ's workers take whatever comes first in a queue of theirs: each lane is one. */
const ONE_LANE: JobLanes = { names: ["all"], of: () => "all" };
/** Jobs that a page is made of are read so many at a time. */
const READ_COUNT = 50;
const MAX_READ_TRIES = 5;

const TYPES_OF_STATE: Readonly<Record<Exclude<JobState, "cancelled">, readonly JobType[]>> = {
  waiting: ["wait", "prioritized"],
  delayed: ["delayed"],
  active: ["active"],
  completed: ["completed"],
  failed: ["failed"],
};

type LaneQueue = Queue<CarriedData, JsonObject | null>;

interface FoundJob {
  readonly queue: LaneQueue;
  readonly job: CarriedJob;
  readonly state: JobState;
}

export interface BullmqJobQueueOptions extends JobQueueOptions {
  readonly url: string;
  /** Stands before every key; another one is another queue. */
  readonly prefix?: string;
}

/** The queue on Redis, for as many machines as it takes. */
export class BullmqJobQueue implements JobQueue {
  readonly #options: BullmqJobQueueOptions;
  readonly #prefix: string;
  readonly #clock: Clock;
  readonly #redis: Redis;
  readonly #lanes: JobLanes;
  /** By lane. */
  readonly #queues: ReadonlyMap<string, LaneQueue>;
  readonly #cancelled: CancelledJobs;
  readonly #ids = new JobIds();
  readonly #workers = new Set<BullmqWorker>();

  /** Throws UNAVAILABLE when Redis does not answer. */
  static async open(options: BullmqJobQueueOptions): Promise<BullmqJobQueue> {
    const redis = connectRedis({ url: options.url, patience: "ask", log: options.log });
    try {
      await answerOf(() => redis.connect());
      await warnOfEviction(redis, options);
    } catch (error) {
      redis.disconnect();
      throw error;
    }
    return new BullmqJobQueue(redis, options);
  }

  private constructor(redis: Redis, options: BullmqJobQueueOptions) {
    const { prefix = "headwater", clock = systemClock, lanes = ONE_LANE, retention, log } = options;
    this.#options = options;
    this.#prefix = prefix;
    this.#clock = clock;
    this.#redis = redis;
    this.#lanes = lanes;
    this.#queues = new Map(
      lanes.names.map((lane) => [lane, new Queue(queueName(lane), { connection: redis, prefix })] as const),
    );
    for (const queue of this.#queues.values()) {
      queue.on("error", (error) => log.debug({ err: error }, "the job queue met a fault"));
    }
    this.#cancelled = new CancelledJobs({ redis, prefix, retention });
  }

  async add(job: NewJob): Promise<string> {
    const { kind, data, priority, delayMs, maxAttempts, backOff, dedupKey } = completeJob(job);
    this.#options.onAdd?.();
    const nowMs = Math.floor(this.#clock.nowMs());
    const queue = this.#queueOf(kind);
    const added = await answerOf(() =>
      queue.add(
        kind,
        { data, backOff },
        {
          jobId: this.#ids.next(nowMs),
          timestamp: nowMs,
          priority,
          delay: delayMs,
          attempts: maxAttempts,
          backoff: { type: "ours" },
          keepLogs: 0,
          stackTraceLimit: 0,
          ...(dedupKey !== undefined && { deduplication: { id: dedupKey } }),
        },
      ),
    );
    return added.id ?? "";
  }

  work(options: WorkerOptions): JobWorker {
    const { url, leaseMs, retention, log } = this.#options;
    const connect = () => connectRedis({ url, patience: "insist", log });
    const worker = new BullmqWorker({
      ...options,
      queueName: this.#queueOf(...Object.keys(options.handlers)).name,
      prefix: this.#prefix,
      leaseMs,
      retention,
      cancelled: this.#cancelled,
      redis: connect(),
      subscriber: connect(),
      clock: this.#clock,
      log,
      onClose: () => this.#workers.delete(worker),
    });
    this.#workers.add(worker);
    return worker;
  }

  async cancel(jobId: string): Promise<boolean> {
    if (!isJobId(jobId)) return false;
    return answerOf(async () => {
      const found = await this.#find(jobId);
      if (!found || isOver(found.state)) return false;
      const isNew = await this.#cancelled.add(toJob(found.job, found.state), Math.floor(this.#clock.nowMs()));
      if (!isNew) return false;
      await this.#takeOut(found);
      return true;
    });
  }

  /** Deletes a job that waits; a worker holds the lock of one that runs, and is told. */
  async #takeOut({ queue, job }: FoundJob): Promise<void> {
    await job.removeDeduplicationKey();
    const isRemoved = await queue.remove(job.id ?? "");
    if (isRemoved === 0) await this.#cancelled.tell(job.id ?? "");
  }

  async get(jobId: string): Promise<Job | undefined> {
    if (!isJobId(jobId)) return undefined;
    return answerOf(() => this.#read(jobId));
  }

  async list(query: { state?: JobState; kind?: string; limit: number; cursor?: string }): Promise<JobPage> {
    const { state, kind, limit, cursor } = query;
    const before = cursor === undefined ? undefined : readCursor(cursor);
    return answerOf(async () => {
      const all = await this.#idsOf(state, kind);
      const rest = all.filter((jobId) => before === undefined || jobId < before);
      const jobs: Job[] = [];
      while (rest.length > 0 && jobs.length <= limit) {
        const read = await Promise.all(rest.splice(0, READ_COUNT).map((jobId) => this.#read(jobId)));
        jobs.push(...read.filter((job) => job !== undefined).filter(matching({ state, kind })));
      }
      const page = jobs.slice(0, limit);
      const last = page.at(-1);
      return { jobs: page, nextCursor: jobs.length > limit && last ? writeCursor(last.jobId) : undefined };
    });
  }

  async counts(): Promise<Readonly<Record<JobState, number>>> {
    return answerOf(async () => {
      const states = ["wait", "prioritized", "delayed", "active", "completed", "failed"] as const;
      const all = await Promise.all([...this.#queues.values()].map((queue) => queue.getJobCounts(...states)));
      const sum = (state: (typeof states)[number]) => all.reduce((total, counts) => total + (counts[state] ?? 0), 0);
      const cancelled = (await this.#cancelled.ids(this.#clock.nowMs())).length;
      const [wait = 0, prioritized = 0, delayed = 0, active = 0, completed = 0, failed = 0] = states.map(sum);
      return { waiting: wait + prioritized, delayed, active, completed, failed, cancelled };
    });
  }

  async check(): Promise<void> {
    await answerOf(() => this.#redis.ping());
  }

  async close(): Promise<void> {
    await Promise.all([...this.#workers].map((worker) => worker.close()));
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
    this.#redis.disconnect();
  }

  /** The queue of these kinds. Throws when they are of several lanes. */
  #queueOf(...kinds: readonly string[]): LaneQueue {
    const [lane = this.#lanes.names[0] ?? "", ...others] = new Set(kinds.map((kind) => this.#lanes.of(kind)));
    const queue = this.#queues.get(lane);
    if (!queue || others.length > 0) throw new Error(`${kinds} are not of one lane`);
    return queue;
  }

  async #find(jobId: string): Promise<FoundJob | undefined> {
    const found = await Promise.all([...this.#queues.values()].map((queue) => findIn(queue, jobId)));
    return found.find((one) => one !== undefined);
  }

  async #read(jobId: string): Promise<Job | undefined> {
    const cancelled = await this.#cancelled.get(jobId);
    if (cancelled) return cancelled;
    const found = await this.#find(jobId);
    return found && toJob(found.job, found.state);
  }

  /** Newest first. */
  async #idsOf(state: JobState | undefined, kind: string | undefined): Promise<string[]> {
    const states = Object.keys(TYPES_OF_STATE) as (keyof typeof TYPES_OF_STATE)[];
    const types = states
      .filter((each) => state === undefined || each === state)
      .flatMap((each) => TYPES_OF_STATE[each]);
    const queues = kind === undefined ? [...this.#queues.values()] : [this.#queueOf(kind)];
    const known = types.length === 0 ? [] : await Promise.all(queues.map((queue) => queue.getRanges(types, 0, -1)));
    const isAsked = state === undefined || state === "cancelled";
    const cancelled = isAsked ? await this.#cancelled.ids(this.#clock.nowMs()) : [];
    return [...new Set([...known.flat(), ...cancelled])].sort().reverse();
  }
}

function queueName(lane: string): string {
  return `jobs-${lane}`;
}

/** BullMQ keeps a job and its place apart: read until both are of one moment, or nearly so. */
async function findIn(queue: LaneQueue, jobId: string): Promise<FoundJob | undefined> {
  let job: CarriedJob | undefined = await queue.getJob(jobId);
  for (let tryCount = 1; job; tryCount++) {
    const state = stateOf(await job.getState());
    const again: CarriedJob | undefined = await queue.getJob(jobId);
    if (again && state && (isUnchanged(job, again) || tryCount === MAX_READ_TRIES)) return { queue, job: again, state };
    job = again;
  }
  return undefined;
}

function matching({ state, kind }: { state: JobState | undefined; kind: string | undefined }) {
  return (job: Job) => (state === undefined || job.state === state) && (kind === undefined || job.kind === kind);
}

function isOver(state: JobState): boolean {
  return state === "completed" || state === "failed" || state === "cancelled";
}

/** A Redis that makes room by itself would throw jobs away. */
async function warnOfEviction(redis: Redis, { log }: BullmqJobQueueOptions): Promise<void> {
  const policy = /^maxmemory_policy:(\S+)/m.exec(await answerOf(() => redis.info("memory")))?.[1];
  if (policy !== "noeviction") log.warn({ policy }, "Redis may throw jobs away: set maxmemory-policy to noeviction");
}
