// Generated from the API's OpenAPI document by `npm run api-types`; changes belong into the schemas of src/api.

export interface ChangeVideoInput {
  readonly title?: string | null;
  readonly description?: string | null;
}

export interface TranscodeInput {
  readonly profiles?: readonly ("2160p" | "1440p" | "1080p" | "720p" | "480p" | "360p" | "240p")[];
  readonly generateHLS?: boolean;
  readonly generateDASH?: boolean;
  /** Taken, and heeded by nothing: `video.artifacts` says what is made of every video */
  readonly generateThumbnails?: boolean;
}

export interface RequestDownloadInput {
  /** The best of the video when left out */
  readonly rendition?: string;
}

export interface CreateStreamInput {
  /** Stands in all addresses; made when left out */
  readonly stream_id?: string;
  /** For people; the id when it is left out */
  readonly name?: string;
  /** `pattern` is a test picture with clock and tone */
  readonly ingest_type?: "rtmp" | "pattern";
  /** Where to pull from: not available yet, answers 501 */
  readonly source_url?: string;
  /** Rungs of the ladder by name; the configured ladder when left out */
  readonly qualities?: readonly ("2160p" | "1440p" | "1080p" | "720p" | "480p" | "360p" | "240p")[];
  /** false serves the source alone, as it comes */
  readonly transcode?: boolean;
  /** Keep every broadcast as a video, of the very segments that viewers get */
  readonly record?: boolean;
  readonly enable_hls?: boolean;
  readonly enable_dash?: boolean;
  /** LL-HLS parts and LL-DASH chunks */
  readonly low_latency?: boolean;
  readonly part_duration_ms?: number;
  readonly segment_duration_ms?: number;
  /** Segments in a playlist */
  readonly window_segments?: number;
  /** How long viewers wait for a publisher that is gone */
  readonly reconnect_window_ms?: number;
}

export interface LoginInput {
  /** One-time token of the studio link, or the admin token */
  readonly token: string;
}

export interface UploadVideoInput {
  /** MP4, MKV, AVI, MOV or WebM */
  readonly video: string;
  /** The file's name when it is left out */
  readonly title?: string;
  readonly description?: string;
}

export interface UploadFileInput {
  /** MP4, MKV, AVI, MOV or WebM */
  readonly file: string;
  /** The file's name when it is left out */
  readonly title?: string;
  readonly description?: string;
  /** A stream of which this is to be the video */
  readonly stream_id?: string;
}

export interface ImportVideoInput {
  /** http or https */
  readonly url: string;
  /** The file's name when it is left out */
  readonly title?: string | null;
  readonly description?: string | null;
}

export interface Problem {
  /** A URN that names the kind of error */
  readonly type: string;
  /** What this kind of error means */
  readonly title: string;
  /** The HTTP status */
  readonly status: number;
  /** What was wrong this time */
  readonly detail?: string;
  /** Path of the request */
  readonly instance?: string;
  /** Short name of the error; see docs/errors.md */
  readonly code:
    | "INVALID_REQUEST"
    | "INVALID_CONFIG"
    | "MALFORMED_INPUT"
    | "UNAUTHENTICATED"
    | "CROSS_SITE_REQUEST"
    | "STREAM_KEY_UNKNOWN"
    | "ADDRESS_BLOCKED"
    | "NOT_FOUND"
    | "STREAM_NOT_FOUND"
    | "STREAM_NOT_LIVE"
    | "VIDEO_NOT_FOUND"
    | "JOB_NOT_FOUND"
    | "WORKER_LOST"
    | "RANGE_NOT_SATISFIABLE"
    | "STREAM_EXISTS"
    | "STREAM_BUSY"
    | "LIMIT_REACHED"
    | "BITRATE_EXCEEDED"
    | "UNSUPPORTED_CODEC"
    | "NOT_MEDIA"
    | "UNSUPPORTED_CONTAINER"
    | "MEDIA_DAMAGED"
    | "DURATION_EXCEEDED"
    | "PICTURE_TOO_LARGE"
    | "UPLOAD_TOO_LARGE"
    | "UPLOAD_INCOMPLETE"
    | "UPLOAD_CONFLICT"
    | "VIDEO_CONFLICT"
    | "VIDEO_CANCELLED"
    | "STORAGE_FULL"
    | "NOT_IMPLEMENTED"
    | "PORT_IN_USE"
    | "FFMPEG_MISSING"
    | "DATA_DIR_UNWRITABLE"
    | "DATA_DIR_IN_USE"
    | "UNAVAILABLE"
    | "INTERNAL";
  /** Every fault of an invalid request */
  readonly errors?: readonly {
    /** JSON pointer into the body, or name of the parameter */
    readonly pointer: string;
    readonly detail: string;
  }[];
  readonly [field: string]: unknown;
}

