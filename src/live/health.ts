import type { Clock } from "../core/clock.ts";
import { type MediaFormat, sameFormat } from "../media/format.ts";
import { ticksToMs } from "../media/timebase.ts";
import { SlidingWindow } from "./sliding-window.ts";
import type { LiveReader, Period, Unit } from "./unit.ts";

export type HealthCode =
  | "bitrate_above_limit"
  | "no_video"
  | "no_audio"
  | "video_stopped"
  | "audio_stopped"
  | "long_gop"
  | "frames_longer_than_part"
  | "frames_missing"
  | "irregular_frame_rate"
  | "upload_stalls"
  | "faster_than_real_time"
  | "apart_in_time"
  | "timestamp_jump"
  | "reconnects"
  | "settings_changed"
  | "encoder_behind"
  | "rungs_shed"
  | "encoder_restarted"
  | "publisher_refused"
  | "b_frames";

export type HealthSeverity = "error" | "warning" | "info";

/** One thing that whoever streams should know, and what to do about it. */
export interface HealthSentence {
  readonly code: HealthCode;
  /** error: viewers notice; warning: they may; info: worth knowing. */
  readonly severity: HealthSeverity;
  readonly message: string;
}

/** What the media themselves don't show. */
export type HealthEvent =
  | { readonly kind: "timestamp_jump"; readonly jumpMs: number }
  | { readonly kind: "publisher_refused"; readonly remoteAddress: string }
  /** How far the ladder's encoder is behind the source; 0 when it has caught up. */
  | { readonly kind: "encoder_behind"; readonly behindMs: number }
  | { readonly kind: "encoder_restarted" }
  /** All renditions that are not made at present, by name; empty when all are back. */
  | { readonly kind: "rungs_shed"; readonly renditions: readonly string[] };

export interface StreamHealthOptions {
  readonly clock: Clock;
  /** The longest keyframe interval that suits the segments. */
  readonly segmentDurationMs: number;
  /** Undefined when the stream has no low-latency parts. */
  readonly partDurationMs?: number | undefined;
  /** Of all tracks together; undefined without a limit. */
  readonly maxBitrateBps?: number | undefined;
}

export interface TrackFigures {
  /** Encoded bits per second of media, over the latest five seconds. */
  readonly bitrateBps: number;
  /** Access units per second, over the same time. */
  readonly unitsPerSecond: number;
}

export interface VideoFigures extends TrackFigures {
  /** Longest distance between keyframes in the last minute, or since the last keyframe when that is longer. */
  readonly gopMs: number;
  /** How long a frame waits for others because of B-frames; 0 without. */
  readonly reorderMs: number;
}

/** What was measured on the source, as it arrives. A medium that is not there is undefined. */
export interface SourceFigures {
  readonly bitrateBps: number;
  readonly video: VideoFigures | undefined;
  readonly audio: TrackFigures | undefined;
  /** How far video is ahead of audio on arrival (negative: behind), averaged over the last minute. */
  readonly videoLeadMs: number | undefined;
}

const RATE_WINDOW = { slotMs: 250, slotCount: 20 };
const MINUTE_WINDOW = { slotMs: 5000, slotCount: 12 };
/** A step in lateness is one for so long; then it is how the stream is. */
const PACE_WINDOW = { slotMs: 1000, slotCount: 10 };
const TEN_MINUTE_WINDOW = { slotMs: 30_000, slotCount: 20 };
/** Before that, what an encoder held back while it connected looks like a stall. */
const SETTLING_MS = 5000;
const SILENCE_MS = 3000;
const FRAME_MEMORY = 256;
const LEAST_FRAMES = 60;
/** A GOP that makes segments half as long again still joins quickly; not worth a word. */
const LONG_GOP_FACTOR = 1.5;

/**
 * What is wrong with a stream, in words. Follows its units as a reader, is told the rest by `note`, and looks back one
 * minute (ten for reconnects) in constant memory.
 */
export class StreamHealth implements LiveReader {
  readonly #options: StreamHealthOptions;
  readonly #clock: Clock;
  readonly #jumps = new SlidingWindow(MINUTE_WINDOW);
  readonly #reconnects = new SlidingWindow(TEN_MINUTE_WINDOW);
  readonly #changes = new SlidingWindow(MINUTE_WINDOW);
  readonly #refusals = new SlidingWindow(MINUTE_WINDOW);
  readonly #restarts = new SlidingWindow(MINUTE_WINDOW);
  readonly #behind = new SlidingWindow(MINUTE_WINDOW);
  #shed: readonly string[] = [];
  #refusedAddress = "";
  #period: PeriodHealth | undefined;
  #isInterrupted = false;

