import { randomInt } from "node:crypto";
import type { Clock } from "../core/clock.ts";

/** How long after its last playlist request somebody still counts: five plain reloads of a two-second playlist. */
const PRESENCE_MS = 10_000;

export interface ViewersOptions {
  readonly clock: Clock;
  /** Above this count of one stream's viewers, further ones are not told apart. */
  readonly maxPerStreamCount: number;
}

/**
 * Counts who watches: distinct pairs of address and user agent that asked for a playlist or MPD in the last 10 s. Only
 * salted hashes are kept, and nothing of anyone who left.
 */
export class Viewers {
  readonly #clock: Clock;
  readonly #maxPerStreamCount: number;
  readonly #saltA = randomInt(2 ** 32);
  readonly #saltB = randomInt(2 ** 32);
  readonly #lastSeenMs = new Map<string, Map<number, number>>();
  #sweptAtMs: number;

  constructor({ clock, maxPerStreamCount }: ViewersOptions) {
    this.#clock = clock;
    this.#maxPerStreamCount = maxPerStreamCount;
    this.#sweptAtMs = clock.monotonicMs();
  }

  /** Notes one playlist request. */
  note(streamId: string, address: string, userAgent: string): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#sweptAtMs >= PRESENCE_MS) this.#sweep(nowMs);
    let seen = this.#lastSeenMs.get(streamId);
    if (!seen) {
      seen = new Map();
      this.#lastSeenMs.set(streamId, seen);
    }
    const viewer = this.#hash(address, userAgent);
    if (seen.size < this.#maxPerStreamCount || seen.has(viewer)) seen.set(viewer, nowMs);
  }

  /** Viewers of a stream now. */
  count(streamId: string): number {
    const seen = this.#lastSeenMs.get(streamId);
    if (!seen) return 0;
    this.#prune(streamId, seen, this.#clock.monotonicMs());
    return seen.size;
  }

  #sweep(nowMs: number): void {
    this.#sweptAtMs = nowMs;
    for (const [streamId, seen] of this.#lastSeenMs) this.#prune(streamId, seen, nowMs);
  }

  #prune(streamId: string, seen: Map<number, number>, nowMs: number): void {
    for (const [viewer, atMs] of seen) if (nowMs - atMs > PRESENCE_MS) seen.delete(viewer);
    if (seen.size === 0) this.#lastSeenMs.delete(streamId);
  }

  /** 52 bits of two multiplicative hashes: no two of a million viewers meet by chance, at no cost worth measuring. */
  #hash(address: string, userAgent: string): number {
    let a = this.#saltA;
    let b = this.#saltB;
    for (let i = 0; i < address.length; i++) {
      const code = address.charCodeAt(i);
      a = Math.imul(a ^ code, 0x9e3779b1);
      b = Math.imul(b ^ code, 0x5f356495);
    }
    for (let i = 0; i < userAgent.length; i++) {
      const code = userAgent.charCodeAt(i) + 0x100;
      a = Math.imul(a ^ code, 0x9e3779b1);
      b = Math.imul(b ^ code, 0x5f356495);
    }
    a = Math.imul(a ^ (a >>> 16), 0x85ebca6b);
    b = Math.imul(b ^ (b >>> 13), 0xc2b2ae35);
    return ((a ^ (b >>> 15)) >>> 0) * 0x100000 + ((b ^ (a >>> 12)) >>> 12);
  }
}
