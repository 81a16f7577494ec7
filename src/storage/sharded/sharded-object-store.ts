import { createHash } from "node:crypto";
import { checkKeyPrefix, checkObjectKey } from "../object-key.ts";
import type { GetOptions, ListOptions, ObjectBody, ObjectInfo, ObjectStore, PutOptions } from "../object-store.ts";

const MAX_KNOWN_HOMES = 10_000;

/** One of the stores among which objects are spread. Its name decides what it gets, so it stays what it is. */
export interface Shard {
  readonly name: string;
  readonly store: ObjectStore;
}

/**
 * Spreads assets over several stores. All objects of an asset (the first two names of a key: `videos/{id}`) are together, in
 * the store where the asset was begun: the one that is first by a hash of the asset's and the stores' names then. Adding a
 * store moves nothing: where an asset is, is found by looking, in the order of that hash, so nearly always at once.
 */
export class ShardedObjectStore implements ObjectStore {
  readonly #shards: readonly Shard[];
  /** Where assets are, as it was seen; the oldest are forgotten. */
  readonly #homes = new Map<string, ObjectStore>();

  constructor(shards: readonly Shard[]) {
    this.#shards = shards;
  }

  async put(
    key: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options: PutOptions = {},
  ): Promise<ObjectInfo | undefined> {
    checkObjectKey(key);
    const home = await this.#homeOf(assetOf(key));
    // An asset that two processes began with different lists of stores is in two of them.
    if (options.ifAbsent && (await this.#findElsewhere(key, home))) return undefined;
    return home.put(key, body, options);
  }

  async get(key: string, options: GetOptions = {}): Promise<ObjectBody | undefined> {
    checkObjectKey(key);
    return this.#search(key, (store) => store.get(key, options));
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    checkObjectKey(key);
    return this.#search(key, (store) => store.head(key));
  }

  async *list(prefix: string, options?: ListOptions): AsyncGenerator<ObjectInfo, void, undefined> {
    checkKeyPrefix(prefix);
    for (const { store } of this.#shards) yield* store.list(prefix, options);
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) checkObjectKey(key);
    await Promise.all(this.#shards.map(({ store }) => store.delete(keys)));
  }

  async removeLeftovers(olderThanMs: number, options?: { readonly isDryRun?: boolean }): Promise<readonly string[]> {
    const found = await Promise.all(this.#shards.map(({ store }) => store.removeLeftovers(olderThanMs, options)));
    return found.flat();
  }

  async check(): Promise<void> {
    await Promise.all(this.#shards.map(({ store }) => store.check()));
  }

  async close(): Promise<void> {
    await Promise.all(this.#shards.map(({ store }) => store.close()));
    this.#homes.clear();
  }

  /** Where what is put for an asset goes: where it is, or the first choice when it is nowhere yet. */
  async #homeOf(asset: string): Promise<ObjectStore> {
    const known = this.#homes.get(asset);
    if (known) return known;
    const ranked = rank(this.#shards, asset);
    const holds = await Promise.all(ranked.map((store) => holdsAny(store, asset)));
    const home = ranked[Math.max(0, holds.indexOf(true))];
    if (!home) throw new Error("there are no stores to put into");
    this.#remember(asset, home);
    return home;
  }

  async #search<Found>(key: string, find: (store: ObjectStore) => Promise<Found | undefined>) {
    const asset = assetOf(key);
    for (const store of this.#searchOrder(asset)) {
      const found = await find(store);
      if (found === undefined) continue;
      if (!this.#homes.has(asset)) this.#remember(asset, store);
      return found;
    }
    return undefined;
  }

  #remember(asset: string, home: ObjectStore): void {
    const [oldest] = this.#homes.keys();
    if (this.#homes.size >= MAX_KNOWN_HOMES && oldest !== undefined) this.#homes.delete(oldest);
    this.#homes.set(asset, home);
  }

  #searchOrder(asset: string): readonly ObjectStore[] {
    const ranked = rank(this.#shards, asset);
    const home = this.#homes.get(asset);
    return home ? [home, ...ranked.filter((store) => store !== home)] : ranked;
  }

  async #findElsewhere(key: string, home: ObjectStore): Promise<boolean> {
    const others = this.#shards.filter(({ store }) => store !== home);
    const found = await Promise.all(others.map(({ store }) => store.head(key)));
    return found.some((info) => info !== undefined);
  }
}

/** The first two names of a key; all of a key that has one. */
function assetOf(key: string): string {
  return key.split("/", 2).join("/");
}

async function holdsAny(store: ObjectStore, asset: string): Promise<boolean> {
  for await (const _ of store.list(`${asset}/`)) return true;
  return (await store.head(asset)) !== undefined;
}

/** Rendezvous hashing: a store that is added comes before others for its own share of the assets, and changes no other order. */
function rank(shards: readonly Shard[], asset: string): readonly ObjectStore[] {
  const weight = (name: string) => createHash("sha256").update(`${name}\n${asset}`).digest("hex");
  return shards
    .map(({ name, store }) => ({ store, weight: weight(name) }))
    .sort((a, b) => (a.weight < b.weight ? 1 : -1))
    .map(({ store }) => store);
}
