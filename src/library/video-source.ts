import type { VideoRecord } from "../catalog/video-record.ts";
import { DomainError } from "../core/errors.ts";
import type { ObjectStore } from "../storage/object-store.ts";
import type { MakeTools, SourceAccess, TimedSource } from "./make/contract.ts";
import { openSourceAccess } from "./make/source-access.ts";
import type { RandomAccess } from "./probe/container-extent.ts";
import type { FfprobeOptions } from "./probe/ffprobe.ts";
import { probeSource } from "./probe/probe.ts";
import type { SourceMedia } from "./probe/source-media.ts";
import type { VideoState } from "./video-records.ts";

/** Opens the original under `key` for `use`, and closes it. Throws NOT_FOUND when the store has none. */
export async function withSource<Result>(
  { store, logger }: Pick<MakeTools, "store" | "logger">,
  key: string,
  use: (access: SourceAccess) => Promise<Result>,
): Promise<Result> {
  const access = await openSourceAccess(store, key, logger);
  try {
    return await use(access);
  } catch (error) {
    const cause = access.failure;
    if (!cause || !(error instanceof DomainError) || error.code !== "MEDIA_DAMAGED") throw error;
    throw new DomainError("UNAVAILABLE", "the original could not be read", { cause });
  } finally {
    await access.close();
  }
}

/** Probes the original under `key`. Throws as `probeSource` does, and UNAVAILABLE when the store is what failed. */
export async function probeObject(
  tools: Pick<MakeTools, "store" | "logger">,
  key: string,
  access: SourceAccess,
  options: FfprobeOptions,
): Promise<SourceMedia> {
  const info = await tools.store.head(key);
  if (!info) throw new DomainError("NOT_FOUND", "the original is not in the store");
  const file: RandomAccess = {
    sizeBytes: info.sizeBytes,
    read: (first, byteCount) => readPiece(tools.store, key, first, Math.min(byteCount, info.sizeBytes - first)),
  };
  return probeSource({ input: access.input, file }, options);
}

async function readPiece(store: ObjectStore, key: string, first: number, byteCount: number): Promise<Uint8Array> {
  if (byteCount <= 0) return new Uint8Array();
  const object = await store.get(key, { range: { first, last: first + byteCount - 1 } });
  if (!object) throw new DomainError("NOT_FOUND", "the original is not in the store");
  return Buffer.concat(await Array.fromAsync(object.body));
}

/** The original of a planned video, as the makers want it. */
export function timedSource({ media, plan }: VideoState, access: SourceAccess): TimedSource {
  if (!media || !plan) throw new DomainError("INTERNAL", "the video has no plan");
  return {
    access,
    container: media.container,
    sizeBytes: media.sizeBytes,
    zeroTicks: plan.zeroTicks,
    leadTicks: plan.leadTicks,
  };
}

/** Where the original of a video is; throws NOT_FOUND for one that has none. */
export function sourceKeyOf({ source }: VideoRecord): string {
  if (!source) throw new DomainError("NOT_FOUND", "the video has no original");
  return source.key;
}
