import { DomainError } from "../core/errors.ts";
import type { BackOff, NewJob } from "./job-queue.ts";

/** A new job with everything that its adder left to us. */
export type CompleteJob = Required<Omit<NewJob, "dedupKey">> & { readonly dedupKey: string | undefined };

const DEFAULT_PRIORITY = 100;
const MAX_PRIORITY = 1_000_000;
const DEFAULT_MAX_ATTEMPTS = 3;
const DEFAULT_BACK_OFF: BackOff = { kind: "exponential", delayMs: 1000 };
/** However often an attempt failed, the next one is not further away. */
const MAX_RETRY_DELAY_MS = 3_600_000;

/** Fills in the defaults. Throws INVALID_REQUEST for what is out of range. */
export function completeJob(job: NewJob): CompleteJob {
  const { kind, data, dedupKey } = job;
  const { priority = DEFAULT_PRIORITY, delayMs = 0, maxAttempts = DEFAULT_MAX_ATTEMPTS } = job;
  const { backOff = DEFAULT_BACK_OFF } = job;
  requireWhole("priority", priority, 0, MAX_PRIORITY);
  requireWhole("maxAttempts", maxAttempts, 1, 1000);
  requireWhole("delayMs", delayMs, 0, Number.MAX_SAFE_INTEGER);
  requireWhole("backOff.delayMs", backOff.delayMs, 0, MAX_RETRY_DELAY_MS);
  requireWhole("backOff.maxDelayMs", backOff.maxDelayMs ?? MAX_RETRY_DELAY_MS, 0, MAX_RETRY_DELAY_MS);
  return { kind, data, priority, delayMs, maxAttempts, backOff, dedupKey };
}

/** How long a job waits after its attempt number `attemptCount` (from 1) has failed. */
export function retryDelayMs(
  { kind, delayMs, maxDelayMs = MAX_RETRY_DELAY_MS }: BackOff,
  attemptCount: number,
): number {
  return kind === "fixed" ? delayMs : Math.min(maxDelayMs, delayMs * 2 ** (attemptCount - 1));
}

function requireWhole(name: string, value: number, minimum: number, maximum: number): void {
  if (Number.isInteger(value) && value >= minimum && value <= maximum) return;
  throw new DomainError("INVALID_REQUEST", `${name} of a job must be a whole number from ${minimum} to ${maximum}`);
}
