import { type Clock, systemClock } from "../../core/clock.ts";
import { checkObjectKey } from "../object-key.ts";
import { selectBytes } from "../object-range.ts";
import type { GetOptions, ListOptions, ObjectBody, ObjectInfo, ObjectStore, PutOptions } from "../object-store.ts";
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

/** Objects that find no room pass by, each reader with its own reading of the store. */
type Found = CachedObject | "absent" | "passing";

export interface CacheCounts {
  readonly hitCount: number;
  readonly missCount: number;
  readonly heldBytes: number;
}

/**
 * Keeps what was read of a store lately in memory, least recently used out first. However many ask at once for an object,
 * it is read once, and each gets the range of it that was asked for, as it arrives. Objects that are too large for the cache
 * pass by it, and so does all for which there is no room beside what is being read: slow readers cost no memory. What is put or deleted here is forgotten at once; what others replace is served for its time to live.
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
  /** All that take memory: those above, and what they let go of while somebody reads it. */
  readonly #held = new Set<CachedObject>();
  #heldBytes = 0;
  #hitCount = 0;
  #missCount = 0;

  constructor(options: CachedObjectStoreOptions) {
    this.#store = options.store;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#largestBytes = Math.floor(options.capacityBytes * LARGEST_SHARE);
  }

  /** For metrics. Bytes on their way count as held, and those that only a reader still has. */
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
    return found === "passing" ? this.#store.get(key, options) : this.#serve(found, options);
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

  list(prefix: string, options?: ListOptions): AsyncIterable<ObjectInfo> {
    return this.#store.list(prefix, options);
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
    if (isStale) {
      this.#remove(key);
      return undefined;
    }
    this.#objects.delete(key);
    this.#objects.set(key, object);
    this.#hitCount += 1;
    return object;
  }

  #serve(object: CachedObject, { range, signal }: GetOptions): ObjectBody {
    const selected = selectBytes(range, object.info.sizeBytes);
    const reading = new AbortController();
    const stop = signal ? AbortSignal.any([signal, reading.signal]) : reading.signal;
    const { info } = object;
    this.#hold(object);
    const leave = object.use();
    if (stop.aborted) leave();
    else stop.addEventListener("abort", leave, { once: true });
    return {
      info,
      range: selected,
      body: readThrough(object.read(selected.first, selected.last, stop), leave),
      cancel: () => {
        reading.abort();
        leave();
      },
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
      return "passing";
    }
    if (!this.#makeRoom(sizeBytes)) {
      source.cancel();
      return "passing";
    }
    const object: CachedObject = new CachedObject(source.info, this.#clock, () => {
      if (this.#objects.get(key) !== object) this.#release(object);
    });
    this.#hold(object);
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
  }

  /** Lets go of what was not asked for in the longest time and is not in use; false when that is not enough. */
  #makeRoom(sizeBytes: number): boolean {
    const mostBytes = this.#options.capacityBytes - sizeBytes;
    for (const [key, object] of this.#objects) {
      if (this.#heldBytes <= mostBytes) break;
      if (!object.isUsed) this.#remove(key);
    }
    return this.#heldBytes <= mostBytes;
  }

  #forget(key: string): void {
    this.#opening.delete(key);
    this.#large.delete(key);
    this.#remove(key);
  }

  /** What is in use takes its memory until it is not. */
  #remove(key: string): void {
    const object = this.#objects.get(key);
    this.#objects.delete(key);
    if (object && !object.isUsed) this.#release(object);
  }

  #hold(object: CachedObject): void {
    if (this.#held.has(object)) return;
    this.#held.add(object);
    this.#heldBytes += object.info.sizeBytes;
  }

  #release(object: CachedObject): void {
    if (this.#held.delete(object)) this.#heldBytes -= object.info.sizeBytes;
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

async function* readThrough(body: AsyncIterable<Uint8Array>, leave: () => void): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } finally {
    leave();
  }
}
