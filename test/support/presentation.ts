import assert from "node:assert/strict";
import type { Period } from "../../src/live/unit.ts";
import type { AudioFormat, MediaFormat, VideoFormat } from "../../src/media/format.ts";
import { msToTicks, PRESENTATION_START_MS, type Ticks } from "../../src/media/timebase.ts";
import { iframesOf, MAX_IFRAMES_PER_SEGMENT } from "../../src/packaging/iframes.ts";
import {
  completeSegments,
  type InitSegment,
  type MeasuredBitrate,
  type PackagingOptions,
  type Part,
  type Presentation,
  type Rendition,
  type Segment,
} from "../../src/packaging/presentation.ts";

export const H264: VideoFormat = {
  kind: "video",
  codec: "h264",
  config: new Uint8Array(),
  codecString: "avc1.64001f",
  width: 1280,
  height: 720,
  sampleAspect: { width: 1, height: 1 },
  frameRate: { numerator: 25, denominator: 1 },
  colour: undefined,
  bitDepth: 8,
};

export const AAC: AudioFormat = {
  kind: "audio",
  codec: "aac",
  config: new Uint8Array(),
  codecString: "mp4a.40.2",
  sampleRateHz: 48_000,
  channelCount: 2,
  samplesPerUnit: 1024,
};

/** Where the key frame of a part stands that begins with one. */
const KEY_FRAME = { offset: 1, length: 1 };

export interface RenditionScript {
  readonly id: string;
  readonly format: MediaFormat;
  readonly origin?: "source" | "rung";
  readonly audioRenditionId?: string;
  readonly bitrate?: MeasuredBitrate;
  /** Null: no key frame has begun a part. */
  readonly iframeBitrate?: MeasuredBitrate | null;
  readonly frameRate?: number;
}

export interface PresentationScript {
  readonly renditions: readonly RenditionScript[];
  readonly options?: Partial<PackagingOptions>;
  readonly targetDurationS?: number;
  readonly partTargetMs?: number;
  readonly epoch?: string;
  readonly firstMsn?: number;
  readonly wallZeroMs?: number;
  /** Bytes of a part, where a test reads them. */
  readonly partBytes?: (part: Omit<Part, "bytes">, timescale: number) => Uint8Array;
}

export interface PartScript {
  readonly durationMs: number;
  readonly isIndependent?: boolean;
  readonly isGap?: boolean;
}

class ScriptedSegment implements Segment {
  readonly name: string;
  readonly msn: number;
  readonly iframeMsn: number;
  readonly period: Period;
  readonly init: InitSegment;
  readonly start: Ticks;
  readonly isDiscontinuity: boolean;
  readonly isGap: boolean;
  readonly arrivedAtMs: number;
  readonly parts: Part[] = [];
  duration: Ticks = 0;
  isComplete = false;

  constructor(
    fields: Pick<
      Segment,
      "name" | "msn" | "iframeMsn" | "period" | "init" | "start" | "isDiscontinuity" | "isGap" | "arrivedAtMs"
    >,
  ) {
    this.name = fields.name;
    this.msn = fields.msn;
    this.iframeMsn = fields.iframeMsn;
    this.period = fields.period;
    this.init = fields.init;
    this.start = fields.start;
    this.isDiscontinuity = fields.isDiscontinuity;
    this.isGap = fields.isGap;
    this.arrivedAtMs = fields.arrivedAtMs;
  }

  get byteLength(): number {
    return this.parts.reduce((sum, part) => sum + part.bytes.byteLength, 0);
  }

  get frameCount(): number {
    return this.parts.filter((part) => !part.isGap).length;
  }

  get isIndependent(): boolean {
    return this.parts[0]?.isIndependent ?? false;
  }
}

class ScriptedRendition implements Rendition {
  readonly id: string;
  readonly kind: "video" | "audio";
  readonly origin: "source" | "rung";
  readonly bitrate: MeasuredBitrate;
  readonly iframeBitrate: MeasuredBitrate | undefined;
  readonly frameRate: number | undefined;
  readonly audioRenditionId: string | undefined;
  /** Listed or not: what was evicted stays, as an origin keeps it for a while. */
  readonly all: ScriptedSegment[] = [];
  readonly inits: InitSegment[] = [];
  init: InitSegment;
  end: Ticks;
  isPeriodStart = false;
  readonly #presentation: ScriptedPresentation;

