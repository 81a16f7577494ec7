import type { Clock } from "../core/clock.ts";
import { silentUnit } from "../media/codecs/silence.ts";
import { type AudioFormat, type MediaFormat, sameFormat, type VideoFormat } from "../media/format.ts";
import { PRESENTATION_START_MS, ticksToMs } from "../media/timebase.ts";
import { ClockDrift } from "./clock-drift.ts";
import type { ExpectedMedia, SourceUnit } from "./publication.ts";
import { SourceBitrates } from "./source-bitrates.ts";
import { type ClockAnchor, TrackClock, timescaleOf, toPresentation } from "./track-clock.ts";
import type { AudioTrack, LiveReader, Period, Track, Unit, VideoTrack } from "./unit.ts";

/** How long the start waits for a medium that may yet come, in media time. */
const START_WAIT_MS = 1000;
/** And for video that was announced: a player that began with audio alone does not take pictures in later. */
const VIDEO_WAIT_MS = 5000;
/** A medium that has stopped for so long while the other went on is gone until it comes again. */
const GONE_AFTER_MS = 5000;
/** So much less audio than video, and silence is heard in its place. Encoders interleave by less. */
const SILENCE_AFTER_MS = 3000;
/** A hole in audio that cannot be filled: above it the unit before would last longer than a part. */
const MAX_STRETCH_MS = 100;
/** A step of a publisher's clock beyond these is a jump, not jitter or a slow frame. */
const FORWARD_JUMP_MS = 3000;
const BACKWARD_JUMP_MS = 1000;
/** Small steps back add up to a jump, unless they are less than this share of the time that went on. */
const FORGIVEN_SHARE = 0.05;
/** What rounding to the ticks of a track may take from a time. */
const ROUNDING_MS = 1;
/** Bounds of what waits for a period to begin: 16 MB, or 2,000 units. */
const MAX_WAITING_BYTES = 16 << 20;
const MAX_WAITING_UNITS = 2000;

interface Waiting {
  readonly unit: SourceUnit;
  readonly arrivedAtMs: number;
}

type Kind = SourceUnit["kind"];

interface OpenPeriod {
  readonly period: Period;
  readonly anchor: ClockAnchor;
  readonly video: TrackClock | undefined;
  readonly audio: TrackClock | undefined;
  readonly drift: ClockDrift;
  /** What the period took last, by medium: a jump is measured from there. */
  readonly last: { video?: SourceUnit; audio?: SourceUnit };
  /** What its clock has stepped back, and not made good since. */
  readonly slippedMs: { video: number; audio: number };
  /** Silence is made for as long as no audio comes. */
  isSilent: boolean;
  /** Audio has a hole that cannot be filled: none is taken before the next period. */
  isAudioBroken: boolean;
}

export interface IntakeOptions {
  readonly clock: Clock;
  readonly sink: LiveReader;
  /** PCM samples in one access unit of a format whose units differ in length; undefined when it cannot tell. */
  readonly sampleCount: (format: AudioFormat, data: Uint8Array) => number | undefined;
  /** Told when a publisher's clock jumps, in ms and with sign, for the stream's health. */
  readonly onTimestampJump?: (jumpMs: number) => void;
}

/**
 * Turns what publishers send into periods of units on one presentation timeline. A period begins with a video key frame
 * (with any audio unit when there is no video), has constant formats and unbroken time; whatever breaks that begins the
 * next one: a change of format, a track that joins late or leaves, a jump of the clock, a publisher that returns. Audio
 * that a stream has had and that is missing is filled with silence where its format allows it (docs/adr/0023).
 */
export class Intake {
  readonly #options: IntakeOptions;
  #video: VideoFormat | undefined;
  #audio: AudioFormat | undefined;
  #expected: ExpectedMedia | undefined;
  /** Media that were announced and do not come, or come no more. */
  readonly #gone = new Set<Kind>();
  /** What silence is written in when a publisher brings no audio. */
  #silentFormat: AudioFormat | undefined;
  readonly #bitrates = new SourceBitrates();
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #open: OpenPeriod | undefined;
  #periodCount = 0;
  #wallZeroMs: number | undefined;
  #endMs = PRESENTATION_START_MS;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Which media the publisher announces; the start waits for them. */
  expect(media: ExpectedMedia): void {
    this.#expected = media;
  }

  /** The format of the units that follow. The period goes on until a unit of the new format can begin another. */
  setFormat(format: MediaFormat): void {
    if (format.kind === "video") this.#video = format;
    else this.#audio = format;
  }

