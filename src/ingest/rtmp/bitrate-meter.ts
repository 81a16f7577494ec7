const BUCKET_MS = 500;
const BUCKET_COUNT = 10;
const WINDOW_SECONDS = (BUCKET_MS * BUCKET_COUNT) / 1000;

/** The mean bit rate of the last five seconds, in buckets of half a second. */
export class BitrateMeter {
  readonly #buckets = new Float64Array(BUCKET_COUNT);
  #bucket: number | undefined;
  #windowBytes = 0;

  /** Counts bytes that came at `nowMs` of a monotonic clock. */
  add(bytes: number, nowMs: number): void {
    this.#moveTo(Math.floor(nowMs / BUCKET_MS));
    const index = (this.#bucket ?? 0) % BUCKET_COUNT;
    this.#buckets[index] = (this.#buckets[index] ?? 0) + bytes;
    this.#windowBytes += bytes;
  }

  /** Bits per second over the whole window; a burst counts as spread over it. */
  get bitrateBps(): number {
    return (this.#windowBytes * 8) / WINDOW_SECONDS;
  }

  #moveTo(bucket: number): void {
    const passed = Math.min(bucket - (this.#bucket ?? bucket), BUCKET_COUNT);
    for (let i = 0; i < passed; i++) {
      const index = (bucket - i) % BUCKET_COUNT;
      this.#windowBytes -= this.#buckets[index] ?? 0;
      this.#buckets[index] = 0;
    }
    this.#bucket = bucket;
  }
}
