import { type Clock, systemClock } from "../../core/clock.ts";
import { checkObjectKey } from "../object-key.ts";
import { selectBytes } from "../object-range.ts";
import type { GetOptions, ObjectBody, ObjectInfo, ObjectStore, PutOptions } from "../object-store.ts";
import { unlessAborted } from "../unless-aborted.ts";
import { CachedObject } from "./cached-object.ts";

/** Of the cache's size: a few large objects shall not push all others out. */
const LARGEST_SHARE = 1 / 32;
const MAX_LARGE_KEYS = 10_000;
const SEGMENT = /\.(m4s|mp4|m4a|ts)$/;

export interface CachedObjectStoreOptions {
  readonly store: ObjectStore;
  /** What all objects in it may have together. */
  readonly capacityBytes: number;
  /** How long an object is served without asking its store. */
  readonly ttlMs: number;
  /** The same for segments, whose names never are used for other bytes. */
  readonly segmentTtlMs: number;
  readonly clock?: Clock;
}

type Found = CachedObject | "absent" | "large";

export interface CacheCounts {
  readonly hitCount: number;
  readonly missCount: number;
  readonly heldBytes: number;
}

/**
 * Keeps what was read of a store lately in memory, least recently used out first. However many ask at once for an object,
 * it is read once, and each gets the range of it that was asked for, as it arrives. Objects that are too large for the cache
 * pass by it. What is put or deleted here is forgotten at once; what others replace is served for its time to live.
 */
export class CachedObjectStore implements ObjectStore {
  readonly #store: ObjectStore;
  readonly #options: CachedObjectStoreOptions;
  readonly #clock: Clock;
  readonly #largestBytes: number;
  /** The least recently used first; those that are on their way too. */
  readonly #objects = new Map<string, CachedObject>();
  /** Reads that do not know yet how large their object is. */
  readonly #opening = new Map<string, Promise<Found>>();
  /** Objects that do not fit, so that nobody begins to read them whole again. */
  readonly #large = new Map<string, number>();
  #heldBytes = 0;
  #hitCount = 0;
  #missCount = 0;

  constructor(options: CachedObjectStoreOptions) {
    this.#store = options.store;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#largestBytes = Math.floor(options.capacityBytes * LARGEST_SHARE);
  }

  /** For metrics. Bytes on their way count as held. */
  get counts(): CacheCounts {
    return { hitCount: this.#hitCount, missCount: this.#missCount, heldBytes: this.#heldBytes };
  }

  async get(key: string, options: GetOptions = {}): Promise<ObjectBody | undefined> {
    checkObjectKey(key);
    options.signal?.throwIfAborted();
    const fresh = this.#find(key);
    if (fresh) return this.#serve(fresh, options);
    this.#missCount += 1;
    if (this.#isLarge(key)) return this.#store.get(key, options);
    const found = await unlessAborted(this.#opening.get(key) ?? this.#open(key), options.signal);
    if (found === "absent") return undefined;
    return found === "large" ? this.#store.get(key, options) : this.#serve(found, options);
  }

  async put(
    key: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options?: PutOptions,
  ): Promise<ObjectInfo | undefined> {
    // Before, for whoever asks while it is put; afterwards, for what was read meanwhile.
    this.#forget(key);
    try {
      return await this.#store.put(key, body, options);
    } finally {
      this.#forget(key);
    }
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    return this.#find(key)?.info ?? this.#store.head(key);
  }

  list(prefix: string): AsyncIterable<ObjectInfo> {
    return this.#store.list(prefix);
  }

  async delete(keys: readonly string[]): Promise<void> {
    try {
      await this.#store.delete(keys);
    } finally {
      for (const key of keys) this.#forget(key);
    }
  }

  removeLeftovers(olderThanMs: number, options?: { readonly isDryRun?: boolean }): Promise<readonly string[]> {
    return this.#store.removeLeftovers(olderThanMs, options);
  }

  localPath(key: string): string | undefined {
    return this.#store.localPath?.(key);
  }

  async adopt(key: string, path: string): Promise<boolean> {
    try {
      return (await this.#store.adopt?.(key, path)) ?? false;
    } finally {
      this.#forget(key);
    }
  }

  check(): Promise<void> {
    return this.#store.check();
  }

  async close(): Promise<void> {
    for (const key of [...this.#objects.keys()]) this.#forget(key);
    await this.#store.close();
  }

  #find(key: string): CachedObject | undefined {
    const object = this.#objects.get(key);
    if (!object) return undefined;
    const { ttlMs, segmentTtlMs } = this.#options;
    const isStale = this.#clock.monotonicMs() - object.loadedAtMs >= (SEGMENT.test(key) ? segmentTtlMs : ttlMs);
    this.#objects.delete(key);
    if (isStale) {
      this.#heldBytes -= object.info.sizeBytes;
      return undefined;
    }
    this.#objects.set(key, object);
    this.#hitCount += 1;
    return object;
  }

  #serve(object: CachedObject, { range, signal }: GetOptions): ObjectBody {
    const selected = selectBytes(range, object.info.sizeBytes);
    const reading = new AbortController();
    const stop = signal ? AbortSignal.any([signal, reading.signal]) : reading.signal;
    const { info } = object;
    return {
      info,
      range: selected,
      body: object.read(selected.first, selected.last, stop),
      cancel: () => reading.abort(),
    };
  }

  #open(key: string): Promise<Found> {
    const opening = this.#begin(key, () => this.#opening.get(key) === opening);
    this.#opening.set(key, opening);
    const forget = () => {
      if (this.#opening.get(key) === opening) this.#opening.delete(key);
    };
    opening.then(forget, forget);
    return opening;
  }

  async #begin(key: string, isWanted: () => boolean): Promise<Found> {
    const source = await this.#store.get(key);
    if (!source) return "absent";
    const { sizeBytes } = source.info;
    if (sizeBytes > this.#largestBytes) {
      source.cancel();
      this.#noteLarge(key);
      return "large";
    }
    const object = new CachedObject(source.info, this.#clock);
    // Forgotten while it was opened: those who waited get it, nobody else.
    if (isWanted()) this.#keep(key, object);
    void object.load(source).then((isComplete) => {
      if (!isComplete && this.#objects.get(key) === object) this.#forget(key);
    });
    return object;
  }

  #keep(key: string, object: CachedObject): void {
    this.#remove(key);
    this.#objects.set(key, object);
    this.#heldBytes += object.info.sizeBytes;
    for (const oldest of this.#objects.keys()) {
      if (this.#heldBytes <= this.#options.capacityBytes) break;
      this.#remove(oldest);
    }
  }

  #forget(key: string): void {
    this.#opening.delete(key);
    this.#large.delete(key);
    this.#remove(key);
  }

  #remove(key: string): void {
    this.#heldBytes -= this.#objects.get(key)?.info.sizeBytes ?? 0;
    this.#objects.delete(key);
  }

  #isLarge(key: string): boolean {
    const notedAtMs = this.#large.get(key);
    return notedAtMs !== undefined && this.#clock.monotonicMs() - notedAtMs < this.#options.ttlMs;
  }

  #noteLarge(key: string): void {
    const [oldest] = this.#large.keys();
    if (this.#large.size >= MAX_LARGE_KEYS && oldest !== undefined) this.#large.delete(oldest);
    this.#large.set(key, this.#clock.monotonicMs());
  }
}