export interface Reason {
  /** Stable, as in docs/errors.md */
  readonly code: string;
  /** For people */
  readonly message: string;
}

export interface VideoRendition {
  readonly id: string;
  readonly kind: "video" | "audio" | "text";
  /** As it came, or encoded here */
  readonly origin: "source" | "rung";
  readonly status: "waiting" | "working" | "ready" | "errored";
  /** How much of the video's length is there */
  readonly progress: number;
  /** Media time made in one second; null while nothing is being made */
  readonly speed: number | null;
  /** RFC 6381 */
  readonly codec: string | null;
  readonly width: number | null;
  readonly height: number | null;
  readonly error: string | null;
}

export interface VideoThumbnail {
  /** JPEG; reference, relative to this server */
  readonly url: string;
  /** About where in the video */
  readonly time_ms: number;
  readonly width: number;
  readonly height: number;
}

export interface VideoDownload {
  readonly rendition: string;
  /** MP4; reference, relative to this server */
  readonly url: string;
  readonly size_bytes: number;
}

export interface Recording {
  readonly stream_id: string;
  /** When its first media came */
  readonly started_at: string;
  /** What of the broadcast could not be stored, and where in the video it is missing */
  readonly gaps: readonly {
    readonly at_ms: number;
    readonly duration_ms: number;
  }[];
}

export interface VideoSummary {
  readonly video_id: string;
  readonly title: string;
  /** Of a broadcast, not handed in */
  readonly is_recording: boolean;
  /** A playable video can be watched while the rest of it is being made */
  readonly status: "preparing" | "playable" | "ready" | "errored";
  /** Of all that is to be made */
  readonly progress: number;
  readonly duration_ms: number | null;
  /** RFC 3339, UTC */
  readonly created_at: string;
  /** JPEG; reference, relative to this server */
  readonly poster_url: string | null;
  /** Animated WebP; reference, relative to this server */
  readonly preview_image_url: string | null;
  readonly error: Reason | null;
}

export interface Video {
  readonly video_id: string;
  readonly title: string;
  /** Of a broadcast, not handed in */
  readonly is_recording: boolean;
  /** A playable video can be watched while the rest of it is being made */
  readonly status: "preparing" | "playable" | "ready" | "errored";
  /** Of all that is to be made */
  readonly progress: number;
  readonly duration_ms: number | null;
  /** RFC 3339, UTC */
  readonly created_at: string;
  /** JPEG; reference, relative to this server */
  readonly poster_url: string | null;
  /** Animated WebP; reference, relative to this server */
  readonly preview_image_url: string | null;
  readonly error: Reason | null;
  readonly description: string | null;
  /** What was handed in */
  readonly source: {
    readonly file_name: string;
    readonly size_bytes: number;
  } | null;
  /** Of which broadcast it is; null for what was handed in */
  readonly recording: Recording | null;
  readonly renditions: readonly VideoRendition[];
  /** Until all is made; null when that cannot be told */
  readonly remaining_ms: number | null;
  readonly playable_at: string | null;
  readonly ready_at: string | null;
  readonly hls_url: string;
  readonly dash_url: string;
  readonly watch_url: string;
  /** At key frames, evenly over the video */
  readonly thumbnails: readonly VideoThumbnail[];
  /** WebVTT; reference, relative to this server */
  readonly storyboard_url: string | null;
  /** Files that were asked for */
  readonly downloads: readonly VideoDownload[];
  /** MP4; reference, relative to this server */
  readonly preview_url: string | null;
}

export interface VideoPage {
  readonly videos: readonly VideoSummary[];
  /** null at the end */
  readonly next_cursor: string | null;
}

export interface TranscodeStarted {
  readonly jobId: string;
  readonly videoId: string;
  readonly message: string;
}

export interface RequestedDownload {
  readonly rendition: string;
  /** Where the file is, or will be; reference, relative to this server */
  readonly url: string;
  /** To follow; null when the file is there */
  readonly job_id: string | null;
}

export interface VideoPlayback {
  readonly video_id: string;
  readonly title: string;
  readonly state: "preparing" | "playable" | "ready" | "errored";
  /** Its beginning is there, at least: also of what was stopped or failed later (`errored`) */
  readonly is_playable: boolean;
  readonly duration_ms: number | null;
  /** Reference, relative to this server */
  readonly hls_url: string;
  /** Reference, relative to this server */
  readonly dash_url: string;
  readonly poster_url: string | null;
  readonly storyboard_url: string | null;
}

