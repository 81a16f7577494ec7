import type { IncomingMessage } from "node:http";
import type { AdminAccess } from "../access/admin.ts";
import type { StreamRepository } from "../catalog/stream-repository.ts";
import type { VideoRepository } from "../catalog/video-repository.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { JobQueue } from "../jobs/job-queue.ts";
import type { ResumableUploads } from "../upload/resumable-uploads.ts";
import type { UploadReceiver } from "../upload/upload-receiver.ts";
import type { UploadSlots } from "../upload/upload-slots.ts";
import type { VideoImports } from "../upload/video-imports.ts";
import type { RunningStreams } from "./running-streams.ts";
import type { StoredVideos } from "./stored-videos.ts";
import type { StreamDefaults } from "./stream-resource.ts";

/** What the API needs of the running system. */
export interface ApiDependencies {
  readonly streams: Pick<
    StreamRepository,
    "create" | "get" | "list" | "setKeyHash" | "heartbeat" | "remove" | "setVideo"
  >;
  readonly running: RunningStreams;
  readonly videos: Pick<VideoRepository, "get" | "list" | "describe" | "renditions" | "artifacts">;
  readonly stored: StoredVideos;
  readonly uploads: {
    readonly receiver: UploadReceiver;
    readonly resumable: ResumableUploads;
    readonly imports: VideoImports;
    readonly slots: UploadSlots;
  };
  readonly jobs: Pick<JobQueue, "get" | "list" | "cancel">;
  readonly admin: AdminAccess;
  readonly clock: Clock;
  readonly log: Logger;
  readonly server: ServerFacts;
  readonly defaults: StreamDefaults;
  /** How long a stream lives on one heartbeat. */
  readonly staleThresholdMs: number;
  readonly readiness: Readiness;
  readonly metrics: RenderedMetrics;
  /** Metrics, and why something is not ready, are told to anyone; else to admins. */
  readonly hasOpenOperations: boolean;
  /** Who sent a request: the peer, unless a trusted proxy says otherwise. */
  readonly addressOf: (req: IncomingMessage) => string;
}

/** What is to be told of this server. */
export interface ServerFacts {
  readonly version: string;
  /** As configured; undefined where people reach us as they address us. */
  readonly publicUrl: string | undefined;
  /** The port that encoders publish to, known once it listens. */
  readonly rtmpPort: () => number;
  /** FFmpeg's name of the encoder of the rungs. */
  readonly encoder: string;
  readonly startedAtMs: number;
}

/** One thing that must work for Headwater to be of use: ffmpeg, the store, the catalog. */
export interface ReadinessCheck {
  readonly name: string;
  readonly isReady: boolean;
  /** For a person: a version when ready, else what is wrong. */
  readonly detail: string | undefined;
}

export interface Readiness {
  /** Never throws: what fails is a check that is not ready. */
  check(): Promise<readonly ReadinessCheck[]>;
}

/** prom-client's Registry as far as it is needed here. */
export interface RenderedMetrics {
  readonly contentType: string;
  metrics(): Promise<string>;
}
