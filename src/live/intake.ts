import type { Clock } from "../core/clock.ts";
import { type AudioFormat, type MediaFormat, sameFormat, type VideoFormat } from "../media/format.ts";
import { PRESENTATION_START_MS, ticksToMs } from "../media/timebase.ts";
import { ClockDrift } from "./clock-drift.ts";
import type { SourceUnit } from "./publication.ts";
import { type ClockAnchor, TrackClock, timescaleOf, toPresentation } from "./track-clock.ts";
import type { AudioTrack, LiveReader, Period, Track, Unit, VideoTrack } from "./unit.ts";

/** How long the start waits for a medium that was announced, or may yet come, in media time. */
const START_WAIT_MS = 1000;
/** A step of a publisher's clock beyond these is a jump, not jitter or a slow frame. */
const FORWARD_JUMP_MS = 3000;
const BACKWARD_JUMP_MS = 1000;
/** What rounding to the ticks of a track may take from a time. */
const ROUNDING_MS = 1;
/** Bounds of what waits for a period to begin: 16 MB, or 2,000 units. */
const MAX_WAITING_BYTES = 16 << 20;
const MAX_WAITING_UNITS = 2000;

interface Waiting {
  readonly unit: SourceUnit;
  readonly arrivedAtMs: number;
}

interface OpenPeriod {
  readonly period: Period;
  readonly anchor: ClockAnchor;
  readonly video: TrackClock | undefined;
  readonly audio: TrackClock | undefined;
  readonly drift: ClockDrift;
  /** What the period took last, by medium: a jump is measured from there. */
  readonly last: { video?: SourceUnit; audio?: SourceUnit };
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
 * next one: a change of format, a track that joins late, a jump of the clock, a publisher that returns.
 */
export class Intake {
  readonly #options: IntakeOptions;
  #video: VideoFormat | undefined;
  #audio: AudioFormat | undefined;
  #expected: { video: boolean; audio: boolean } | undefined;
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
  expect(media: { video: boolean; audio: boolean }): void {
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

  /** The publisher is gone: what is held comes out, and the next publisher begins a new period. */
  interrupt(): void {
    this.#close();
    this.#dropWaiting();
    this.#video = undefined;
    this.#audio = undefined;
    this.#expected = undefined;
    this.#options.sink.onInterrupted();
  }

  /** No publisher will come any more. */
  end(): void {
    this.#close();
    this.#dropWaiting();
    this.#options.sink.onEnd();
  }

  #formatOf(kind: "video" | "audio"): MediaFormat | undefined {
    return kind === "video" ? this.#video : this.#audio;
  }