  constructor(presentation: ScriptedPresentation, script: RenditionScript) {
    this.#presentation = presentation;
    this.id = script.id;
    this.kind = script.format.kind;
    this.origin = script.origin ?? "source";
    this.bitrate = script.bitrate ?? { peakBps: 1_200_000, averageBps: 1_000_000 };
    const { iframeBitrate = { peakBps: 120_000, averageBps: 100_000 } } = script;
    this.iframeBitrate = this.kind === "video" && iframeBitrate ? iframeBitrate : undefined;
    this.frameRate = script.frameRate ?? (this.kind === "video" ? 25 : undefined);
    this.audioRenditionId = script.audioRenditionId;
    this.init = this.changeInit(script.format);
    this.end = msToTicks(PRESENTATION_START_MS, this.init.timescale);
  }

  get format(): MediaFormat {
    return this.init.format;
  }

  get timescale(): number {
    return this.init.timescale;
  }

  get open(): ScriptedSegment | undefined {
    const newest = this.all.at(-1);
    return newest?.isComplete ? undefined : newest;
  }

  /** The window, and as much more as it takes to list three target durations (HLS §6.2.2). */
  get segments(): readonly ScriptedSegment[] {
    const complete = this.open ? this.all.slice(0, -1) : this.all;
    let listedS = 0;
    let count = 0;
    for (const segment of complete.toReversed()) {
      if (count >= this.#presentation.options.windowSegmentCount && listedS >= 3 * this.#presentation.targetDurationS)
        break;
      listedS += segment.duration / segment.init.timescale;
      count++;
    }
    return this.all.slice(complete.length - count);
  }

  get discontinuitySequence(): number {
    return this.all.slice(0, -this.segments.length || undefined).filter((segment) => segment.isDiscontinuity).length;
  }

  get nextPart() {
    const msn = this.open?.msn ?? this.#nextMsn;
    const index = this.open?.parts.length ?? 0;
    return { msn, index, name: `${this.#presentation.epoch}-${msn}.${index}.m4s` };
  }

  changeInit(format: MediaFormat): InitSegment {
    const name = `${this.#presentation.epoch}-${this.inits.length}.init.mp4`;
    const timescale = format.kind === "audio" ? format.sampleRateHz : 90_000;
    this.init = { name, format, timescale, bytes: new Uint8Array([this.inits.length]) };
    this.inits.push(this.init);
    return this.init;
  }

  openSegment(isGap: boolean): ScriptedSegment {
    const { period, epoch } = this.#presentation;
    const msn = this.#nextMsn;
    const last = this.all.at(-1);
    const segment = new ScriptedSegment({
      name: `${epoch}-${msn}.m4s`,
      msn,
      iframeMsn: last ? last.iframeMsn + iframesOf(last).length : msn * MAX_IFRAMES_PER_SEGMENT,
      period,
      init: this.init,
      start: this.end,
      isDiscontinuity: this.isPeriodStart,
      isGap,
      arrivedAtMs: period.wallZeroMs + (this.end * 1000) / this.timescale,
    });
    this.isPeriodStart = false;
    this.all.push(segment);
    return segment;
  }

  get #nextMsn(): number {
    return (this.all.at(-1)?.msn ?? this.#presentation.firstMsn - 1) + 1;
  }
}

/** A presentation that a test moves by hand: it holds what it is told, and cuts nothing by itself. */
export class ScriptedPresentation implements Presentation {
  readonly epoch: string;
  readonly options: PackagingOptions;
  readonly targetDurationS: number;
  readonly partTargetMs: number;
  readonly renditions: readonly ScriptedRendition[];
  readonly availabilityStartMs: number;
  readonly firstMsn: number;
  isInterrupted = false;
  isEnded = false;
  isIndependent = true;
  period: Period;
  readonly #partBytes: PresentationScript["partBytes"];

