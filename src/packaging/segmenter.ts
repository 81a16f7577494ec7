import type { Period, Track, Unit } from "../live/unit.ts";
import { writeChunk } from "../media/cmaf/chunk.ts";
import { writeInitSegment } from "../media/cmaf/init-segment.ts";
import { type MediaFormat, sameFormat } from "../media/format.ts";
import { compareTicks, msToTicks, rescale, type Ticks, ticksToMs } from "../media/timebase.ts";
import { BitrateMeter } from "./bitrate-meter.ts";
import type { Boundaries, Boundary } from "./boundaries.ts";
import { FrameRateMeter } from "./frame-rate-meter.ts";
import { iframesOf, MAX_IFRAMES_PER_SEGMENT } from "./iframes.ts";
import { OpenPart, type Units } from "./open-part.ts";
import type { InitSegment, MeasuredBitrate, MediaObject, Part, Rendition, Segment } from "./presentation.ts";

const TRACK_ID = 1;
/** Renditions that stop together end within a frame of each other. */
const MAX_SEAM_MS = 100;

/** What the renditions of one presentation share. */
export interface SharedTimeline {
  readonly epoch: string;
  readonly boundaries: Boundaries;
  readonly segmentTargetMs: number;
  /** Longest part, in ms; Infinity when segments are not cut into parts. */
  readonly partTargetMs: number;
  readonly windowSegmentCount: number;
  /** Media that stay listed however many segments they take: three target durations (HLS §6.2.2). */
  readonly minWindowMs: () => number;
  /** EXT-X-DISCONTINUITY-SEQUENCE of the presentation's first segment. */
  readonly firstDiscontinuitySequence: number;
}

export interface SegmenterOptions {
  readonly id: string;
  readonly kind: "video" | "audio";
  readonly origin: "source" | "rung";
  readonly audioRenditionId: string | undefined;
  readonly timeline: SharedTimeline;
  /** It may not begin with a lower number. */
  readonly firstMsn: number;
  readonly onAdvance: (rendition: Segmenter) => void;
}

class GrowingSegment implements Segment {
  readonly name: string;
  readonly msn: number;
  readonly iframeMsn: number;
  readonly period: Period;
  readonly init: InitSegment;
  readonly start: Ticks;
  readonly isIndependent: boolean;
  readonly isGap: boolean;
  readonly isDiscontinuity: boolean;
  readonly arrivedAtMs: number;
  /** It pushes older ones out of the playlist. */
  readonly counts: boolean;
  readonly parts: Part[] = [];
  duration: Ticks = 0;
  byteLength = 0;
  frameCount = 0;
  isComplete = false;

  constructor(fields: Omit<Segment, "parts" | "duration" | "byteLength" | "frameCount" | "isComplete">, counts = true) {
    this.name = fields.name;
    this.msn = fields.msn;
    this.iframeMsn = fields.iframeMsn;
    this.period = fields.period;
    this.init = fields.init;
    this.start = fields.start;
    this.isIndependent = fields.isIndependent;
    this.isGap = fields.isGap;
    this.isDiscontinuity = fields.isDiscontinuity;
    this.arrivedAtMs = fields.arrivedAtMs;
    this.counts = counts;
  }
}

/**
 * Cuts one rendition into CMAF parts and segments, at the boundaries that all renditions share. A part never exceeds
 * the part target; how it is kept full is `OpenPart`'s (docs/adr/0004). A segment is exactly its parts; its bytes are
 * kept once.
 */
export class Segmenter implements Rendition {
  readonly id: string;
  readonly kind: "video" | "audio";
  readonly origin: "source" | "rung";
  /** As of the newest period. */
  audioRenditionId: string | undefined;
  readonly #timeline: SharedTimeline;
  readonly #firstMsn: number;
  readonly #onAdvance: (rendition: Segmenter) => void;
  readonly #objects = new Map<string, MediaObject>();
  readonly #bitrate: BitrateMeter;
  readonly #iframeBitrate: BitrateMeter;
  #frameRate: FrameRateMeter | undefined;
  #inits: InitSegment[] = [];
  #track: Track | undefined;
  /** Listed segments and, before them, those that left the playlist and can still be fetched. */
  #kept: GrowingSegment[] = [];
  #listed: readonly GrowingSegment[] = [];
  #open: GrowingSegment | undefined;
  /** What of the open segment is in no part yet. */
  #openPart: OpenPart | undefined;
  #sequenceNumber = 0;

