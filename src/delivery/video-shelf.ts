import type { Clock } from "../core/clock.ts";
import { DomainError } from "../core/errors.ts";
import type { VideoId } from "../core/ids.ts";
import type { Logger } from "../core/logger.ts";
import type { DeliveryKind } from "./delivery-metrics.ts";
import { type SharedManifests, ShownVideo } from "./shown-video.ts";
import type { StoredVideos } from "./stored-videos.ts";

/** Bounds of what watched videos may take of memory, and how old what is known of them may be. */
export interface ShelfLimits {
  readonly maxVideoCount: number;
  /** Of all videos together; a segment takes some 500 bytes with what is rendered of it. */
  readonly maxSegmentCount: number;
  /** Videos that are looked up at the same time. */
  readonly maxLookupCount: number;
  readonly growingFreshMs: number;
  /** Deleted ones are shown for so long. */
  readonly finalFreshMs: number;
}

const DEFAULT_LIMITS: ShelfLimits = {
  maxVideoCount: 1_000,
  maxSegmentCount: 200_000,
  maxLookupCount: 1_000,
  growingFreshMs: 1_000,
  finalFreshMs: 10_000,
};

export interface VideoShelfOptions {
  readonly videos: StoredVideos;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onRender: (kind: DeliveryKind) => void;
  readonly manifests: SharedManifests | undefined;
  readonly limits?: Partial<ShelfLimits>;
}

interface Place {
  readonly shown: ShownVideo;
  /** As many as are counted in all. */
  readonly segmentCount: number;
  checkedAtMs: number;
}

/** The videos that are being watched, the longest unwatched first. What is known of each is looked at again now and then. */
export class VideoShelf {
  readonly #options: VideoShelfOptions;
  readonly #limits: ShelfLimits;
  readonly #places = new Map<VideoId, Place>();
  readonly #lookups = new Map<VideoId, Promise<ShownVideo | undefined>>();
  #segmentCount = 0;

  constructor(options: VideoShelfOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
  }

  /**
   * The video as it stands, at once when that is known well enough. Undefined when there is none. While it cannot be looked
   * up, what was known before is shown; rejects with UNAVAILABLE when nothing was.
   */
  find(videoId: VideoId): ShownVideo | Promise<ShownVideo | undefined> {
    const place = this.#places.get(videoId);
    if (!place || !this.#isFresh(place)) return this.#lookUp(videoId, place);
    this.#places.delete(videoId);
    this.#places.set(videoId, place);
    return place.shown;
  }

  /** The same, looked up now: for who asks for what is not known of it, and may have been made a moment ago. */
  findNewest(videoId: VideoId): Promise<ShownVideo | undefined> {
    return this.#lookUp(videoId, this.#places.get(videoId));
  }

  #isFresh({ shown, checkedAtMs }: Place): boolean {
    const { finalFreshMs, growingFreshMs } = this.#limits;
    const ageMs = this.#options.clock.monotonicMs() - checkedAtMs;
    return ageMs < (shown.video.isFinal ? finalFreshMs : growingFreshMs);
  }

  /** All who ask for one video wait for one look. */
  #lookUp(videoId: VideoId, place: Place | undefined): Promise<ShownVideo | undefined> {
    const under = this.#lookups.get(videoId);
    if (under) return under;
    if (this.#lookups.size >= this.#limits.maxLookupCount) {
      return Promise.reject(new DomainError("UNAVAILABLE", "too many videos are asked for at once"));
    }
    const lookup = this.#refresh(videoId, place).finally(() => this.#lookups.delete(videoId));
    this.#lookups.set(videoId, lookup);
    return lookup;
  }

  async #refresh(videoId: VideoId, place: Place | undefined): Promise<ShownVideo | undefined> {
    const { videos, clock, onRender, manifests, log } = this.#options;
    try {
      const video = await videos.get(videoId, place?.shown.video);
      this.#remove(videoId);
      if (!video) return undefined;
      const shown = place?.shown ?? new ShownVideo(video, { videoId, onRender, manifests });
      if (shown.video !== video) shown.update(video);
      const { segmentCount } = shown.presentation;
      this.#put(videoId, { shown, segmentCount, checkedAtMs: clock.monotonicMs() });
      return shown;
    } catch (error) {
      if (!place) throw new DomainError("UNAVAILABLE", "the video cannot be looked up now", { cause: error });
      log.warn({ videoId, err: error }, "a video cannot be looked up; what was known of it is shown");
      place.checkedAtMs = clock.monotonicMs();
      return place.shown;
    }
  }

  #put(videoId: VideoId, place: Place): void {
    this.#places.set(videoId, place);
    this.#segmentCount += place.segmentCount;
    for (const oldest of this.#places.keys()) {
      if (oldest === videoId || !this.#isOverfull) break;
      this.#remove(oldest);
    }
  }

  get #isOverfull(): boolean {
    return this.#places.size > this.#limits.maxVideoCount || this.#segmentCount > this.#limits.maxSegmentCount;
  }

  #remove(videoId: VideoId): void {
    this.#segmentCount -= this.#places.get(videoId)?.segmentCount ?? 0;
    this.#places.delete(videoId);
  }
}
