import { unlessAborted } from "./unless-aborted.ts";

/**
 * The bytes of a put, chunk by chunk. Throws the signal's reason as soon as it aborts, also while the source is silent; the
 * source is told to end then.
 */
export async function* sourceChunks(
  body: Uint8Array | AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  signal?.throwIfAborted();
  if (body instanceof Uint8Array) {
    if (body.byteLength > 0) yield body;
    return;
  }
  const source = body[Symbol.asyncIterator]();
  let isAwaited = false;
  try {
    for (;;) {
      isAwaited = true;
      const next = await unlessAborted(source.next(), signal);
      isAwaited = false;
      if (next.done) return;
      if (next.value.byteLength > 0) yield next.value;
    }
  } finally {
    const ending = source.return?.();
    // A generator ends only after the chunk that it is asked for, which may never come.
    if (!isAwaited) await ending;
    else void Promise.resolve(ending).catch(() => undefined);
  }
}
