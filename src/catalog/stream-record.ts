import { z } from "zod";
import type { StreamId, VideoId } from "../core/ids.ts";

export const INGEST_TYPES = ["rtmp", "pattern"] as const;
export type IngestType = (typeof INGEST_TYPES)[number];

/** A stream waits (`pending`), is on air (`live`), is being finished (`processing`), can be played as it was (`ready`). */
export const STREAM_STATUSES = ["pending", "live", "processing", "ready", "error", "deleted"] as const;
export type StreamStatus = (typeof STREAM_STATUSES)[number];

export const streamSettings = z.object({
  /** Rungs by name; null takes the configured ladder. */
  qualities: z.array(z.string()).readonly().nullable(),
  enableHls: z.boolean(),
  enableDash: z.boolean(),
  lowLatency: z.boolean(),
  transcode: z.boolean(),
  // What is missing follows the configuration.
  record: z.boolean().optional(),
  partDurationMs: z.number().optional(),
  segmentDurationMs: z.number().optional(),
  windowSegmentCount: z.number().optional(),
  reconnectWindowMs: z.number().optional(),
});

/** What the owner of a stream chose for it. */
export type StreamSettings = Readonly<z.infer<typeof streamSettings>>;

/** What the catalog knows of a stream. Instants are ms since the Unix epoch. */
export interface StreamRecord {
  readonly streamId: StreamId;
  readonly name: string | null;
  readonly ingestType: IngestType;
  readonly status: StreamStatus;
  /** SHA-256 of the stream key, in hex. */
  readonly keyHash: string;
  /** The key's last four characters, so that its owner knows it again. */
  readonly keyHint: string;
  readonly settings: StreamSettings;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly lastHeartbeatAtMs: number | null;
  /** No media sequence number below this one is free. */
  readonly nextMsn: number;
  /** No discontinuity sequence below this one is free. */
  readonly discontinuitySequence: number;
  readonly broadcastStartedAtMs: number | null;
  readonly broadcastEndedAtMs: number | null;
  /** Why the status is `error`, for a person. */
  readonly error: string | null;
  /** The stored video that is played in its place while it is not live: its recording, or what was uploaded for it. */
  readonly videoId: VideoId | null;
}
