/** What the API answers, as far as the pages read it. Names and units are the API's own. */

/** Life of a stream resource; `reconnecting` is a broadcast whose publisher is away. */
export type StreamState = "pending" | "live" | "reconnecting" | "processing" | "ready" | "error" | "deleted";

export interface HealthNote {
  readonly severity: "info" | "warning" | "error";
  /** Stable name of the finding: `long_gop`, `no_audio`. */
  readonly code: string;
  /** One sentence for the person who streams. */
  readonly message: string;
}

export interface StreamSummary {
  readonly stream_id: string;
  readonly name: string;
  readonly state: StreamState;
  readonly ingest_type: "rtmp" | "pattern";
  readonly low_latency: boolean;
  readonly created_at: string;
  readonly viewers: number;
  /** What the publisher sends, all media together. */
  readonly bitrate_bps: number | null;
  readonly health: readonly HealthNote[];
}

export interface TrackFacts {
  readonly kind: "video" | "audio";
  readonly codec: string;
  readonly width?: number | null;
  readonly height?: number | null;
  readonly frame_rate?: number | null;
  readonly sample_rate_hz?: number | null;
  readonly channel_count?: number | null;
  readonly bitrate_bps?: number | null;
}

export interface RenditionFacts {
  readonly id: string;
  readonly kind: "video" | "audio";
  readonly origin: "source" | "rung";
  readonly codec: string;
  readonly width?: number | null;
  readonly height?: number | null;
  readonly frame_rate?: number | null;
  readonly sample_rate_hz?: number | null;
  readonly channel_count?: number | null;
  readonly average_bps?: number | null;
  readonly peak_bps?: number | null;
}

export interface StreamDetails extends StreamSummary {
  readonly transcode: boolean;
  readonly qualities: readonly string[];
  readonly started_at: string | null;
  /** How far behind the encoder a player at the live edge is, as the server reckons it. */
  readonly latency_ms: number | null;
  readonly encoder: string | null;
  /** Addresses relative to this server; null where the stream does not offer the format. */
  readonly hls_url: string | null;
  readonly dash_url: string | null;
  readonly tracks: readonly TrackFacts[];
  readonly renditions: readonly RenditionFacts[];
}

export interface StreamPage {
  readonly streams: readonly StreamSummary[];
  readonly next_cursor?: string | null;
}

export interface CreateStream {
  readonly name?: string;
  readonly ingest_type: "rtmp" | "pattern";
  readonly low_latency?: boolean;
  readonly transcode?: boolean;
  readonly qualities?: readonly string[];
}

/** A stream key and where it belongs. The key is in this answer and in no other. */
export interface KeyGrant {
  readonly stream_key: string;
  readonly rtmp_url: string;
}

export interface CreatedStream extends StreamSummary, Partial<KeyGrant> {}

export interface ServerFacts {
  readonly version?: string;
  /** `rtmp://host[:port]/live`: what an encoder asks for as its server. */
  readonly rtmp_server: string;
}

export interface Playback {
  readonly state: "pending" | "live" | "reconnecting" | "ended";
  readonly name: string;
  readonly hls_url: string | null;
  readonly dash_url: string | null;
  readonly low_latency: boolean;
}
