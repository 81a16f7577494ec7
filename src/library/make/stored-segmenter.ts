import { type CmafSample, writeChunk } from "../../media/cmaf/chunk.ts";
import { rescale, type Ticks, ticksToMs, VIDEO_TIMESCALE } from "../../media/timebase.ts";
import type { StoredKeyFrame, StoredSegment } from "../../packaging/stored-rendition.ts";
import type { SegmentRule } from "./contract.ts";
import { Unpackageable } from "./unpackageable.ts";

/** One access unit; units come in decode order, their decode times are derived. */
export interface StoredUnit {
  /** Presentation time since presentation zero; at least 0. */
  readonly pts: Ticks;
  /** A decoder can start here, and nothing after it is shown before it. Always true for audio. */
  readonly isKey: boolean;
  readonly data: Uint8Array;
}

/** A segment with its bytes, before it has a key in a store. */
export interface CutSegment extends Omit<StoredSegment, "key"> {
  readonly bytes: Uint8Array;
}

export interface StoredSegmenterOptions {
  readonly kind: "video" | "audio";
  readonly timescale: number;
  readonly rule: SegmentRule;
  /** Of the last unit of all, when it comes alone. */
  readonly usualDuration: Ticks;
  /** Media time of presentation zero: pictures are shown so long after they are decoded, sound is both at once. */
  readonly leadTicks: Ticks;
  /** Media of one run from key frame to key frame that is held at most. */
  readonly mostGroupBytes?: number;
  /** Key frames may be so far apart; no limit without it. */
  readonly mostGopMs?: number | undefined;
}

/** The one track of a rendition. */
export const STORED_TRACK_ID = 1;
const MOST_GROUP_BYTES = 192 * 1024 * 1024;

/**
 * Cuts the units of one rendition into CMAF segments. A segment of video is a moof for each key frame in it, so that the
 * bytes of a key frame can be named; one of audio is a single moof. The n-th unit in decode order is decoded at the n-th
 * smallest presentation time (docs/adr/0022): durations are exact distances, and segments join without a seam. Throws
 * Unpackageable when units are not in closed runs, or two share an instant.
 */
export class StoredSegmenter {
  readonly #options: StoredSegmenterOptions;
  readonly #indexAt: (pts: Ticks) => number;
  #group: StoredUnit[] = [];
  #groupBytes = 0;
  #segment: OpenSegment | undefined;

  constructor(options: StoredSegmenterOptions) {
    this.#options = options;
    this.#indexAt = segmentIndex(options.rule, options.timescale);
  }

  /** Takes the next unit; gives the segment that it ends, if it ends one. */
  push(unit: StoredUnit): CutSegment | undefined {
    const [first] = this.#group;
    if (!first && !unit.isKey) throw new Unpackageable("OPEN_GOP", "it does not begin with a key frame");
    if (!first || !this.#beginsGroup(unit, first)) {
      this.#add(unit);
      return undefined;
    }
    this.#closeGroup(unit.pts);
    const cut = this.#isCut(unit.pts) ? this.#closeSegment() : undefined;
    this.#add(unit);
    return cut;
  }

  /**
   * No more units: gives the last segment. `nextStart` is the time of the frame that follows in another chunk; without it
   * the last frame lasts as long as the one before.
   */
  finish(nextStart?: Ticks): CutSegment | undefined {
    if (this.#group.length > 0) this.#closeGroup(nextStart ?? this.#ownEnd());
    return this.#closeSegment();
  }

  #beginsGroup(unit: StoredUnit, first: StoredUnit): boolean {
    return unit.isKey && (this.#options.kind === "video" || this.#indexAt(unit.pts) > this.#indexAt(first.pts));
  }

  #isCut(pts: Ticks): boolean {
    return this.#segment !== undefined && this.#indexAt(pts) > this.#indexAt(this.#segment.start);
  }