  constructor(options: StreamHealthOptions) {
    this.#options = options;
    this.#clock = options.clock;
  }

  onPeriod(period: Period): void {
    const nowMs = this.#clock.monotonicMs();
    const before = this.#period?.period;
    if (this.#isInterrupted) this.#reconnects.add(1, nowMs);
    else if (before && (changed(before.video?.format, period.video?.format) || changedAudio(before, period))) {
      this.#changes.add(1, nowMs);
    }
    this.#isInterrupted = false;
    this.#period = new PeriodHealth(period, nowMs);
  }

  onUnit(unit: Unit): void {
    this.#period?.onUnit(unit, this.#clock.monotonicMs());
  }

  onInterrupted(): void {
    this.#isInterrupted = true;
  }

  onEnd(): void {
    this.#isInterrupted = true;
  }

  note(event: HealthEvent): void {
    const nowMs = this.#clock.monotonicMs();
    switch (event.kind) {
      case "timestamp_jump":
        this.#jumps.add(Math.abs(event.jumpMs), nowMs);
        break;
      case "publisher_refused":
        this.#refusals.add(1, nowMs);
        this.#refusedAddress = event.remoteAddress;
        break;
      case "encoder_behind":
        if (event.behindMs > 0) this.#behind.add(event.behindMs, nowMs);
        else this.#behind.clear();
        break;
      case "encoder_restarted":
        this.#restarts.add(1, nowMs);
        break;
      case "rungs_shed":
        this.#shed = event.renditions;
        break;
    }
  }

  /** What was measured on the source; undefined while no publisher sends. */
  figures(): SourceFigures | undefined {
    return this.#isInterrupted ? undefined : this.#period?.figures(this.#clock.monotonicMs());
  }

  /** What there is to say now, the worst first; empty when all is well. */
  sentences(): HealthSentence[] {
    const nowMs = this.#clock.monotonicMs();
    const media = this.#isInterrupted ? [] : (this.#period?.sentences(this.#options, nowMs) ?? []);
    return [...media, ...this.#eventSentences(nowMs)].sort((a, b) => RANK[a.severity] - RANK[b.severity]);
  }

  #eventSentences(nowMs: number): HealthSentence[] {
    const said: HealthSentence[] = [];
    const jumps = this.#jumps.read(nowMs);
    if (jumps.count > 0) {
      const by = `${seconds(jumps.max)}${jumps.count > 1 ? ` at most, ${jumps.count} times in the last minute` : ""}`;
      said.push(
        warning("timestamp_jump", `The encoder's clock jumped by ${by}; players skip or pause at such a place.`),
      );
    }
    const reconnects = this.#reconnects.read(nowMs).count;
    if (reconnects > 0) {
      const often = `${times(reconnects)} in the last ten minutes`;
      said.push(warning("reconnects", `The encoder lost its connection and came back ${often}; check its network.`));
    }
    const behind = this.#behind.read(nowMs);
    if (behind.count > 0) {
      const text = `This server encodes ${seconds(behind.max)} behind the source; it has too little computing power for all renditions.`;
      said.push(warning("encoder_behind", text));
    }
    if (this.#shed.length > 0) {
      const names = this.#shed.join(", ");
      said.push(
        warning(
          "rungs_shed",
          `${names} ${this.#shed.length > 1 ? "are" : "is"} switched off to keep up; the others stay live.`,
        ),
      );
    }
    const restarts = this.#restarts.read(nowMs).count;
    if (restarts > 0) {
      const text = `The server's encoder failed and was restarted ${times(restarts)} in the last minute; the source as it came was not touched.`;
      said.push(warning("encoder_restarted", text));
    }
    const changes = this.#changes.read(nowMs).count;
    if (changes > 0) {
      const text = `The encoder changed its settings ${times(changes)} in the last minute; some players stop for a moment.`;
      said.push(info("settings_changed", text));
    }
    const refusals = this.#refusals.read(nowMs).count;
    if (refusals > 0) {
      const from = `from ${this.#refusedAddress} was refused ${times(refusals)} in the last minute`;
      said.push(info("publisher_refused", `A second encoder ${from}: this stream is already live.`));
    }
    return said;
  }
}

/** What is known of one period; a new one starts with a clean sheet. */
class PeriodHealth {
  readonly period: Period;
  readonly #startMs: number;
  readonly #video: VideoHealth | undefined;
  readonly #audio: TrackHealth | undefined;
  readonly #videoLead = new SlidingWindow(MINUTE_WINDOW);
  readonly #lateness = new SlidingWindow(PACE_WINDOW);
  readonly #stalls = new SlidingWindow(MINUTE_WINDOW);
  readonly #rushes = new SlidingWindow(MINUTE_WINDOW);

