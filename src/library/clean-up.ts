import { posix } from "node:path";
import type { VideoRepository } from "../catalog/video-repository.ts";
import type { Clock } from "../core/clock.ts";
import { parseVideoId, type VideoId } from "../core/ids.ts";
import type { Logger } from "../core/logger.ts";
import type { ObjectInfo, ObjectStore } from "../storage/object-store.ts";

export interface CleanUpOptions {
  readonly videos: Pick<VideoRepository, "get" | "renditions" | "chunks" | "artifacts" | "ids">;
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly log: Logger;
  /** How long a video that could not be made at all stays. */
  readonly failedRetentionMs: number;
}

/** What a clean-up deletes, and why. */
export interface Leftover {
  readonly what: "object" | "video";
  /** The object's key, or the video's id. */
  readonly name: string;
  readonly sizeBytes: number;
  readonly reason: string;
}

/** Below it all objects of videos lie: `videos/{video}/...`. */
const ROOT = "videos/";
/** What is younger may be on its way to a record. */
const YOUNGEST_ORPHAN_MS = 60 * 60_000;
const VIDEOS_KNOWN_AT_ONCE = 256;
const DELETED_AT_ONCE = 500;

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
export async function* orphanObjects(
  { videos, store, clock }: CleanUpOptions,
  olderThanMs = YOUNGEST_ORPHAN_MS,
): AsyncGenerator<Leftover> {
  const known = new Map<string, Promise<NamedObjects | undefined>>();
  const bornBeforeMs = clock.nowMs() - olderThanMs;
  for await (const info of store.list(ROOT)) {
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
  const [chunks, artifacts] = await Promise.all([videos.chunks(videoId), videos.artifacts(videoId)]);
  return {
    keys: new Set([...artifacts.map(({ key }) => key), ...(video.source ? [video.source.key] : [])]),
    folders: new Set(chunks.map(({ keyPrefix }) => keyPrefix)),
  };
}

/** Videos of which nothing could be made, for as long as they are kept. */
export async function* failedVideos({ videos, clock, failedRetentionMs }: CleanUpOptions): AsyncGenerator<Leftover> {
  const failedBeforeMs = clock.nowMs() - failedRetentionMs;
  for await (const videoId of videos.ids()) {
    const video = await videos.get(videoId);
    if (video?.status !== "errored" || video.playableAtMs !== null || video.updatedAtMs > failedBeforeMs) continue;
    const reason = `it could not be made: ${video.error?.message ?? "nobody knows why"}`;
    yield { what: "video", name: videoId, sizeBytes: video.source?.sizeBytes ?? 0, reason };
  }
}