  constructor(options: SegmenterOptions) {
    this.id = options.id;
    this.kind = options.kind;
    this.origin = options.origin;
    this.audioRenditionId = options.audioRenditionId;
    this.#timeline = options.timeline;
    this.#firstMsn = options.firstMsn;
    this.#onAdvance = options.onAdvance;
    this.#bitrate = new BitrateMeter(options.timeline.segmentTargetMs);
    this.#iframeBitrate = new BitrateMeter(options.timeline.segmentTargetMs);
  }

  get format(): MediaFormat {
    return this.#lastInit.format;
  }

  get timescale(): number {
    return this.#lastInit.timescale;
  }

  get bitrate(): MeasuredBitrate {
    return this.#bitrate.bitrate;
  }

  get iframeBitrate(): MeasuredBitrate | undefined {
    const { bitrate } = this.#iframeBitrate;
    return bitrate.peakBps > 0 ? bitrate : undefined;
  }

  get frameRate(): number | undefined {
    return this.#frameRate?.framesPerSecond;
  }

  get segments(): readonly Segment[] {
    return this.#listed;
  }

  get hasCompleteSegment(): boolean {
    return this.#listed[0]?.isComplete === true;
  }

  /** Something listed can be played. */
  get hasMedia(): boolean {
    return this.#listed.some((segment) => !segment.isGap);
  }

  get discontinuitySequence(): number {
    const first = this.#listed[0];
    const base = this.#timeline.firstDiscontinuitySequence;
    return first ? base + first.period.index - (first.isDiscontinuity ? 1 : 0) : base;
  }