  constructor(period: Period, nowMs: number) {
    this.period = period;
    this.#startMs = nowMs;
    this.#video = period.video && new VideoHealth(nowMs);
    this.#audio = period.audio && new TrackHealth(nowMs);
  }

  onUnit(unit: Unit, nowMs: number): void {
    if (unit.isFill) return;
    const dtsMs = ticksToMs(unit.dts, unit.track.timescale);
    if (unit.track.format.kind === "video") this.#video?.onFrame(unit, dtsMs, nowMs);
    else this.#audio?.onUnit(unit, dtsMs, nowMs);
    const video = this.#video?.endMs;
    const audio = this.#audio?.endMs;
    if (video !== undefined && audio !== undefined) this.#videoLead.add(video - audio, nowMs);
    const leads = unit.track.format.kind === "video" || !this.#video;
    if (leads && nowMs - this.#startMs >= SETTLING_MS) this.#watchPace(unit.arrivedAtMs - dtsMs, nowMs);
  }

  /** A unit is late by what it took longer than the most punctual one of the last seconds; early by the reverse. */
  #watchPace(latenessMs: number, nowMs: number): void {
    const { count, min, max } = this.#lateness.read(nowMs);
    if (count > 0) {
      this.#stalls.add(latenessMs - min, nowMs);
      this.#rushes.add(max - latenessMs, nowMs);
    }
    this.#lateness.add(latenessMs, nowMs);
  }

  figures(nowMs: number): SourceFigures {
    const video = this.#video?.videoFigures(nowMs);
    const audio = this.#audio?.figures();
    const lead = this.#videoLead.read(nowMs);
    return {
      bitrateBps: (video?.bitrateBps ?? 0) + (audio?.bitrateBps ?? 0),
      video,
      audio,
      videoLeadMs: lead.count > 0 ? lead.sum / lead.count : undefined,
    };
  }

  sentences(options: StreamHealthOptions, nowMs: number): HealthSentence[] {
    const figures = this.figures(nowMs);
    const said = [
      aboveLimit(figures, options),
      this.#missingTrack(),
      this.#stoppedTrack(nowMs),
      longGop(figures, options),
      this.#video?.aboutFrames(options),
      this.#uneven(nowMs),
      apart(figures, nowMs - this.#startMs),
      reordered(figures),
    ];
    return said.filter((sentence) => sentence !== undefined);
  }

  #missingTrack(): HealthSentence | undefined {
    if (!this.#audio)
      return info("no_audio", "There is no audio; if there should be, check the encoder's audio source.");
    if (!this.#video) return info("no_video", "There is no video; viewers hear sound alone.");
    return undefined;
  }

  #stoppedTrack(nowMs: number): HealthSentence | undefined {
    if (!this.#video || !this.#audio) return undefined;
    const videoAgoMs = nowMs - this.#video.lastArrivalMs;
    const audioAgoMs = nowMs - this.#audio.lastArrivalMs;
    if (audioAgoMs - videoAgoMs > SILENCE_MS) {
      return problem("audio_stopped", `No audio has come for ${seconds(audioAgoMs)}, while video goes on.`);
    }
    if (videoAgoMs - audioAgoMs > SILENCE_MS) {
      return problem("video_stopped", `No video has come for ${seconds(videoAgoMs)}, while audio goes on.`);
    }
    return undefined;
  }

  #uneven(nowMs: number): HealthSentence | undefined {
    const stallMs = this.#stalls.read(nowMs).max;
    if (stallMs > 1000) {
      const text = `Media came up to ${seconds(stallMs)} late in the last minute: the upload is too slow or stalls. Lower the bit rate, or use a wired connection.`;
      return warning("upload_stalls", text);
    }
    const rushMs = this.#rushes.read(nowMs).max;
    if (rushMs <= 5000) return undefined;
    const text =
      "The encoder sends faster than real time, so viewers miss parts; with ffmpeg put -re before the input.";
    return warning("faster_than_real_time", text);
  }
}

/** Rates of one track, over media time. */
class TrackHealth {
  readonly #bytes = new SlidingWindow(RATE_WINDOW);
  readonly #durationsMs = new SlidingWindow(RATE_WINDOW);
  /** Monotonic; the period's start before the first unit. */
  lastArrivalMs: number;
  /** Where the track's media end, in presentation time. */
  endMs: number | undefined;

