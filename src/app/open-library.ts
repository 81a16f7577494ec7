import type { VideoRepository } from "../catalog/video-repository.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { FfmpegProgram } from "../encode/ffmpeg/process.ts";
import type { JobQueue } from "../jobs/job-queue.ts";
import { Library } from "../library/library.ts";
import type { ObjectStore } from "../storage/object-store.ts";
import { encodeCores } from "./encode-cores.ts";
import type { Config } from "./settings.ts";

/** Live encodes step back by 5: what viewers wait for now goes before what is stored. */
const STORED_NICENESS = 15;
/** Who uploads waits for what it says. */
const PROBE_NICENESS = 5;
/** What is made beside the renditions is small: it leaves the cores to them. */
const ARTIFACT_CORE_COUNT = 2;

export interface OpenLibraryOptions {
  readonly config: Config;
  readonly videos: VideoRepository;
  readonly jobs: JobQueue;
  readonly store: ObjectStore;
  readonly program: Omit<FfmpegProgram, "niceness">;
  readonly ffprobePath: string;
  /** Told of each video that is taken in. */
  readonly onTaken?: () => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The library as it is configured: a server takes videos in and out with it, a worker makes what they need. */
export function openLibrary(options: OpenLibraryOptions): Library {
  const { config, videos, jobs, store, program, ffprobePath, onTaken, clock, log } = options;
  const { video } = config;
  const cores = encodeCores(config);
  const stored = { ...program, niceness: STORED_NICENESS };
  const coreCount = Math.min(ARTIFACT_CORE_COUNT, cores.coreCount);
  return new Library({
    videos,
    jobs,
    tools: { program: stored, store, clock, logger: log, coreCount, preset: video.preset },
    cores,
    ffprobe: { program: { ...program, path: ffprobePath, niceness: PROBE_NICENESS }, clock },
    limits: {
      maxDurationMs: video.maxDurationMs,
      maxPictureSide: video.maxPictureSide,
      videoCodecs: video.codecs,
      audioCodecs: video.audioCodecs,
    },
    planning: {
      profiles: video.profiles,
      isAskedFor: false,
      copiesVideo: true,
      copiesAudio: true,
      audioCodecs: video.audioCodecs,
      segmentTargetMs: video.segmentDurationMs,
      chunkTargetMs: video.chunkDurationMs,
    },
    artifacts: video.artifacts,
    onTaken,
    clock,
    log,
    cleanUpIntervalMs: video.cleanupIntervalMs,
    failedRetentionMs: video.failedRetentionMs,
  });
}
