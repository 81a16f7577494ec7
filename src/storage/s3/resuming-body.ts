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
  for (let body = bytesOf(options.answer); ; ) {
    try {
      signal.throwIfAborted();
      for await (const chunk of body) {
        failureCount = 0;
        at += chunk.byteLength;
        yield chunk;
        signal.throwIfAborted();
      }
      if (at > range.last) return;
      throw new Error("the body ended early");
    } catch (error) {
      if (signal.aborted || failureCount === RETRY_COUNT) throw toError(error);
    }
    failureCount += 1;
    body = bytesOf(await askAgain(options, at, failureCount));
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
  // Not every server looks at If-Match.
  if (next.ETag !== answer.ETag) throw replaced();
  return next;
}

function replaced(cause?: unknown): DomainError {
  return new DomainError("UNAVAILABLE", "The object was replaced while it was read", { cause });
}

function bytesOf({ Body: body }: GetObjectCommandOutput): AsyncIterable<Uint8Array> {
  // The type names the browser's bodies too; in Node it is an IncomingMessage.
  return body as AsyncIterable<Uint8Array>;
}