  constructor(script: PresentationScript) {
    this.epoch = script.epoch ?? "e0";
    this.options = {
      isLowLatency: true,
      segmentTargetMs: 2000,
      partTargetMs: 500,
      windowSegmentCount: 10,
      ...script.options,
    };
    this.targetDurationS = script.targetDurationS ?? Math.round(this.options.segmentTargetMs / 1000);
    this.partTargetMs = script.partTargetMs ?? (this.options.isLowLatency ? this.options.partTargetMs : Infinity);
    this.firstMsn = script.firstMsn ?? 1;
    this.availabilityStartMs = script.wallZeroMs ?? Date.UTC(2026, 0, 1);
    this.#partBytes = script.partBytes;
    this.period = this.#makePeriod(0, PRESENTATION_START_MS);
    this.renditions = script.renditions.map((rendition) => new ScriptedRendition(this, rendition));
  }

  get periods(): readonly Period[] {
    const listed = new Set(this.renditions.flatMap(({ segments }) => segments.map(({ period }) => period)));
    return [...listed].sort((a, b) => a.index - b.index);
  }

  rendition(id: string): ScriptedRendition {
    const found = this.renditions.find((rendition) => rendition.id === id);
    assert(found, `no rendition ${id}`);
    return found;
  }

  /** A part at the end of the rendition's open segment, which it opens when there is none. */
  addPart(id: string, { durationMs, isIndependent = false, isGap = false }: PartScript): Part {
    const rendition = this.rendition(id);
    const segment = rendition.open ?? rendition.openSegment(false);
    const fields = {
      name: rendition.nextPart.name,
      index: segment.parts.length,
      start: rendition.end,
      duration: msToTicks(durationMs, rendition.timescale),
      isIndependent: isIndependent || rendition.kind === "audio",
      isGap,
      keyFrame: isIndependent && !isGap && rendition.kind === "video" ? KEY_FRAME : undefined,
    };
    const bytes = this.#partBytes?.(fields, rendition.timescale) ?? new Uint8Array([segment.msn, fields.index]);
    const part = { ...fields, bytes };
    segment.parts.push(part);
    segment.duration += part.duration;
    rendition.end += part.duration;
    return part;
  }

  endSegment(id: string): void {
    const { open } = this.rendition(id);
    if (open) open.isComplete = true;
  }

  /** A complete segment in every rendition, of parts of `partMs` and a shorter last one; the first part is independent. */
  addSegment(durationMs = this.options.segmentTargetMs, ids = this.renditions.map(({ id }) => id)): void {
    const partMs = this.options.isLowLatency ? this.partTargetMs : durationMs;
    for (const id of ids) {
      for (let atMs = 0; atMs < durationMs; atMs += partMs) {
        this.addPart(id, { durationMs: Math.min(partMs, durationMs - atMs), isIndependent: atMs === 0 });
      }
      this.endSegment(id);
    }
  }

  /** A segment for which no media came. */
  addGap(id: string, durationMs: number): void {
    const rendition = this.rendition(id);
    this.endSegment(id);
    const segment = rendition.openSegment(true);
    segment.duration = msToTicks(durationMs, rendition.timescale);
    segment.isComplete = true;
    rendition.end += segment.duration;
  }

  /** Ends every open segment; the next ones begin a period, `holeMs` after the furthest end of the last. */
  beginPeriod(holeMs = 0, formats: Readonly<Record<string, MediaFormat>> = {}): void {
    const endMs = Math.max(...this.renditions.map(({ end, timescale }) => (end * 1000) / timescale));
    this.period = this.#makePeriod(this.period.index + 1, endMs + holeMs);
    for (const rendition of this.renditions) {
      this.endSegment(rendition.id);
      const format = formats[rendition.id];
      if (format) rendition.changeInit(format);
      rendition.end = msToTicks(this.period.startMs, rendition.timescale);
      rendition.isPeriodStart = true;
    }
  }

  end(): void {
    for (const { id } of this.renditions) this.endSegment(id);
    this.isEnded = true;
  }

  /** What is at the end of the presentation, in ms since presentation zero. */
  get endMs(): number {
    return Math.max(...this.renditions.map(({ end, timescale }) => (end * 1000) / timescale));
  }

  completeCount(id: string): number {
    return completeSegments(this.rendition(id)).length;
  }

  #makePeriod(index: number, startMs: number): Period {
    return { index, video: undefined, audio: undefined, startMs, wallZeroMs: this.availabilityStartMs };
  }
}