  #add(unit: StoredUnit): void {
    this.#group.push(unit);
    this.#groupBytes += unit.data.length;
    const { mostGroupBytes = MOST_GROUP_BYTES, mostGopMs, timescale } = this.#options;
    const lengthMs = ticksToMs(unit.pts - (this.#group[0]?.pts ?? unit.pts), timescale);
    if (mostGopMs !== undefined && lengthMs >= mostGopMs) {
      throw new Unpackageable("GOP_TOO_LONG", `key frames are more than ${mostGopMs / 1000} s apart`);
    }
    if (this.#groupBytes > mostGroupBytes) {
      throw new Unpackageable("GOP_TOO_LONG", `more than ${mostGroupBytes} bytes from key frame to key frame`);
    }
  }

  #ownEnd(): Ticks {
    const [last = 0, previous] = this.#group.map(({ pts }) => pts).sort((a, b) => b - a);
    return last + (previous === undefined ? this.#options.usualDuration : last - previous);
  }

  #closeGroup(end: Ticks): void {
    const { timescale, kind, leadTicks } = this.#options;
    const isVideo = kind === "video";
    const samples = derivedSamples(this.#group, end, isVideo ? leadTicks : 0);
    const start = this.#group[0]?.pts ?? 0;
    const isSegmentStart = this.#segment === undefined;
    this.#segment ??= new OpenSegment(start);
    const chunk = writeChunk({
      // Rises over all segments of the rendition, whoever makes them: milliseconds of presentation time.
      sequenceNumber: 1 + Math.floor(ticksToMs(start, timescale)),
      trackId: STORED_TRACK_ID,
      baseDecodeTime: isVideo ? start : start + leadTicks,
      samples,
      isSegmentStart,
    });
    this.#segment.append(chunk.bytes, samples.length, end);
    if (isVideo) this.#segment.addKeyFrame(start, chunk.firstSample, chunk.bytes.length);
    this.#group = [];
    this.#groupBytes = 0;
  }

  #closeSegment(): CutSegment | undefined {
    const segment = this.#segment?.finish();
    this.#segment = undefined;
    return segment;
  }
}

/** How many segments begin at or before an instant. */
function segmentIndex(rule: SegmentRule, timescale: number): (pts: Ticks) => number {
  // Products of integers: nothing is rounded before the division.
  if (rule.kind === "every") return (pts) => Math.floor((pts * 1000) / (timescale * rule.targetMs));
  const starts = rule.starts.map((start) => rescale(start, VIDEO_TIMESCALE, timescale));
  return (pts) => starts.filter((start) => start <= pts).length;
}

/** The units with decode times that follow each other from the first's presentation time up to `end`; all shown so much later. */
function derivedSamples(units: readonly StoredUnit[], end: Ticks, shownLater: Ticks): CmafSample[] {
  const times = units.map(({ pts }) => pts).sort((a, b) => a - b);
  if (times[0] !== units[0]?.pts) {
    throw new Unpackageable("OPEN_GOP", "frames that follow a key frame are shown before it");
  }
  return units.map(({ pts, isKey, data }, place) => {
    const dts = times[place] ?? 0;
    const duration = (times[place + 1] ?? end) - dts;
    if (duration > 0) return { duration, cts: pts - dts + shownLater, isKey, data };
    const problem = place + 1 < times.length ? "two frames have one time" : "a frame is shown after the next key frame";
    throw new Unpackageable("TIMES_BROKEN", problem);
  });
}

class OpenSegment {
  readonly start: Ticks;
  readonly #pieces: Uint8Array[] = [];
  readonly #keyFrames: StoredKeyFrame[] = [];
  #byteLength = 0;
  #frameCount = 0;
  #end = 0;

  constructor(start: Ticks) {
    this.start = start;
  }

  append(bytes: Uint8Array, frameCount: number, end: Ticks): void {
    this.#pieces.push(bytes);
    this.#byteLength += bytes.length;
    this.#frameCount += frameCount;
    this.#end = end;
  }

  /** Of the piece that was appended last. */
  addKeyFrame(start: Ticks, range: { readonly offset: number; readonly length: number }, pieceBytes: number): void {
    this.#keyFrames.push({ start, offset: this.#byteLength - pieceBytes + range.offset, length: range.length });
  }

  finish(): CutSegment {
    return {
      start: this.start,
      duration: this.#end - this.start,
      byteLength: this.#byteLength,
      frameCount: this.#frameCount,
      keyFrames: this.#keyFrames,
      bytes: Buffer.concat(this.#pieces),
    };
  }
}