  constructor(nowMs: number) {
    this.lastArrivalMs = nowMs;
  }

  onUnit(unit: Unit, dtsMs: number, nowMs: number): void {
    const durationMs = ticksToMs(unit.duration, unit.track.timescale);
    this.#bytes.add(unit.data.byteLength, dtsMs);
    this.#durationsMs.add(durationMs, dtsMs);
    this.lastArrivalMs = nowMs;
    this.endMs = dtsMs + durationMs;
  }

  figures(): TrackFigures {
    const atMs = Math.max(0, (this.endMs ?? 0) - 1);
    const { sum: bytes, count } = this.#bytes.read(atMs);
    const durationMs = this.#durationsMs.read(atMs).sum;
    if (durationMs === 0) return { bitrateBps: 0, unitsPerSecond: 0 };
    return { bitrateBps: Math.round((bytes * 8000) / durationMs), unitsPerSecond: (count * 1000) / durationMs };
  }
}

/** A video track besides: keyframes, reordering, regularity. */
class VideoHealth extends TrackHealth {
  readonly #gopsMs = new SlidingWindow(MINUTE_WINDOW);
  readonly #keyDelayMs = new SlidingWindow(MINUTE_WINDOW);
  readonly #delayMs = new SlidingWindow(MINUTE_WINDOW);
  readonly #frameMs = new Float64Array(FRAME_MEMORY);
  #frameCount = 0;
  #lastKeyMs: number | undefined;

