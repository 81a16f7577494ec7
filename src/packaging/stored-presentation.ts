import type { PackagingOptions, Presentation, ShownPeriod, StoredExtras } from "./presentation.ts";
import type { StoredRendition, StoredVideo } from "./stored-rendition.ts";
import { plainText, StoredTrack } from "./stored-track.ts";

/** A rendition that is further behind than this is not offered: who changed to it would wait. */
const MAX_LAG_MS = 30_000;

/**
 * A stored video as playlists see it: everything from the beginning, on its own clock. Offered is what a player may change
 * between at will (docs/adr/0027); the others can be fetched by those who know of them.
 */
export class StoredPresentation implements Presentation {
  /** Each rendition has its own: `Rendition.stored`. */
  readonly epoch = "";
  readonly options: PackagingOptions;
  readonly isInterrupted = false;
  readonly partTargetMs: number;
  readonly #tracks = new Map<string, StoredTrack>();
  #video: StoredVideo;
  #offered: readonly StoredTrack[] = [];
  #periods: readonly ShownPeriod[] = [];
  #extras: StoredExtras;

  constructor(video: StoredVideo) {
    this.options = {
      isLowLatency: false,
      segmentTargetMs: video.segmentTargetMs,
      partTargetMs: video.segmentTargetMs,
      windowSegmentCount: Number.POSITIVE_INFINITY,
    };
    this.partTargetMs = video.segmentTargetMs;
    this.#video = video;
    this.#extras = extrasOf(video, 0);
    this.update(video);
  }

  /** Takes in a later revision. What was there already is kept, so this costs what is new. */
  update(video: StoredVideo): void {
    const previous = new Map(this.#tracks);
    this.#video = video;
    this.#tracks.clear();
    for (const [place, rendition] of video.renditions.entries()) {
      this.#tracks.set(rendition.id, this.#track(previous.get(rendition.id), rendition, place));
    }
    this.#offered = offered([...this.#tracks.values()]);
    this.#periods = periodsOf(this.#offered);
    this.#extras = extrasOf(video, Math.max(0, ...this.#offered.map(({ endMs }) => endMs)));
  }

  #track(known: StoredTrack | undefined, rendition: StoredRendition, place: number): StoredTrack {
    if (!known?.isContinuedBy(rendition)) return new StoredTrack(rendition, place, this.#video.targetDurationS * 1000);
    known.advance(rendition, place);
    return known;
  }

  get stored(): StoredExtras {
    return this.#extras;
  }

  get renditions(): readonly StoredTrack[] {
    return this.#offered;
  }

  get periods(): readonly ShownPeriod[] {
    return this.#periods;
  }

  /**
   * What is listed has been available for ever; no player has to know what time it is. But of a recording that goes on nobody
   * knows the end, and dash.js asks the clock for it.
   */
  get availabilityStartMs(): number {
    const [first] = this.#periods;
    return first && this.#extras.isOpenEnded ? Math.floor(first.wallZeroMs + first.startMs) : 0;
  }

  /** That of the plan; a longer segment after all must not be listed under a target that it breaks (HLS §4.4.3.1). */
  get targetDurationS(): number {
    const longestMs = Math.max(0, ...this.#tracks.values().map(({ longestSegmentMs }) => longestSegmentMs));
    return Math.max(this.#video.targetDurationS, Math.round(longestMs / 1000));
  }

  get isIndependent(): boolean {
    return this.#offered.every((track) => track.isIndependent);
  }

  /** All that is offered is there to its end, whatever else may still be made. */
  get isEnded(): boolean {
    return this.#offered.length > 0 && this.#offered.every(({ stored }) => stored.isComplete);
  }

  /** Any rendition, offered or not. */
  track(renditionId: string): StoredTrack | undefined {
    return this.#tracks.get(renditionId);
  }

  get segmentCount(): number {
    return this.#tracks.values().reduce((sum, { segments }) => sum + segments.length, 0);
  }
}

function extrasOf({ durationMs, updatedAtMs, texts, storyboard }: StoredVideo, presentMs: number): StoredExtras {
  const named = texts.map((text) => ({ ...text, label: plainText(text.label) || text.language }));
  const isOpenEnded = durationMs === undefined;
  return { durationMs: durationMs ?? presentMs, isOpenEnded, updatedAtMs, storyboard, texts: named };
}

/** Renditions tell of the same periods; one that came late or left early does not know all of them. */
function periodsOf(tracks: readonly StoredTrack[]): readonly ShownPeriod[] {
  const byIndex = new Map(tracks.flatMap(({ periods }) => periods.map((period) => [period.index, period])));
  return [...byIndex.values()].sort((a, b) => a.index - b.index);
}

/**
 * What is there may be offered where a player can change to it without waiting. A source that is there to its end is such
 * from the first second, and nothing that is still being made may stand beside it; renditions that are made together grow
 * together, and one that is made anew comes back when it has caught up.
 */
function offered(all: readonly StoredTrack[]): StoredTrack[] {
  const tracks = all.filter(({ segments }) => segments.length > 0);
  const byId = new Map(tracks.map((track) => [track.id, track]));
  const audioOf = ({ audioRenditionId }: StoredTrack) => byId.get(audioRenditionId ?? "");
  const isWhole = (track: StoredTrack) => track.stored.isComplete && audioOf(track)?.stored.isComplete !== false;
  // A video without the sound that belongs to it would be a silent one.
  const playable = tracks.filter((track) => track.audioRenditionId === undefined || audioOf(track));
  const hasWholeSource = playable.some(
    (track) => track.kind === "video" && track.origin === "source" && isWhole(track),
  );
  const edges = { video: furthestEndMs(playable, "video"), audio: furthestEndMs(playable, "audio") };
  const isAbreast = (track: StoredTrack) =>
    hasWholeSource ? isWhole(track) : track.stored.isComplete || track.endMs + MAX_LAG_MS >= edges[track.kind];
  const videos = playable.filter((track) => track.kind === "video" && isAbreast(track));
  // Sound that waits for its picture.
  if (videos.length === 0 && all.some(({ kind }) => kind === "video")) return [];
  const heard = new Set(videos.map(audioOf));
  return playable.filter((track) =>
    track.kind === "video" ? videos.includes(track) : heard.has(track) || isAbreast(track),
  );
}

function furthestEndMs(tracks: readonly StoredTrack[], kind: "video" | "audio"): number {
  return Math.max(0, ...tracks.filter((track) => track.kind === kind).map(({ endMs }) => endMs));
}
