import { Emitter } from "../core/emitter.ts";
import type { LiveReader, Period, Unit } from "../live/unit.ts";
import { compareTicks, msToTicks, rescale, ticksToMs, VIDEO_TIMESCALE } from "../media/timebase.ts";
import { Boundaries } from "./boundaries.ts";
import type { LivePresentation, MediaObject, PackagingOptions, PresentationEvents, Rendition } from "./presentation.ts";
import { Segmenter, type SharedTimeline } from "./segmenter.ts";

/** Longest segment before the target duration is fixed: a publisher with longer GOPs gets segments cut between key frames. */
const MAX_FIRST_SEGMENT_MS = 12_000;
/** How far audio may run ahead of a video that has stopped before it goes on alone. */
const MAX_AUDIO_LEAD_MS = 1500;
/** EXTINF is rounded to the target duration: half a second above it is the first that is too long. */
const ROUNDING_MS = 499;

/** Rendition ids of the publisher's own encoding. */
export const SOURCE_VIDEO_ID = "source";
export const SOURCE_AUDIO_ID = "audio_source";

export interface RungDescription {
  readonly id: string;
  readonly kind: "video" | "audio";
  /** For video: the audio rendition that is played beside it. */
  readonly audioRenditionId: string | undefined;
}

export interface PackagerOptions {
  readonly epoch: string;
  readonly packaging: PackagingOptions;
  /** Media sequence number of the first segment; at least 1 (hls.js before 1.7.5 stalls on 0). */
  readonly firstMsn: number;
  readonly firstDiscontinuitySequence: number;
}

/**
 * Makes a presentation of a live stream: the source as it came, and beside it the rungs that an encoder returns. The
 * lead (video, or audio when there is no video) decides where segments start; all others follow at the same instants.
 */
export class Packager implements LiveReader, LivePresentation {
  readonly epoch: string;
  readonly options: PackagingOptions;
  readonly events = new Emitter<PresentationEvents>();
  readonly #firstDiscontinuitySequence: number;
  readonly #boundaries: Boundaries;
  readonly #segmenters = new Map<string, Segmenter>();
  readonly #lost = new Set<string>();
  #timeline: SharedTimeline | undefined;
  #period: Period | undefined;
  #heldAudio: Unit[] = [];
  /** Where the lead stands: end of its newest unit. */
  #leadEnd: { ticks: number; timescale: number } | undefined;
  #segmentStart: number | undefined;
  #lastKey: number | undefined;
  #gopMs: number | undefined;
  #targetDurationS: number | undefined;
  #listed: readonly Segmenter[] = [];
  #availabilityStartMs = 0;
  #isIndependent = true;
  #isInterrupted = false;
  #isEnded = false;

  constructor(options: PackagerOptions) {
    this.epoch = options.epoch;
    this.options = options.packaging;
    this.#firstDiscontinuitySequence = options.firstDiscontinuitySequence;
    this.#boundaries = new Boundaries(options.firstMsn);
  }

  /** Something can be played: the source has a complete segment, and what is promised forever is fixed. */
  get isPlayable(): boolean {
    return this.#targetDurationS !== undefined;
  }

  get targetDurationS(): number {
    return this.#targetDurationS ?? Math.round(this.options.segmentTargetMs / 1000);
  }

  get partTargetMs(): number {
    return this.#timeline?.partTargetMs ?? this.options.partTargetMs;
  }

  get renditions(): readonly Rendition[] {
    return this.#listed;
  }

