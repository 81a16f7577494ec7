import type { Ticks } from "../timebase.ts";

/** What a movie has to know of one access unit, in decode order. */
export interface TableSample {
  readonly duration: Ticks;
  /** Composition offset, signed. */
  readonly cts: Ticks;
  readonly isKey: boolean;
  readonly byteLength: number;
}

/** As many samples in a row as have one value. */
export interface Run {
  count: number;
  readonly value: number;
}

const FIRST_CAPACITY = 1024;

/** The samples of a track in little memory: an hour of 60 pictures a second takes some 3 MB at most. */
export class SampleTable {
  #sizes = new Uint32Array(FIRST_CAPACITY);
  #count = 0;
  readonly #durations: Run[] = [];
  readonly #offsets: Run[] = [];
  readonly #keys: number[] = [];
  #duration: Ticks = 0;
  #shownEnd: Ticks = 0;
  #byteLength = 0;
  #leastOffset = 0;

  push({ duration, cts, isKey, byteLength }: TableSample): void {
    if (this.#count === this.#sizes.length) {
      const larger = new Uint32Array(this.#count * 2);
      larger.set(this.#sizes);
      this.#sizes = larger;
    }
    this.#sizes[this.#count] = byteLength;
    if (isKey) this.#keys.push(this.#count);
    this.#count += 1;
    extend(this.#durations, duration);
    extend(this.#offsets, cts);
    this.#shownEnd = Math.max(this.#shownEnd, this.#duration + cts + duration);
    this.#duration += duration;
    this.#byteLength += byteLength;
    this.#leastOffset = Math.min(this.#leastOffset, cts);
  }

  get count(): number {
    return this.#count;
  }

  get byteLength(): number {
    return this.#byteLength;
  }

  /** Of all samples together. */
  get duration(): Ticks {
    return this.#duration;
  }

  /** When the last of them has been shown, since the first was decoded. */
  get shownEnd(): Ticks {
    return this.#shownEnd;
  }

  /** The lowest composition offset; 0 when none is negative. */
  get leastOffset(): Ticks {
    return this.#leastOffset;
  }

  get sizes(): Uint32Array {
    return this.#sizes.subarray(0, this.#count);
  }

  get durations(): readonly Run[] {
    return this.#durations;
  }

  get offsets(): readonly Run[] {
    return this.#offsets;
  }

  /** Places of those that a decoder can start at, from 0. */
  get keys(): readonly number[] {
    return this.#keys;
  }
}

function extend(runs: Run[], value: number): void {
  const last = runs.at(-1);
  if (last?.value === value) last.count += 1;
  else runs.push({ count: 1, value });
}
