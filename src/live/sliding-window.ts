export interface WindowSummary {
  readonly count: number;
  readonly sum: number;
  /** Infinity when nothing was added. */
  readonly min: number;
  /** -Infinity when nothing was added. */
  readonly max: number;
}

interface Slot {
  index: number;
  count: number;
  sum: number;
  min: number;
  max: number;
}

/** What a figure was over the latest `slotMs * slotCount`: constant memory and time, old values fall out slot by slot. */
export class SlidingWindow {
  readonly #slotMs: number;
  readonly #slots: Slot[];

  constructor(options: { readonly slotMs: number; readonly slotCount: number }) {
    this.#slotMs = options.slotMs;
    this.#slots = Array.from({ length: options.slotCount }, () => emptySlot(-1));
  }

  /** Adds a value at an instant of whatever clock the caller uses, as long as it is one. */
  add(value: number, atMs: number): void {
    const index = Math.floor(atMs / this.#slotMs);
    const position = index % this.#slots.length;
    let slot = this.#slots[position];
    if (slot?.index !== index) {
      slot = emptySlot(index);
      this.#slots[position] = slot;
    }
    slot.count++;
    slot.sum += value;
    slot.min = Math.min(slot.min, value);
    slot.max = Math.max(slot.max, value);
  }

  /** Everything that is not older than the window at `atMs`. */
  read(atMs: number): WindowSummary {
    const newest = Math.floor(atMs / this.#slotMs);
    const all = emptySlot(newest);
    for (const slot of this.#slots) {
      if (slot.index < 0 || slot.index <= newest - this.#slots.length) continue;
      all.count += slot.count;
      all.sum += slot.sum;
      all.min = Math.min(all.min, slot.min);
      all.max = Math.max(all.max, slot.max);
    }
    return all;
  }

  clear(): void {
    for (const slot of this.#slots) slot.index = -1;
  }
}

function emptySlot(index: number): Slot {
  return { index, count: 0, sum: 0, min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY };
}
