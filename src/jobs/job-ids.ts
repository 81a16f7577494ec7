import { randomBytes } from "node:crypto";

/** What the counter of one millisecond holds. */
const COUNTER_END = 0x1000;

/**
 * Ids that sort as they were made, here: UUIDs of version 7 whose `rand_a` counts (RFC 9562 §6.2, method 1). A clock
 * that is set back makes them count on where they were.
 */
export class JobIds {
  #lastMs = 0;
  #counter = 0;

  next(nowMs: number): string {
    const wholeMs = Math.floor(nowMs);
    if (wholeMs > this.#lastMs) this.#begin(wholeMs);
    else if (++this.#counter === COUNTER_END) this.#begin(this.#lastMs + 1);
    const time = this.#lastMs.toString(16).padStart(12, "0");
    const random = randomBytes(8);
    random[0] = ((random[0] ?? 0) & 0x3f) | 0x80;
    const tail = random.toString("hex");
    return [
      time.slice(0, 8),
      time.slice(8),
      `7${this.#counter.toString(16).padStart(3, "0")}`,
      tail.slice(0, 4),
      tail.slice(4),
    ].join("-");
  }

  #begin(ms: number): void {
    this.#lastMs = ms;
    this.#counter = 0;
  }
}