export interface Job {
  readonly job_id: string;
  readonly kind: string;
  readonly state: "waiting" | "delayed" | "active" | "completed" | "failed" | "cancelled";
  readonly video_id: string | null;
  readonly priority: number;
  readonly attempts: number;
  readonly max_attempts: number;
  /** Of the video's whole making, when the job belongs to one */
  readonly progress: number | null;
  readonly remaining_ms: number | null;
  readonly renditions: readonly {
    readonly id: string;
    readonly status: "waiting" | "working" | "ready" | "errored";
    /** How much of the video's length is there */
    readonly progress: number;
    /** Media time made in one second; null while nothing is being made */
    readonly speed: number | null;
    readonly error: string | null;
  }[];
  readonly error: Reason | null;
  /** RFC 3339, UTC */
  readonly created_at: string;
  readonly started_at: string | null;
  readonly finished_at: string | null;
}

export interface JobPage {
  readonly jobs: readonly Job[];
  readonly next_cursor: string | null;
}

export interface HealthNote {
  /** Stable name of the finding, such as long_gop */
  readonly code: string;
  readonly severity: "error" | "warning" | "info";
  /** One sentence for whoever streams */
  readonly message: string;
}

export interface Track {
  readonly kind: "video" | "audio";
  /** RFC 6381 */
  readonly codec: string;
  readonly width: number | null;
  readonly height: number | null;
  readonly frame_rate: number | null;
  readonly sample_rate_hz: number | null;
  readonly channel_count: number | null;
  /** Measured over five seconds */
  readonly bitrate_bps: number | null;
}

export interface Rendition {
  readonly id: string;
  /** As it came, or encoded here */
  readonly origin: "source" | "rung";
  readonly kind: "video" | "audio";
  /** RFC 6381 */
  readonly codec: string;
  readonly width: number | null;
  readonly height: number | null;
  readonly frame_rate: number | null;
  readonly sample_rate_hz: number | null;
  readonly channel_count: number | null;
  /** Measured */
  readonly average_bps: number | null;
  /** Measured, highest segment */
  readonly peak_bps: number | null;
}

export interface Ingest {
  readonly protocol: string;
  readonly address: string;
  readonly encoder: string | null;
}

export interface StreamSummary {
  readonly stream_id: string;
  readonly name: string;
  readonly status: "pending" | "live" | "processing" | "ready" | "error" | "deleted";
  /** As status, but tells a broadcast whose publisher is away */
  readonly state: "pending" | "live" | "reconnecting" | "processing" | "ready" | "error" | "deleted";
  readonly ingest_type: "rtmp" | "pattern";
  readonly low_latency: boolean;
  /** RFC 3339, UTC */
  readonly created_at: string;
  readonly viewers: number;
  /** What the source sends, all media together */
  readonly bitrate_bps: number | null;
  /** The worst first; empty when all is well */
  readonly health: readonly HealthNote[];
}

export interface Stream {
  readonly stream_id: string;
  readonly name: string;
  readonly status: "pending" | "live" | "processing" | "ready" | "error" | "deleted";
  /** As status, but tells a broadcast whose publisher is away */
  readonly state: "pending" | "live" | "reconnecting" | "processing" | "ready" | "error" | "deleted";
  readonly ingest_type: "rtmp" | "pattern";
  readonly low_latency: boolean;
  /** RFC 3339, UTC */
  readonly created_at: string;
  readonly viewers: number;
  /** What the source sends, all media together */
  readonly bitrate_bps: number | null;
  /** The worst first; empty when all is well */
  readonly health: readonly HealthNote[];
  /** Empty: the configured ladder */
  readonly qualities: readonly string[];
  readonly transcode: boolean;
  /** Every broadcast is kept as a video */
  readonly record: boolean;
  /** The newest recording, or the video that was uploaded for the stream */
  readonly video_id: string | null;
  readonly enable_hls: boolean;
  readonly enable_dash: boolean;
  readonly part_duration_ms: number;
  readonly segment_duration_ms: number;
  readonly window_segments: number;
  readonly reconnect_window_ms: number;
  /** The last characters of the stream key */
  readonly stream_key_hint: string;
  /** Why the status is error */
  readonly error: string | null;
  readonly last_heartbeat_at: string | null;
  /** When this broadcast began */
  readonly started_at: string | null;
  /** From the encoder to a player at the live edge, as the server reckons it */
  readonly latency_ms: number | null;
  /** How the encoder names itself */
  readonly encoder: string | null;
  readonly ingest: Ingest | null;
  /** What the publisher sends */
  readonly tracks: readonly Track[];
  /** What viewers can choose */
  readonly renditions: readonly Rendition[];
  readonly hls_url: string | null;
  readonly dash_url: string | null;
  readonly watch_url: string;
}

