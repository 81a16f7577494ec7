import type { Clock } from "../../core/clock.ts";
import type { Logger } from "../../core/logger.ts";
import type { FfmpegProgram } from "../../encode/ffmpeg/process.ts";
import type { MediaFormat } from "../../media/format.ts";
import type { Ticks } from "../../media/timebase.ts";
import type { StoredSegment } from "../../packaging/stored-rendition.ts";
import type { ObjectStore } from "../../storage/object-store.ts";
import type { AudioEncodeSpec, ChunkRange, PictureTreatment, VideoEncodeSpec } from "../plan/video-plan.ts";
import type { SourceInput } from "../probe/source-input.ts";
import type { Container, SourceAudio, SourceText, SourceVideo } from "../probe/source-media.ts";

/** What every making works with. */
export interface MakeTools {
  readonly program: FfmpegProgram;
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Processor cores that one ffmpeg may keep busy. */
  readonly coreCount: number;
  /** x264's word for speed against size. */
  readonly preset: string;
}

/** An original that a job reads; whoever opened it closes it. */
export interface SourceAccess {
  readonly input: SourceInput;
  /** Why reading failed, if it did. ffmpeg takes a connection that breaks for the end of the file: look here when it is done. */
  readonly failure: Error | undefined;
  close(): Promise<void>;
}

export interface MakeSource {
  readonly access: SourceAccess;
  readonly container: Container;
  readonly sizeBytes: number;
}

/** A source with the instant of its own clock at which presentation time begins. */
export interface TimedSource extends MakeSource {
  /** At 90 kHz, rounded; may be negative. What `findPresentationZero` said. */
  readonly zeroTicks: Ticks;
  /** At 90 kHz: the media time of presentation zero in what is made. */
  readonly leadTicks: Ticks;
}

/** Where presentation time is cut into segments and chunks. All are multiples of the first. */
export interface SegmentGrid {
  readonly segmentTargetMs: number;
  readonly chunkTargetMs: number;
}

/**
 * Where segments begin: at the first frame at or after every multiple of a target, or at exactly these instants (those of a
 * rendition that is a copy of the source), in ticks of 90 kHz since presentation zero.
 */
export type SegmentRule =
  | { readonly kind: "every"; readonly targetMs: number }
  | { readonly kind: "at"; readonly starts: readonly Ticks[] };

/** What all units of a rendition are decoded by. */
export interface RenditionInit {
  readonly format: MediaFormat;
  readonly timescale: number;
  /** The CMAF header. */
  readonly bytes: Uint8Array;
  /** Media time of presentation zero, in ticks of its own. */
  readonly leadTicks: Ticks;
}

/** Segments of one rendition that are in the store under a prefix of their own, and not yet known to anybody. */
export interface MadeChunk {
  readonly renditionId: string;
  readonly index: number;
  /** Ends in `/`. */
  readonly keyPrefix: string;
  /** May be none: a picture can stand for longer than a chunk. */
  readonly segments: readonly StoredSegment[];
  /** Undefined where there is no segment either. */
  readonly init: RenditionInit | undefined;
  /** Nothing comes after it. */
  readonly isLast: boolean;
}

/** A rendition that is to be made, and where its objects go: `{keyPrefix}{chunk}/{n}.m4s`. */
export interface MakeTarget {
  readonly renditionId: string;
  /** `videos/{video}/{rendition}/{epoch}/{attempt}/`, used by no other attempt. */
  readonly keyPrefix: string;
}

export interface VideoChunkRequest {
  readonly source: TimedSource;
  readonly video: SourceVideo;
  readonly picture: PictureTreatment;
  readonly targets: readonly (MakeTarget & { readonly spec: VideoEncodeSpec })[];
  readonly index: number;
  readonly range: ChunkRange;
  readonly rule: SegmentRule;
  readonly signal: AbortSignal;
  /** Presentation time that is encoded so far, and how many times as fast as it plays. */
  readonly onProgress?: ((progress: MakeProgress) => void) | undefined;
}

export interface MakeProgress {
  /** Since presentation zero. */
  readonly reachedMs: number;
  readonly speed: number;
}