  get periods(): readonly Period[] {
    const listed = new Set(this.#listed.flatMap((rendition) => rendition.segments.map((segment) => segment.period)));
    return [...listed].sort((a, b) => a.index - b.index);
  }

  get isIndependent(): boolean {
    return this.#isIndependent;
  }

  get isInterrupted(): boolean {
    return this.#isInterrupted;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  get availabilityStartMs(): number {
    return this.#availabilityStartMs;
  }

  /** The first number that no segment of this presentation has used. */
  get nextMsn(): number {
    return this.#boundaries.nextMsn;
  }

  /** EXT-X-DISCONTINUITY-SEQUENCE that a presentation after this one begins with. */
  get nextDiscontinuitySequence(): number {
    return this.#firstDiscontinuitySequence + (this.#period?.index ?? 0) + 1;
  }

  object(renditionId: string, name: string): MediaObject | undefined {
    const found = this.#segmenters.get(renditionId)?.object(name);
    return found?.kind === "hinted" && this.#isInterrupted ? undefined : found;
  }

  onPeriod(period: Period): void {
    this.#closeSource();
    if (!this.#period) this.#availabilityStartMs = Math.floor(period.wallZeroMs);
    this.#period = period;
    this.#isInterrupted = false;
    this.#leadEnd = undefined;
    this.#segmentStart = undefined;
    this.#lastKey = undefined;
  }

  onUnit(unit: Unit): void {
    const period = this.#period;
    if (!period) return;
    const { kind } = unit.track.format;
    if (kind === "video" || !period.video) this.#writeLead(period, unit);
    else this.#heldAudio.push(unit);
    this.#releaseAudio(period);
  }

  onInterrupted(): void {
    this.#isInterrupted = true;
    this.#closeSource();
  }

  /**
   * The publisher is away and a target duration has passed: every rendition lists it as a gap, so that players see the
   * playlist go on (HLS §6.2.1).
   */
  passGap(): void {
    const start = this.#leadEnd;
    if (!this.#period || !start || !this.isPlayable || this.#isEnded) return;
    const { msn } = this.#boundaries.add(this.#period, start.ticks, start.timescale);
    for (const segmenter of this.#segmenters.values()) segmenter.fillGaps(msn + 1);
    const gapTicks = msToTicks(this.options.segmentTargetMs, start.timescale);
    this.#leadEnd = { ...start, ticks: start.ticks + gapTicks };
  }

  /** The source is over. Rungs may still bring what they have in hand; `finish` ends the presentation. */
  onEnd(): void {
    this.#closeSource();
  }

  /** One unit of a rung, as its encoder returns it. The rendition appears when its first segment is complete. */
  writeRung(rung: RungDescription, period: Period, unit: Unit): void {
    if (!this.#timeline || this.#isEnded) return;
    this.#lost.delete(rung.id);
    this.#segmenter(rung.id, rung.kind, "rung", rung.audioRenditionId).write(period, unit);
  }

  /** The encoder has drained: what its rungs have of the last segment is all there will be. */
  closeRungs(): void {
    for (const segmenter of this.#segmenters.values()) if (segmenter.origin === "rung") segmenter.closeSegment();
  }

  /** The encoder of these rungs is away for a while: their playlists go on with gaps until it is back. */
  loseRungs(renditionIds: readonly string[]): void {
    for (const id of renditionIds) this.#lost.add(id);
  }

  /** These rungs will not come back: they leave the multivariant playlist and answer 404. */
  dropRungs(renditionIds: readonly string[]): void {
    for (const id of renditionIds) {
      this.#lost.delete(id);
      this.#segmenters.delete(id);
    }
    this.#relist();
  }

  /** Nothing more will come from anywhere. */
  finish(): void {
    if (this.#isEnded) return;
    for (const segmenter of this.#segmenters.values()) segmenter.closeSegment();
    this.#isEnded = true;
    this.events.emit("ended", this);
  }

  #writeLead(period: Period, unit: Unit): void {
    this.#timeline ??= this.#fixTimeline(unit);
    if (unit.isKey && unit.track.format.kind === "video") this.#measureGop(unit);
    if (this.#startsSegment(unit)) {
      this.#segmentStart = unit.dts;
      this.#boundaries.add(period, unit.dts + unit.cts, unit.track.timescale);
      this.#fillLost();
      this.#fillAbsent(period);
      if (!unit.isKey) this.#isIndependent = false;
    }
    const id = unit.track.format.kind === "video" ? SOURCE_VIDEO_ID : SOURCE_AUDIO_ID;
    this.#leadEnd = { ticks: unit.dts + unit.duration, timescale: unit.track.timescale };
    this.#source(id, period).write(period, unit);
  }

  /** The part target holds for ever, so it is made to fit the source's frames: each part is whole frames, >= 85 % full. */
  #fixTimeline(first: Unit): SharedTimeline {
    const { isLowLatency, partTargetMs: configuredMs } = this.options;
    const partTargetMs = isLowLatency ? partTargetFor(configuredMs, frameIntervalMs(first)) : Infinity;
    return {
      epoch: this.epoch,
      boundaries: this.#boundaries,
      segmentTargetMs: this.options.segmentTargetMs,
      partTargetMs,
      windowSegmentCount: this.options.windowSegmentCount,
      minWindowMs: () => 3000 * this.targetDurationS,
      firstDiscontinuitySequence: this.#firstDiscontinuitySequence,
    };
  }

  #measureGop(unit: Unit): void {
    if (this.#lastKey !== undefined) this.#gopMs = ticksToMs(unit.dts - this.#lastKey, unit.track.timescale);
    this.#lastKey = unit.dts;
  }

  #startsSegment(unit: Unit): boolean {
    if (this.#segmentStart === undefined) return true;
    const { timescale } = unit.track;
    const elapsedMs = ticksToMs(unit.dts - this.#segmentStart, timescale);
    const limitMs = this.#targetDurationS ? this.#targetDurationS * 1000 + ROUNDING_MS : MAX_FIRST_SEGMENT_MS;
    if (elapsedMs + ticksToMs(unit.duration, timescale) > limitMs) return true;
    if (!unit.isKey) return false;
    // Cut at the key frame that is nearest to the target: the next one comes a GOP later.
    const stepMs =
      unit.track.format.kind === "video" ? (this.#gopMs ?? elapsedMs) : ticksToMs(unit.duration, timescale);
    return elapsedMs >= this.options.segmentTargetMs - stepMs / 2;
  }

  /** Lets audio through up to where the lead stands, so that audio is never past a boundary that is yet to be set. */
  #releaseAudio(period: Period): void {
    let released = 0;
    for (const unit of this.#heldAudio) {
      if (!this.#isBehindLead(unit)) {
        if (!this.#isVideoStalled(unit)) break;
        this.#cutWithoutVideo(period, unit);
      }
      this.#source(SOURCE_AUDIO_ID, period).write(period, unit);
      released++;
    }
    if (released > 0) this.#heldAudio.splice(0, released);
  }

  #isBehindLead(unit: Unit): boolean {
    if (!this.#leadEnd) return false;
    return (
      compareTicks(unit.dts + unit.duration, unit.track.timescale, this.#leadEnd.ticks, this.#leadEnd.timescale) <= 0
    );
  }

  #isVideoStalled(unit: Unit): boolean {
    const newest = this.#heldAudio.at(-1);
    return newest !== undefined && ticksToMs(newest.dts - unit.dts, unit.track.timescale) > MAX_AUDIO_LEAD_MS;
  }

  /** Video has stopped: audio goes on in segments of its own, and the video's playlist with gaps. */
  #cutWithoutVideo(period: Period, unit: Unit): void {
    const last = this.#boundaries.last;
    if (!last) return;
    const { timescale } = unit.track;
    const elapsedMs = ticksToMs(unit.dts, timescale) - ticksToMs(last.start, last.timescale);
    if (elapsedMs + ticksToMs(unit.duration, timescale) <= this.targetDurationS * 1000 + ROUNDING_MS) return;
    const { msn } = this.#boundaries.add(period, unit.dts, timescale);
    this.#segmentStart = rescale(unit.dts, timescale, VIDEO_TIMESCALE);
    this.#segmenters.get(SOURCE_VIDEO_ID)?.fillGaps(msn);
    this.#fillLost();
  }

  #closeSource(): void {
    const period = this.#period;
    if (period && this.#timeline) {
      for (const unit of this.#heldAudio) this.#source(SOURCE_AUDIO_ID, period).write(period, unit);
    }
    this.#heldAudio = [];
    for (const id of [SOURCE_VIDEO_ID, SOURCE_AUDIO_ID]) this.#segmenters.get(id)?.closeSegment();
  }

  #fillLost(): void {
    const msn = this.#boundaries.last?.msn ?? 0;
    for (const id of this.#lost) this.#segmenters.get(id)?.fillGaps(msn);
  }

  /** A medium that earlier periods had and this one has not: its playlist goes on with gaps. */
  #fillAbsent(period: Period): void {
    const msn = this.#boundaries.last?.msn ?? 0;
    if (!period.video) this.#segmenters.get(SOURCE_VIDEO_ID)?.fillGaps(msn);
    if (!period.audio) this.#segmenters.get(SOURCE_AUDIO_ID)?.fillGaps(msn);
  }

  #source(id: string, period: Period): Segmenter {
    const hasAudioBeside = id === SOURCE_VIDEO_ID && period.audio !== undefined;
    return this.#segmenter(
      id,
      id === SOURCE_VIDEO_ID ? "video" : "audio",
      "source",
      hasAudioBeside ? SOURCE_AUDIO_ID : undefined,
    );
  }

  #segmenter(
    id: string,
    kind: "video" | "audio",
    origin: "source" | "rung",
    audioRenditionId: string | undefined,
  ): Segmenter {
    const known = this.#segmenters.get(id);
    if (known) return this.#pairWithAudio(known, audioRenditionId);
    if (!this.#timeline) throw new Error("a rendition came before the timeline");
    const segmenter = new Segmenter({
      id,
      kind,
      origin,
      audioRenditionId,
      timeline: this.#timeline,
      onAdvance: (rendition) => this.#advanced(rendition),
    });
    this.#segmenters.set(id, segmenter);
    return segmenter;
  }

  /** Audio may join, leave or be encoded otherwise with each period. */
  #pairWithAudio(video: Segmenter, audioRenditionId: string | undefined): Segmenter {
    if (video.audioRenditionId === audioRenditionId) return video;
    video.audioRenditionId = audioRenditionId;
    this.events.emit("renditions", this);
    return video;
  }

  #advanced(rendition: Segmenter): void {
    this.#fixTargetDuration(rendition);
    if (rendition.hasCompleteSegment && !this.#listed.includes(rendition)) this.#relist();
    this.events.emit("advance", rendition);
  }

  /** The first complete segment of the lead fixes the target duration for good. */
  #fixTargetDuration(rendition: Segmenter): void {
    const first = rendition.segments[0];
    if (this.#targetDurationS !== undefined || !first?.isComplete) return;
    const longestMs = Math.max(this.options.segmentTargetMs, ticksToMs(first.duration, rendition.timescale));
    this.#targetDurationS = Math.max(1, Math.round(longestMs / 1000));
  }

  #relist(): void {
    this.#listed = [...this.#segmenters.values()].filter((segmenter) => segmenter.hasCompleteSegment);
    this.events.emit("renditions", this);
  }
}

/**
 * The part target nearest to the configured one that whole frames fill: to the full when they nearly do, and never less
 * than 85 % (HLS §4.4.4.9). `frameMs` is the true frame interval; stamps may be rounded to whole milliseconds.
 */
export function partTargetFor(configuredMs: number, frameMs: number): number {
  const nearest = Math.round(configuredMs / frameMs);
  const frameCount = nearest * frameMs >= configuredMs * 0.85 ? nearest : nearest + 1;
  return Math.max(configuredMs, Math.ceil(frameCount * frameMs - 1e-6));
}

/** The frame interval that the codec declares, when the first frame agrees with it to its rounding; else the first frame's. */
function frameIntervalMs({ duration, track }: Unit): number {
  const { format, timescale } = track;
  const seenMs = ticksToMs(duration, timescale);
  const rate = format.kind === "video" ? format.frameRate : undefined;
  const declaredMs = rate && rate.numerator > 0 ? (1000 * rate.denominator) / rate.numerator : undefined;
  return declaredMs !== undefined && Math.abs(declaredMs - seenMs) <= 1 ? declaredMs : seenMs;
}
