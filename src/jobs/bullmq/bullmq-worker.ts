import { DelayedError, UnrecoverableError, WaitingError, Worker } from "bullmq";
import type { Redis } from "ioredis";
import type { Clock } from "../../core/clock.ts";
import type { JsonObject } from "../../core/json.ts";
import type { Logger } from "../../core/logger.ts";
import { type JobFailure, WORKER_LOST } from "../job-failure.ts";
import type { JobRetention, JobWorker, WorkerOptions } from "../job-queue.ts";
import { retryDelayMs } from "../new-job.ts";
import { type Outcome, RunningAttempt } from "../running-attempt.ts";
import {
  type CarriedData,
  type CarriedJob,
  endedAttemptCount,
  maxAttemptsOf,
  toJob,
  writeFailure,
} from "./bullmq-job.ts";
import type { CancelledJobs } from "./cancelled-jobs.ts";

/** A job that this worker does not take now is offered to others after so long. */
const PUT_BACK_MS = 1_000;
/** Between two looks at whether jobs are taken again. */
const ACCEPT_LOOK_MS = 250;
/** Seconds between two looks at the queue when nothing wakes the worker. */
const LOOK_EVERY_S = 1;
/** After a fault of Redis. */
const RETRY_EVERY_MS = 1_000;
/** Handlers that were told to stop, and Redis that is told what became of them, get so long. */
const CLOSE_LIMIT_MS = 5_000;
/** Our own count of attempts says when it is enough. */
const NO_STALL_LIMIT = 1_000_000;

export interface BullmqWorkerOptions extends WorkerOptions {
  readonly queueName: string;
  readonly prefix: string;
  readonly leaseMs: number;
  readonly retention: JobRetention;
  readonly cancelled: CancelledJobs;
  /** Connections of this worker's own, both of which wait for Redis to come back. */
  readonly redis: Redis;
  readonly subscriber: Redis;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onClose: () => void;
}

