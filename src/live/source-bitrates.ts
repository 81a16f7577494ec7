import { type MediaFormat, sameFormat } from "../media/format.ts";
import { ticksToMs } from "../media/timebase.ts";
import type { ExpectedMedia, SourceUnit } from "./publication.ts";

/** Below this, one key frame more or less decides what is measured. */
const MIN_MEASURED_MS = 5000;
/** A longer step is an absence, not a unit. */
const MAX_STEP_MS = 3000;

interface Measured {
  readonly format: MediaFormat;
  bytes: number;
  mediaMs: number;
  last: SourceUnit;
}

/** What is known of a publisher's bit rates when a period begins: what it announces, else what was measured before. */
export class SourceBitrates {
  readonly #measured = new Map<MediaFormat["kind"], Measured>();

  /** Counts a unit of the open period. */
  add(format: MediaFormat, unit: SourceUnit): void {
    const known = this.#measured.get(unit.kind);
    if (!known || !sameFormat(known.format, format)) {
      this.#measured.set(unit.kind, { format, bytes: unit.data.byteLength, mediaMs: 0, last: unit });
      return;
    }
    const stepMs = ticksToMs(unit.dts, unit.timescale) - ticksToMs(known.last.dts, known.last.timescale);
    known.last = unit;
    if (stepMs < 0 || stepMs > MAX_STEP_MS) return;
    known.bytes += unit.data.byteLength;
    known.mediaMs += stepMs;
  }

  /** Bits per second of media in this format; undefined when nobody knows. */
  of(format: MediaFormat, announced: ExpectedMedia | undefined): number | undefined {
    const announcedBps = format.kind === "video" ? announced?.videoBps : announced?.audioBps;
    return announcedBps ?? this.#measuredBps(format);
  }

  #measuredBps(format: MediaFormat): number | undefined {
    const known = this.#measured.get(format.kind);
    if (!known || known.mediaMs < MIN_MEASURED_MS || !sameFormat(known.format, format)) return undefined;
    return Math.round((known.bytes * 8000) / known.mediaMs);
  }
}
