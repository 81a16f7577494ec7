import { ticksToMs } from "../../media/timebase.ts";
import type { Presentation, ShownPeriod } from "../presentation.ts";
import type { ListedRendition } from "./representation.ts";
import { newestRun, predictedDuration } from "./segment-timeline.ts";

/** A Period of the MPD: a period of the presentation, and what is listed of it. */
export interface ListedPeriod {
  readonly period: ShownPeriod;
  /** Ms since availabilityStartTime. */
  readonly startMs: number;
  /** End of the newest listed segment, ms since availabilityStartTime. */
  readonly endMs: number;
  readonly listed: readonly ListedRendition[];
}

/** The periods that have something to play, oldest first. */
export function listedPeriods(presentation: Presentation): ListedPeriod[] {
  return presentation.periods.flatMap((period) => {
    const listed = presentation.renditions.flatMap((rendition) => {
      const run = newestRun(presentation, rendition, period.index);
      return run ? [{ rendition, run }] : [];
    });
    if (listed.length === 0) return [];
    const startMs = placeOf(presentation, period);
    const endMs = startMs - period.startMs + Math.max(...listed.map((one) => listedEndMs(presentation, one)));
    return [{ period, startMs, endMs, listed }];
  });
}

/** Where the period begins: live, on the wall, on which availabilityStartTime stands too. */
function placeOf({ availabilityStartMs }: Presentation, { placeMs, wallZeroMs, startMs }: ShownPeriod): number {
  return placeMs ?? wallZeroMs + startMs - availabilityStartMs;
}

/** Where the newest of all that HLS lists ends, gaps included, ms since availabilityStartTime. */
export function listedUntilMs(presentation: Presentation): number {
  const ends = presentation.renditions.flatMap(({ segments }) => {
    const last = segments.at(-1);
    if (!last) return [];
    const { period, start, duration, init } = last;
    return [placeOf(presentation, period) - period.startMs + ticksToMs(start + duration, init.timescale)];
  });
  return Math.max(0, ...ends);
}

/** With the guess for an open segment: the MPD then changes with segments, not with every part. */
function listedEndMs(presentation: Presentation, { rendition, run }: ListedRendition): number {
  const last = run.at(-1) ?? run[0];
  const duration = last.isComplete ? last.duration : predictedDuration(presentation, rendition, last);
  return ticksToMs(last.start + duration, last.init.timescale);
}

export function periodId({ period }: ListedPeriod): string {
  return `p${period.index}`;
}
