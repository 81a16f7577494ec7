import type { MediaFormat } from "../media/format.ts";
import { ticksToMs } from "../media/timebase.ts";
import { BitrateMeter } from "./bitrate-meter.ts";
import { FrameRateMeter } from "./frame-rate-meter.ts";
import { iframesOf } from "./iframes.ts";
import type { InitSegment, MeasuredBitrate, Rendition, Segment, ShownPeriod, StoredTraits } from "./presentation.ts";
import { segmentObjectName } from "./stored-names.ts";
import type { StoredHeader, StoredOpening, StoredRendition, StoredSegment } from "./stored-rendition.ts";

/** The one period of a video that was not live. It has no wall clock: what would stand on one is left out of playlists. */
const STORED_PERIOD: ShownPeriod = { index: 0, video: undefined, audio: undefined, startMs: 0, wallZeroMs: 0 };

const FIRST_MSN = 1;
const NO_PARTS: readonly never[] = [];

/** One rendition of a stored video as playlists see it. It only grows; each segment is measured and named once. */
export class StoredTrack implements Rendition {
  readonly id: string;
  readonly kind: "video" | "audio";
  readonly origin: "source" | "rung";
  readonly segments: Segment[] = [];
  /** Those that its segments belong to, in order. */
  readonly periods: ShownPeriod[] = [];
  readonly discontinuitySequence = 0;
  readonly #epoch: string;
  readonly #bitrate: BitrateMeter;
  readonly #iframeBitrate: BitrateMeter;
  readonly #inits = new Map<string, InitSegment>();
  #frameRate: FrameRateMeter;
  /** In force for the segments that come next. */
  #init: InitSegment;
  #period: ShownPeriod = STORED_PERIOD;
  #audioRenditionId: string | undefined;
  #traits: StoredTraits;
  #nextIframeMsn = FIRST_MSN;
  #isIndependent = true;
  #longestSegmentMs = 0;

  /** `place`: a number that no other rendition of the video has. `targetDurationMs`: EXT-X-TARGETDURATION, by which HLS measures. */
  constructor(rendition: StoredRendition, place: number, targetDurationMs: number) {
    const { id, kind, origin, format, epoch } = rendition;
    this.id = id;
    this.kind = kind;
    this.origin = origin;
    this.#epoch = epoch;
    this.#init = this.#addInit(rendition);
    this.#bitrate = new BitrateMeter(targetDurationMs);
    this.#iframeBitrate = new BitrateMeter(targetDurationMs);
    this.#frameRate = frameRateMeter(format);
    this.#audioRenditionId = rendition.audioRenditionId;
    this.#traits = traitsOf(rendition, place);
    this.advance(rendition, place);
  }

  get stored(): StoredTraits {
    return this.#traits;
  }

  get format(): MediaFormat {
    return this.#init.format;
  }

  get timescale(): number {
    return this.#init.timescale;
  }

  /** What segments are decoded by, by its public name; undefined when none is called that. */
  init(name: string): InitSegment | undefined {
    return this.#inits.get(name);
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
    if (!last) return 0;
    const { period, init } = last;
    return (period.placeMs ?? period.startMs) - period.startMs + ticksToMs(last.start + last.duration, init.timescale);
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

  #addInit({ format, timescale, initBytes: bytes }: StoredHeader): InitSegment {
    const name = `${this.#epoch}-${this.segments.length + FIRST_MSN}.init.mp4`;
    const init = { name, format, timescale, bytes };
    this.#inits.set(name, init);
    return init;
  }

  #open({ period, header }: StoredOpening): void {
    this.#period = period;
    if (!header) return;
    this.#init = this.#addInit(header);
    this.#frameRate = frameRateMeter(header.format);
  }

  #add(stored: StoredSegment): void {
    const msn = this.segments.length + FIRST_MSN;
    if (stored.opens) this.#open(stored.opens);
    if (this.periods.at(-1) !== this.#period) this.periods.push(this.#period);
    const isGap = stored.isGap ?? false;
    const segment: Segment = {
      name: segmentObjectName(this.#epoch, msn),
      msn,
      iframeMsn: this.#nextIframeMsn,
      period: this.#period,
      init: this.#init,
      start: stored.start,
      duration: stored.duration,
      parts: NO_PARTS,
      byteLength: stored.byteLength,
      frameCount: stored.frameCount,
      isComplete: true,
      isIndependent: !isGap && (this.kind === "audio" || stored.keyFrames[0]?.start === stored.start),
      isGap,
      isDiscontinuity: stored.opens?.isDiscontinuity ?? false,
      arrivedAtMs: 0,
      stored,
    };
    this.segments.push(segment);
    this.#isIndependent &&= isGap || segment.isIndependent;
    this.#measure(segment, stored);
  }

  #measure(segment: Segment, { byteLength, duration, frameCount }: StoredSegment): void {
    const durationMs = ticksToMs(duration, this.timescale);
    this.#longestSegmentMs = Math.max(this.#longestSegmentMs, durationMs);
    if (!segment.isGap) this.#bitrate.add(durationMs, byteLength);
    if (this.kind === "audio") return;
    if (!segment.isGap) this.#frameRate.add(frameCount, durationMs / 1000);
    for (const iframe of iframesOf(segment)) {
      this.#nextIframeMsn++;
      if (iframe.range) this.#iframeBitrate.add(ticksToMs(iframe.duration, this.timescale), iframe.range.length);
    }
  }
}

function frameRateMeter(format: MediaFormat): FrameRateMeter {
  const declared = format.kind === "video" ? format.frameRate : undefined;
  return new FrameRateMeter(declared && declared.numerator / declared.denominator);
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
