import { msToTicks, type Ticks } from "../../media/timebase.ts";
import type { StoredHeader, StoredRendition, StoredSegment } from "../../packaging/stored-rendition.ts";

/** A rendition for those who know one clock and one header. */
export interface OneClockRendition extends StoredRendition {
  /** Its media follow one another without a break, and nothing of it is left out. */
  readonly isUnbroken: boolean;
}

interface Run {
  readonly header: StoredHeader;
  readonly segments: StoredSegment[];
}

/**
 * A recording keeps the clocks and headers of its broadcast: this puts its segments on the clock of the video. Gaps are left
 * out, and of one whose encoding changed all but what most of it is encoded as.
 */
export function onOneClock(rendition: StoredRendition): OneClockRendition {
  const { segments, format, timescale, initBytes } = rendition;
  if (!segments.some(({ opens }) => opens)) return { ...rendition, isUnbroken: true };
  const runs: Run[] = [{ header: { format, timescale, initBytes }, segments: [] }];
  let shiftMs = 0;
  for (const { opens, ...segment } of segments) {
    if (opens) shiftMs = opens.period.placeMs - opens.period.startMs;
    if (opens?.header) runs.push({ header: opens.header, segments: [] });
    const run = runs.at(-1);
    if (!segment.isGap && run) run.segments.push(shifted(segment, msToTicks(shiftMs, run.header.timescale)));
  }
  const [longest = runs[0]] = runs.toSorted((a, b) => durationS(b) - durationS(a));
  const isUnbroken = !segments.some(({ isGap, opens }) => isGap || opens?.isDiscontinuity || opens?.header);
  return { ...rendition, ...longest?.header, segments: longest?.segments ?? [], isUnbroken };
}

function durationS({ header, segments }: Run): number {
  return segments.reduce((sum, { duration }) => sum + duration, 0) / header.timescale;
}

function shifted(segment: StoredSegment, shiftTicks: Ticks): StoredSegment {
  const keyFrames = segment.keyFrames.map((frame) => ({ ...frame, start: frame.start + shiftTicks }));
  return { ...segment, start: Math.max(0, segment.start + shiftTicks), keyFrames, shiftTicks };
}
