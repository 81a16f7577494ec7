import type { Emitter } from "../core/emitter.ts";
import type { Period } from "../live/unit.ts";
import type { ByteRange } from "../media/cmaf/chunk.ts";
import type { MediaFormat } from "../media/format.ts";
import type { Ticks } from "../media/timebase.ts";
import type { StoredSegment, StoredText, Storyboard } from "./stored-rendition.ts";

/** What a stream's owner chose; fixed for the life of a presentation. */
export interface PackagingOptions {
  readonly isLowLatency: boolean;
  readonly segmentTargetMs: number;
  readonly partTargetMs: number;
  /** Complete segments listed in a live playlist. */
  readonly windowSegmentCount: number;
}

/** CMAF header of the segments that name it. */
export interface InitSegment {
  /** Object name within its rendition: `{epoch}-{msn}.init.mp4`, after the first segment that needs it. */
  readonly name: string;
  readonly format: MediaFormat;
  readonly timescale: number;
  readonly bytes: Uint8Array;
}

/** A period as a presentation shows it. */
export interface ShownPeriod extends Period {
  /** Of a recording: where it stands in the video, in ms; its media keep the clock that they had, which is at `startMs` there. */
  readonly placeMs?: number;
}

/** One CMAF chunk: an LL-HLS part, a transfer chunk of LL-DASH. Never changes once it exists. */
export interface Part {
  /** `{epoch}-{msn}.{index}.m4s`. */
  readonly name: string;
  /** Place within its segment, from 0. */
  readonly index: number;
  readonly start: Ticks;
  readonly duration: Ticks;
  /** Holds a frame that a decoder can start at. */
  readonly isIndependent: boolean;
  /** No media came for this time; there are no bytes. */
  readonly isGap: boolean;
  /** Of the picture that it begins with, when a decoder can start there: moof and that frame alone. Never for audio. */
  readonly keyFrame: ByteRange | undefined;
  readonly bytes: Uint8Array;
}

/** A CMAF segment: exactly its parts, one after another. Open (growing) until `isComplete`. */
export interface Segment {
  /** `{epoch}-{msn}.m4s`. */
  readonly name: string;
  /** Media sequence number, from 1; the same instant has the same number in every rendition of the presentation. */
  readonly msn: number;
  /** Media sequence number of its first entry in the I-frame playlist. */
  readonly iframeMsn: number;
  readonly period: ShownPeriod;
  readonly init: InitSegment;
  /** Earliest presentation time, in ticks of the rendition's timescale, since presentation zero. */
  readonly start: Ticks;
  /** Sum of its parts so far; final when complete. */
  readonly duration: Ticks;
  readonly parts: readonly Part[];
  readonly byteLength: number;
  /** Frames in its parts so far. */
  readonly frameCount: number;
  readonly isComplete: boolean;
  /** Starts with a frame that a decoder can start at. */
  readonly isIndependent: boolean;
  readonly isGap: boolean;
  /** First of a period other than the presentation's first: EXT-X-DISCONTINUITY stands before it. */
  readonly isDiscontinuity: boolean;
  /** Wall clock of its first unit's arrival, ms since the Unix epoch (for `prft`). */
  readonly arrivedAtMs: number;
  /** Of a stored video: it has no parts, and its bytes are in the object store. */
  readonly stored?: StoredSegment | undefined;
}

/** Bit rates measured over the complete segments of a rendition, container included. */
export interface MeasuredBitrate {
  /** Highest over any run of whole segments that lasts 0.5 to 1.5 target durations (HLS §4.1, "peak segment bit rate"). */
  readonly peakBps: number;
  readonly averageBps: number;
}

