import type { AudioFormat, MediaFormat, VideoFormat } from "../media/format.ts";
import type { Ticks } from "../media/timebase.ts";

/** One medium of a stream under one format. A change of format is a new Track. */
export interface Track<Format extends MediaFormat = MediaFormat> {
  /** Ticks per second of every unit's times: 90000 for video, the sample rate for audio. */
  readonly timescale: number;
  readonly format: Format;
  /** Bit rate as its publisher announces it, or as it was measured before this period; undefined when nobody knows. */
  readonly sourceBps?: number | undefined;
}

export type VideoTrack = Track<VideoFormat>;
export type AudioTrack = Track<AudioFormat>;

/** One access unit (a frame of video, a frame of audio) in presentation time. */
export interface Unit {
  readonly track: Track;
  /** Decode time. Strictly rising within a period of one track. */
  readonly dts: Ticks;
  /** Presentation time minus decode time; may be negative. */
  readonly cts: Ticks;
  /** Distance to the next unit's decode time; always > 0. */
  readonly duration: Ticks;
  /** A decoder can start here. Always true for audio. */
  readonly isKey: boolean;
  /** As CMAF stores it: length-prefixed NAL units, OBUs without temporal delimiter, raw audio frame. Never written to. */
  readonly data: Uint8Array;
  /** Wall clock when it reached us, ms since the Unix epoch. */
  readonly arrivedAtMs: number;
  /** Silence of our own making, where the publisher's audio is missing (docs/adr/0023). */
  readonly isFill?: boolean;
}

/**
 * A run of media with the same tracks and unbroken time: EXT-X-DISCONTINUITY stands before it in HLS, it is a Period in
 * DASH. A new publisher, a changed format, a jump in time, a track that joins late: each begins a new one.
 */
export interface Period {
  /** Counts up within a presentation, from 0. */
  readonly index: number;
  readonly video: VideoTrack | undefined;
  readonly audio: AudioTrack | undefined;
  /** First presentation instant, in ms since presentation zero; never before the end of the period before. */
  readonly startMs: number;
  /** Wall-clock instant of presentation zero: PROGRAM-DATE-TIME = this + presentation time. */
  readonly wallZeroMs: number;
}

/** Who follows a live stream. Calls come in order, on the same turn as the media; a reader never throws. */
export interface LiveReader {
  onPeriod(period: Period): void;
  onUnit(unit: Unit): void;
  /** The publisher is gone, and may come back within the reconnect window. */
  onInterrupted(): void;
  /** No more media will come. */
  onEnd(): void;
}
