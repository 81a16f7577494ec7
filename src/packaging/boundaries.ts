import type { Period } from "../live/unit.ts";
import { compareTicks, type Ticks } from "../media/timebase.ts";

/** A place on the presentation timeline. */
export interface Instant {
  readonly ticks: Ticks;
  readonly timescale: number;
}

/** Where segment `msn` starts, in every rendition. */
export interface Boundary {
  readonly msn: number;
  readonly period: Period;
  /** First segment of its period. */
  readonly isPeriodStart: boolean;
  readonly start: Ticks;
  readonly timescale: number;
  /** The publisher was away: no rendition has media here. */
  readonly isAbsence: boolean;
}

/** Renditions that lag further behind the lead than this have lost their place and join again at the newest. */
const MAX_KEPT = 128;

/**
 * The instants at which all renditions cut, set by the lead rendition (the source's video, else its audio) and followed
 * by every other: so segments with one number show one stretch of time in every quality.
 */
export class Boundaries {
  #list: Boundary[] = [];
  /** Where periods that are over end, by the number of their last segment. */
  readonly #ends = new Map<number, Instant>();
  #nextMsn: number;

  constructor(firstMsn: number) {
    this.#nextMsn = firstMsn;
  }

  get last(): Boundary | undefined {
    return this.#list.at(-1);
  }

  /** Number of the segment that no boundary has opened yet. */
  get nextMsn(): number {
    return this.#nextMsn;
  }

  add(period: Period, start: Ticks, timescale: number, isAbsence = false): Boundary {
    const isPeriodStart = this.last?.period !== period;
    const boundary = { msn: this.#nextMsn++, period, isPeriodStart, start, timescale, isAbsence };
    this.#list.push(boundary);
    if (this.#list.length > MAX_KEPT) this.#ends.delete(this.#list.shift()?.msn ?? 0);
    return boundary;
  }

  get(msn: number): Boundary | undefined {
    const first = this.#list[0];
    return first && this.#list[msn - first.msn];
  }

  /** The last segment's period is over, and ends there. */
  endPeriod(end: Instant): void {
    if (this.last) this.#ends.set(this.last.msn, end);
  }

  /** Where segment `msn` ends: where the next begins, or its period ends; undefined while that is open. */
  endOf(msn: number): Instant | undefined {
    const next = this.get(msn + 1);
    if (next && next.period === this.get(msn)?.period) return { ticks: next.start, timescale: next.timescale };
    return this.#ends.get(msn);
  }

  /** The last boundary of `period` that is not after the instant; undefined when the period starts later. */
  at(period: Period, ticks: Ticks, timescale: number): Boundary | undefined {
    return this.#list.findLast((b) => b.period === period && compareTicks(b.start, b.timescale, ticks, timescale) <= 0);
  }
}
