import { ticksToMs } from "../../media/timebase.ts";
import type { Presentation, Segment } from "../presentation.ts";
import { tag } from "./attribute-list.ts";
import { skipBoundaryMs } from "./server-control.ts";

/** How many of the oldest segments a delta playlist leaves out: those that end beyond the skip boundary (HLS §4.4.5.2). */
export function skippableCount(presentation: Presentation, complete: readonly Segment[]): number {
  const boundaryMs = skipBoundaryMs(presentation);
  let newerMs = 0;
  for (let index = complete.length - 1; index >= 0; index--) {
    const segment = complete[index];
    if (!segment || newerMs >= boundaryMs) return index + 1;
    newerMs += ticksToMs(segment.duration, segment.init.timescale);
  }
  return 0;
}

export function skipTag(count: number): string {
  return tag("EXT-X-SKIP", { "SKIPPED-SEGMENTS": count });
}
