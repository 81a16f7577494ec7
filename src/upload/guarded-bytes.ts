import type { Clock } from "../core/clock.ts";
import { DomainError } from "../core/errors.ts";

/** Bounds against uploads that are too large, or never come to their end. */
export interface UploadLimits {
  readonly maxSizeBytes: number;
  /** Longest time without a byte, counted only while one is waited for. */
  readonly idleTimeoutMs: number;
  /** Longest time that all of it may take. */
  readonly timeLimitMs: number;
}

/** Throws UPLOAD_TOO_LARGE when more is announced than is taken. */
export function checkSize(sizeBytes: number, { maxSizeBytes }: Pick<UploadLimits, "maxSizeBytes">): void {
  if (sizeBytes <= maxSizeBytes) return;
  throw new DomainError("UPLOAD_TOO_LARGE", `the file is larger than the ${inWords(maxSizeBytes)} that are taken`);
}

/** The bytes of `source`; throws UPLOAD_TOO_LARGE as soon as they are too many. */
export async function* limitSize(
  source: AsyncIterable<Uint8Array>,
  limits: Pick<UploadLimits, "maxSizeBytes">,
): AsyncGenerator<Uint8Array, void, undefined> {
  let sizeBytes = 0;
  for await (const chunk of source) {
    sizeBytes += chunk.byteLength;
    checkSize(sizeBytes, limits);
    yield chunk;
  }
}

/**
 * The bytes of `source`. Throws UPLOAD_INCOMPLETE when none come for too long, or all of them take too long; a source that
 * is silent then cannot be asked to end: whoever has its connection ends it.
 */
export async function* limitTime(
  source: AsyncIterable<Uint8Array>,
  { idleTimeoutMs, timeLimitMs }: Pick<UploadLimits, "idleTimeoutMs" | "timeLimitMs">,
  clock: Clock,
): AsyncGenerator<Uint8Array, void, undefined> {
  const chunks = source[Symbol.asyncIterator]();
  const endMs = clock.monotonicMs() + timeLimitMs;
  let isAwaited = false;
  try {
    for (;;) {
      const leftMs = endMs - clock.monotonicMs();
      const isLate = leftMs < idleTimeoutMs;
      const why = isLate
        ? `the upload was not over after ${inSeconds(timeLimitMs)}`
        : `no more bytes came for ${inSeconds(idleTimeoutMs)}`;
      // Bytes that are there already would always be faster than a timer.
      if (leftMs <= 0) throw new DomainError("UPLOAD_INCOMPLETE", why);
      isAwaited = true;
      const next = await withinTime(chunks.next(), isLate ? leftMs : idleTimeoutMs, why, clock);
      isAwaited = false;
      if (next.done) return;
      yield next.value;
    }
  } finally {
    if (!isAwaited) await chunks.return?.();
  }
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** 10737418240 as `10 GiB`. */
function inWords(bytes: number): string {
  const step = Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  const amount = bytes / 1024 ** step;
  return `${Number.isInteger(amount) ? amount : amount.toFixed(1)} ${UNITS[step]}`;
}

function inSeconds(ms: number): string {
  return `${Math.round(ms / 1000)} seconds`;
}

function withinTime<Value>(promise: Promise<Value>, timeoutMs: number, why: string, clock: Clock): Promise<Value> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(timeoutMs, () => reject(new DomainError("UPLOAD_INCOMPLETE", why)));
    promise.then(resolve, reject).finally(cancel);
  });
}
