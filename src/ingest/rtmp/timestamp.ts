/** Widths at which peers let their clock wrap: 32 bits by the spec; 24 and 31 are mistakes met in the field. */
const FULL_BITS = 32;
const SHORT_BITS = [24, 31] as const;
/** A step from this near below a short width to this near above zero is a wrap, not a jump back. */
const WRAP_MARGIN_MS = 60_000;

/**
 * Unwraps the millisecond clock of one RTMP connection, which audio and video share: 32-bit serial arithmetic, so that
 * a step back stays a step back. A peer that wraps at 24 or 31 bits is found out at its first wrap.
 */
export class TimestampUnwrapper {
  #bits: number = FULL_BITS;
  #lastRaw: number | undefined;
  #last = 0;

  /** Unwrapped milliseconds, which may fall below zero after a jump back. */
  unwrap(raw: number): number {
    const lastRaw = this.#lastRaw;
    this.#lastRaw = raw;
    if (lastRaw === undefined) {
      this.#last = raw;
      return raw;
    }
    this.#chooseBits(lastRaw, raw);
    this.#last += signedDifference(raw, lastRaw, this.#bits);
    return this.#last;
  }

  #chooseBits(lastRaw: number, raw: number): void {
    if (this.#bits < FULL_BITS && raw >= 2 ** this.#bits) this.#bits = FULL_BITS;
    if (this.#bits < FULL_BITS) return;
    const wrapped = SHORT_BITS.find((bits) => isWrapAt(2 ** bits, lastRaw, raw));
    if (wrapped) this.#bits = wrapped;
  }
}

function isWrapAt(limit: number, lastRaw: number, raw: number): boolean {
  return lastRaw < limit && lastRaw >= limit - WRAP_MARGIN_MS && raw < WRAP_MARGIN_MS;
}

/** `a - b` in serial arithmetic of `bits` bits. */
function signedDifference(a: number, b: number, bits: number): number {
  const unusedBits = FULL_BITS - bits;
  return ((a - b) << unusedBits) >> unusedBits;
}
