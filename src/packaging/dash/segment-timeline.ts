import { msToTicks, type Ticks } from "../../media/timebase.ts";
import type { Presentation, Rendition, Segment } from "../presentation.ts";
import { type Element, element } from "./xml.ts";

/** The segments of one Representation in one Period: consecutive numbers, one init, no gap. */
export type Run = readonly [Segment, ...Segment[]];

/**
 * The newest run of `rendition` in the Period with `periodIndex`. What comes before a gap or under another init is left
 * out: numbers count up without holes in a SegmentTemplate, and it has one init (docs/adr/0017).
 */
export function newestRun(presentation: Presentation, rendition: Rendition, periodIndex: number): Run | undefined {
  const newestFirst: Segment[] = [];
  for (const segment of rendition.segments.toReversed()) {
    const next = newestFirst.at(-1);
    if (segment.period.index !== periodIndex || isUnlisted(presentation, segment)) {
      if (next) break;
    } else if (!next || (segment.msn === next.msn - 1 && segment.init === next.init)) newestFirst.push(segment);
    else break;
  }
  const [first, ...rest] = newestFirst.reverse();
  return first && [first, ...rest];
}

function isUnlisted({ options }: Presentation, segment: Segment): boolean {
  return segment.isGap || (!segment.isComplete && !options.isLowLatency);
}

/** SegmentTimeline, exact to the tick; only an open segment's S@d is a guess. */
export function segmentTimeline(presentation: Presentation, rendition: Rendition, run: Run): Element {
  const entries: { t: Ticks | undefined; d: Ticks; r: number }[] = [];
  const leadTicks = rendition.stored?.leadTicks ?? 0;
  let expectedStart: Ticks | undefined;
  for (const segment of run) {
    const d = segment.isComplete ? segment.duration : predictedDuration(presentation, rendition, segment);
    const last = entries.at(-1);
    if (last && last.d === d && segment.start === expectedStart) last.r++;
    else entries.push({ t: segment.start === expectedStart ? undefined : segment.start + leadTicks, d, r: 0 });
    expectedStart = segment.start + d;
  }
  return element(
    "SegmentTimeline",
    {},
    entries.map(({ t, d, r }) => element("S", { t, d, r: r > 0 ? r : undefined })),
  );
}

/**
 * How long an open segment will be: as long as the one before it, or as planned; one part more than is there when it
 * has outgrown that (docs/adr/0015).
 */
export function predictedDuration(presentation: Presentation, rendition: Rendition, open: Segment): Ticks {
  const { timescale } = open.init;
  const previous = rendition.segments.findLast(
    (segment) => segment.isComplete && !segment.isGap && segment.init.timescale === timescale,
  );
  const usual = previous?.duration ?? msToTicks(presentation.options.segmentTargetMs, timescale);
  return open.duration < usual ? usual : open.duration + msToTicks(presentation.partTargetMs, timescale);
}