/**
 * Encodes one chunk in every quality of `targets`: one decoding, a frame of the source in exactly one chunk, all qualities
 * with the same frames, times and cuts. Throws DomainError: MEDIA_DAMAGED when the source cannot be decoded, UNAVAILABLE
 * or STORAGE_FULL from the store, INTERNAL for what another attempt may do better; the signal's reason when it aborts. What
 * it had written is deleted then, as far as the store allows.
 */
export type MakeVideoChunk = (tools: MakeTools, request: VideoChunkRequest) => Promise<readonly MadeChunk[]>;

/** Takes a chunk as soon as it is whole; while it has not resolved, nothing more of that rendition is made. */
export type OnChunk = (chunk: MadeChunk) => Promise<void>;

export interface RepackageRequest {
  readonly source: TimedSource;
  readonly tracks: readonly (MakeTarget & { readonly kind: "video" | "audio"; readonly streamIndex: number })[];
  readonly grid: SegmentGrid;
  readonly onChunk: OnChunk;
  readonly signal: AbortSignal;
  /** Key frames may be so far apart; 10 s by default. */
  readonly mostGopMs?: number;
}

export const NOT_REPACKAGEABLE_REASONS = [
  /** Frames that are shown before a key frame need frames from before it, or the stream begins with no key frame. */
  "OPEN_GOP",
  "GOP_TOO_LONG",
  /** Two frames at one instant, or times that cannot be told. */
  "TIMES_BROKEN",
  /** Sound that starts late, or has holes: encoding fills them with silence. */
  "AUDIO_HOLES",
  /** The codec's parameters change on the way. */
  "FORMAT_CHANGES",
  /** No container of ours carries it as it is. */
  "CODEC",
] as const;
export type NotRepackageableReason = (typeof NOT_REPACKAGEABLE_REASONS)[number];

/** How the copy of one track ended. Chunks that `onChunk` took before `not-repackageable` are right, but no more follow. */
export type RepackageOutcome = { readonly renditionId: string } & (
  | { readonly kind: "made"; readonly chunkCount: number; readonly endTicks: Ticks; readonly timescale: number }
  | { readonly kind: "not-repackageable"; readonly reason: NotRepackageableReason; readonly message: string }
);

/**
 * Copies tracks of the source under our segments, in one reading, each chunk as soon as it is whole. A track that cannot be
 * copied ends for itself, the others go on. Throws as MakeVideoChunk does.
 */
export type Repackage = (tools: MakeTools, request: RepackageRequest) => Promise<readonly RepackageOutcome[]>;

export interface AudioRequest {
  readonly source: TimedSource;
  readonly audio: SourceAudio;
  readonly targets: readonly (MakeTarget & { readonly spec: AudioEncodeSpec })[];
  readonly grid: SegmentGrid;
  readonly onChunk: OnChunk;
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: MakeProgress) => void) | undefined;
}

export interface AudioOutcome {
  readonly renditionId: string;
  readonly chunkCount: number;
  /** Where it ends, in ticks of its sample rate. */
  readonly endTicks: Ticks;
  readonly timescale: number;
}

/**
 * Encodes one audio stream as AAC-LC in every form of `targets`, from the beginning to the end. Sample 0 is presentation
 * zero: silence stands where sound starts late or has holes, sound from before is left out. Throws as MakeVideoChunk does.
 */
export type MakeAudio = (tools: MakeTools, request: AudioRequest) => Promise<readonly AudioOutcome[]>;

export interface TextRequest {
  readonly source: TimedSource;
  readonly text: SourceText;
  readonly signal: AbortSignal;
}

/** Converts a text stream to one WebVTT file on the presentation's timeline. Throws as MakeVideoChunk does. */
export type MakeText = (tools: MakeTools, request: TextRequest) => Promise<Uint8Array>;

/** Makes an object of the store readable for ffmpeg: as a file where it is one, else over a loopback address with a secret. */
export type OpenSourceAccess = (store: ObjectStore, key: string, logger: Logger) => Promise<SourceAccess>;

/**
 * When presentation time begins: the time stamp of the first frame that is shown of the video, or of the first sound where
 * there is no video. In 90 kHz ticks of the source's own clock. Throws MEDIA_DAMAGED when there is none.
 */
export type FindPresentationZero = (
  tools: MakeTools,
  source: MakeSource,
  stream: { readonly kind: "video" | "audio"; readonly index: number },
  signal: AbortSignal,
) => Promise<Ticks>;
