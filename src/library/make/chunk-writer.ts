import type { Logger } from "../../core/logger.ts";
import type { StoredSegment } from "../../packaging/stored-rendition.ts";
import type { ObjectStore } from "../../storage/object-store.ts";
import { segmentKey } from "../rendition-json.ts";
import type { MadeChunk, MakeTarget, OnChunk, RenditionInit } from "./contract.ts";
import type { CutSegment } from "./stored-segmenter.ts";

export interface ChunkWriterOptions {
  readonly store: ObjectStore;
  readonly logger: Logger;
  readonly target: MakeTarget;
  readonly signal: AbortSignal;
  readonly firstIndex: number;
  /** Which chunk a segment belongs to; never goes down. */
  readonly chunkIndexOf: (segment: CutSegment) => number;
  /** Whether the chunk that `finish` ends is the rendition's last. */
  readonly endsRendition: boolean;
  readonly onChunk: OnChunk;
}

/**
 * Puts the segments of one rendition into the store and hands them on chunk by chunk. One segment is being put while the
 * next is made; whoever adds one waits for the one before, so no more than two are held.
 */
export class ChunkWriter {
  readonly #options: ChunkWriterOptions;
  #index: number;
  #segments: StoredSegment[] = [];
  #put: Promise<unknown> = Promise.resolve();
  #init: RenditionInit | undefined;

  constructor(options: ChunkWriterOptions) {
    this.#options = options;
    this.#index = options.firstIndex;
  }

  /** Of the rendition; before the first segment. */
  set init(init: RenditionInit) {
    this.#init = init;
  }

  async add(segment: CutSegment): Promise<void> {
    const index = this.#options.chunkIndexOf(segment);
    while (this.#index < index) await this.#endChunk(false);
    await this.#put;
    const { bytes, ...described } = segment;
    const stored = { ...described, key: segmentKey(this.#keyPrefix, this.#segments.length) };
    this.#segments.push(stored);
    const { store, signal } = this.#options;
    this.#put = store.put(stored.key, bytes, { contentType: "video/mp4", signal });
    // Whoever awaits it next sees its failure.
    this.#put.catch(() => undefined);
  }

  /** Ends the last chunk; gives how many chunks the rendition has so far. */
  async finish(): Promise<number> {
    await this.#endChunk(this.#options.endsRendition);
    return this.#index;
  }

  /**
   * Deletes what no chunk was made of, and of `made` what nobody wants. Never throws: what stays behind is found by the next
   * clean-up.
   */
  async discard(made?: MadeChunk): Promise<void> {
    const keys = [...this.#segments, ...(made?.segments ?? [])].map(({ key }) => key);
    this.#segments = [];
    try {
      await this.#put.catch(() => undefined);
      if (keys.length > 0) await this.#options.store.delete(keys);
    } catch (err) {
      this.#options.logger.warn(
        { err, keyPrefix: this.#keyPrefix },
        "what a failed attempt wrote could not be deleted",
      );
    }
  }

  get #keyPrefix(): string {
    return `${this.#options.target.keyPrefix}${this.#index}/`;
  }

  async #endChunk(isLast: boolean): Promise<void> {
    await this.#put;
    const { target, onChunk } = this.#options;
    const chunk: MadeChunk = {
      renditionId: target.renditionId,
      index: this.#index,
      keyPrefix: this.#keyPrefix,
      segments: this.#segments,
      init: this.#init,
      isLast,
    };
    this.#segments = [];
    this.#index += 1;
    await onChunk(chunk);
  }
}
