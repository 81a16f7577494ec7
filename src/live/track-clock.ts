import { type SilentUnit, silentUnit } from "../media/codecs/silence.ts";
import type { MediaFormat } from "../media/format.ts";
import { msToTicks, rescale, type Ticks, ticksToMs, VIDEO_TIMESCALE } from "../media/timebase.ts";
import type { SourceUnit } from "./publication.ts";
import type { Track, Unit } from "./unit.ts";

/** Where a publisher's clock stands against presentation time: `sourceTicks / timescale` is `presentationMs`. */
export interface ClockAnchor {
  readonly sourceTicks: number;
  readonly timescale: number;
  readonly presentationMs: number;
}

/** Millisecond stamps and small encoder jitter stay below this; beyond it audio really has a hole or an overlap. */
const AUDIO_TOLERANCE_MS = 40;
const DEFAULT_VIDEO_FRAME_MS = 40;

/** Presentation time of a source instant in `toTimescale` ticks. */
export function toPresentation(anchor: ClockAnchor, ticks: number, timescale: number, toTimescale: number): Ticks {
  const originTicks = rescale(anchor.sourceTicks, anchor.timescale, timescale);
  return msToTicks(anchor.presentationMs, toTimescale) + rescale(ticks - originTicks, timescale, toTimescale);
}

/** The timescale that units of this format have in presentation time. */
export function timescaleOf(format: MediaFormat): number {
  return format.kind === "video" ? VIDEO_TIMESCALE : format.sampleRateHz;
}

/**
 * Times the units of one track within one period. Holds one unit back until the next is there, because only then its
 * duration is known: durations add up to decode times exactly, so no playlist ever drifts from the media.
 */
export class TrackClock {
  readonly track: Track;
  readonly #anchor: ClockAnchor;
  /** Added to decode times, taken from composition offsets: makes the first presented frame start the track (CMAF §7.5.17). */
  readonly #reorderShift: Ticks;
  readonly #sampleCount: (data: Uint8Array) => number | undefined;
  readonly #silence: SilentUnit | undefined;
  #held: Omit<Unit, "duration"> | undefined;
  #lastDuration: Ticks;

  constructor(options: {
    track: Track;
    anchor: ClockAnchor;
    reorderShift: Ticks;
    sampleCount: (data: Uint8Array) => number | undefined;
  }) {
    this.track = options.track;
    this.#anchor = options.anchor;
    this.#reorderShift = options.reorderShift;
    this.#sampleCount = options.sampleCount;
    const { format } = options.track;
    this.#silence = format.kind === "audio" ? silentUnit(format) : undefined;
    this.#lastDuration =
      options.track.format.kind === "audio"
        ? (options.track.format.samplesPerUnit ?? msToTicks(20, options.track.timescale))
        : msToTicks(DEFAULT_VIDEO_FRAME_MS, options.track.timescale);
  }

  /** Takes the next unit; gives those before it, now complete. Units that lie before what was given are dropped. */
  push(source: SourceUnit, arrivedAtMs: number): Unit[] {
    const filled = source.kind === "audio" ? this.#fillBefore(source, arrivedAtMs) : [];
    const next = this.#place(source, arrivedAtMs);
    return next ? [...filled, ...this.#hold(next)] : filled;
  }

  /** Whether silence can stand in for units that are missing. */
  get canFill(): boolean {
    return this.#silence !== undefined;
  }

  /** Fills with whole units of silence up to `untilMs` of presentation time; from the start of the period when nothing came yet. */
  fill(untilMs: number, arrivedAtMs: number): Unit[] {
    const silence = this.#silence;
    if (!silence) return [];
    const { track } = this;
    const untilTicks = msToTicks(untilMs, track.timescale);
    const units: Unit[] = [];
    let dts = this.endTicks ?? msToTicks(this.#anchor.presentationMs, track.timescale);
    for (; dts + silence.sampleCount <= untilTicks; dts += silence.sampleCount) {
      this.#lastDuration = silence.sampleCount;
      units.push(...this.#hold({ track, dts, cts: 0, isKey: true, data: silence.data, arrivedAtMs, isFill: true }));
    }
    return units;
  }

  /** Gives the held unit with the duration that is likeliest; the track is over. */
  flush(): Unit | undefined {
    const held = this.#held;
    this.#held = undefined;
    return held && { ...held, duration: this.#durationOf(held) };
  }

  /** First instant after everything taken so far; undefined before the first unit. */
  get endTicks(): Ticks | undefined {
    return this.#held && this.#held.dts + this.#durationOf(this.#held);
  }

  /** First presentation instant after everything taken so far, in ms; the period's first before any unit. */
  get endMs(): number {
    return this.endTicks === undefined ? this.#anchor.presentationMs : ticksToMs(this.endTicks, this.track.timescale);
  }

  /** How far behind the end of what was taken an audio unit is stamped, in ms; 0 when it follows closely, or is the first. */
  holeMs(source: SourceUnit): number {
    const expected = this.endTicks;
    if (expected === undefined) return 0;
    const stamped = toPresentation(this.#anchor, source.dts, source.timescale, this.track.timescale);
    return stamped - expected > this.#tolerance ? ticksToMs(stamped - expected, this.track.timescale) : 0;
  }

  #fillBefore(source: SourceUnit, arrivedAtMs: number): Unit[] {
    const holeMs = this.holeMs(source);
    return holeMs > 0 ? this.fill(this.endMs + holeMs, arrivedAtMs) : [];
  }

  #hold(next: Omit<Unit, "duration">): Unit[] {
    const done = this.#complete(next.dts);
    this.#held = next;
    return done ? [done] : [];
  }

  #place(source: SourceUnit, arrivedAtMs: number): Omit<Unit, "duration"> | undefined {
    const { track } = this;
    const stamped = toPresentation(this.#anchor, source.dts, source.timescale, track.timescale) + this.#reorderShift;
    const pts = toPresentation(this.#anchor, source.dts + source.cts, source.timescale, track.timescale);
    const dts = source.kind === "audio" ? this.#smoothAudio(stamped) : this.#riseVideo(stamped);
    if (dts === undefined) return undefined;
    const cts = source.kind === "audio" ? 0 : pts - dts;
    return { track, dts, cts, isKey: source.isKey || source.kind === "audio", data: source.data, arrivedAtMs };
  }

  /** Audio runs on its sample count; stamps only decide when they differ by more than jitter. */
  #smoothAudio(stamped: Ticks): Ticks | undefined {
    const expected = this.endTicks;
    if (expected === undefined) return stamped;
    if (Math.abs(stamped - expected) <= this.#tolerance) return expected;
    return stamped > expected ? stamped : undefined;
  }

  get #tolerance(): Ticks {
    const unit = this.#held ? this.#durationOf(this.#held) : 0;
    return Math.max(msToTicks(AUDIO_TOLERANCE_MS, this.track.timescale), unit * 1.5);
  }

  /** Decode times that stand still or step back a little are nudged forward; presentation times stay. */
  #riseVideo(stamped: Ticks): Ticks {
    return this.#held && stamped <= this.#held.dts ? this.#held.dts + 1 : stamped;
  }

  #complete(nextDts: Ticks): Unit | undefined {
    const held = this.#held;
    if (!held) return undefined;
    const duration = nextDts - held.dts;
    this.#lastDuration = duration;
    return { ...held, duration };
  }

  #durationOf(held: Omit<Unit, "duration">): Ticks {
    if (this.track.format.kind === "video") return this.#lastDuration;
    return this.track.format.samplesPerUnit ?? this.#sampleCount(held.data) ?? this.#lastDuration;
  }
}
