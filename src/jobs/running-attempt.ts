import type { Clock } from "../core/clock.ts";
import type { JsonObject } from "../core/json.ts";
import { failureOf, type JobFailure } from "./job-failure.ts";
import type { Job, JobAttempt, JobHandler } from "./job-queue.ts";

/** Why an attempt was told to stop. */
export type StopReason = "cancelled" | "lease lost" | "closing";

/** How a handler ended by itself. */
export type Outcome = { readonly result: JsonObject | null } | { readonly failure: JobFailure };

const REPORT_EVERY_MS = 400;

export interface RunningAttemptOptions {
  readonly job: Job;
  readonly attemptId: string;
  readonly handler: JobHandler;
  /** Writes progress; what it throws is given to `onProblem`. */
  readonly save: (progress: JsonObject) => Promise<void>;
  readonly onProblem: (problem: unknown) => void;
  readonly clock: Clock;
}

/** One attempt of one job in this process: its handler, the word to stop, and its progress on the way to the store. */
export class RunningAttempt {
  readonly jobId: string;
  readonly attemptId: string;
  /** How the handler ended, once it has. Never rejects. */
  readonly ended: Promise<Outcome>;
  readonly #options: RunningAttemptOptions;
  readonly #controller = new AbortController();
  #stopReason: StopReason | undefined;
  #unsaved: JsonObject | undefined;
  #isSaving = false;
  #hasEnded = false;
  #cancelTimer: () => void = () => {};

  constructor(options: RunningAttemptOptions) {
    this.#options = options;
    this.jobId = options.job.jobId;
    this.attemptId = options.attemptId;
    this.ended = this.#handle();
  }

  /** Undefined while nobody told it to stop. */
  get stopReason(): StopReason | undefined {
    return this.#stopReason;
  }

  /** What was reported and is not on its way yet; whoever takes it writes it. */
  takeProgress(): JsonObject | undefined {
    const progress = this.#unsaved;
    this.#unsaved = undefined;
    return progress;
  }

  /** Aborts the handler's signal. The first reason stays. */
  stop(reason: StopReason): void {
    if (this.#stopReason !== undefined) return;
    this.#stopReason = reason;
    this.#controller.abort(new DOMException(`the attempt ends: ${reason}`, "AbortError"));
  }

  async #handle(): Promise<Outcome> {
    const { job, attemptId, handler } = this.#options;
    const report = (progress: JsonObject) => this.#report(progress);
    const attempt: JobAttempt = { job, attemptId, signal: this.#controller.signal, report };
    try {
      return { result: (await handler(attempt)) ?? null };
    } catch (thrown) {
      return { failure: failureOf(thrown) };
    } finally {
      this.#hasEnded = true;
      this.#cancelTimer();
    }
  }

  #report(progress: JsonObject): void {
    if (this.#hasEnded) return;
    this.#unsaved = progress;
    if (!this.#isSaving) void this.#save();
  }

  /** Writes what is newest, and waits before it may be called again. */
  async #save(): Promise<void> {
    const { save, onProblem, clock } = this.#options;
    const progress = this.takeProgress();
    if (progress === undefined || this.#stopReason !== undefined) return;
    this.#isSaving = true;
    await save(progress).catch(onProblem);
    this.#cancelTimer = clock.after(REPORT_EVERY_MS, () => {
      this.#isSaving = false;
      if (!this.#hasEnded) void this.#save();
    });
  }
}
