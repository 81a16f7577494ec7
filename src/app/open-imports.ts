import type { VideoRepository } from "../catalog/video-repository.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { JobQueue } from "../jobs/job-queue.ts";
import type { Library } from "../library/library.ts";
import type { ObjectStore } from "../storage/object-store.ts";
import { AddressGuard } from "../upload/public-address.ts";
import { VideoImports } from "../upload/video-imports.ts";
import type { Config } from "./settings.ts";

export interface OpenImportsOptions {
  readonly config: Pick<Config, "upload">;
  readonly library: Library;
  readonly videos: VideoRepository;
  readonly jobs: JobQueue;
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Imports as they are configured: a server begins them, a worker does them. */
export function openImports({ config, library, videos, ...rest }: OpenImportsOptions): VideoImports {
  return new VideoImports({
    ...rest,
    intake: library,
    guard: new AddressGuard(config.upload.importNetworks),
    limits: config.upload,
    isTaken: async (videoId) => (await videos.get(videoId)) !== undefined,
  });
}
