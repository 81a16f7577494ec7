import type { Job as BullmqJob } from "bullmq";
import type { JsonObject } from "../../core/json.ts";
import type { JobFailure } from "../job-failure.ts";
import type { BackOff, Job, JobState } from "../job-queue.ts";

/** What BullMQ carries for us beside what it knows itself. */
export interface CarriedData {
  readonly data: JsonObject;
  readonly backOff: BackOff;
}

export type CarriedJob = BullmqJob<CarriedData, JsonObject | null>;

// BullMQ keeps urgent jobs, and those of which a worker died, apart from the prioritized ones.
const STATES: Readonly<Record<string, JobState>> = {
  waiting: "waiting",
  prioritized: "waiting",
  delayed: "delayed",
  active: "active",
  completed: "completed",
  failed: "failed",
};

/** Undefined for a job that BullMQ has just deleted. */
export function stateOf(bullmqState: string): JobState | undefined {
  return STATES[bullmqState];
}

/** Attempts that ended, by a crash too: BullMQ counts those apart and would let a job crash its workers for ever. */
export function endedAttemptCount(job: CarriedJob): number {
  return job.attemptsMade + job.stalledCounter;
}

export function maxAttemptsOf(job: CarriedJob): number {
  return job.opts.attempts ?? 1;
}

/** Whether two readings of a job found it in the same place of its life. */
export function isUnchanged(before: CarriedJob, after: CarriedJob): boolean {
  return (
    before.attemptsStarted === after.attemptsStarted &&
    endedAttemptCount(before) === endedAttemptCount(after) &&
    before.finishedOn === after.finishedOn
  );
}

export function toJob(job: CarriedJob, state: JobState): Job {
  return {
    jobId: job.id ?? "",
    kind: job.name,
    data: job.data.data,
    state,
    priority: job.priority,
    attemptCount: Math.min(maxAttemptsOf(job), endedAttemptCount(job) + (state === "active" ? 1 : 0)),
    maxAttempts: maxAttemptsOf(job),
    progress: isJsonObject(job.progress) ? job.progress : null,
    result: state === "completed" ? job.returnvalue : null,
    error: job.failedReason && state !== "completed" ? readFailure(job.failedReason) : null,
    createdAtMs: job.timestamp,
    startedAtMs: job.processedOn ?? null,
    finishedAtMs: state === "completed" || state === "failed" ? (job.finishedOn ?? null) : null,
  };
}

/** As the reason of a failure, which for BullMQ is one text. */
export function writeFailure({ code, message }: JobFailure): string {
  return JSON.stringify({ code, message });
}

function readFailure(reason: string): { code: string; message: string } {
  try {
    const { code, message } = JSON.parse(reason);
    return { code: String(code), message: String(message) };
  } catch {
    return { code: "INTERNAL", message: reason }; // a reason of BullMQ's own
  }
}

function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
