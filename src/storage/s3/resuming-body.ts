import { setTimeout } from "node:timers/promises";
import type { GetObjectCommandOutput } from "@aws-sdk/client-s3";
import { DomainError } from "../../core/errors.ts";
import type { ObjectRange } from "../object-store.ts";
import { isS3Error, RETRY_COUNT, retryDelayMs } from "./s3-connection.ts";

export interface ResumingBodyOptions {
  readonly answer: GetObjectCommandOutput;
  readonly range: { readonly first: number; readonly last: number };
  /** The same object from there on. */
  askAgain(rest: ObjectRange): Promise<GetObjectCommandOutput>;
  toError(error: unknown): unknown;
  readonly signal: AbortSignal;
}

/**
 * The bytes of `range`. Where they break off, they are asked for again from there; retries count anew with every byte that
 * comes. Throws when the object has changed meanwhile.
 */
export async function* readResuming(options: ResumingBodyOptions): AsyncGenerator<Uint8Array, void, undefined> {
  const { range, signal, toError } = options;
  let at = range.first;
  let failureCount = 0;
  for (let { answer } = options; ; ) {
    try {
      for await (const chunk of cut(answer, { first: at, last: range.last })) {
        failureCount = 0;
        at += chunk.byteLength;
        yield chunk;
        signal.throwIfAborted();
      }
      signal.throwIfAborted();
      if (at > range.last) return;
      throw new Error("the body ended early");
    } catch (error) {
      if (signal.aborted || failureCount === RETRY_COUNT) throw toError(error);
    }
    failureCount += 1;
    answer = await askAgain(options, at, failureCount);
  }
}

/** Where the bytes of an answer begin, and how many the whole object has. */
export function answeredRange({ ContentRange, ContentLength = 0 }: GetObjectCommandOutput) {
  const [, first, size] = /^bytes (\d+)-\d+\/(\d+)$/.exec(ContentRange ?? "") ?? [];
  return { first: Number(first ?? 0), sizeBytes: Number(size ?? ContentLength) };
}

/** Lets go of an answer that nobody reads. */
export function destroyBody({ Body: body }: GetObjectCommandOutput): void {
  if (body && "destroy" in body) body.destroy();
}

/** The bytes of `range` out of what came: some servers send more than was asked for, or all. */
async function* cut(answer: GetObjectCommandOutput, { first, last }: { first: number; last: number }) {
  let at = answeredRange(answer).first;
  if (at > first) throw new Error("the body begins too late");
  // The type names the browser's bodies too; in Node it is an IncomingMessage.
  for await (const chunk of answer.Body as AsyncIterable<Uint8Array>) {
    const wanted = chunk.subarray(Math.max(0, first - at), Math.max(0, last + 1 - at));
    at += chunk.byteLength;
    if (wanted.byteLength > 0) yield wanted;
    if (at > last) break;
  }
}

async function askAgain(options: ResumingBodyOptions, at: number, retry: number): Promise<GetObjectCommandOutput> {
  const { answer, askAgain, range, toError, signal } = options;
  let next: GetObjectCommandOutput;
  try {
    await setTimeout(retryDelayMs(retry), undefined, { signal });
    next = await askAgain({ first: at, last: range.last });
  } catch (error) {
    throw isS3Error(error, "PreconditionFailed", "NoSuchKey", "412") ? replaced(error) : toError(error);
  }
  if (next.ETag === answer.ETag) return next;
  // Not every server looks at If-Match.
  destroyBody(next);
  throw replaced();
}

function replaced(cause?: unknown): DomainError {
  return new DomainError("UNAVAILABLE", "The object was replaced while it was read", { cause });
}
