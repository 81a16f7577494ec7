/** One source unit that was fed: when, and when it had reached us. */
interface FedUnit {
  readonly startMs: number;
  readonly fedAtMs: number;
  readonly arrivedAtMs: number;
}

/** What two minutes at 60 fps need; an encoder that far behind has been given up long before. */
const MAX_FED_UNITS = 8_192;

/**
 * How far the outputs of an encoder are behind what one medium of its input was fed. Presentation times are in ms;
 * `fedAtMs` and `nowMs` are of the monotonic clock.
 */
export class EncodeLag {
  readonly #fed: FedUnit[] = [];
  /** Newest presentation time that came out, per output. */
  readonly #newestOutMs = new Map<string, number>();
  #newestFedMs = Number.NEGATIVE_INFINITY;

  constructor(outputs: readonly string[]) {
    for (const output of outputs) this.#newestOutMs.set(output, Number.NEGATIVE_INFINITY);
  }

  feed(startMs: number, fedAtMs: number, arrivedAtMs: number): void {
    this.#fed.push({ startMs, fedAtMs, arrivedAtMs });
    if (this.#fed.length > MAX_FED_UNITS) this.#fed.shift();
    this.#newestFedMs = Math.max(this.#newestFedMs, startMs);
  }

  /** Notes that `output` reached `startMs`; returns when the source unit of that time had reached us. */
  takeOut(output: string, startMs: number): number | undefined {
    const arrivedAtMs = this.#arrivalOf(startMs);
    this.#newestOutMs.set(output, Math.max(this.#newestOutMs.get(output) ?? startMs, startMs));
    this.#forget(Math.min(...this.#newestOutMs.values()));
    return arrivedAtMs;
  }

  /**
   * How long the slowest output has been behind: by the media that is missing or by the time since that was fed,
   * whichever is less. So neither a burst of input nor a source that pauses looks like a slow encoder.
   */
  behindMs(nowMs: number): number {
    const oldest = this.#fed[0];
    if (!oldest) return 0;
    return Math.max(0, Math.min(nowMs - oldest.fedAtMs, this.#newestFedMs - oldest.startMs));
  }

  /** The newest unit fed that starts no later (times are compared to a hundredth of a ms); else the oldest known. */
  #arrivalOf(startMs: number): number | undefined {
    const at = this.#fed.findLastIndex((unit) => unit.startMs <= startMs + 0.01);
    return this.#fed[Math.max(0, at)]?.arrivedAtMs;
  }

  #forget(slowestOutMs: number): void {
    let count = 0;
    while (count < this.#fed.length && (this.#fed[count]?.startMs ?? 0) <= slowestOutMs + 0.01) count++;
    this.#fed.splice(0, count);
  }
}
