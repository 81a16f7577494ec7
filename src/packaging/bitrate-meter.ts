import type { MeasuredBitrate } from "./presentation.ts";

interface Measured {
  readonly durationMs: number;
  readonly byteLength: number;
}

/**
 * Measures the bit rate of a rendition as HLS defines it (§4.1): the average over everything, and as peak the highest
 * run of whole segments that lasts between 0.5 and 1.5 target durations. The peak never falls, so BANDWIDTH stays true.
 */
export class BitrateMeter {
  readonly #targetDurationMs: number;
  #recent: Measured[] = [];
  #totalMs = 0;
  #totalBytes = 0;
  #peakBps = 0;

  constructor(targetDurationMs: number) {
    this.#targetDurationMs = targetDurationMs;
  }

  add(durationMs: number, byteLength: number): void {
    if (durationMs <= 0) return;
    this.#totalMs += durationMs;
    this.#totalBytes += byteLength;
    this.#recent.push({ durationMs, byteLength });
    this.#measurePeak();
  }

  get bitrate(): MeasuredBitrate {
    const averageBps = this.#totalMs > 0 ? Math.ceil((this.#totalBytes * 8000) / this.#totalMs) : 0;
    return { averageBps, peakBps: Math.max(this.#peakBps, averageBps) };
  }

  /** Looks at the runs that end with the newest segment. */
  #measurePeak(): void {
    let runMs = 0;
    let runBytes = 0;
    let used = 0;
    for (const { durationMs, byteLength } of this.#recent.toReversed()) {
      runMs += durationMs;
      runBytes += byteLength;
      used++;
      // A segment that is longer than all that counts still is a run.
      if (used > 1 && runMs > this.#targetDurationMs * 1.5 + 500) break;
      if (runMs >= this.#targetDurationMs * 0.5) {
        this.#peakBps = Math.max(this.#peakBps, Math.ceil((runBytes * 8000) / runMs));
      }
    }
    this.#recent = this.#recent.slice(-used);
  }
}
