import { resolve } from "node:path";
import type { Clock } from "../core/clock.ts";
import { DomainError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { CachedObjectStore } from "../storage/cached/cached-object-store.ts";
import { FileObjectStore } from "../storage/files/file-object-store.ts";
import { MemoryObjectStore } from "../storage/memory/memory-object-store.ts";
import type { ObjectStore } from "../storage/object-store.ts";
import { ShardedObjectStore } from "../storage/sharded/sharded-object-store.ts";
import type { Config } from "./settings.ts";

export interface ObjectStoreOptions {
  readonly config: Pick<Config, "storage" | "cache" | "server">;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface OpenedObjectStore {
  /** What everybody uses. */
  readonly store: ObjectStore;
  /** For metrics; undefined without a cache. */
  readonly cache: CachedObjectStore | undefined;
}

/** The object store as it is configured. Throws INVALID_CONFIG when settings do not fit together; does not ask S3 yet. */
export async function openObjectStore({ config, clock, log }: ObjectStoreOptions): Promise<OpenedObjectStore> {
  const { enabled, maxSizeBytes: capacityBytes, ttlMs, segmentTtlMs } = config.cache;
  const backend = await openBackend({ config, clock, log });
  // What is in memory already needs no second copy there.
  if (!enabled || config.storage.backend === "memory") return { store: backend, cache: undefined };
  const cache = new CachedObjectStore({ store: backend, capacityBytes, ttlMs, segmentTtlMs, clock });
  return { store: cache, cache };
}

async function openBackend(options: ObjectStoreOptions): Promise<ObjectStore> {
  const { config, clock } = options;
  const { backend, directory } = config.storage;
  if (backend === "memory") return new MemoryObjectStore({ clock });
  if (backend === "files") {
    return FileObjectStore.open({ directory: resolve(config.server.dataDir, directory), clock });
  }
  return openBuckets(options);
}

async function openBuckets({ config, clock, log }: ObjectStoreOptions): Promise<ObjectStore> {
  const { endpoint, region, pathStyle: isPathStyle, buckets, accessKeyId, secretAccessKey } = config.storage;
  if ((accessKeyId === undefined) !== (secretAccessKey === undefined)) {
    throw new DomainError(
      "INVALID_CONFIG",
      "storage.access_key_id and storage.secret_access_key: must be set both or neither",
    );
  }
  if (new Set(buckets).size !== buckets.length) {
    throw new DomainError("INVALID_CONFIG", `storage.buckets = ${buckets.join(",")}: must name each bucket once`);
  }
  const credentials =
    accessKeyId === undefined || secretAccessKey === undefined ? undefined : { accessKeyId, secretAccessKey };
  // Who keeps files needs no AWS SDK in memory: it is the largest thing that we could load.
  const { S3ObjectStore } = await import("../storage/s3/s3-object-store.ts");
  const shared = { endpoint, region, isPathStyle, credentials, clock, log };
  const shards = buckets.map((bucket) => ({ name: bucket, store: new S3ObjectStore({ ...shared, bucket }) }));
  const [only, ...others] = shards;
  return only && others.length === 0 ? only.store : new ShardedObjectStore(shards);
}
