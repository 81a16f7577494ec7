import { unitSampleCount } from "../../media/codecs/unit-samples.ts";
import type { AudioFormat } from "../../media/format.ts";
import { msToTicks, type Ticks, ticksToMs } from "../../media/timebase.ts";
import { Unpackageable } from "./unpackageable.ts";

/** Containers tell times in milliseconds, and what wrote them rounds: less than this is no hole. */
const TOLERANCE_MS = 15;
/** So late sound may begin in a rendition; more is to be filled with silence. */
const MOST_LATE_MS = 100;

/**
 * Tells when each unit of an audio rendition is heard: units follow each other by the samples they hold, not by what a
 * container rounded. Throws Unpackageable where its times and the samples part: sound that is late, missing or doubled.
 */
export class AudioClock {
  readonly #format: AudioFormat;
  #next: Ticks | undefined;

  constructor(format: AudioFormat) {
    this.#format = format;
  }

  /** Where the next unit would begin. */
  get end(): Ticks {
    return this.#next ?? 0;
  }

  /** The start of a unit that its container puts at `pts`, in samples; undefined for one that is heard before zero. */
  place(pts: Ticks, data: Uint8Array): Ticks | undefined {
    const start = this.#next ?? this.#firstStart(pts);
    if (start === undefined) return undefined;
    const driftMs = ticksToMs(pts - start, this.#format.sampleRateHz);
    if (Math.abs(driftMs) > TOLERANCE_MS) {
      const what = driftMs > 0 ? "is missing" : "is told twice";
      const atS = (start / this.#format.sampleRateHz).toFixed(3);
      throw new Unpackageable("AUDIO_HOLES", `${Math.abs(driftMs).toFixed(0)} ms of sound ${what} at ${atS} s`);
    }
    const sampleCount = unitSampleCount(this.#format, data);
    if (!sampleCount) throw new Unpackageable("CODEC", "its units do not tell how long they are");
    this.#next = start + sampleCount;
    return start;
  }

  /** A rounding before zero is zero. */
  #firstStart(pts: Ticks): Ticks | undefined {
    if (pts < -msToTicks(1, this.#format.sampleRateHz)) return undefined;
    const lateMs = ticksToMs(pts, this.#format.sampleRateHz);
    if (lateMs <= MOST_LATE_MS) return Math.max(0, pts);
    throw new Unpackageable("AUDIO_HOLES", `sound begins ${lateMs.toFixed(0)} ms after the picture`);
  }
}