export interface CreatedStream {
  readonly stream_id: string;
  readonly name: string;
  readonly status: "pending" | "live" | "processing" | "ready" | "error" | "deleted";
  /** As status, but tells a broadcast whose publisher is away */
  readonly state: "pending" | "live" | "reconnecting" | "processing" | "ready" | "error" | "deleted";
  readonly ingest_type: "rtmp" | "pattern";
  readonly low_latency: boolean;
  /** RFC 3339, UTC */
  readonly created_at: string;
  readonly viewers: number;
  /** What the source sends, all media together */
  readonly bitrate_bps: number | null;
  /** The worst first; empty when all is well */
  readonly health: readonly HealthNote[];
  /** Empty: the configured ladder */
  readonly qualities: readonly string[];
  readonly transcode: boolean;
  /** Every broadcast is kept as a video */
  readonly record: boolean;
  /** The newest recording, or the video that was uploaded for the stream */
  readonly video_id: string | null;
  readonly enable_hls: boolean;
  readonly enable_dash: boolean;
  readonly part_duration_ms: number;
  readonly segment_duration_ms: number;
  readonly window_segments: number;
  readonly reconnect_window_ms: number;
  /** The last characters of the stream key */
  readonly stream_key_hint: string;
  /** Why the status is error */
  readonly error: string | null;
  readonly last_heartbeat_at: string | null;
  /** When this broadcast began */
  readonly started_at: string | null;
  /** From the encoder to a player at the live edge, as the server reckons it */
  readonly latency_ms: number | null;
  /** How the encoder names itself */
  readonly encoder: string | null;
  readonly ingest: Ingest | null;
  /** What the publisher sends */
  readonly tracks: readonly Track[];
  /** What viewers can choose */
  readonly renditions: readonly Rendition[];
  readonly hls_url: string | null;
  readonly dash_url: string | null;
  readonly watch_url: string;
  /** Shown now and never again; absent when nobody has to publish */
  readonly stream_key?: string;
  /** Server and key in one, as ffmpeg takes it */
  readonly rtmp_url?: string;
}

export interface KeyGrant {
  readonly stream_id: string;
  readonly stream_key: string;
  readonly rtmp_url: string;
}

export interface StreamPage {
  readonly streams: readonly StreamSummary[];
  /** null at the end */
  readonly next_cursor: string | null;
}

export interface Heartbeat {
  readonly stream_id: string;
  readonly status: "pending" | "live" | "processing" | "ready" | "error" | "deleted";
  /** RFC 3339, UTC */
  readonly last_heartbeat_at: string;
  /** The broadcast ends at the first check after this instant without another heartbeat */
  readonly stale_at: string;
}

export interface Playback {
  readonly stream_id: string;
  readonly name: string;
  readonly state: "pending" | "live" | "reconnecting" | "ended";
  readonly low_latency: boolean;
  /** Reference, relative to this server */
  readonly hls_url: string | null;
  /** Reference, relative to this server */
  readonly dash_url: string | null;
}

export interface PlaybackOfStream {
  readonly stream_id: string;
  readonly name: string;
  readonly state: "pending" | "live" | "reconnecting" | "ended";
  readonly low_latency: boolean;
  /** Reference, relative to this server */
  readonly hls_url: string | null;
  /** Reference, relative to this server */
  readonly dash_url: string | null;
  readonly kind: "stream";
}

export interface PlaybackOfVideo {
  readonly video_id: string;
  readonly title: string;
  readonly state: "preparing" | "playable" | "ready" | "errored";
  /** Its beginning is there, at least: also of what was stopped or failed later (`errored`) */
  readonly is_playable: boolean;
  readonly duration_ms: number | null;
  /** Reference, relative to this server */
  readonly hls_url: string;
  /** Reference, relative to this server */
  readonly dash_url: string;
  readonly poster_url: string | null;
  readonly storyboard_url: string | null;
  readonly kind: "video";
}

export type AnyPlayback = PlaybackOfStream | PlaybackOfVideo;

export interface Server {
  readonly version: string;
  /** What an encoder asks for as its server */
  readonly rtmp_server: string;
  /** FFmpeg's name of the encoder of the rungs */
  readonly encoder: string;
  readonly started_at: string;
  readonly uptime_s: number;
}

export interface Session {
  readonly via: "bearer" | "cookie";
  /** null for a bearer token */
  readonly expires_at: string | null;
}

export interface ImportStarted {
  /** Of the video that it will be */
  readonly video_id: string;
  /** Follow it at /api/v1/jobs/{id} */
  readonly job_id: string;
}

export interface VideoUploaded {
  readonly videoId: string;
  readonly message: string;
  readonly metadata: {
    /** Seconds */
    readonly duration: number;
    readonly format: string;
    readonly width: number;
    readonly height: number;
    /** Bits per second */
    readonly bitrate: number;
    readonly fps: number;
    readonly codec: string;
  };
}
