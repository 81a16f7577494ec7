import { randomBytes } from "node:crypto";
import type { Clock } from "../../core/clock.ts";
import { DomainError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { WORKER_LOST } from "../job-failure.ts";
import type { JobRetention, JobWorker, WorkerOptions } from "../job-queue.ts";
import { retryDelayMs } from "../new-job.ts";
import { type Outcome, RunningAttempt } from "../running-attempt.ts";
import type { ClaimedJob, JobTable } from "./job-table.ts";

/** How often it looks for jobs that other processes added, and for attempts that they cancelled. */
const LOOK_EVERY_MS = 250;
/** A lease that has ended is noticed within this share of its length: to ask is to write, and to wait for those who write. */
const RECOVERIES_A_LEASE = 10;
/** After a fault of the database. */
const LONGEST_PAUSE_MS = 2_000;
/** How often jobs are looked for that are over for long. */
const SWEEP_EVERY_MS = 60_000;
/** Handlers that were told to stop get so long. */
const CLOSE_LIMIT_MS = 5_000;

export interface EmbeddedWorkerOptions extends WorkerOptions {
  readonly table: JobTable;
  readonly leaseMs: number;
  readonly retention: JobRetention;
  readonly onClose: () => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Takes jobs from the table and keeps their leases, in one loop that a wake cuts short. */
export class EmbeddedWorker implements JobWorker {
  /** Of this worker alone: another process that gets the same pid does not inherit what it held. */
  readonly #workerId = randomBytes(10).toString("hex");
  readonly #options: EmbeddedWorkerOptions;
  readonly #running = new Map<string, RunningAttempt>();
  readonly #settling = new Set<Promise<void>>();
  readonly #loop: Promise<void>;
  #wake: () => void = () => {};
  #isWoken = false;
  #isClosing = false;
  #renewedAtMs = 0;
  #recoveredAtMs = Number.NEGATIVE_INFINITY;
  #sweptAtMs = Number.NEGATIVE_INFINITY;
  /** When the database answered again after a fault. */
  #wellSinceMs = Number.NEGATIVE_INFINITY;
  #faultCount = 0;
  #closed: Promise<void> | undefined;

  constructor(options: EmbeddedWorkerOptions) {
    this.#options = options;
    this.#loop = this.#run();
  }

  get activeCount(): number {
    return this.#running.size;
  }

  /** There may be something to do. */
  wake(): void {
    this.#isWoken = true;
    this.#wake();
  }

  /** The job is cancelled: an attempt that runs here stops at once. */
  cancel(jobId: string): void {
    for (const attempt of this.#running.values()) if (attempt.jobId === jobId) attempt.stop("cancelled");
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const { clock, log } = this.#options;
    this.#isClosing = true;
    this.wake();
    await this.#loop;
    for (const attempt of this.#running.values()) attempt.stop("closing");
    const settled = Promise.all(this.#settling).then(() => true);
    const tooLong = new Promise<boolean>((resolve) => void clock.after(CLOSE_LIMIT_MS, () => resolve(false)));
    const isSettled = await Promise.race([settled, tooLong]);
    if (!isSettled) log.warn({ activeCount: this.activeCount }, "job handlers went on after the worker was closed");
    else log.debug({}, "job worker closed");
    this.#options.onClose();
  }

  async #run(): Promise<void> {
    while (!this.#isClosing) {
      this.#isWoken = false;
      try {
        await this.#keepLeases();
        await this.#fill();
        await this.#keepTable();
        this.#noteWell();
      } catch (problem) {
        this.#noteFault(problem);
      }
      await this.#pause();
    }
  }

  /** Renews before it recovers: what only this worker knows to be alive is not taken from it. */
  async #keepLeases(): Promise<void> {
    if (this.#running.size === 0) return;
    const { table, leaseMs, clock } = this.#options;
    const held = [...this.#running.keys()];
    const isDue = clock.monotonicMs() - this.#renewedAtMs >= leaseMs / 3;
    if (isDue) this.#renewedAtMs = clock.monotonicMs();
    const kept = isDue ? await table.renew(this.#workerId, leaseMs) : await table.attemptsOf(this.#workerId);
    for (const attemptId of held) if (!kept.has(attemptId)) await this.#lose(attemptId);
  }

  async #lose(attemptId: string): Promise<void> {
    const attempt = this.#running.get(attemptId);
    if (!attempt) return;
    const job = await this.#options.table.get(attempt.jobId);
    attempt.stop(job?.state === "cancelled" ? "cancelled" : "lease lost");
  }

  async #fill(): Promise<void> {
    const { table, handlers, concurrency, leaseMs, accepts } = this.#options;
    while (!this.#isClosing && this.#running.size < concurrency) {
      const kinds = Object.keys(handlers).filter((kind) => accepts?.(kind) ?? true);
      if (kinds.length === 0 || !(await table.hasRunnable(kinds))) return;
      const attemptId = randomBytes(10).toString("hex");
      const claimed = await table.claim({ attemptId, workerId: this.#workerId, kinds, leaseMs });
      // Another worker was faster; there may be more.
      if (claimed) this.#begin(attemptId, claimed);
    }
  }

  #begin(attemptId: string, claimed: ClaimedJob): void {
    const { table, handlers, clock, log } = this.#options;
    const { job } = claimed;
    const handler = handlers[job.kind];
    if (!handler) throw new Error(`a job of kind ${job.kind} was claimed, which nobody handles`);
    const attempt = new RunningAttempt({
      job,
      attemptId,
      handler,
      save: (progress) => table.saveProgress(attemptId, progress).then(() => undefined),
      onProblem: (problem) => log.debug({ jobId: job.jobId, err: problem }, "progress was not written"),
      clock,
    });
    if (this.#running.size === 0) this.#renewedAtMs = clock.monotonicMs();
    this.#running.set(attemptId, attempt);
    const settling = this.#settle(attempt, claimed).finally(() => {
      this.#running.delete(attemptId);
      this.#settling.delete(settling);
      this.wake();
    });
    this.#settling.add(settling);
  }

  async #settle(attempt: RunningAttempt, claimed: ClaimedJob): Promise<void> {
    const { log } = this.#options;
    const { jobId, kind } = claimed.job;
    const outcome = await attempt.ended;
    if (attempt.stopReason !== undefined && attempt.stopReason !== "closing") {
      log.info({ jobId, kind, reason: attempt.stopReason }, "job attempt ended early");
      return;
    }
    const isWritten = await this.#insist(attempt, () => this.#record(attempt, claimed, outcome));
    if (!isWritten) log.warn({ jobId, kind }, "the outcome of a job attempt came too late");
    else if ("failure" in outcome) log.warn({ jobId, kind, ...outcome.failure }, "job attempt failed");
    else log.debug({ jobId, kind }, "job done");
  }

  #record(attempt: RunningAttempt, { job, backOff }: ClaimedJob, outcome: Outcome): Promise<boolean> {
    const { table } = this.#options;
    const { attemptId } = attempt;
    if (attempt.stopReason === "closing") return table.giveBack(attemptId);
    const progress = attempt.takeProgress();
    if ("result" in outcome) return table.complete(attemptId, outcome.result, progress);
    const { failure } = outcome;
    const isLast = failure.isFinal || job.attemptCount >= job.maxAttempts;
    if (isLast) return table.fail(attemptId, failure, progress);
    return table.retry(attemptId, failure, retryDelayMs(backOff, job.attemptCount), progress);
  }

  /** Writes an outcome as soon as the database takes it, as long as the job is this attempt's. */
  async #insist(attempt: RunningAttempt, write: () => Promise<boolean>): Promise<boolean> {
    for (let tryCount = 1; ; tryCount++) {
      try {
        return await write();
      } catch (problem) {
        const { log, clock } = this.#options;
        log.warn({ jobId: attempt.jobId, err: problem }, "the outcome of a job attempt was not written");
        const mayPass = problem instanceof DomainError && problem.category === "unavailable";
        if (!mayPass || this.#isClosing || attempt.stopReason !== undefined) return false;
        const pauseMs = Math.min(LONGEST_PAUSE_MS, 100 * 2 ** tryCount);
        await new Promise<void>((resolve) => void clock.after(pauseMs, resolve));
      }
    }
  }

  async #keepTable(): Promise<void> {
    const { table, leaseMs, retention, clock, log } = this.#options;
    const nowMs = clock.monotonicMs();
    // After an outage the living get the time of a lease to say so, before they are taken for dead.
    const isRecoveryDue = nowMs - this.#recoveredAtMs >= leaseMs / RECOVERIES_A_LEASE;
    if (isRecoveryDue && nowMs - this.#wellSinceMs >= leaseMs) {
      this.#recoveredAtMs = nowMs;
      const { failed, retried } = await table.recover(WORKER_LOST);
      if (failed.length + retried.length > 0) log.warn({ failed, retried }, "jobs of a lost worker were taken over");
      if (retried.length > 0) this.#isWoken = true;
    }
    if (nowMs - this.#sweptAtMs < SWEEP_EVERY_MS) return;
    this.#sweptAtMs = nowMs;
    const deletedCount = await table.sweep(retention);
    if (deletedCount > 0) log.debug({ deletedCount }, "old jobs deleted");
  }

  #noteWell(): void {
    if (this.#faultCount > 0) this.#options.log.info({}, "the table of jobs answers again");
    this.#faultCount = 0;
  }

  #noteFault(problem: unknown): void {
    if (this.#faultCount === 0) this.#options.log.error({ err: problem }, "the table of jobs does not answer");
    this.#faultCount += 1;
    this.#wellSinceMs = this.#options.clock.monotonicMs();
  }

  async #pause(): Promise<void> {
    if ((this.#isWoken && this.#faultCount === 0) || this.#isClosing) return;
    const pauseMs = Math.min(LONGEST_PAUSE_MS, LOOK_EVERY_MS * 2 ** Math.min(this.#faultCount, 8));
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(pauseMs, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
    this.#wake = () => {};
  }
}
