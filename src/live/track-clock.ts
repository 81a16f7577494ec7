import type { MediaFormat } from "../media/format.ts";
import { msToTicks, rescale, type Ticks, VIDEO_TIMESCALE } from "../media/timebase.ts";
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
    this.#lastDuration =
      options.track.format.kind === "audio"
        ? (options.track.format.samplesPerUnit ?? msToTicks(20, options.track.timescale))
        : msToTicks(DEFAULT_VIDEO_FRAME_MS, options.track.timescale);
  }

  /** Takes the next unit; gives the one before it, now complete. Units that lie before what was given are dropped. */
  push(source: SourceUnit, arrivedAtMs: number): Unit | undefined {
    const next = this.#place(source, arrivedAtMs);
    if (!next) return undefined;
    const done = this.#complete(next.dts);
    this.#held = next;
    return done;
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
    const tolerance = Math.max(
      msToTicks(AUDIO_TOLERANCE_MS, this.track.timescale),
      this.#held ? this.#durationOf(this.#held) * 1.5 : 0,
    );
    if (Math.abs(stamped - expected) <= tolerance) return expected;
    return stamped > expected ? stamped : undefined;
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
