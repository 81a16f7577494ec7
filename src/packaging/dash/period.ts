import { ticksToMs } from "../../media/timebase.ts";
import type { Presentation, ShownPeriod } from "../presentation.ts";
import { adaptationSets } from "./adaptation-set.ts";
import { imageSet } from "./image-set.ts";
import { periodId } from "./period-link.ts";
import type { ListedRendition } from "./representation.ts";
import { newestRun, predictedDuration } from "./segment-timeline.ts";
import { textSets } from "./text-set.ts";
import { durationText } from "./time-text.ts";
import { type Element, element } from "./xml.ts";

/** Up to here, what is missing before the next Period is the rest of a frame, not a hole to be announced. */
const MAX_SEAM_MS = 100;

/** A Period of the MPD: a period of the presentation, and what is listed of it. */
export interface ListedPeriod {
  readonly period: ShownPeriod;
  /** Ms since availabilityStartTime. */
  readonly startMs: number;
  /** End of the newest listed segment, ms since availabilityStartTime. */
  readonly endMs: number;
  readonly listed: readonly ListedRendition[];
}

export interface PeriodPlace {
  readonly before: ListedPeriod | undefined;
  readonly listedPeriod: ListedPeriod;
  readonly next: ListedPeriod | undefined;
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

/** A Period between its neighbours, ending where `next` starts, or before it when nothing came in between. */
export function periodElement(
  presentation: Presentation,
  { before, listedPeriod, next }: PeriodPlace,
  utcTiming: Element,
): Element {
  const { startMs, listed } = listedPeriod;
  return element(
    "Period",
    {
      id: periodId(listedPeriod),
      start: durationText(startMs),
      duration: durationOf(presentation, listedPeriod, next),
    },
    [
      ...adaptationSets(presentation, listed, before, utcTiming),
      ...(presentation.stored ? textSets(presentation.stored) : []),
      presentation.stored && imageSet(presentation.stored),
    ],
  );
}

/** Said of what ends before the next begins, and of a stored video, whose end is known before it is made. */
function durationOf(
  { isEnded, stored }: Presentation,
  { startMs, endMs }: ListedPeriod,
  next: ListedPeriod | undefined,
): string | undefined {
  if (stored && !isEnded && !next) {
    return stored.isOpenEnded ? undefined : durationText(Math.max(stored.durationMs, endMs) - startMs);
  }
  const endsEarly = next ? next.startMs - endMs > MAX_SEAM_MS : isEnded;
  return endsEarly ? durationText(endMs - startMs) : undefined;
}

/** With the guess for an open segment: the MPD then changes with segments, not with every part. */
function listedEndMs(presentation: Presentation, { rendition, run }: ListedRendition): number {
  const last = run.at(-1) ?? run[0];
  const duration = last.isComplete ? last.duration : predictedDuration(presentation, rendition, last);
  return ticksToMs(last.start + duration, last.init.timescale);
}