  onFrame(unit: Unit, dtsMs: number, nowMs: number): void {
    this.onUnit(unit, dtsMs, nowMs);
    const delayMs = ticksToMs(unit.cts, unit.track.timescale);
    this.#delayMs.add(delayMs, nowMs);
    this.#frameMs[this.#frameCount++ % FRAME_MEMORY] = ticksToMs(unit.duration, unit.track.timescale);
    if (!unit.isKey) return;
    this.#keyDelayMs.add(delayMs, nowMs);
    if (this.#lastKeyMs !== undefined) this.#gopsMs.add(dtsMs - this.#lastKeyMs, nowMs);
    this.#lastKeyMs = dtsMs;
  }

  videoFigures(nowMs: number): VideoFigures {
    const openGopMs = (this.endMs ?? 0) - (this.#lastKeyMs ?? this.endMs ?? 0);
    const keyDelay = this.#keyDelayMs.read(nowMs);
    const leastDelayMs = this.#delayMs.read(nowMs).min;
    return {
      ...this.figures(),
      gopMs: Math.max(this.#gopsMs.read(nowMs).max, openGopMs),
      // Frames in decoding order all wait the same; only reordering lets a B-frame wait less than a keyframe.
      reorderMs: keyDelay.count > 0 ? Math.max(0, keyDelay.max - leastDelayMs) : 0,
    };
  }

  /** The most telling sentence about how frames follow each other. */
  aboutFrames({ partDurationMs }: StreamHealthOptions): HealthSentence | undefined {
    const frames = this.#frameMs.slice(0, Math.min(this.#frameCount, FRAME_MEMORY)).sort();
    const typicalMs = frames[frames.length >> 1];
    if (typicalMs === undefined || frames.length < 2) return undefined;
    if (partDurationMs !== undefined && typicalMs > partDurationMs) return slowFrames(typicalMs, partDurationMs);
    if (frames.length < LEAST_FRAMES) return undefined;
    return missingFrames(frames, typicalMs) ?? irregularFrames(frames, typicalMs);
  }
}

const RANK = { error: 0, warning: 1, info: 2 } as const satisfies Record<HealthSeverity, number>;

function aboveLimit(figures: SourceFigures, { maxBitrateBps }: StreamHealthOptions): HealthSentence | undefined {
  if (maxBitrateBps === undefined || figures.bitrateBps <= maxBitrateBps) return undefined;
  const [is, limit] = [megabits(figures.bitrateBps), megabits(maxBitrateBps)];
  return problem(
    "bitrate_above_limit",
    `The stream takes ${is} Mbit/s, the limit is ${limit} Mbit/s; lower the bit rate.`,
  );
}

function longGop({ video }: SourceFigures, { segmentDurationMs }: StreamHealthOptions): HealthSentence | undefined {
  if (!video || video.gopMs <= segmentDurationMs * LONG_GOP_FACTOR) return undefined;
  const advice = `set the keyframe interval to ${shortSeconds(Math.min(segmentDurationMs, 2000))} so that viewers start sooner and stay close to live.`;
  return warning("long_gop", `Keyframes come every ${seconds(video.gopMs)}; ${advice}`);
}

function apart({ videoLeadMs }: SourceFigures, ageMs: number): HealthSentence | undefined {
  if (videoLeadMs === undefined || ageMs < SETTLING_MS || Math.abs(videoLeadMs) <= 1000) return undefined;
  const late = videoLeadMs > 0 ? "Audio comes" : "Video comes";
  const other = videoLeadMs > 0 ? "video" : "audio";
  const text = `${late} ${seconds(Math.abs(videoLeadMs))} after the ${other} it belongs to, which adds as much delay; check the encoder's sync offset.`;
  return warning("apart_in_time", text);
}

function reordered({ video }: SourceFigures): HealthSentence | undefined {
  // Below one frame of 1000 fps it is rounding of the publisher's milliseconds.
  if (!video || video.reorderMs < 2) return undefined;
  const cost = `they add ${Math.round(video.reorderMs)} ms of delay`;
  return info(
    "b_frames",
    `The encoder uses B-frames; ${cost}. For the least delay set them to 0 (x264: tune zerolatency).`,
  );
}

function slowFrames(typicalMs: number, partDurationMs: number): HealthSentence {
  const text = `Frames come every ${Math.round(typicalMs)} ms, more slowly than parts of ${partDurationMs} ms can be filled; raise the frame rate or make parts longer.`;
  return warning("frames_longer_than_part", text);
}

/** Frames that stand for two or more: what an encoder leaves out when its machine or network is too slow. */
function missingFrames(frames: Float64Array, typicalMs: number): HealthSentence | undefined {
  const missingCount = frames.reduce((sum, ms) => sum + Math.max(0, Math.round(ms / typicalMs) - 1), 0);
  const share = missingCount / (frames.length + missingCount);
  if (share < 0.01) return undefined;
  const text = `About ${Math.max(1, Math.round(share * 100))} % of the frames are missing: the encoder drops them. Lower its bit rate, resolution or preset.`;
  return warning("frames_missing", text);
}

function irregularFrames(frames: Float64Array, typicalMs: number): HealthSentence | undefined {
  const oddCount = frames.filter((ms) => Math.abs(ms - typicalMs) > typicalMs * 0.4).length;
  if (oddCount / frames.length < 0.05) return undefined;
  const [shortest, longest] = [frames[0] ?? typicalMs, frames.at(-1) ?? typicalMs];
  const range = `between ${Math.round(1000 / longest)} and ${Math.round(1000 / shortest)} frames a second`;
  return info("irregular_frame_rate", `The frame rate varies ${range}; set a constant one for smooth playback.`);
}

function changed(before: MediaFormat | undefined, after: MediaFormat | undefined): boolean {
  return before && after ? !sameFormat(before, after) : before !== after;
}

function changedAudio(before: Period, after: Period): boolean {
  return changed(before.audio?.format, after.audio?.format);
}

function problem(code: HealthCode, message: string): HealthSentence {
  return { code, severity: "error", message };
}

function warning(code: HealthCode, message: string): HealthSentence {
  return { code, severity: "warning", message };
}

function info(code: HealthCode, message: string): HealthSentence {
  return { code, severity: "info", message };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function shortSeconds(ms: number): string {
  return `${ms / 1000} s`;
}

function megabits(bps: number): string {
  return (bps / 1e6).toFixed(1);
}

function times(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}
