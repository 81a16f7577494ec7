import { posix } from "node:path";
import type { VideoRepository } from "../catalog/video-repository.ts";
import type { Clock } from "../core/clock.ts";
import { parseVideoId, type VideoId } from "../core/ids.ts";
import type { ObjectInfo, ObjectStore } from "../storage/object-store.ts";

export interface CleanUpOptions {
  readonly videos: Pick<VideoRepository, "get" | "keyPrefixes" | "artifacts" | "ids">;
  readonly store: ObjectStore;
  readonly clock: Clock;
  /** How long a video that could not be made at all stays. */
  readonly failedRetentionMs: number;
  /** Deletes a video with all that was made of it. */
  readonly removeVideo: (videoId: VideoId) => Promise<unknown>;
}

/** What a clean-up deletes, and why. */
export interface Leftover {
  readonly what: "object" | "video" | "unfinished put";
  /** The object's key, the video's id, or what the store calls what it has of the put. */
  readonly name: string;
  /** 0 where the store does not tell. */
  readonly sizeBytes: number;
  readonly reason: string;
}

/** Below it all objects of videos lie: `videos/{video}/...`. */
const ROOT = "videos/";
/** What is younger may be on its way to a record: a chunk of the longest film on the slowest machine is. */
const YOUNGEST_ORPHAN_MS = 24 * 60 * 60_000;
const VIDEOS_KNOWN_AT_ONCE = 256;
const DELETED_AT_ONCE = 500;

/** What may be deleted, and how. */
export interface CleanUpRequest {
  /** Deletes nothing, only says what there is. */
  readonly isDryRun?: boolean;
  /** Objects that are younger stay; a day when it is left out. */
  readonly olderThanMs?: number;
  /** At its abort the clean-up throws its reason, wherever it is. */
  readonly signal?: AbortSignal;
}

/**
 * Deletes objects that no record names, what puts left behind that a crash cut off, and videos of which nothing could be
 * made, once they are old enough. Gives one by one what it deleted; what it would delete, in a dry run.
 */
export async function* cleanUp(
  options: CleanUpOptions,
  { isDryRun = false, olderThanMs = YOUNGEST_ORPHAN_MS, signal }: CleanUpRequest = {},
): AsyncGenerator<Leftover> {
  for await (const { videoId, leftover } of failedVideos(options, signal)) {
    if (!isDryRun) await options.removeVideo(videoId);
    yield leftover;
  }
  for await (const orphans of inBatches(orphanObjects(options, olderThanMs, signal))) {
    if (!isDryRun) await options.store.delete(orphans.map(({ name }) => name));
    yield* orphans;
  }
  for (const name of await options.store.removeLeftovers(olderThanMs, { isDryRun })) {
    yield { what: "unfinished put", name, sizeBytes: 0, reason: "it was cut off" };
  }
}

async function* inBatches(leftovers: AsyncIterable<Leftover>): AsyncGenerator<readonly Leftover[]> {
  let batch: Leftover[] = [];
  for await (const leftover of leftovers) {
    batch.push(leftover);
    if (batch.length < DELETED_AT_ONCE) continue;
    yield batch;
    batch = [];
  }
  yield batch;
}

/** Deletes a video's records, and then all objects below its name, at once. False when there is none. */
export async function deleteVideo(
  { videos, store }: { readonly videos: Pick<VideoRepository, "remove">; readonly store: ObjectStore },
  videoId: VideoId,
): Promise<boolean> {
  const removed = await videos.remove(videoId);
  if (!removed) return false;
  await store.delete([...removed.artifactKeys, ...(removed.sourceKey === null ? [] : [removed.sourceKey])]);
  await deletePrefix(store, prefixOf(videoId));
  return true;
}

/** Below it all objects of a video lie. */
export function prefixOf(videoId: VideoId): string {
  return `${ROOT}${videoId}/`;
}

/** Deletes every object below `prefix`; gives their number. */
export async function deletePrefix(store: ObjectStore, prefix: string): Promise<number> {
  let count = 0;
  let keys: string[] = [];
  const flush = async () => {
    await store.delete(keys);
    count += keys.length;
    keys = [];
  };
  for await (const { key } of store.list(prefix)) {
    keys.push(key);
    if (keys.length >= DELETED_AT_ONCE) await flush();
  }
  await flush();
  return count;
}

/**
 * Objects that no record names: of uploads that were given up, of attempts that died, of videos that are deleted. Nothing
 * that is `olderThanMs` or younger is among them.
 */
async function* orphanObjects(
  { videos, store, clock }: CleanUpOptions,
  olderThanMs: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Leftover> {
  const known = new Map<string, Promise<NamedObjects | undefined>>();
  const bornBeforeMs = clock.nowMs() - olderThanMs;
  for await (const info of store.list(ROOT, { signal })) {
    if (info.modifiedAtMs > bornBeforeMs) continue;
    const id = info.key.slice(ROOT.length).split("/")[0] ?? "";
    const named = known.get(id) ?? namedObjects(videos, parseVideoId(id));
    known.delete(id);
    known.set(id, named);
    for (const oldest of known.keys()) {
      if (known.size <= VIDEOS_KNOWN_AT_ONCE) break;
      known.delete(oldest);
    }
    const reason = reasonToDelete(info, await named);
    if (reason !== undefined) yield { what: "object", name: info.key, sizeBytes: info.sizeBytes, reason };
  }
}

interface NamedObjects {
  readonly keys: ReadonlySet<string>;
  readonly folders: ReadonlySet<string>;
}

function reasonToDelete({ key }: ObjectInfo, named: NamedObjects | undefined): string | undefined {
  if (!named) return "its video is gone, or was never taken";
  return named.keys.has(key) || named.folders.has(`${posix.dirname(key)}/`) ? undefined : "nothing names it";
}

/** Undefined when there is no such video. */
async function namedObjects(
  videos: CleanUpOptions["videos"],
  videoId: VideoId | undefined,
): Promise<NamedObjects | undefined> {
  const video = videoId && (await videos.get(videoId));
  if (!video) return undefined;
  const [keyPrefixes, artifacts] = await Promise.all([videos.keyPrefixes(videoId), videos.artifacts(videoId)]);
  return {
    keys: new Set([...artifacts.map(({ key }) => key), ...(video.source ? [video.source.key] : [])]),
    folders: new Set(keyPrefixes),
  };
}

/** Videos of which nothing could be made, for as long as they are kept. */
async function* failedVideos(
  { videos, clock, failedRetentionMs }: CleanUpOptions,
  signal: AbortSignal | undefined,
): AsyncGenerator<{ readonly videoId: VideoId; readonly leftover: Leftover }> {
  const failedBeforeMs = clock.nowMs() - failedRetentionMs;
  for await (const videoId of videos.ids()) {
    signal?.throwIfAborted();
    const video = await videos.get(videoId);
    if (video?.status !== "errored" || video.playableAtMs !== null || video.updatedAtMs > failedBeforeMs) continue;
    const reason = `it could not be made: ${video.error?.message ?? "nobody knows why"}`;
    const sizeBytes = video.source?.sizeBytes ?? 0;
    yield { videoId, leftover: { what: "video", name: videoId, sizeBytes, reason } };
  }
}
