import type { ByteRange } from "../media/cmaf/chunk.ts";
import type { MediaFormat } from "../media/format.ts";
import type { Ticks } from "../media/timebase.ts";

/** A picture that a decoder can start at: its moof and itself alone, within its segment. */
export interface StoredKeyFrame extends ByteRange {
  /** Since presentation zero. */
  readonly start: Ticks;
}

/** A CMAF segment in an object store, with what playlists tell of it. */
export interface StoredSegment {
  /** Earliest presentation time since presentation zero, which is where the video begins. */
  readonly start: Ticks;
  readonly duration: Ticks;
  readonly byteLength: number;
  readonly frameCount: number;
  /** For video: at least the first picture. Each begins a moof of its own, so that I-frame playlists can name its bytes. */
  readonly keyFrames: readonly StoredKeyFrame[];
  /** Object key of its bytes; public names say nothing of it. */
  readonly key: string;
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
  readonly initBytes: Uint8Array;
  /** For video: the audio rendition that is played beside it by default. */
  readonly audioRenditionId: string | undefined;
  /** BCP 47; of audio. */
  readonly language: string | undefined;
  /** What people choose audio by. */
  readonly label: string | undefined;
  readonly segments: readonly StoredSegment[];
  /** No more segments will come. */
  readonly isComplete: boolean;
}

/** Captions of a stored video: one WebVTT file for all of it. */
export interface StoredText {
  readonly id: string;
  readonly language: string;
  readonly label: string;
  readonly isForced: boolean;
  readonly key: string;
  readonly sizeBytes: number;
}
