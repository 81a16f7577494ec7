import type { Clock } from "../../core/clock.ts";

/** Tells when nothing was heard of something for too long. Time in which we ourselves were busy does not count. */
export class StallWatch {
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #onStall: () => void;
  #busyCount = 0;
  #isStopped = false;
  #cancel: () => void = () => undefined;

  constructor(options: { readonly clock: Clock; readonly limitMs: number; readonly onStall: () => void }) {
    this.#clock = options.clock;
    this.#limitMs = options.limitMs;
    this.#onStall = options.onStall;
    this.#wait();
  }

  /** Gives on what comes, and counts the time until the next piece is asked for as ours. */
  async *follow<T>(pieces: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
    for await (const piece of pieces) {
      this.#busyCount += 1;
      this.#cancel();
      try {
        yield piece;
      } finally {
        this.#busyCount -= 1;
        this.#wait();
      }
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  #wait(): void {
    this.#cancel();
    if (this.#busyCount === 0 && !this.#isStopped) this.#cancel = this.#clock.after(this.#limitMs, this.#onStall);
  }
}
