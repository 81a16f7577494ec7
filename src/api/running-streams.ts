import type { StreamId } from "../core/ids.ts";

/** Where a broadcast stands: `starting` until the first media can be played, `reconnecting` while its publisher is away. */
type BroadcastState = "starting" | "live" | "reconnecting";

export interface LiveTrack {
  readonly kind: "video" | "audio";
  /** RFC 6381. */
  readonly codec: string;
  readonly bitrateBps: number | undefined;
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  readonly frameRate?: number | undefined;
  readonly sampleRateHz?: number | undefined;
  readonly channelCount?: number | undefined;
}

export interface LiveRendition extends Omit<LiveTrack, "bitrateBps"> {
  readonly id: string;
  /** `source` as it came, `rung` encoded here. */
  readonly origin: "source" | "rung";
  readonly averageBps: number | undefined;
  readonly peakBps: number | undefined;
}

interface HealthNote {
  readonly code: string;
  readonly severity: "error" | "warning" | "info";
  readonly message: string;
}

/** What a broadcast looks like now. */
export interface LiveStatus {
  readonly state: BroadcastState;
  /** Wall clock, when its first media came. */
  readonly startedAtMs: number;
  /** Who publishes; undefined while nobody does. */
  readonly ingest:
    | { readonly protocol: string; readonly address: string; readonly encoder: string | undefined }
    | undefined;
  /** What the source sends, all media together. */
  readonly bitrateBps: number | undefined;
  readonly tracks: readonly LiveTrack[];
  readonly renditions: readonly LiveRendition[];
  readonly viewerCount: number;
  /** From the encoder to a player at the live edge, as the server reckons it. */
  readonly latencyMs: number | undefined;
  readonly health: readonly HealthNote[];
}

/** What the API asks of broadcasts. Whoever runs them implements it. */
export interface RunningStreams {
  /** Undefined when the stream has no broadcast now. */
  status(streamId: StreamId): LiveStatus | undefined;
  /** Every stream that has a broadcast now. */
  ids(): Iterable<StreamId>;
  /** Ends the broadcast in order; resolves when it has ended, at once when there is none. */
  stop(streamId: StreamId, reason: string): Promise<void>;
  /** Starts the built-in test picture on this stream. Throws DomainError when it cannot. */
  startPattern(streamId: StreamId): Promise<void>;
  /** The newest still picture, JPEG; undefined when there is none. */
  still(streamId: StreamId): Promise<Uint8Array | undefined>;
}
