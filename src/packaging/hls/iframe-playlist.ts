import { type Iframe, iframesOf, MAX_IFRAMES_PER_SEGMENT } from "../iframes.ts";
import {
  completeSegments,
  type InitSegment,
  isOnWallClock,
  type Presentation,
  type Rendition,
  type Segment,
} from "../presentation.ts";
import { durationText } from "./attribute-list.ts";
import { skippableCount, skipTag } from "./delta.ts";
import type { MediaPlaylistOptions } from "./media-playlist.ts";
import { discontinuitySequence, isFinal, playlistTypeLines } from "./playlist-type.ts";
import { mapTag, needsMap, programDateTime } from "./segment.ts";
import { serverControl } from "./server-control.ts";

/** The floors of HLS §8: EXT-X-MAP beside EXT-X-I-FRAMES-ONLY, EXT-X-GAP, EXT-X-SKIP. */
const VERSION = { map: 5, gap: 8, skip: 9 } as const;

const texts = new WeakMap<Segment, string>();

/**
 * The pictures of one video rendition that need no other, at `{rendition}/iframes.m3u8`: byte ranges of its segments,
 * each until the next. Of complete segments alone, and without parts (docs/adr/0020).
 */
export function renderIframePlaylist(
  presentation: Presentation,
  rendition: Rendition,
  { skip = false }: MediaPlaylistOptions = {},
): string {
  const complete = completeSegments(rendition);
  const skippedCount = skip && !presentation.isEnded ? skippableCount(presentation, complete) : 0;
  const listed = complete.slice(skippedCount);
  const first = firstIframeMsn(rendition);
  const skippedIframeCount = (listed[0]?.iframeMsn ?? first) - first;
  const lines = [
    "#EXTM3U",
    `#EXT-X-VERSION:${version(complete, skippedIframeCount)}`,
    `#EXT-X-TARGETDURATION:${presentation.targetDurationS}`,
    ...playlistTypeLines(presentation, rendition),
    ...serverControl(presentation),
    "#EXT-X-I-FRAMES-ONLY",
    `#EXT-X-MEDIA-SEQUENCE:${first}`,
    ...discontinuitySequence(presentation, rendition),
    ...(skippedIframeCount > 0 ? [skipTag(skippedIframeCount)] : []),
    ...segmentTexts(listed),
    ...(isFinal(presentation, rendition) ? ["#EXT-X-ENDLIST"] : []),
  ];
  return `${lines.join("\n")}\n`;
}

/** Number of the newest listed entry; one less than that of the first to come, when there is none. */
export function lastIframeMsn(rendition: Rendition): number {
  const newest = completeSegments(rendition).at(-1);
  return (newest ? newest.iframeMsn + iframesOf(newest).length : firstIframeMsn(rendition)) - 1;
}

function firstIframeMsn({ segments, nextPart }: Rendition): number {
  return segments[0]?.iframeMsn ?? nextPart.msn * MAX_IFRAMES_PER_SEGMENT;
}

function version(complete: readonly Segment[], skippedCount: number): number {
  if (skippedCount > 0) return VERSION.skip;
  const hasGap = complete.some((segment) => iframesOf(segment)[0]?.range === undefined);
  return hasGap ? VERSION.gap : VERSION.map;
}

function segmentTexts(listed: readonly Segment[]): string[] {
  const lines: string[] = [];
  let init: InitSegment | undefined;
  for (const segment of listed) {
    if (needsMap(segment, init)) lines.push(mapTag(segment.init));
    lines.push(segmentText(segment));
    init = segment.init;
  }
  return lines;
}

/** A complete segment never changes, so its entries are written once. */
function segmentText(segment: Segment): string {
  const known = texts.get(segment);
  if (known !== undefined) return known;
  const head = segment.isDiscontinuity ? ["#EXT-X-DISCONTINUITY", mapTag(segment.init)] : [];
  const text = [...head, ...iframesOf(segment).flatMap((iframe) => entryLines(segment, iframe))].join("\n");
  texts.set(segment, text);
  return text;
}

/** Time without a picture is a gap: it keeps every entry as short as its segment, whatever the source's key frames do. */
function entryLines(segment: Segment, { start, duration, range }: Iframe): string[] {
  return [
    ...(isOnWallClock(segment) ? [`#EXT-X-PROGRAM-DATE-TIME:${programDateTime(segment, start)}`] : []),
    range ? `#EXT-X-BYTERANGE:${range.length}@${range.offset}` : "#EXT-X-GAP",
    `#EXTINF:${durationText(duration, segment.init.timescale)},`,
    segment.name,
  ];
}
