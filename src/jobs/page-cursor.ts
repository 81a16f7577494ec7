import { DomainError } from "../core/errors.ts";

const JOB_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Whether a job can have this id; what cannot is not worth a question. */
export function isJobId(text: string): boolean {
  return JOB_ID.test(text);
}

/** The page behind `jobId` begins there. */
export function writeCursor(jobId: string): string {
  return Buffer.from(jobId).toString("base64url");
}

/** The id that a cursor names. Throws INVALID_REQUEST for one that we did not make. */
export function readCursor(cursor: string): string {
  const jobId = Buffer.from(cursor, "base64url").toString();
  if (!isJobId(jobId)) throw new DomainError("INVALID_REQUEST", "the cursor is not one of ours");
  return jobId;
}
