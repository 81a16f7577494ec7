import { Emitter } from "../core/emitter.ts";
import type { LiveReader, Period, Unit } from "../live/unit.ts";
import { compareTicks, msToTicks, rescale, ticksToMs, VIDEO_TIMESCALE } from "../media/timebase.ts";
import { Boundaries, type Instant } from "./boundaries.ts";
import type { LivePresentation, MediaObject, PackagingOptions, PresentationEvents, Rendition } from "./presentation.ts";
import { Segmenter, type SharedTimeline } from "./segmenter.ts";

/** Longest segment before the target duration is fixed: a publisher with longer GOPs gets segments cut between key frames. */
const MAX_FIRST_SEGMENT_MS = 12_000;
/** How long audio may run while no picture comes before it goes on alone: a picture may stand for a segment. */
const MAX_AUDIO_ALONE_MS = 2000;
/** How far audio may be ahead of the pictures it belongs to, and be held until they come. */
const MAX_HELD_AUDIO_MS = 5000;
/** Longest frame that the part target is made to fit: one frame a second. */
const MAX_FRAME_MS = 1000;
/**
 * EXTINF is rounded to the target duration: half a second above it is the first that is too long, less what a frame of
 * audio may reach beyond the boundary.
 */
const ROUNDING_MS = 450;

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
  /** Number from which a rung that was dropped may come back: no name is used twice. */
  readonly #rejoinMsn = new Map<string, number>();
  #timeline: SharedTimeline | undefined;
  #period: Period | undefined;
  #heldAudio: Unit[] = [];
  /** First audio unit since the newest picture. */
  #aloneSince: Unit | undefined;
  /** Audio has set a boundary alone: the picture joins again with a key frame. */
  #isVideoAway = false;
  /** Where the lead stands: end of its newest unit. */
  #leadEnd: Instant | undefined;
  /** Where the source's media end, whichever medium. */
  #sourceEnd: Instant | undefined;
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
    this.#aloneSince = undefined;
    this.#isVideoAway = false;
    this.#leadEnd = undefined;
    this.#sourceEnd = { ticks: msToTicks(period.startMs, VIDEO_TIMESCALE), timescale: VIDEO_TIMESCALE };
    this.#segmentStart = undefined;
    this.#lastKey = undefined;
  }

  onUnit(unit: Unit): void {
    const period = this.#period;
    if (!period) return;
    const { kind } = unit.track.format;
    if (kind === "video" || !period.video) this.#takeLead(period, unit);
    else {
      this.#heldAudio.push(unit);
      if (this.#leadEnd) this.#aloneSince ??= unit;
    }
    this.#releaseAudio(period);
  }

  onInterrupted(): void {
    this.#isInterrupted = true;
    this.#closeSource();
  }

  /** Wall clock when the next gap has passed by; undefined while nothing is listed that could go on. */
  get gapDueMs(): number | undefined {
    const start = this.#sourceEnd;
    if (!this.#period || !start || !this.isPlayable || this.#isEnded) return undefined;
    return this.#period.wallZeroMs + ticksToMs(start.ticks, start.timescale) + this.options.segmentTargetMs;
  }

  /**
   * The publisher is away and a target duration has passed: every rendition lists it as a gap, so that players see the
   * playlist go on (HLS §6.2.1). Not before `gapDueMs`, or a publisher that returns would find its time taken. Returns
   * the presentation time, in ms, where the gap ends; undefined when nothing is listed that could go on.
   */
  passGap(): number | undefined {
    const start = this.#sourceEnd;
    if (!this.#period || !start || this.gapDueMs === undefined) return undefined;
    const { msn } = this.#boundaries.add(this.#period, start.ticks, start.timescale, true);
    const gapTicks = msToTicks(this.options.segmentTargetMs, start.timescale);
    this.#sourceEnd = { ...start, ticks: start.ticks + gapTicks };
    this.#boundaries.endPeriod(this.#sourceEnd);
    for (const segmenter of this.#segmenters.values()) segmenter.fillGaps(msn + 1);
    return ticksToMs(this.#sourceEnd.ticks, start.timescale);
  }

  /** The source is over. Rungs may still bring what they have in hand; `finish` ends the presentation. */
  onEnd(): void {
    this.#closeSource();
  }

  /** One unit of a rung, as its encoder returns it. The rendition appears when its first segment is complete. */
  writeRung(rung: RungDescription, period: Period, unit: Unit): void {
    if (!this.#timeline || this.#isEnded) return;
    this.#lost.delete(rung.id);
    // Gaps that opened the period were listed under what the rung was before: it begins anew.
    if (this.#segmenters.get(rung.id)?.contradicts(period, unit.track)) this.dropRungs([rung.id]);
    this.#segmenter(rung.id, rung.kind, "rung", rung.audioRenditionId).write(period, unit);
  }

  /** The encoder has drained: what its rungs have of the last segment is all there will be. */
  closeRungs(): void {
    for (const segmenter of this.#segmenters.values()) if (segmenter.origin === "rung") segmenter.closeSegment();
  }

  /** The encoder of these rungs is away for a while: their playlists go on with gaps until it is back. */
  loseRungs(renditionIds: readonly string[]): void {
    for (const id of renditionIds) {
      this.#lost.add(id);
      this.#segmenters.get(id)?.closeSegment();
    }
  }

  /** These rungs will not come back: they leave the multivariant playlist and answer 404. */
  dropRungs(renditionIds: readonly string[]): void {
    for (const id of renditionIds) {
      this.#lost.delete(id);
      this.#segmenters.delete(id);
      this.#rejoinMsn.set(id, this.#boundaries.nextMsn);
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

  #takeLead(period: Period, unit: Unit): void {
    this.#aloneSince = undefined;
    if (this.#isVideoAway && !this.#canVideoReturn(unit)) {
      this.#leadEnd = endOf(unit);
      return;
    }
    this.#writeLead(period, unit);
    this.#isVideoAway = false;
  }

  /** Pictures that come back begin a segment, after all that audio has had alone. */
  #canVideoReturn(unit: Unit): boolean {
    const end = this.#sourceEnd;
    return (
      unit.isKey && (!end || compareTicks(unit.dts + unit.cts, unit.track.timescale, end.ticks, end.timescale) >= 0)
    );
  }

  #writeLead(period: Period, unit: Unit): void {
    this.#timeline ??= this.#fixTimeline(unit);
    if (unit.isKey && unit.track.format.kind === "video") this.#measureGop(unit);
    if (this.#startsSegment(unit)) {
      this.#segmentStart = unit.dts + unit.cts;
      this.#boundaries.add(period, unit.dts + unit.cts, unit.track.timescale);
      this.#fillLost();
      this.#fillAbsent(period);
    }
    const id = unit.track.format.kind === "video" ? SOURCE_VIDEO_ID : SOURCE_AUDIO_ID;
    this.#leadEnd = endOf(unit);
    this.#writeSource(id, period, unit);
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
    if (this.#segmentStart === undefined || this.#isVideoAway) return true;
    const { timescale } = unit.track;
    const elapsedMs = ticksToMs(unit.dts + unit.cts - this.#segmentStart, timescale);
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
      const isBehindLead = this.#isBehindLead(unit);
      if (!isBehindLead && !this.#isAlone(unit)) break;
      if (!isBehindLead || this.#isVideoAway) this.#cutWithoutVideo(period, unit);
      if (this.#timeline) this.#writeSource(SOURCE_AUDIO_ID, period, unit);
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

  /** Pictures that only come late are waited for; when none come any more, audio goes on without. */
  #isAlone(unit: Unit): boolean {
    const newest = this.#heldAudio.at(-1);
    if (!newest) return false;
    const { timescale } = unit.track;
    const aloneMs = ticksToMs(newest.dts - (this.#aloneSince ?? newest).dts, timescale);
    return aloneMs > MAX_AUDIO_ALONE_MS || ticksToMs(newest.dts - unit.dts, timescale) > MAX_HELD_AUDIO_MS;
  }

  /**
   * Video has stopped: audio goes on in segments of its own, and the video's playlist with gaps. The first begins where
   * the pictures end, so that the segment before has no time that nothing is listed for.
   */
  #cutWithoutVideo(period: Period, unit: Unit): void {
    const last = this.#boundaries.last;
    if (!last) return;
    const { timescale } = unit.track;
    const elapsedMs = ticksToMs(unit.dts, timescale) - ticksToMs(last.start, last.timescale);
    const isWithinSegment = elapsedMs + ticksToMs(unit.duration, timescale) <= this.targetDurationS * 1000;
    if (isWithinSegment && (this.#isVideoAway || elapsedMs <= 0)) return;
    const { msn } = this.#boundaries.add(period, unit.dts, timescale);
    this.#segmentStart = rescale(unit.dts, timescale, VIDEO_TIMESCALE);
    this.#isVideoAway = true;
    this.#segmenters.get(SOURCE_VIDEO_ID)?.fillGaps(msn);
    this.#fillLost();
  }

  #closeSource(): void {
    const period = this.#period;
    if (period && this.#timeline) {
      for (const unit of this.#heldAudio) if (this.#hasRoom(unit)) this.#writeSource(SOURCE_AUDIO_ID, period, unit);
    }
    this.#heldAudio = [];
    if (this.#sourceEnd) this.#boundaries.endPeriod(this.#sourceEnd);
    for (const id of [SOURCE_VIDEO_ID, SOURCE_AUDIO_ID]) this.#segmenters.get(id)?.closeSegment();
  }

  /** Sound that was sent far ahead of pictures which never came would make the last segment longer than was promised. */
  #hasRoom(unit: Unit): boolean {
    const last = this.#boundaries.last;
    if (!last) return false;
    const end = endOf(unit);
    const elapsedMs = ticksToMs(end.ticks, end.timescale) - ticksToMs(last.start, last.timescale);
    return elapsedMs <= this.targetDurationS * 1000 + ROUNDING_MS;
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

  #writeSource(id: string, period: Period, unit: Unit): void {
    const end = endOf(unit);
    const known = this.#sourceEnd;
    if (!known || compareTicks(end.ticks, end.timescale, known.ticks, known.timescale) > 0) this.#sourceEnd = end;
    this.#source(id, period).write(period, unit);
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
      firstMsn: this.#rejoinMsn.get(id) ?? 0,
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
    const newest = rendition.segments.at(-1);
    if (newest && !newest.isGap && !newest.isIndependent) this.#isIndependent = false;
    if (this.#isOffered(rendition) !== this.#listed.includes(rendition)) this.#relist();
    this.events.emit("advance", rendition);
  }

  /** The first complete segment of the lead fixes the target duration for good; one of a rung may have been cut short. */
  #fixTargetDuration(rendition: Segmenter): void {
    const first = rendition.segments[0];
    if (this.#targetDurationS !== undefined || rendition.origin === "rung" || !first?.isComplete) return;
    const longestMs = Math.max(this.options.segmentTargetMs, ticksToMs(first.duration, rendition.timescale));
    // With the room that later segments have: sound that ends a unit after the pictures must not round to more.
    this.#targetDurationS = Math.max(1, Math.ceil((longestMs - ROUNDING_MS) / 1000));
  }

  /** What has nothing to play in its whole window, and nothing on its way, leaves the presentation until that changes. */
  #isOffered(rendition: Segmenter): boolean {
    return rendition.hasCompleteSegment && (rendition.hasMedia || !this.#isAway(rendition));
  }

  #isAway({ id, kind, origin }: Segmenter): boolean {
    return origin === "source" ? this.#period?.[kind] === undefined : this.#lost.has(id);
  }

  #relist(): void {
    this.#listed = [...this.#segmenters.values()].filter((segmenter) => this.#isOffered(segmenter));
    this.events.emit("renditions", this);
  }
}

function endOf(unit: Unit): Instant {
  return { ticks: unit.dts + unit.duration, timescale: unit.track.timescale };
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

/**
 * The frame interval that the codec declares, when the first frame agrees with it to its rounding; else the first frame's.
 * Beyond a second that is a stall at the start: parts may not grow with it for ever.
 */
function frameIntervalMs({ duration, track }: Unit): number {
  const { format, timescale } = track;
  const seenMs = ticksToMs(duration, timescale);
  const rate = format.kind === "video" ? format.frameRate : undefined;
  const declaredMs = rate && rate.numerator > 0 ? (1000 * rate.denominator) / rate.numerator : undefined;
  if (declaredMs !== undefined && declaredMs <= MAX_FRAME_MS && isNear(declaredMs, seenMs)) return declaredMs;
  return Math.min(seenMs, MAX_FRAME_MS);
}

function isNear(declaredMs: number, seenMs: number): boolean {
  return Math.abs(declaredMs - seenMs) <= 1 || seenMs > MAX_FRAME_MS;
}