  #take({ unit, arrivedAtMs }: Waiting): void {
    if (!this.#formatOf(unit.kind)) return;
    if (this.#open && this.#jumped(this.#open, unit)) this.#close();
    if (!this.#open) this.#wait({ unit, arrivedAtMs });
    else if (this.#changesFormats(this.#open.period)) this.#takeThroughChange(this.#open, unit, arrivedAtMs);
    else if (this.#open.drift.excessMs !== 0 && this.#isStart(unit)) this.#takeUpDrift(this.#open, unit, arrivedAtMs);
    else this.#pass(unit, arrivedAtMs);
  }

  #jumped(open: OpenPeriod, unit: SourceUnit): boolean {
    const last = open.last[unit.kind];
    if (!last) return false;
    const stepMs = ticksToMs(unit.dts, unit.timescale) - ticksToMs(last.dts, last.timescale);
    if (stepMs <= FORWARD_JUMP_MS && stepMs >= -BACKWARD_JUMP_MS) return false;
    this.#options.onTimestampJump?.(stepMs);
    return true;
  }

  #changesFormats(period: Period): boolean {
    return changed(this.#video, period.video) || changed(this.#audio, period.audio);
  }

  /** The old period lasts until a unit comes that can begin the new one; units of a format that is over are dropped. */
  #takeThroughChange(open: OpenPeriod, unit: SourceUnit, arrivedAtMs: number): void {
    if (this.#isStart(unit)) {
      this.#close();
      this.#begin(unit, Math.max(this.#endMs, presentationMs(open, unit)));
      this.#pass(unit, arrivedAtMs);
    } else if (!changed(this.#formatOf(unit.kind), open.period[unit.kind])) {
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
    this.#begin(unit, Math.max(this.#endMs, presentationMs(open, unit) + Math.max(0, Math.round(excessMs))));
    this.#pass(unit, arrivedAtMs);
  }

  /** Whether a period can begin with this unit. */
  #isStart(unit: SourceUnit): boolean {
    return this.#video ? unit.kind === "video" && unit.isKey : true;
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
    if (!this.#waiting.some(({ unit }) => this.#isStart(unit))) return false;
    const { video, audio } = this.#expected ?? { video: true, audio: true };
    const hasAll = (!video || this.#video !== undefined) && (!audio || this.#audio !== undefined);
    return hasAll || this.#waitedMs() >= START_WAIT_MS;
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
    const video = this.#video && { timescale: timescaleOf(this.#video), format: this.#video };
    const audio = this.#audio && { timescale: timescaleOf(this.#audio), format: this.#audio };
    const period: Period = {
      index: this.#periodCount++,
      video: video satisfies VideoTrack | undefined,
      audio: audio satisfies AudioTrack | undefined,
      startMs,
      wallZeroMs: this.#wallZeroMs ?? 0,
    };
    const reorderShift = video ? Math.round((first.cts * video.timescale) / first.timescale) : 0;
    this.#open = {
      period,
      anchor,
      video: video && this.#clockFor(video, anchor, reorderShift),
      audio: audio && this.#clockFor(audio, anchor, 0),
      drift: new ClockDrift(this.#options.clock.monotonicMs()),
      last: {},
    };
    this.#options.sink.onPeriod(period);
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
      arrivedAtMs - open.period.wallZeroMs - presentationMs(open, unit),
      this.#options.clock.monotonicMs(),
    );
    this.#emit(clock.push(unit, arrivedAtMs));
  }

  /** Audio from before the period's first frame, or strayed in from a clock that the video has left. */
  #isOutsidePeriod(unit: SourceUnit, open: OpenPeriod, clock: TrackClock): boolean {
    if (clock.endTicks !== undefined) return false;
    const atMs = ticksToMs(
      toPresentation(open.anchor, unit.dts, unit.timescale, clock.track.timescale),
      clock.track.timescale,
    );
    const videoEndTicks = open.video?.endTicks;
    const videoEndMs =
      open.video && videoEndTicks !== undefined
        ? ticksToMs(videoEndTicks, open.video.track.timescale)
        : open.period.startMs;
    return atMs < open.period.startMs - ROUNDING_MS || atMs > videoEndMs + FORWARD_JUMP_MS;
  }

  #emit(unit: Unit | undefined): void {
    if (unit) this.#options.sink.onUnit(unit);
  }

  #close(): void {
    const open = this.#open;
    if (!open) return;
    this.#open = undefined;
    for (const clock of [open.video, open.audio]) {
      const endTicks = clock?.endTicks;
      if (!clock || endTicks === undefined) continue;
      this.#endMs = Math.max(this.#endMs, Math.ceil(ticksToMs(endTicks, clock.track.timescale)));
      this.#emit(clock.flush());
    }
  }
}

/** Where a source unit stands on the presentation timeline. */
function presentationMs({ anchor }: OpenPeriod, { dts, cts, timescale }: SourceUnit): number {
  return ticksToMs(toPresentation(anchor, dts + cts, timescale, timescale), timescale);
}

function changed(now: MediaFormat | undefined, track: Track | undefined): boolean {
  if (!now || !track) return now !== undefined;
  return !sameFormat(now, track.format);
}