  get nextPart(): { msn: number; index: number; name: string } {
    const msn = this.#open?.msn ?? this.#nextMsn;
    const index = this.#open?.parts.length ?? 0;
    return { msn, index, name: this.#partName(msn, index) };
  }

  /** Any object that can be fetched: what is listed, what was, and the part that comes next. */
  object(name: string): MediaObject | undefined {
    const found = this.#objects.get(name);
    if (found) return found;
    const { msn, index, name: hinted } = this.nextPart;
    return name === hinted ? { kind: "hinted", msn, index } : undefined;
  }

  /** Takes the next unit of `period`; units of a period that this rendition has left are dropped. */
  write(period: Period, unit: Unit): void {
    if (this.#open && period.index < this.#open.period.index) return;
    const entered = this.#enterSegment(period, unit);
    if (!entered) return;
    const whole = this.#within(entered);
    this.#closeParts(this.#openPart?.add(whole) ?? []);
    this.#cutPartAfter(whole);
  }

  /** Completes the open segment, however short: its period is over, or nothing comes any more. */
  closeSegment(): void {
    const open = this.#open;
    if (!open) return;
    const parts = this.#openPart?.takeAll() ?? [];
    this.#closeParts(parts.slice(0, -1));
    for (const last of parts.slice(-1)) this.#appendPart(last);
    this.#open = undefined;
    this.#openPart = undefined;
    open.isComplete = true;
    this.#measure(open);
    this.#list();
    this.#onAdvance(this);
  }

  /**
   * Fills every segment up to `msn` (exclusive) that has no media here with a gap, so that the playlist goes on. `next` is
   * what comes after them: gaps that open its period are listed under its init (HLS §4.4.4.3).
   */
  fillGaps(untilMsn: number, next?: { readonly period: Period; readonly track: Track }): void {
    if (this.#open && this.#open.msn < untilMsn) this.closeSegment();
    while (this.#kept.length > 0 && this.#nextMsn < untilMsn) this.#addGap(this.#nextMsn, next);
  }

  /** Whether a unit of `track` would need another init than the gaps that already opened its period. */
  contradicts(period: Period, track: Track): boolean {
    const last = this.#kept.at(-1);
    return last?.isGap === true && last.period === period && !isUnder(last.init, track) && !this.#hasMediaIn(period);
  }

  get #lastInit(): InitSegment {
    const init = this.#inits.at(-1);
    if (!init) throw new Error(`rendition ${this.id} was read before its first unit`);
    return init;
  }

  get #nextMsn(): number {
    return (this.#kept.at(-1)?.msn ?? this.#timeline.boundaries.nextMsn - 1) + 1;
  }

  /** Counts up by the entries of what is before; starts beyond all that an earlier rendition of this id can have had. */
  #iframeMsn(msn: number): number {
    const last = this.#kept.at(-1);
    return last ? last.iframeMsn + iframesOf(last).length : msn * MAX_IFRAMES_PER_SEGMENT;
  }

  #partName(msn: number, index: number): string {
    return `${this.#timeline.epoch}-${msn}.${index}.m4s`;
  }

  /** Makes sure that the segment is open which `unit` belongs to; returns the unit as it stands there. None: undefined. */
  #enterSegment(period: Period, unit: Unit): Unit | undefined {
    const boundary = this.#timeline.boundaries.at(period, unit.dts + unit.cts, unit.track.timescale);
    if (!boundary) return this.#open?.period === period ? unit : undefined;
    if (this.#open && boundary.msn <= this.#open.msn) return unit;
    if (!this.#open && boundary.msn < this.#nextMsn && this.#kept.length > 0) return undefined;
    if (!this.#open && !this.#canJoin(boundary, unit)) return undefined;
    this.fillGaps(boundary.msn, { period, track: unit.track });
    this.closeSegment();
    const first = this.#fromBoundary(boundary, unit);
    this.#openSegment(boundary, first);
    return first;
  }

  /** A picture that comes late in its segment is decoded at the boundary, where the segment before ends: no time is left out. */
  #fromBoundary(boundary: Boundary, unit: Unit): Unit {
    const last = this.#kept.at(-1);
    const { timescale } = unit.track;
    if (this.kind === "audio" || last?.period !== boundary.period || last.init.timescale !== timescale) return unit;
    const end = last.start + last.duration;
    const isSeam = Math.abs(end - scaleStart(boundary, timescale)) < msToTicks(MAX_SEAM_MS, timescale);
    const holeTicks = isSeam ? Math.max(0, unit.dts - end) : 0;
    return { ...unit, dts: unit.dts - holeTicks, cts: unit.cts + holeTicks, duration: unit.duration + holeTicks };
  }

  /** Video joins, for the first time or after a hole, where its frame opens the segment; audio may join anywhere. */
  #canJoin(boundary: Boundary, unit: Unit): boolean {
    if (boundary.msn < this.#firstMsn) return false;
    if (this.kind === "audio") return true;
    const { timescale } = unit.track;
    return (
      unit.isKey && compareTicks(unit.dts + unit.cts - unit.duration, timescale, boundary.start, boundary.timescale) < 0
    );
  }

  #openSegment(boundary: Boundary, unit: Unit): void {
    const segment = new GrowingSegment({
      name: `${this.#timeline.epoch}-${boundary.msn}.m4s`,
      msn: boundary.msn,
      iframeMsn: this.#iframeMsn(boundary.msn),
      period: boundary.period,
      init: this.#initFor(unit.track, boundary.msn),
      start: unit.dts,
      isIndependent: unit.isKey,
      isGap: false,
      isDiscontinuity: boundary.isPeriodStart && boundary.period.index > 0,
      arrivedAtMs: unit.arrivedAtMs,
    });
    this.#open = segment;
    const { timescale } = unit.track;
    this.#openPart = new OpenPart({ partTicks: (this.#timeline.partTargetMs * timescale) / 1000, kind: this.kind });
    this.#keep(segment);
  }

  #hasMediaIn(period: Period): boolean {
    return this.#kept.some((segment) => segment.period === period && !segment.isGap);
  }

