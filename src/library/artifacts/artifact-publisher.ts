import type { VideoRepository } from "../../catalog/video-repository.ts";
import type { VideoId } from "../../core/ids.ts";
import type { JsonObject } from "../../core/json.ts";
import type { Logger } from "../../core/logger.ts";
import type { ObjectStore } from "../../storage/object-store.ts";

export interface ArtifactPublisherOptions {
  readonly videos: Pick<VideoRepository, "addArtifacts">;
  readonly store: ObjectStore;
  readonly log: Logger;
  readonly videoId: VideoId;
  /** Used by no other attempt. */
  readonly attemptId: string;
  readonly signal: AbortSignal;
}

/** What is to be an artifact of a video, with its bytes. */
export interface MadeArtifact {
  /** As it stands in paths: `poster.jpg`, `thumbnails/3.jpg`. */
  readonly name: string;
  readonly contentType: string;
  readonly body: Uint8Array | AsyncIterable<Uint8Array>;
  readonly details: JsonObject | null;
}

/** Publishes what one attempt makes beside renditions; deletes it again where another was first, or nobody wants it. */
export class ArtifactPublisher {
  readonly #options: ArtifactPublisherOptions;

  constructor(options: ArtifactPublisherOptions) {
    this.#options = options;
  }

  /** Puts all of them, and names them as one. False: the video is gone, or has something of one of these names. */
  async publish(made: readonly MadeArtifact[]): Promise<boolean> {
    const { videos, store, videoId, attemptId, signal } = this.#options;
    const keyOf = (name: string) => `videos/${videoId}/artifacts/${attemptId}/${name}`;
    const keys = made.map(({ name }) => keyOf(name));
    const artifacts = [];
    try {
      for (const { name, contentType, body, details } of made) {
        const info = await store.put(keyOf(name), body, { contentType, signal });
        artifacts.push({ name, key: keyOf(name), contentType, sizeBytes: info?.sizeBytes ?? 0, details });
      }
      signal.throwIfAborted();
    } catch (error) {
      await this.#discard(keys);
      throw error;
    }
    // From here on nobody but the records knows whether it is published: what a broken connection leaves is for the clean-up.
    if (await videos.addArtifacts(videoId, artifacts)) return true;
    await this.#discard(keys);
    return false;
  }

  async #discard(keys: readonly string[]): Promise<void> {
    const { store, log, videoId } = this.#options;
    try {
      await store.delete(keys);
    } catch (error) {
      log.warn({ videoId, err: error }, "what was made for nobody cannot be deleted now; the next clean-up will");
    }
  }
}
