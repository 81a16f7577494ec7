import { DomainError, type ErrorCategory } from "../core/errors.ts";

/** Why an attempt failed, as its job remembers it. */
export interface JobFailure {
  readonly code: string;
  readonly message: string;
  /** Another attempt would end the same way. */
  readonly isFinal: boolean;
}

/** What was asked for is wrong, and stays so however often it is tried. */
const FINAL_CATEGORIES: ReadonlySet<ErrorCategory> = new Set(["invalid", "denied", "not-found", "conflict"]);
/** A reason is for a person; what is longer is a program's output. */
const MAX_MESSAGE_LENGTH = 2000;

/** What a handler threw, in the words that the job's owner reads. */
export function failureOf(thrown: unknown): JobFailure {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  const message = text.slice(0, MAX_MESSAGE_LENGTH);
  if (!(thrown instanceof DomainError)) return { code: "INTERNAL", message, isFinal: false };
  return { code: thrown.code, message, isFinal: FINAL_CATEGORIES.has(thrown.category) };
}

/** Of a job whose last attempt ended with the process that made it. */
export const WORKER_LOST: JobFailure = {
  code: "WORKER_LOST",
  message: "the worker ended in the middle of the last attempt",
  isFinal: true,
};
