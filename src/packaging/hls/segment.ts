import { type Ticks, ticksToMs } from "../../media/timebase.ts";
import { type InitSegment, isOnWallClock, type Segment } from "../presentation.ts";
import { durationText, quoted, tag } from "./attribute-list.ts";
import { partTag } from "./part.ts";

/** The two forms in which a complete segment is listed, each ready to be joined. */
interface SegmentText {
  readonly plain: string;
  readonly withParts: string;
}

const texts = new WeakMap<Segment, SegmentText>();

export function mapTag(init: InitSegment): string {
  return tag("EXT-X-MAP", { URI: quoted(init.name) });
}

/** Whether the init in force before `segment` is another (a discontinuity writes its own EXT-X-MAP). */
export function needsMap(segment: Segment, inForce: InitSegment | undefined): boolean {
  return segment.init !== inForce && !segment.isDiscontinuity;
}

/** A complete segment with all its tags, but for an EXT-X-MAP that only its place in the playlist asks for. */
export function completeSegmentText(segment: Segment, hasParts: boolean): string {
  const known = texts.get(segment);
  const text = known ?? writeSegment(segment);
  if (!known) texts.set(segment, text);
  return hasParts ? text.withParts : text.plain;
}

/** What is there of a segment that still grows: its parts, under the tags that must come before the first of them. */
export function openSegmentText(segment: Segment): string {
  return [...headLines(segment), ...partLines(segment)].join("\n");
}

function writeSegment(segment: Segment): SegmentText {
  const head = headLines(segment);
  const tail = [
    ...(segment.isGap ? ["#EXT-X-GAP"] : []),
    `#EXTINF:${durationText(segment.duration, segment.init.timescale)},`,
    segment.name,
  ];
  return {
    plain: [...head, ...tail].join("\n"),
    withParts: [...head, ...partLines(segment), ...tail].join("\n"),
  };
}

/** A discontinuity restates EXT-X-MAP even when the init is the same: nothing of before it then has to be known. */
function headLines(segment: Segment): string[] {
  const date = isOnWallClock(segment) ? [`#EXT-X-PROGRAM-DATE-TIME:${programDateTime(segment, segment.start)}`] : [];
  return segment.isDiscontinuity ? ["#EXT-X-DISCONTINUITY", mapTag(segment.init), ...date] : date;
}

function partLines(segment: Segment): string[] {
  return segment.parts.map((part) => partTag(part, segment.init.timescale));
}

/** Wall clock of the instant `at` of a segment's media time. */
export function programDateTime({ period, init }: Segment, at: Ticks): string {
  const startMs = period.wallZeroMs + ticksToMs(at, init.timescale);
  return new Date(Math.round(startMs)).toISOString();
}
