import type { Presentation } from "../presentation.ts";
import { adaptationSets } from "./adaptation-set.ts";
import { imageSet } from "./image-set.ts";
import { type ListedPeriod, periodId } from "./listed-period.ts";
import { textSets } from "./text-set.ts";
import { durationText } from "./time-text.ts";
import { type Element, element } from "./xml.ts";

/** Up to here, what is missing before the next Period is the rest of a frame, not a hole to be announced. */
const MAX_SEAM_MS = 100;

/** A Period between its neighbours. */
export interface PeriodPlace {
  readonly before: ListedPeriod | undefined;
  readonly listedPeriod: ListedPeriod;
  readonly next: ListedPeriod | undefined;
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
