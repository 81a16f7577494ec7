const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 10_000;
const STABLE_AFTER_MS = 60_000;

/** How long to wait before a crashed thing is started again: 0.5 s, doubling to 10 s, anew after a stable minute. */
export class BackOff {
  #nextDelayMs = FIRST_DELAY_MS;

  /** The delay after a run that lasted `ranForMs`. */
  after(ranForMs: number): number {
    if (ranForMs >= STABLE_AFTER_MS) this.#nextDelayMs = FIRST_DELAY_MS;
    const delayMs = this.#nextDelayMs;
    this.#nextDelayMs = Math.min(LONGEST_DELAY_MS, delayMs * 2);
    return delayMs;
  }
}
