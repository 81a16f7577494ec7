import type { Clock } from "../../core/clock.ts";
import { DomainError } from "../../core/errors.ts";
import type { ObjectBody, ObjectInfo } from "../object-store.ts";
import { unlessAborted } from "../unless-aborted.ts";

/**
 * One object in memory, from the moment it begins to come from its store. Any number of readers follow it as it arrives;
 * one that comes later finds more of it there at once.
 */
export class CachedObject {
  readonly info: ObjectInfo;
  readonly loadedAtMs: number;
  readonly #chunks: Uint8Array[] = [];
  #failure: { readonly error: unknown } | undefined;
  #arrived = Promise.withResolvers<void>();
  #isComplete = false;
  #useCount = 0;
  readonly #onUnused: () => void;

  /** `onUnused`: nobody reads or loads it any more. */
  constructor(info: ObjectInfo, clock: Clock, onUnused: () => void) {
    this.info = info;
    this.loadedAtMs = clock.monotonicMs();
    this.#onUnused = onUnused;
  }

  /** Whether somebody holds it in memory, whoever else lets go of it. */
  get isUsed(): boolean {
    return this.#useCount > 0;
  }

  /** Says that it is used, until what is returned is called, once or more. */
  use(): () => void {
    this.#useCount += 1;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#useCount -= 1;
      if (this.#useCount === 0) this.#onUnused();
    };
  }

  /** Takes all of `source`; resolves to whether the whole object came. Readers learn why when it did not. */
  async load(source: ObjectBody): Promise<boolean> {
    const leave = this.use();
    let heldBytes = 0;
    try {
      for await (const chunk of source.body) {
        // What a pool or a part of a larger buffer holds would keep all of it in memory.
        const isOwn = chunk.byteLength * 2 > chunk.buffer.byteLength;
        this.#chunks.push(isOwn ? chunk : Uint8Array.from(chunk));
        heldBytes += chunk.byteLength;
        this.#announce();
      }
      if (heldBytes !== this.info.sizeBytes) throw new DomainError("UNAVAILABLE", "The object came with another size");
      this.#isComplete = true;
    } catch (error) {
      this.#failure = { error };
    }
    this.#announce();
    leave();
    return this.#isComplete;
  }

  /** The bytes `first` to `last`, as they come. Throws what broke the object off, or the reason of `signal`. */
  async *read(first: number, last: number, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    let chunkAt = 0;
    for (let index = 0; chunkAt <= last; index++) {
      while (index >= this.#chunks.length) await this.#next(signal);
      signal.throwIfAborted();
      const chunk = this.#chunks[index] ?? new Uint8Array();
      const piece = chunk.subarray(Math.max(0, first - chunkAt), last + 1 - chunkAt);
      chunkAt += chunk.byteLength;
      if (piece.byteLength > 0) yield piece;
    }
  }

  async #next(signal: AbortSignal): Promise<void> {
    if (this.#failure) throw this.#failure.error;
    if (this.#isComplete) throw new DomainError("INTERNAL", "an object in memory ended early");
    await unlessAborted(this.#arrived.promise, signal);
  }

  #announce(): void {
    this.#arrived.resolve();
    this.#arrived = Promise.withResolvers<void>();
  }
}
