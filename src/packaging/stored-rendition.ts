import type { ByteRange } from "../media/cmaf/chunk.ts";
import type { MediaFormat } from "../media/format.ts";
import type { Ticks } from "../media/timebase.ts";
import type { ShownPeriod } from "./presentation.ts";

/** A picture that a decoder can start at: its moof and itself alone, within its segment. */
export interface StoredKeyFrame extends ByteRange {
  /** Since presentation zero. */
  readonly start: Ticks;
}

/** What segments of a rendition are decoded by. */
export interface StoredHeader {
  readonly format: MediaFormat;
  readonly timescale: number;
  readonly initBytes: Uint8Array;
}

/** What begins with a segment of a recording: a run of media that all its renditions share or lack as a whole. */
export interface StoredOpening {
  readonly period: ShownPeriod & { readonly placeMs: number };
  /** It does not go on where the period before ended. */
  readonly isDiscontinuity: boolean;
  /** Undefined: as before. */
  readonly header: StoredHeader | undefined;
}

/** A CMAF segment in an object store, with what playlists tell of it. */
export interface StoredSegment {
  /**
   * Earliest presentation time since presentation zero, which is where the video begins; of a recording, on the clock of its
   * period.
   */
  readonly start: Ticks;
  readonly duration: Ticks;
  readonly byteLength: number;
  readonly frameCount: number;
  /** For video: at least the first picture. Each begins a moof of its own, so that I-frame playlists can name its bytes. */
  readonly keyFrames: readonly StoredKeyFrame[];
  /** Object key of its bytes; public names say nothing of it. */
  readonly key: string;
  /** Nothing was recorded of this time; there is no object. */
  readonly isGap?: boolean;
  /** Of a recording that was put on one clock: what has to be added to the times in its bytes, which stay as they are. */
  readonly shiftTicks?: Ticks;
  /** Of the first segment of each period of a recording. */
  readonly opens?: StoredOpening | undefined;
}

/** One rendition of a stored video as far as it is there: from the beginning, without a hole. */
export interface StoredRendition {
  readonly id: string;
  readonly kind: "video" | "audio";
  readonly origin: "source" | "rung";
  /** Public names are `{epoch}-{msn}.m4s` with msn counted from 1, and `{epoch}-1.init.mp4`. */
  readonly epoch: string;
  readonly format: MediaFormat;
  readonly timescale: number;
  /** Media time of presentation zero: what is presented at `start` of a segment has this more on its media's clock. */
  readonly leadTicks: Ticks;
  readonly initBytes: Uint8Array;
  /** For video: the audio rendition that is played beside it by default, there already or still to come. */
  readonly audioRenditionId: string | undefined;
  /** BCP 47; of audio. */
  readonly language: string | undefined;
  /** What people choose audio by. Renditions of one track share language and label; those of another differ in one of them. */
  readonly label: string | undefined;
  readonly segments: readonly StoredSegment[];
  /** No more segments will come. */
  readonly isComplete: boolean;
}

/** Captions of a stored video: one WebVTT file for all of it, whose zero is presentation zero. */
export interface StoredText {
  /** Stands in paths: `text_en`. */
  readonly id: string;
  /** The public name is `{epoch}-1.vtt`. */
  readonly epoch: string;
  /** BCP 47. */
  readonly language: string;
  readonly label: string;
  readonly isForced: boolean;
  readonly key: string;
  readonly sizeBytes: number;
}

/** Small pictures of a video at even distances, side by side on one or more images that are files of the video. */
export interface Storyboard {
  /** One picture of them, in pixels. */
  readonly tileWidth: number;
  readonly tileHeight: number;
  /** Pictures beside each other and below each other on every image; the last may have unused places. */
  readonly columnCount: number;
  readonly rowCount: number;
  /** From picture to picture. */
  readonly intervalMs: number;
  /** Names of the video's files, in order. */
  readonly imageNames: readonly string[];
  /** Of all images together. */
  readonly sizeBytes: number;
}

/** What was made of a video beside its renditions, and is served as it is: `poster.jpg`, `storyboard.json`, `preview.mp4`. */
export interface StoredFile {
  readonly key: string;
  readonly contentType: string;
  readonly sizeBytes: number;
  /** What a browser saves it as; shown in place when undefined. */
  readonly downloadName?: string | undefined;
}

/** All that can be shown of a video as it stands. A value: what changes is another one with a higher revision. */
export interface StoredVideo {
  readonly revision: number;
  /** When that revision was made, ms since the Unix epoch. */
  readonly updatedAtMs: number;
  /** A video rendition and the sound beside it (or sound alone, when there is no video) have begun to be there. */
  readonly isPlayable: boolean;
  /** All was made; only its owner will change it now. */
  readonly isFinal: boolean;
  /** From its plan, not from what is there; undefined for a recording that goes on. */
  readonly durationMs: number | undefined;
  readonly segmentTargetMs: number;
  /** No segment is longer, rounded to whole seconds. Of the plan: never changes in the life of the video. */
  readonly targetDurationS: number;
  /** In the order in which playlists name them, each from its beginning and without a hole; those without segments may be left out. */
  readonly renditions: readonly StoredRendition[];
  readonly texts: readonly StoredText[];
  readonly storyboard: Storyboard | undefined;
  /** By their names below `/videos/{id}/`, which may hold a slash: `thumbnails/12.jpg`. */
  readonly files: ReadonlyMap<string, StoredFile>;
}
