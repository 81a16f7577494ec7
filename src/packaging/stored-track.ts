import type { Period } from "../live/unit.ts";
import type { MediaFormat } from "../media/format.ts";
import { ticksToMs } from "../media/timebase.ts";
import { BitrateMeter } from "./bitrate-meter.ts";
import { FrameRateMeter } from "./frame-rate-meter.ts";
import { iframesOf } from "./iframes.ts";
import type { InitSegment, MeasuredBitrate, Rendition, Segment, StoredTraits } from "./presentation.ts";
import { segmentObjectName } from "./stored-names.ts";
import type { StoredRendition, StoredSegment } from "./stored-rendition.ts";

/** The one period of a stored video. It has no wall clock: what would stand on one is left out of playlists. */
export const STORED_PERIOD: Period = { index: 0, video: undefined, audio: undefined, startMs: 0, wallZeroMs: 0 };

const FIRST_MSN = 1;
const NO_PARTS: readonly never[] = [];

/** One rendition of a stored video as playlists see it. It only grows; each segment is measured and named once. */
export class StoredTrack implements Rendition {
  readonly id: string;
  readonly kind: "video" | "audio";
  readonly origin: "source" | "rung";
  readonly format: MediaFormat;
  readonly timescale: number;
  readonly init: InitSegment;
  readonly segments: Segment[] = [];
  readonly discontinuitySequence = 0;
  readonly #epoch: string;
  readonly #bitrate: BitrateMeter;
  readonly #iframeBitrate: BitrateMeter;
  readonly #frameRate: FrameRateMeter;
  #audioRenditionId: string | undefined;
  #traits: StoredTraits;
  #nextIframeMsn = FIRST_MSN;
  #isIndependent = true;
  #longestSegmentMs = 0;

  /** `place`: a number that no other rendition of the video has. `targetDurationMs`: EXT-X-TARGETDURATION, by which HLS measures. */
  constructor(rendition: StoredRendition, place: number, targetDurationMs: number) {
    const { id, kind, origin, format, timescale, epoch } = rendition;
    this.id = id;
    this.kind = kind;
    this.origin = origin;
    this.format = format;
    this.timescale = timescale;
    this.init = { name: `${epoch}-${FIRST_MSN}.init.mp4`, format, timescale, bytes: rendition.initBytes };
    this.#epoch = epoch;
    this.#bitrate = new BitrateMeter(targetDurationMs);
    this.#iframeBitrate = new BitrateMeter(targetDurationMs);
    const declared = format.kind === "video" ? format.frameRate : undefined;
    this.#frameRate = new FrameRateMeter(declared && declared.numerator / declared.denominator);
    this.#audioRenditionId = rendition.audioRenditionId;
    this.#traits = traitsOf(rendition, place);
    this.advance(rendition, place);
  }

  get stored(): StoredTraits {
    return this.#traits;
  }

  get audioRenditionId(): string | undefined {
    return this.#audioRenditionId;
  }

  get bitrate(): MeasuredBitrate {
    return this.#bitrate.bitrate;
  }

  get iframeBitrate(): MeasuredBitrate | undefined {
    const { bitrate } = this.#iframeBitrate;
    return bitrate.peakBps > 0 ? bitrate : undefined;
  }

  get frameRate(): number | undefined {
    return this.kind === "video" ? this.#frameRate.framesPerSecond : undefined;
  }

  get nextPart(): Rendition["nextPart"] {
    const msn = this.segments.length + FIRST_MSN;
    return { msn, index: 0, name: segmentObjectName(this.#epoch, msn) };
  }

  /** Every segment so far begins with a picture that needs no other. */
  get isIndependent(): boolean {
    return this.#isIndependent;
  }

  /** A picture may stand for longer than a segment should be. */
  get longestSegmentMs(): number {
    return this.#longestSegmentMs;
  }

  /** Where what is there ends, in ms since presentation zero. */
  get endMs(): number {
    const last = this.segments.at(-1);
    return last ? ticksToMs(last.start + last.duration, this.timescale) : 0;
  }

  /** Whether `rendition` is this one, as far as before or further. */
  isContinuedBy({ epoch, segments }: StoredRendition): boolean {
    return epoch === this.#epoch && segments.length >= this.segments.length;
  }

  /** Takes in what has come since. Only of a rendition that continues this one. */
  advance(rendition: StoredRendition, place: number): void {
    this.#audioRenditionId = rendition.audioRenditionId;
    this.#traits = traitsOf(rendition, place);
    for (const stored of rendition.segments.slice(this.segments.length)) this.#add(stored);
  }

  #add(stored: StoredSegment): void {
    const msn = this.segments.length + FIRST_MSN;
    const segment: Segment = {
      name: segmentObjectName(this.#epoch, msn),
      msn,
      iframeMsn: this.#nextIframeMsn,
      period: STORED_PERIOD,
      init: this.init,
      start: stored.start,
      duration: stored.duration,
      parts: NO_PARTS,
      byteLength: stored.byteLength,
      isComplete: true,
      isIndependent: this.kind === "audio" || stored.keyFrames[0]?.start === stored.start,
      isGap: false,
      isDiscontinuity: false,
      arrivedAtMs: 0,
      stored,
    };
    this.segments.push(segment);
    this.#isIndependent &&= segment.isIndependent;
    this.#measure(segment, stored);
  }

  #measure(segment: Segment, { byteLength, duration, frameCount }: StoredSegment): void {
    const durationMs = ticksToMs(duration, this.timescale);
    this.#longestSegmentMs = Math.max(this.#longestSegmentMs, durationMs);
    this.#bitrate.add(durationMs, byteLength);
    if (this.kind === "audio") return;
    this.#frameRate.add(frameCount, durationMs / 1000);
    for (const iframe of iframesOf(segment)) {
      this.#nextIframeMsn++;
      if (iframe.range) this.#iframeBitrate.add(ticksToMs(iframe.duration, this.timescale), iframe.range.length);
    }
  }
}

function traitsOf(rendition: StoredRendition, place: number): StoredTraits {
  const { epoch, isComplete, leadTicks, language = "und", label = "" } = rendition;
  return { epoch, isComplete, place, leadTicks, language, label: plainText(label) || "Audio" };
}

/** Text from outside that can stand in an attribute of a playlist: on one line, with no quotation mark in it. */
export function plainText(text: string): string {
  return text
    .replace(/[\p{Cc}\ufffe\uffff]+/gu, " ")
    .replaceAll('"', "'")
    .toWellFormed()
    .trim();
}