  /** Takes one unit; whatever became complete goes to the sink at once. */
  write(unit: SourceUnit): void {
    this.#take({ unit, arrivedAtMs: this.#options.clock.nowMs() });
  }

  /** Presentation time up to `untilMs` is over: the next period begins there, or later. */
  passTime(untilMs: number): void {
    this.#endMs = Math.max(this.#endMs, Math.ceil(untilMs));
  }

  /** The publisher is gone: what is held comes out, and the next publisher begins a new period. */
  interrupt(): void {
    this.#close();
    this.#dropWaiting();
    this.#video = undefined;
    this.#audio = undefined;
    this.#expected = undefined;
    this.#gone.clear();
    this.#options.sink.onInterrupted();
  }

  /** No publisher will come any more. */
  end(): void {
    this.#close();
    this.#dropWaiting();
    this.#options.sink.onEnd();
  }

  get #videoInForce(): VideoFormat | undefined {
    return this.#gone.has("video") ? undefined : this.#video;
  }

  get #audioInForce(): AudioFormat | undefined {
    return this.#gone.has("audio") ? undefined : this.#audio;
  }

  #formatInForce(kind: Kind): MediaFormat | undefined {
    return kind === "video" ? this.#videoInForce : this.#audioInForce;
  }

  #take({ unit, arrivedAtMs }: Waiting): void {
    this.#gone.delete(unit.kind);
    if (!this.#formatInForce(unit.kind)) return;
    if (this.#open && this.#jumped(this.#open, unit)) this.#close();
    const open = this.#open;
    if (!open) {
      this.#wait({ unit, arrivedAtMs });
      return;
    }
    if (unit.kind === "audio" && leavesHole(open, unit)) open.isAudioBroken = true;
    this.#noteGone(open, unit);
    if (this.#needsNewPeriod(open)) this.#takeThroughChange(open, unit, arrivedAtMs);
    else if (open.drift.excessMs !== 0 && this.#isStart(unit)) this.#takeUpDrift(open, unit, arrivedAtMs);
    else this.#pass(unit, arrivedAtMs);
  }

  #jumped(open: OpenPeriod, unit: SourceUnit): boolean {
    const stepMs = stepOf(open, unit);
    if (stepMs === undefined) return false;
    const slipMs = stepMs < 0 ? -stepMs : -stepMs * FORGIVEN_SHARE;
    const slippedMs = Math.max(0, open.slippedMs[unit.kind] + slipMs);
    open.slippedMs[unit.kind] = slippedMs;
    if (stepMs <= FORWARD_JUMP_MS && slippedMs <= BACKWARD_JUMP_MS) return false;
    this.#options.onTimestampJump?.(stepMs < 0 ? -slippedMs : stepMs);
    return true;
  }

  /** Notes that the other medium has not come for long. Without audio a period can only go on from a key frame. */
  #noteGone({ video, audio, anchor, last }: OpenPeriod, unit: SourceUnit): void {
    const other = unit.kind === "video" ? audio : video;
    if (!last[unit.kind] || !other || other.canFill || !(unit.kind === "audio" || unit.isKey)) return;
    if (presentationMs(anchor, unit) - other.endMs > GONE_AFTER_MS) this.#gone.add(other.track.format.kind);
  }

  #needsNewPeriod({ period, isAudioBroken }: OpenPeriod): boolean {
    if (isAudioBroken || changed(this.#videoInForce, period.video) || changed(this.#audioInForce, period.audio))
      return true;
    return (
      (this.#gone.has("video") && period.video !== undefined) || (this.#gone.has("audio") && period.audio !== undefined)
    );
  }

  /** The old period lasts until a unit comes that can begin the new one; units that belong to neither are dropped. */
  #takeThroughChange(open: OpenPeriod, unit: SourceUnit, arrivedAtMs: number): void {
    if (this.#isStart(unit)) {
      this.#close();
      this.#begin(unit, Math.max(this.#endMs, presentationMs(open.anchor, unit)));
      this.#pass(unit, arrivedAtMs);
    } else if (!changed(this.#formatInForce(unit.kind), open.period[unit.kind])) {
      this.#pass(unit, arrivedAtMs);
    }
  }

  /**
   * The publisher's clock and ours have come apart: the new period stands where the wall clock does. Media that have
   * fallen behind leave time out; media that ran ahead cannot go back, so presentation zero moves instead.
   */
  #takeUpDrift(open: OpenPeriod, unit: SourceUnit, arrivedAtMs: number): void {
    const { excessMs } = open.drift;
    this.#close();
    if (excessMs < 0 && this.#wallZeroMs !== undefined) this.#wallZeroMs += excessMs;
    this.#begin(unit, Math.max(this.#endMs, presentationMs(open.anchor, unit) + Math.max(0, Math.round(excessMs))));
    this.#pass(unit, arrivedAtMs);
  }

  /** Whether a period can begin with this unit. */
  #isStart(unit: SourceUnit): boolean {
    return this.#videoInForce ? unit.kind === "video" && unit.isKey : true;
  }

  #wait(entry: Waiting): void {
    this.#waiting.push(entry);
    this.#waitingBytes += entry.unit.data.byteLength;
    if (this.#canBegin()) this.#beginFromWaiting();
    while (this.#waitingBytes > MAX_WAITING_BYTES || this.#waiting.length > MAX_WAITING_UNITS) this.#dropOldest();
  }

  #dropOldest(): void {
    this.#waitingBytes -= this.#waiting.shift()?.unit.data.byteLength ?? 0;
  }

  #dropWaiting(): void {
    this.#waiting = [];
    this.#waitingBytes = 0;
  }

  #canBegin(): boolean {
    const waitedMs = this.#waitedMs();
    // A configuration came, but no picture: audio begins alone.
    const isVideoComing = this.#waiting.some(({ unit }) => unit.kind === "video");
    if (this.#video && !isVideoComing && waitedMs >= VIDEO_WAIT_MS) this.#gone.add("video");
    if (!this.#waiting.some(({ unit }) => this.#isStart(unit))) return false;
    const isVideoMissing = this.#video === undefined && this.#expected?.video === true;
    const { video, audio } = this.#expected ?? { video: true, audio: true };
    const hasAll = (!video || this.#video !== undefined) && (!audio || this.#audio !== undefined);
    return hasAll || waitedMs >= (isVideoMissing ? VIDEO_WAIT_MS : START_WAIT_MS);
  }

  /** The longest time that one medium has run while the start waited. */
  #waitedMs(): number {
    const spanOf = (kind: "video" | "audio") => {
      const units = this.#waiting.filter(({ unit }) => unit.kind === kind);
      const [first, last] = [units[0]?.unit, units.at(-1)?.unit];
      return first && last ? ticksToMs(last.dts, last.timescale) - ticksToMs(first.dts, first.timescale) : 0;
    };
    return Math.max(spanOf("video"), spanOf("audio"));
  }

  #beginFromWaiting(): void {
    const waiting = this.#waiting;
    this.#dropWaiting();
    const firstIndex = waiting.findIndex(({ unit }) => this.#isStart(unit));
    const first = waiting[firstIndex];
    if (!first) return;
    this.#wallZeroMs ??= first.arrivedAtMs - PRESENTATION_START_MS;
    this.#begin(first.unit, Math.max(this.#endMs, Math.floor(first.arrivedAtMs - this.#wallZeroMs)));
    for (const [index, entry] of waiting.entries()) {
      if (entry.unit.kind === "audio" || index >= firstIndex) this.#take(entry);
    }
  }

  /** Opens the period whose first unit is `first`, presented at `startMs`. */
  #begin(first: SourceUnit, startMs: number): void {
    const anchor = { sourceTicks: first.dts + first.cts, timescale: first.timescale, presentationMs: startMs };
    const period: Period = {
      index: this.#periodCount++,
      video: this.#videoTrack(),
      audio: this.#audioTrack(),
      startMs,
      wallZeroMs: this.#wallZeroMs ?? 0,
    };
    const { video, audio } = period;
    const reorderShift = video ? Math.round((first.cts * video.timescale) / first.timescale) : 0;
    this.#open = {
      period,
      anchor,
      video: video && this.#clockFor(video, anchor, reorderShift),
      audio: audio && this.#clockFor(audio, anchor, 0),
      drift: new ClockDrift(this.#options.clock.monotonicMs()),
      last: {},
      slippedMs: { video: 0, audio: 0 },
      isSilent: this.#audioInForce === undefined,
      isAudioBroken: false,
    };
    this.#options.sink.onPeriod(period);
  }

  #videoTrack(): VideoTrack | undefined {
    const format = this.#videoInForce;
    return format && { timescale: timescaleOf(format), format, sourceBps: this.#bitrates.of(format, this.#expected) };
  }

  /** What the publisher sends; else, beside video, silence in the format that was heard before. */
  #audioTrack(): AudioTrack | undefined {
    const format = this.#audioInForce ?? (this.#videoInForce && this.#silentFormat);
    if (!format) return undefined;
    this.#silentFormat = silentUnit(format) ? format : undefined;
    return { timescale: timescaleOf(format), format, sourceBps: this.#bitrates.of(format, this.#expected) };
  }

  #clockFor(track: Track, anchor: ClockAnchor, reorderShift: number): TrackClock {
    const { format } = track;
    const sampleCount = (data: Uint8Array) =>
      format.kind === "audio" ? this.#options.sampleCount(format, data) : undefined;
    return new TrackClock({ track, anchor, reorderShift, sampleCount });
  }

  #pass(unit: SourceUnit, arrivedAtMs: number): void {
    const open = this.#open;
    const clock = unit.kind === "video" ? open?.video : open?.audio;
    if (!open || !clock) return;
    if (unit.kind === "audio" && this.#isOutsidePeriod(unit, open, clock)) return;
    open.last[unit.kind] = unit;
    open.drift.add(
      arrivedAtMs - open.period.wallZeroMs - presentationMs(open.anchor, unit),
      this.#options.clock.monotonicMs(),
    );
    this.#bitrates.add(clock.track.format, unit);
    this.#emit(clock.push(unit, arrivedAtMs));
    if (unit.kind === "video") this.#fillSilence(open, clock.endMs, arrivedAtMs);
    else open.isSilent = false;
  }

  /** Players of one medium wait for the other: where audio has stopped, silence goes on beside the pictures. */
  #fillSilence(open: OpenPeriod, videoEndMs: number, arrivedAtMs: number): void {
    const { audio } = open;
    if (!audio?.canFill) return;
    open.isSilent ||= videoEndMs - audio.endMs > SILENCE_AFTER_MS;
    if (open.isSilent) this.#emit(audio.fill(videoEndMs, arrivedAtMs));
  }

  /** Audio from before the period's first frame, or strayed in from a clock that the video has left. */
  #isOutsidePeriod(unit: SourceUnit, open: OpenPeriod, clock: TrackClock): boolean {
    if (open.isAudioBroken) return true;
    if (open.last.audio) return false;
    const atMs = ticksToMs(
      toPresentation(open.anchor, unit.dts, unit.timescale, clock.track.timescale),
      clock.track.timescale,
    );
    const videoEndMs = open.video?.endMs ?? open.period.startMs;
    return atMs < open.period.startMs - ROUNDING_MS || atMs > videoEndMs + FORWARD_JUMP_MS;
  }

  #emit(units: readonly Unit[]): void {
    for (const unit of units) this.#options.sink.onUnit(unit);
  }

  #close(): void {
    const open = this.#open;
    if (!open) return;
    this.#open = undefined;
    for (const clock of [open.video, open.audio]) {
      const endTicks = clock?.endTicks;
      if (!clock || endTicks === undefined) continue;
      this.#endMs = Math.max(this.#endMs, Math.ceil(ticksToMs(endTicks, clock.track.timescale)));
      const last = clock.flush();
      if (last) this.#options.sink.onUnit(last);
    }
  }
}

/** Where a source unit stands on the presentation timeline. */
function presentationMs(anchor: ClockAnchor, { dts, cts, timescale }: SourceUnit): number {
  return ticksToMs(toPresentation(anchor, dts + cts, timescale, timescale), timescale);
}

/** How far the publisher's clock went since the medium's last unit; silence that was filled in counts as units. */
function stepOf(open: OpenPeriod, unit: SourceUnit): number | undefined {
  const last = open.last[unit.kind];
  if (!last) return undefined;
  if (unit.kind === "audio" && open.isSilent && open.audio) return presentationMs(open.anchor, unit) - open.audio.endMs;
  return ticksToMs(unit.dts, unit.timescale) - ticksToMs(last.dts, last.timescale);
}

function leavesHole({ audio, last }: OpenPeriod, unit: SourceUnit): boolean {
  return audio !== undefined && !audio.canFill && last.audio !== undefined && audio.holeMs(unit) > MAX_STRETCH_MS;
}

function changed(now: MediaFormat | undefined, track: Track | undefined): boolean {
  if (!now || !track) return now !== undefined;
  return !sameFormat(now, track.format);
}
