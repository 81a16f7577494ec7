import { ticksToMs } from "../../media/timebase.ts";
import {
  completeSegments,
  type InitSegment,
  type Presentation,
  type Rendition,
  type Segment,
} from "../presentation.ts";
import { skippableCount, skipTag } from "./delta.ts";
import { discontinuitySequence, isFinal, playlistTypeLines } from "./playlist-type.ts";
import { preloadHint } from "./preload-hint.ts";
import { renditionReports } from "./rendition-report.ts";
import { completeSegmentText, mapTag, needsMap, openSegmentText } from "./segment.ts";
import { partInformation, serverControl } from "./server-control.ts";

/** The floors of HLS §8 for what a body holds (docs/adr/0010): EXT-X-MAP, EXT-X-GAP, EXT-X-SKIP. */
const VERSION = { map: 6, gap: 8, skip: 9 } as const;
/** EXT-X-PART stands only so many target durations from the end of the playlist (HLS §6.2.2). */
const PARTS_TARGETS = 3;
/**
 * And in so many segments, however short they are: strict parsers count them. The next one counts always, for a hint may
 * stand in its place, and what has been taken out is not to come back when the hint goes.
 */
const PARTS_SEGMENTS = 3;

export interface MediaPlaylistOptions {
  /** A delta playlist: the oldest segments are replaced by EXT-X-SKIP, when there are any that may be. */
  readonly skip?: boolean;
}

/** The media playlist of one rendition as it stands now, at `{rendition}/playlist.m3u8`. */
export function renderMediaPlaylist(
  presentation: Presentation,
  rendition: Rendition,
  { skip = false }: MediaPlaylistOptions = {},
): string {
  const complete = completeSegments(rendition);
  const open = presentation.options.isLowLatency ? openSegment(rendition) : undefined;
  const skippedCount = skip && !presentation.isEnded ? skippableCount(presentation, complete) : 0;
  const lines = [
    "#EXTM3U",
    `#EXT-X-VERSION:${version(complete, skippedCount)}`,
    `#EXT-X-TARGETDURATION:${presentation.targetDurationS}`,
    ...playlistTypeLines(presentation, rendition),
    ...serverControl(presentation),
    ...partInformation(presentation),
    `#EXT-X-MEDIA-SEQUENCE:${complete[0]?.msn ?? open?.msn ?? rendition.nextPart.msn}`,
    ...discontinuitySequence(presentation, rendition),
    ...(skippedCount > 0 ? [skipTag(skippedCount)] : []),
    ...segmentTexts(presentation, complete.slice(skippedCount), open),
    ...endLines(presentation, rendition),
  ];
  return `${lines.join("\n")}\n`;
}

function openSegment(rendition: Rendition): Segment | undefined {
  const newest = rendition.segments.at(-1);
  return newest?.isComplete === false ? newest : undefined;
}

function version(complete: readonly Segment[], skippedCount: number): number {
  if (skippedCount > 0) return VERSION.skip;
  return complete.some((segment) => segment.isGap) ? VERSION.gap : VERSION.map;
}

function segmentTexts(presentation: Presentation, complete: readonly Segment[], open: Segment | undefined): string[] {
  const firstWithParts = presentation.options.isLowLatency
    ? firstSegmentWithParts(presentation, complete, open)
    : complete.length;
  const texts: string[] = [];
  let init: InitSegment | undefined;
  for (const [index, segment] of complete.entries()) {
    if (needsMap(segment, init)) texts.push(mapTag(segment.init));
    texts.push(completeSegmentText(segment, index >= firstWithParts));
    init = segment.init;
  }
  if (open && needsMap(open, init)) texts.push(mapTag(open.init));
  if (open) texts.push(openSegmentText(open));
  return texts;
}

/** Index of the oldest of the last two whole segments that lies wholly within three target durations of the end. */
function firstSegmentWithParts(
  presentation: Presentation,
  complete: readonly Segment[],
  open: Segment | undefined,
): number {
  const limitMs = PARTS_TARGETS * presentation.targetDurationS * 1000;
  const leastIndex = Math.max(0, complete.length + 1 - PARTS_SEGMENTS);
  let fromEndMs = open ? durationMs(open) : 0;
  for (let index = complete.length - 1; index >= leastIndex; index--) {
    const segment = complete[index];
    if (segment) fromEndMs += durationMs(segment);
    if (fromEndMs >= limitMs) return index + 1;
  }
  return leastIndex;
}

function durationMs(segment: Segment): number {
  return ticksToMs(segment.duration, segment.init.timescale);
}

/** Once ended, nothing is hinted and no other rendition moves: the playlist is final. Without a publisher no part will come. */
function endLines(presentation: Presentation, rendition: Rendition): string[] {
  if (isFinal(presentation, rendition)) return ["#EXT-X-ENDLIST"];
  if (!presentation.options.isLowLatency) return [];
  const hints = presentation.isInterrupted ? [] : [preloadHint(rendition)];
  return [...hints, ...renditionReports(presentation, rendition)];
}