/** One quality of one medium. `Rendition` objects live as long as their presentation; their fields advance. */
export interface Rendition {
  /** Stands in paths: `source`, `720p`, `high`, `audio_source`, `aac_128`. */
  readonly id: string;
  readonly kind: "video" | "audio";
  /** `source` is the publisher's own encoding, untouched. */
  readonly origin: "source" | "rung";
  /** Of the newest segment. */
  readonly format: MediaFormat;
  readonly timescale: number;
  readonly bitrate: MeasuredBitrate;
  /** Of the I-frame playlist; undefined while that has no picture, and for audio. */
  readonly iframeBitrate: MeasuredBitrate | undefined;
  /** Frames per second measured over the newest complete segment; undefined for audio. */
  readonly frameRate: number | undefined;
  /** For video: the audio rendition that is played beside it. */
  readonly audioRenditionId: string | undefined;
  /** Of a stored video alone. */
  readonly stored?: StoredTraits | undefined;
  /**
   * What the live playlist lists: complete segments, oldest first, then the open one when it has a part. Holds every
   * segment when the presentation keeps all.
   */
  readonly segments: readonly Segment[];
  /** EXT-X-DISCONTINUITY-SEQUENCE of the first listed segment. */
  readonly discontinuitySequence: number;
  /** The part that comes next: what EXT-X-PRELOAD-HINT names. */
  readonly nextPart: { readonly msn: number; readonly index: number; readonly name: string };
}

/** What a rendition of a stored video has of its own. */
export interface StoredTraits {
  /** Stands in the names of its objects: renditions come and go one by one. */
  readonly epoch: string;
  /** No more segments will come, whatever the other renditions do. */
  readonly isComplete: boolean;
  /** BCP 47, `und` when nobody knows; of audio. */
  readonly language: string;
  /** What people choose audio by. */
  readonly label: string;
  /** A number that no other rendition of the video has. */
  readonly place: number;
  /** Media time of presentation zero, in ticks of its own. */
  readonly leadTicks: Ticks;
}

/** What a stored video has beside its renditions. It begins at presentation zero; only a recording stands on a wall clock. */
export interface StoredExtras {
  /** Of all of it, however much is there; of what is there, while nobody knows when it ends. */
  readonly durationMs: number;
  /** A recording that goes on: nobody knows when it ends. */
  readonly isOpenEnded: boolean;
  /** When it last changed, ms since the Unix epoch. */
  readonly updatedAtMs: number;
  readonly texts: readonly StoredText[];
  readonly storyboard: Storyboard | undefined;
}

/** The renditions of one stream on one timeline. Every playlist and MPD is a pure function of it. */
export interface Presentation {
  readonly epoch: string;
  readonly options: PackagingOptions;
  /** EXT-X-TARGETDURATION in whole seconds. Never changes. */
  readonly targetDurationS: number;
  /** PART-TARGET in ms. Never changes; at least the longest frame seen at the start. */
  readonly partTargetMs: number;
  readonly renditions: readonly Rendition[];
  /** Periods that listed segments belong to, oldest first. */
  readonly periods: readonly ShownPeriod[];
  /** Every segment so far starts with an independent frame. */
  readonly isIndependent: boolean;
  /** The publisher is away: no part is announced, since none is on its way. */
  readonly isInterrupted: boolean;
  /** No more media will come. */
  readonly isEnded: boolean;
  /** Wall-clock instant of presentation zero in the first period: availabilityStartTime, never changes. */
  readonly availabilityStartMs: number;
  /** Of a stored video alone: VOD once it has ended, EVENT until then. */
  readonly stored?: StoredExtras | undefined;
}

/** Whether it is known when a segment was on air. */
export function isOnWallClock({ stored, period }: Segment): boolean {
  return !stored || period.placeMs !== undefined;
}

/** The listed complete segments. */
export function completeSegments(rendition: Rendition): readonly Segment[] {
  const { segments } = rendition;
  return segments.at(-1)?.isComplete === false ? segments.slice(0, -1) : segments;
}

/** What can be fetched under a rendition. `hinted`: the next part, announced and not there yet. */
export type MediaObject =
  | { readonly kind: "init"; readonly init: InitSegment }
  | { readonly kind: "segment"; readonly segment: Segment }
  | { readonly kind: "part"; readonly part: Part }
  | { readonly kind: "hinted"; readonly msn: number; readonly index: number };

export interface PresentationEvents {
  /** A part was added to this rendition, or a segment of it completed. Once per change, after the change. */
  advance: Rendition;
  /** A rendition joined or left: the multivariant playlist is another. */
  renditions: Presentation;
  /** The last segments are complete, nothing more will come. */
  ended: Presentation;
}

/** A presentation that grows, as delivery sees it. */
export interface LivePresentation extends Presentation {
  readonly events: Emitter<PresentationEvents>;
  /** Any object that still can be fetched, listed or not; undefined when it never was or is long gone. */
  object(renditionId: string, name: string): MediaObject | undefined;
}
