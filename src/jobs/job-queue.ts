import type { Clock } from "../core/clock.ts";
import type { JsonObject } from "../core/json.ts";
import type { Logger } from "../core/logger.ts";

export const JOB_STATES = ["waiting", "delayed", "active", "completed", "failed", "cancelled"] as const;
export type JobState = (typeof JOB_STATES)[number];

/** How long to wait before another attempt: always `delayMs`, or twice as long each time. */
export interface BackOff {
  readonly kind: "fixed" | "exponential";
  readonly delayMs: number;
  /** It becomes no longer than that; an hour when left out. */
  readonly maxDelayMs?: number;
}

export interface NewJob {
  /** What is to be done: `video.probe`. A handler is registered for a kind. */
  readonly kind: string;
  readonly data: JsonObject;
  /** 0 is done first; at most 1,000,000. Within one priority goes first what may run for the longest time. Default 100. */
  readonly priority?: number;
  /** Not before so long. */
  readonly delayMs?: number;
  /** In all, the first one included. Default 3. */
  readonly maxAttempts?: number;
  /** Default: exponential from 1 s. */
  readonly backOff?: BackOff;
  /** While a job of this key waits or runs, no second one is added. */
  readonly dedupKey?: string;
}

/** A job as its owner sees it. Instants are ms since the Unix epoch. */
export interface Job {
  readonly jobId: string;
  readonly kind: string;
  readonly data: JsonObject;
  readonly state: JobState;
  readonly priority: number;
  /** Attempts that were begun. One that a crash ended counts as well. */
  readonly attemptCount: number;
  readonly maxAttempts: number;
  /** What the handler reported last. */
  readonly progress: JsonObject | null;
  readonly result: JsonObject | null;
  /** Why the last attempt failed, for a person. */
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly createdAtMs: number;
  /** When its last attempt began. */
  readonly startedAtMs: number | null;
  readonly finishedAtMs: number | null;
}

/** What a handler has of its attempt. */
export interface JobAttempt {
  readonly job: Job;
  /** Never used before, also not by an earlier attempt of the job: names what this attempt writes. */
  readonly attemptId: string;
  /** Aborts when the job is cancelled, its lease was lost, or the worker closes. Whatever is written after it is for nothing. */
  readonly signal: AbortSignal;
  /** Last one wins; written at most a few times a second. Never throws. */
  report(progress: JsonObject): void;
}

/**
 * Does the work of one attempt and gives its result. A DomainError of category `invalid`, `denied`, `not-found` or `conflict`
 * fails the job for good; anything else that is thrown is tried again. Handlers run at least once, so they are idempotent.
 */
export type JobHandler = (attempt: JobAttempt) => Promise<JsonObject | undefined>;

export interface WorkerOptions {
  /** By kinds of one lane. */
  readonly handlers: Readonly<Record<string, JobHandler>>;
  /** Jobs that run at once. */
  readonly concurrency: number;
  /** Asked before a job is taken: false leaves jobs of this kind to others, or to later. Default: all are taken. */
  readonly accepts?: (kind: string) => boolean;
}

export interface JobWorker {
  readonly activeCount: number;
  /** Takes no more jobs, aborts those that run, and gives them back without counting their attempt. */
  close(): Promise<void>;
}

export interface JobPage {
  readonly jobs: readonly Job[];
  readonly nextCursor: string | undefined;
}

/** Kinds of jobs that are worked off side by side: only those of one lane wait for each other. */
export interface JobLanes {
  readonly names: readonly string[];
  /** One of the names. */
  of(kind: string): string;
}

/** What every implementation has to be told. */
export interface JobQueueOptions {
  /** A worker that has not been heard of for so long has lost its jobs. */
  readonly leaseMs: number;
  readonly retention: JobRetention;
  /** The same for all processes that share the queue. Default: one lane for all kinds. */
  readonly lanes?: JobLanes;
  readonly log: Logger;
  readonly clock?: Clock;
  /** Told of each job that is put in here, before it is known whether there was one already. */
  readonly onAdd?: (() => void) | undefined;
}

/** Jobs that ended go when they are older than `ageMs`, or when `count` newer ones (of their lane) ended the same way. */
export interface JobRetention {
  readonly ageMs: number;
  readonly count: number;
}

/**
 * Work that outlives the process: at least once, in order of priority, with leases that a crashed worker loses. One suite
 * of tests, job-queue-contract.ts, is run on every implementation. Faults of the store behind it are UNAVAILABLE.
 */
export interface JobQueue {
  /** The id of the job, or of the one that already waits or runs under its `dedupKey`. On disk when it resolves. */
  add(job: NewJob): Promise<string>;
  /** Begins to take jobs, here, until the worker is closed. */
  work(options: WorkerOptions): JobWorker;
  /** Takes a waiting job out, and aborts a running one in whatever process it runs; false when it had already ended. */
  cancel(jobId: string): Promise<boolean>;
  get(jobId: string): Promise<Job | undefined>;
  /** Newest first. */
  list(query: { state?: JobState; kind?: string; limit: number; cursor?: string }): Promise<JobPage>;
  counts(): Promise<Readonly<Record<JobState, number>>>;
  check(): Promise<void>;
  close(): Promise<void>;
}
