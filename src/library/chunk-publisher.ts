import type { VideoRepository } from "../catalog/video-repository.ts";
import { DomainError } from "../core/errors.ts";
import type { VideoId } from "../core/ids.ts";
import type { Logger } from "../core/logger.ts";
import type { ObjectStore } from "../storage/object-store.ts";
import type { MadeChunk, MakeTarget } from "./make/contract.ts";
import { renditionInitJson, segmentsJson } from "./rendition-json.ts";
import type { JobTarget } from "./video-jobs.ts";

/** The video was deleted, or the rendition is made anew: what is being made is for nobody. */
export class NoLongerWanted extends Error {}

export interface ChunkPublisherOptions {
  readonly videos: Pick<VideoRepository, "commitChunk">;
  readonly store: ObjectStore;
  readonly log: Logger;
  readonly videoId: VideoId;
  readonly attemptId: string;
  readonly targets: readonly JobTarget[];
}

/** Publishes what one attempt makes; deletes it again where another attempt was first, or nobody wants it. */
export class ChunkPublisher {
  readonly #options: ChunkPublisherOptions;
  readonly #epochs: ReadonlyMap<string, string>;

  constructor(options: ChunkPublisherOptions) {
    this.#options = options;
    this.#epochs = new Map(options.targets.map(({ renditionId, epoch }) => [renditionId, epoch]));
  }

  /** Where the objects of one rendition go, this time and never again. */
  target({ renditionId, epoch }: JobTarget): MakeTarget {
    const { videoId, attemptId } = this.#options;
    return { renditionId, keyPrefix: `videos/${videoId}/${renditionId}/${epoch}/${attemptId}/` };
  }

  /** Throws NoLongerWanted, or INTERNAL when the chunk does not go with those that are there. */
  async publish({ renditionId, index, keyPrefix, segments, init }: MadeChunk): Promise<void> {
    const { videos, videoId } = this.#options;
    const epoch = this.#epochs.get(renditionId) ?? "";
    const outcome = await videos.commitChunk({
      ...{ videoId, renditionId, epoch, index, keyPrefix },
      segments: segmentsJson(segments),
      init: init ? renditionInitJson(init) : null,
    });
    if (outcome === "committed") return;
    await this.#discard(segments.map(({ key }) => key));
    if (outcome === "gone") throw new NoLongerWanted();
    if (outcome === "mismatch") {
      throw new DomainError("INTERNAL", `chunk ${index} of ${renditionId} has another header than those before it`);
    }
  }

  async #discard(keys: readonly string[]): Promise<void> {
    const { store, log, videoId } = this.#options;
    try {
      await store.delete(keys);
    } catch (error) {
      log.warn({ videoId, err: error }, "what was made twice cannot be deleted now; the next clean-up will");
    }
  }
}
