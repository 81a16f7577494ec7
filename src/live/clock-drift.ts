/** Arrival times jitter with the network; the earliest arrival within this time does not. */
const WINDOW_MS = 60_000;
/** Below one segment: clients must never find a segment that is announced but not there (DASH-IF timing model). */
const TOLERANCE_MS = 1500;

/**
 * Tells by how much a publisher's clock has gone its own way against the wall clock. Quartz clocks differ by up to
 * 100 ppm, nine seconds a day.
 */
export class ClockDrift {
  #windowEndMs: number;
  #earliestMs = Number.POSITIVE_INFINITY;
  #baselineMs: number | undefined;
  #driftMs = 0;

  constructor(nowMs: number) {
    this.#windowEndMs = nowMs + WINDOW_MS;
  }

  /** Notes a unit that arrived `lateMs` after its presentation time. */
  add(lateMs: number, nowMs: number): void {
    this.#earliestMs = Math.min(this.#earliestMs, lateMs);
    if (nowMs < this.#windowEndMs) return;
    this.#baselineMs ??= this.#earliestMs;
    this.#driftMs = this.#earliestMs - this.#baselineMs;
    this.#earliestMs = Number.POSITIVE_INFINITY;
    this.#windowEndMs = nowMs + WINDOW_MS;
  }

  /** How far media have fallen behind (positive) or run ahead since the beginning, once that is too much; else 0. */
  get excessMs(): number {
    return Math.abs(this.#driftMs) >= TOLERANCE_MS ? this.#driftMs : 0;
  }
}
