import { type Clock, systemClock } from "../../core/clock.ts";
import { DomainError } from "../../core/errors.ts";
import { checkKeyPrefix, checkObjectKey } from "../object-key.ts";
import { selectBytes } from "../object-range.ts";
import type { GetOptions, ListOptions, ObjectBody, ObjectInfo, ObjectStore, PutOptions } from "../object-store.ts";
import { sourceChunks } from "../source-chunks.ts";

const DEFAULT_CAPACITY_BYTES = 2 ** 30;
const CHUNK_BYTES = 256 * 1024;

export interface MemoryObjectStoreOptions {
  readonly clock?: Clock;
  /** What it holds in all; more is STORAGE_FULL. */
  readonly capacityBytes?: number;
}

/** Objects that are gone with the process: for tests and for trying Headwater out. */
export class MemoryObjectStore implements ObjectStore {
  readonly #clock: Clock;
  readonly #capacityBytes: number;
  readonly #objects = new Map<string, { readonly info: ObjectInfo; readonly bytes: Uint8Array }>();
  #heldBytes = 0;
  #putCount = 0;

  constructor({ clock = systemClock, capacityBytes = DEFAULT_CAPACITY_BYTES }: MemoryObjectStoreOptions = {}) {
    this.#clock = clock;
    this.#capacityBytes = capacityBytes;
  }

  async put(
    key: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    { ifAbsent = false, signal }: PutOptions = {},
  ): Promise<ObjectInfo | undefined> {
    checkObjectKey(key);
    if (ifAbsent && this.#objects.has(key)) return undefined;
    const bytes = await this.#collect(body, signal);
    if (ifAbsent && this.#objects.has(key)) return undefined;
    this.#forget(key);
    if (this.#heldBytes + bytes.byteLength > this.#capacityBytes) throw full();
    this.#heldBytes += bytes.byteLength;
    this.#putCount += 1;
    const info = {
      key,
      sizeBytes: bytes.byteLength,
      etag: `m${this.#putCount}`,
      modifiedAtMs: Math.floor(this.#clock.nowMs()),
    };
    this.#objects.set(key, { info, bytes });
    return info;
  }

  async get(key: string, { range, signal }: GetOptions = {}): Promise<ObjectBody | undefined> {
    checkObjectKey(key);
    signal?.throwIfAborted();
    const object = this.#objects.get(key);
    if (!object) return undefined;
    const selected = selectBytes(range, object.info.sizeBytes);
    const reading = new AbortController();
    const signals = signal ? AbortSignal.any([signal, reading.signal]) : reading.signal;
    const bytes = object.bytes.subarray(selected.first, selected.last + 1);
    return { info: object.info, range: selected, body: inChunks(bytes, signals), cancel: () => reading.abort() };
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    checkObjectKey(key);
    return this.#objects.get(key)?.info;
  }

  async *list(prefix: string, { signal }: ListOptions = {}): AsyncGenerator<ObjectInfo, void, undefined> {
    checkKeyPrefix(prefix);
    for (const [key, { info }] of this.#objects) {
      signal?.throwIfAborted();
      if (key.startsWith(prefix)) yield info;
    }
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) checkObjectKey(key);
    for (const key of keys) this.#forget(key);
  }

  async removeLeftovers(): Promise<readonly string[]> {
    return [];
  }

  async check(): Promise<void> {}

  async close(): Promise<void> {
    this.#objects.clear();
    this.#heldBytes = 0;
  }

  async #collect(body: Uint8Array | AsyncIterable<Uint8Array>, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    let sizeBytes = 0;
    for await (const chunk of sourceChunks(body, signal)) {
      sizeBytes += chunk.byteLength;
      if (sizeBytes > this.#capacityBytes) throw full();
      chunks.push(chunk);
    }
    // A copy: whoever gave the bytes may use their memory again.
    return Buffer.concat(chunks);
  }

  #forget(key: string): void {
    this.#heldBytes -= this.#objects.get(key)?.info.sizeBytes ?? 0;
    this.#objects.delete(key);
  }
}

async function* inChunks(bytes: Uint8Array, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.byteLength; at += CHUNK_BYTES) {
    signal.throwIfAborted();
    yield bytes.subarray(at, at + CHUNK_BYTES);
  }
}

function full(): DomainError {
  return new DomainError("STORAGE_FULL", "the memory set aside for objects is used up");
}
