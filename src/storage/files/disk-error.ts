import { DomainError } from "../../core/errors.ts";

const FULL = ["ENOSPC", "EDQUOT", "EFBIG"];
/** A path leads through a file where a directory is asked for: there is no such object either. */
const ABSENT = ["ENOENT", "ENOTDIR"];

/** Node's name of what went wrong with a file: `ENOENT`. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}

/** The store's word for what a call to the disk threw. */
export function domainErrorOf(error: unknown): DomainError {
  const code = codeOf(error);
  if (FULL.includes(code ?? "")) {
    return new DomainError("STORAGE_FULL", "The disk that holds the media is full", { cause: error });
  }
  return new DomainError("UNAVAILABLE", `The disk that holds the media failed (${code ?? String(error)})`, {
    cause: error,
  });
}

/** `call`, whose errors become DomainErrors. */
export async function onDisk<Result>(call: Promise<Result>): Promise<Result> {
  try {
    return await call;
  } catch (error) {
    throw domainErrorOf(error);
  }
}

/** `call`, or undefined when it failed because there is no such file. */
export async function absent<Result>(call: Promise<Result>): Promise<Result | undefined> {
  try {
    return await call;
  } catch (error) {
    if (ABSENT.includes(codeOf(error) ?? "")) return undefined;
    throw error;
  }
}