  #addGap(msn: number, next: { readonly period: Period; readonly track: Track } | undefined): void {
    const boundary = this.#timeline.boundaries.get(msn);
    const end = this.#timeline.boundaries.endOf(msn);
    const opensPeriod =
      next !== undefined && boundary?.period === next.period && boundary.period !== this.#lastKept.period;
    const init = opensPeriod ? this.#initFor(next.track, msn) : this.#lastInit;
    const { timescale } = init;
    const start = this.#gapStart(boundary);
    const segment = new GrowingSegment(
      {
        name: `${this.#timeline.epoch}-${msn}.m4s`,
        msn,
        iframeMsn: this.#iframeMsn(msn),
        period: boundary?.period ?? this.#lastKept.period,
        init,
        start,
        isIndependent: false,
        isGap: true,
        isDiscontinuity: boundary?.isPeriodStart === true && boundary.period.index > 0,
        arrivedAtMs: 0,
      },
      boundary?.isAbsence !== true,
    );
    segment.duration = end
      ? rescale(end.ticks, end.timescale, timescale) - start
      : msToTicks(this.#timeline.segmentTargetMs, timescale);
    segment.isComplete = true;
    this.#keep(segment);
    this.#list();
    this.#onAdvance(this);
  }

  /** At the boundary; but what is missing of a frame before it is not listed as a hole of its own. */
  #gapStart(boundary: Boundary | undefined): Ticks {
    const ownEnd = this.#endTicks ?? 0;
    if (!boundary) return ownEnd;
    const start = scaleStart(boundary, this.timescale);
    const isSeam = Math.abs(start - ownEnd) < msToTicks(MAX_SEAM_MS, this.timescale);
    return isSeam && boundary.period === this.#lastKept.period ? ownEnd : start;
  }

  get #lastKept(): GrowingSegment {
    const last = this.#kept.at(-1);
    if (!last) throw new Error(`rendition ${this.id} has no segment`);
    return last;
  }

  get #endTicks(): Ticks | undefined {
    const last = this.#kept.at(-1);
    return last && last.start + last.duration;
  }

  #initFor(track: Track, msn: number): InitSegment {
    const last = this.#inits.at(-1);
    const isSame = track === this.#track || (last !== undefined && isUnder(last, track));
    this.#track = track;
    if (last && isSame) return last;
    const init: InitSegment = {
      name: `${this.#timeline.epoch}-${msn}.init.mp4`,
      format: track.format,
      timescale: track.timescale,
      bytes: writeInitSegment([{ trackId: TRACK_ID, timescale: track.timescale, format: track.format }]),
    };
    this.#inits.push(init);
    this.#objects.set(init.name, { kind: "init", init });
    if (track.format.kind === "video") this.#frameRate = new FrameRateMeter(declaredRate(track.format.frameRate));
    return init;
  }

  /** A picture that stood still while the lead went on without it lasts to the end of its segment, not beyond. */
  #within(unit: Unit): Unit {
    const end = this.#open && this.#timeline.boundaries.endOf(this.#open.msn);
    if (!end) return unit;
    const { timescale } = unit.track;
    const left = rescale(end.ticks, end.timescale, timescale) - unit.dts;
    return unit.duration - left > msToTicks(MAX_SEAM_MS, timescale) ? { ...unit, duration: Math.max(1, left) } : unit;
  }

  /**
   * Ends the part at once when the next frame will not fit, rather than wait for it: one frame less delay. Not where
   * the segment is likely to end: the next unit decides there, so that no announced part is ever withdrawn.
   */
  #cutPartAfter(unit: Unit): void {
    // Publishers round stamps to milliseconds: the next frame may be one shorter than this.
    const shortest = unit.duration - msToTicks(1, unit.track.timescale);
    if (!this.#openPart?.isFullBefore(shortest) || this.#isNearSegmentEnd(unit)) return;
    this.#closeParts(this.#openPart.takeAll());
  }

  #isNearSegmentEnd(unit: Unit): boolean {
    const open = this.#open;
    if (!open) return false;
    const previous = this.#kept.at(-2);
    const { timescale } = this;
    const expected = previous?.duration ?? msToTicks(this.#timeline.segmentTargetMs, timescale);
    const next = this.#timeline.boundaries.get(open.msn + 1);
    const expectedEnd = next ? scaleStart(next, timescale) : open.start + expected;
    return unit.dts + unit.duration * 2.5 >= expectedEnd;
  }

  #closeParts(parts: readonly Units[]): void {
    for (const units of parts) {
      this.#appendPart(units);
      if (this.#open?.parts.length === 1) this.#list();
      this.#onAdvance(this);
    }
  }

  #appendPart(units: Units): void {
    const open = this.#open;
    if (!open) return;
    const [first] = units;
    const index = open.parts.length;
    const producerReference =
      index === 0 && this.kind === "video" && this.origin === "source"
        ? { producerReference: { wallClockMs: first.arrivedAtMs, mediaTime: first.dts } }
        : {};
    const { bytes, firstSample } = writeChunk({
      sequenceNumber: ++this.#sequenceNumber,
      trackId: TRACK_ID,
      baseDecodeTime: first.dts,
      samples: units,
      isSegmentStart: index === 0,
      ...producerReference,
    });
    const part: Part = {
      name: this.#partName(open.msn, index),
      index,
      start: first.dts,
      duration: units.reduce((sum, { duration }) => sum + duration, 0),
      isIndependent: units.some((unit) => unit.isKey),
      isGap: false,
      keyFrame: this.kind === "video" && first.isKey ? firstSample : undefined,
      bytes,
    };
    open.parts.push(part);
    open.duration = part.start + part.duration - open.start;
    open.byteLength += part.bytes.byteLength;
    open.frameCount += units.length;
    this.#objects.set(part.name, { kind: "part", part });
  }

  #keep(segment: GrowingSegment): void {
    this.#kept.push(segment);
    if (!segment.isGap) this.#objects.set(segment.name, { kind: "segment", segment });
  }

  #measure(segment: GrowingSegment): void {
    this.#bitrate.add(ticksToMs(segment.duration, this.timescale), segment.byteLength);
    this.#frameRate?.add(segment.frameCount, segment.duration / this.timescale);
    for (const { duration, range } of iframesOf(segment)) {
      if (range) this.#iframeBitrate.add(ticksToMs(duration, this.timescale), range.length);
    }
  }

  /** Moves the window; what left it stays for as long again, as HLS §6.2.2 demands. */
  #list(): void {
    const isOpenListed = this.#open !== undefined && this.#open.parts.length > 0;
    const kept = this.#open && !isOpenListed ? this.#kept.slice(0, -1) : this.#kept;
    const completeCount = kept.length - (isOpenListed ? 1 : 0);
    const windowCount = this.#windowCount(kept, completeCount);
    this.#listed = kept.slice(completeCount - windowCount);
    while (this.#kept.length > windowCount * 2 + 2) this.#forget(this.#kept.shift());
  }

  /**
   * How many complete segments are listed: as many as were asked for, and more while they are too short. The absence of
   * the publisher pushes nothing out: dash.js does not play again once it has seen an MPD without media.
   */
  #windowCount(kept: readonly GrowingSegment[], completeCount: number): number {
    const minMs = this.#timeline.minWindowMs();
    let windowMs = 0;
    let countedCount = 0;
    for (let count = 1; count <= completeCount; count++) {
      const segment = kept[completeCount - count];
      if (!segment?.counts) continue;
      countedCount++;
      windowMs += ticksToMs(segment.duration, segment.init.timescale);
      if (countedCount >= this.#timeline.windowSegmentCount && windowMs >= minMs) return count;
    }
    return completeCount;
  }

  #forget(segment: GrowingSegment | undefined): void {
    if (!segment) return;
    this.#objects.delete(segment.name);
    for (const part of segment.parts) this.#objects.delete(part.name);
    const oldest = this.#kept[0];
    while (this.#inits.length > 1 && oldest && this.#inits[0] !== oldest.init && segment.init === this.#inits[0]) {
      this.#objects.delete(this.#inits.shift()?.name ?? "");
    }
  }
}

/** Whether units of `track` can stand under this init. */
function isUnder(init: InitSegment, track: Track): boolean {
  return init.timescale === track.timescale && sameFormat(init.format, track.format);
}

function scaleStart(boundary: Boundary, timescale: number): Ticks {
  return rescale(boundary.start, boundary.timescale, timescale);
}

function declaredRate(rate: { numerator: number; denominator: number } | undefined): number | undefined {
  return rate && rate.denominator > 0 ? rate.numerator / rate.denominator : undefined;
}