/** A BullMQ worker that runs our handlers, counts crashes as attempts, and hears of cancelled jobs. */
export class BullmqWorker implements JobWorker {
  readonly #options: BullmqWorkerOptions;
  readonly #worker: Worker<CarriedData, JsonObject | null>;
  readonly #running = new Map<string, RunningAttempt>();
  #isClosing = false;
  #cancelTimer: () => void = () => {};
  /** Set while no kind is accepted: then none is drawn. */
  #acceptTimer: (() => void) | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: BullmqWorkerOptions) {
    this.#options = options;
    this.#worker = this.#createWorker();
    this.#listen();
    this.#watchCancelled();
  }

  get activeCount(): number {
    return this.#running.size;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  #createWorker(): Worker<CarriedData, JsonObject | null> {
    const { queueName, prefix, redis, concurrency, leaseMs, retention } = this.#options;
    const kept = { age: Math.ceil(retention.ageMs / 1000), count: retention.count };
    return new Worker(queueName, (job, token) => this.#process(job, token), {
      connection: redis,
      prefix,
      concurrency,
      lockDuration: leaseMs,
      lockRenewTime: leaseMs / 3,
      stalledInterval: leaseMs / 2,
      maxStalledCount: NO_STALL_LIMIT,
      drainDelay: LOOK_EVERY_S,
      runRetryDelay: RETRY_EVERY_MS,
      removeOnComplete: kept,
      removeOnFail: kept,
      settings: { backoffStrategy: (_attemptsMade, _type, _error, job) => delayBefore(job as CarriedJob) },
    });
  }

  #listen(): void {
    const { log, subscriber, cancelled } = this.#options;
    this.#worker.on("error", (error) => log.warn({ err: error }, "the worker met a fault of its queue"));
    this.#worker.on("lockRenewalFailed", (jobIds) => {
      for (const jobId of jobIds) this.#running.get(jobId)?.stop("lease lost");
    });
    this.#worker.on("stalled", (jobId) => log.warn({ jobId }, "a job of a lost worker was taken over"));
    // What was cancelled in the instant it was done stays cancelled.
    this.#worker.on("completed", (job) => {
      this.#forgetCancelled(job).catch((error: unknown) => log.warn({ err: error }, "a job was not forgotten"));
    });
    subscriber.on("message", (_channel, jobId) => this.#running.get(jobId)?.stop("cancelled"));
    // ioredis' own subscribing anew is a promise that nobody holds: when it fails it would end the process.
    subscriber.on("ready", () => {
      subscriber.subscribe(cancelled.channel).catch((error: unknown) => {
        if (!this.#isClosing) log.warn({ err: error }, "the worker does not hear of cancelled jobs");
      });
    });
  }

  /** Messages are lost while the connection is: so it also looks by itself. */
  #watchCancelled(): void {
    const { clock, leaseMs, cancelled, log } = this.#options;
    this.#cancelTimer = clock.after(leaseMs / 3, () => {
      const look = async (attempt: RunningAttempt) => {
        if (await cancelled.has(attempt.jobId)) attempt.stop("cancelled");
      };
      Promise.all([...this.#running.values()].map(look))
        .catch((error: unknown) => log.debug({ err: error }, "cancelled jobs could not be looked for"))
        .finally(() => {
          if (!this.#isClosing) this.#watchCancelled();
        });
    });
  }

  async #process(job: CarriedJob, token = ""): Promise<JsonObject | null> {
    const { handlers, accepts, cancelled, clock, log } = this.#options;
    const jobId = job.id ?? "";
    const handler = handlers[job.name];
    if (!handler || accepts?.(job.name) === false || this.#isClosing) {
      if (!this.#acceptsAny) this.#stepAside();
      return this.#putBack(job, token);
    }
    if (await cancelled.has(jobId)) throw forgotten(job);
    if (endedAttemptCount(job) >= maxAttemptsOf(job)) throw final(WORKER_LOST);
    const attempt = new RunningAttempt({
      job: toJob(job, "active"),
      attemptId: `${endedAttemptCount(job)}-${token}`.replaceAll(":", "-"),
      handler,
      save: (progress) => job.updateProgress(progress),
      onProblem: (problem) => log.debug({ jobId, err: problem }, "progress was not written"),
      clock,
    });
    this.#running.set(jobId, attempt);
    try {
      return await this.#settle(job, token, attempt, await attempt.ended);
    } finally {
      this.#running.delete(jobId);
    }
  }

  async #settle(job: CarriedJob, token: string, attempt: RunningAttempt, outcome: Outcome): Promise<JsonObject | null> {
    const { log } = this.#options;
    const named = { jobId: attempt.jobId, kind: job.name };
    if (attempt.stopReason !== undefined) {
      log.info({ ...named, reason: attempt.stopReason }, "job attempt ended early");
      if (attempt.stopReason === "cancelled") throw forgotten(job);
      // BullMQ does not take it: the lock is another's.
      if (attempt.stopReason === "lease lost") throw new Error("the lease was lost");
      await job.moveToWait(token);
      throw new WaitingError();
    }
    const progress = attempt.takeProgress();
    if (progress !== undefined) await job.updateProgress(progress);
    if ("result" in outcome) return outcome.result;
    const { failure } = outcome;
    log.warn({ ...named, ...failure }, "job attempt failed");
    const isLast = failure.isFinal || endedAttemptCount(job) + 1 >= maxAttemptsOf(job);
    throw isLast ? final(failure) : new Error(writeFailure(failure));
  }

  get #acceptsAny(): boolean {
    const { handlers, accepts } = this.#options;
    return !accepts || Object.keys(handlers).some((kind) => accepts(kind));
  }

  /** Draws nothing until something would be taken: what is drawn and put back is for a while out of the reach of others. */
  #stepAside(): void {
    if (this.#acceptTimer || this.#isClosing) return;
    const { clock, log } = this.#options;
    const fault = (error: unknown) => log.warn({ err: error }, "the worker could not step aside");
    const look = () => {
      this.#acceptTimer = clock.after(ACCEPT_LOOK_MS, () => {
        if (!this.#acceptsAny) return look();
        this.#acceptTimer = undefined;
        this.#worker.resume().catch(fault);
      });
    };
    look();
    this.#worker.pause(true).catch(fault);
  }

  async #putBack(job: CarriedJob, token: string): Promise<never> {
    await job.moveToDelayed(Math.floor(this.#options.clock.nowMs()) + PUT_BACK_MS, token);
    throw new DelayedError();
  }

  async #forgetCancelled(job: CarriedJob): Promise<void> {
    if (await this.#options.cancelled.has(job.id ?? "")) await job.remove();
  }

  async #close(): Promise<void> {
    const { clock, log, redis, subscriber, onClose } = this.#options;
    this.#isClosing = true;
    this.#cancelTimer();
    this.#acceptTimer?.();
    const isClosed = this.#worker.close().then(() => true);
    for (const attempt of this.#running.values()) attempt.stop("closing");
    const tooLong = new Promise<boolean>((resolve) => void clock.after(CLOSE_LIMIT_MS, () => resolve(false)));
    if (!(await Promise.race([isClosed, tooLong]))) {
      log.warn({ activeCount: this.activeCount }, "the worker left its jobs to their lease");
      this.#worker.disconnect().catch((error: unknown) => log.debug({ err: error }, "the worker was not disconnected"));
    }
    for (const connection of [redis, subscriber]) connection.disconnect();
    log.debug({}, "job worker closed");
    onClose();
  }
}

function delayBefore(job: CarriedJob | undefined): number {
  return job ? retryDelayMs(job.data.backOff, endedAttemptCount(job) + 1) : 0;
}

/** Fails the job for good. */
function final(failure: JobFailure): UnrecoverableError {
  return new UnrecoverableError(writeFailure(failure));
}

/** Makes BullMQ drop the job: it is among the cancelled. */
function forgotten(job: CarriedJob): UnrecoverableError {
  job.opts.removeOnFail = true;
  return new UnrecoverableError("cancelled");
}
