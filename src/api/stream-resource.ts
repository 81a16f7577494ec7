import type { StreamRecord } from "../catalog/stream-record.ts";
import type { LiveRendition, LiveStatus, LiveTrack } from "./running-streams.ts";
import type { StreamBody, StreamSummaryBody } from "./stream-schemas.ts";

/** What a stream follows where its owner chose nothing. */
export interface StreamDefaults {
  readonly lowLatency: boolean;
  readonly transcode: boolean;
  readonly record: boolean;
  readonly partDurationMs: number;
  readonly segmentDurationMs: number;
  readonly windowSegmentCount: number;
  /** Without low latency. */
  readonly plainSegmentDurationMs: number;
  readonly plainWindowSegmentCount: number;
  readonly reconnectWindowMs: number;
}

/** The stream as lists show it. */
export function summarize(record: StreamRecord, live: LiveStatus | undefined): StreamSummaryBody {
  return {
    stream_id: record.streamId,
    name: record.name ?? record.streamId,
    status: isOnAir(live) ? "live" : record.status,
    state: stateOf(record, live),
    ingest_type: record.ingestType,
    low_latency: record.settings.lowLatency,
    created_at: instant(record.createdAtMs),
    viewers: live?.viewerCount ?? 0,
    bitrate_bps: live?.bitrateBps ?? null,
    health: [...(live?.health ?? [])],
  };
}

export interface DetailContext {
  readonly defaults: StreamDefaults;
  /** Under which people reach us, without a trailing slash. */
  readonly baseUrl: string;
}

/** The stream with all that is known of it. */
export function detail(record: StreamRecord, live: LiveStatus | undefined, context: DetailContext): StreamBody {
  const { settings } = record;
  const path = mediaPath(record);
  return {
    ...summarize(record, live),
    qualities: [...(settings.qualities ?? [])],
    transcode: settings.transcode,
    record: settings.record ?? context.defaults.record,
    video_id: record.videoId,
    enable_hls: settings.enableHls,
    enable_dash: settings.enableDash,
    ...effectivePackaging(record, context.defaults),
    stream_key_hint: record.keyHint,
    error: record.error,
    last_heartbeat_at: record.lastHeartbeatAtMs === null ? null : instant(record.lastHeartbeatAtMs),
    started_at: live ? instant(live.startedAtMs) : null,
    latency_ms: live?.latencyMs ?? null,
    encoder: live?.ingest?.encoder ?? null,
    ingest: live?.ingest ? { ...live.ingest, encoder: live.ingest.encoder ?? null } : null,
    tracks: live?.tracks.map(describeTrack) ?? [],
    renditions: live?.renditions.map(describeRendition) ?? [],
    hls_url: settings.enableHls ? `${context.baseUrl}${path}/master.m3u8` : null,
    dash_url: settings.enableDash ? `${context.baseUrl}${path}/manifest.mpd` : null,
    watch_url: `${context.baseUrl}/watch/${record.streamId}`,
  };
}

/** Where the playlists of a stream lie on this server. */
export function mediaPath({ streamId }: StreamRecord): string {
  return `/streams/${streamId}`;
}

/** What a viewer is told: whether to wait, to play, or to leave. */
export function playbackState(
  record: StreamRecord,
  live: LiveStatus | undefined,
): "pending" | "live" | "reconnecting" | "ended" {
  if (live?.state === "live" || live?.state === "reconnecting") return live.state;
  return live || record.status === "pending" ? "pending" : "ended";
}

/** RFC 3339, UTC. */
export function instant(ms: number): string {
  return new Date(ms).toISOString();
}

function isOnAir(live: LiveStatus | undefined): boolean {
  return live?.state === "live" || live?.state === "reconnecting";
}

function stateOf(record: StreamRecord, live: LiveStatus | undefined): StreamSummaryBody["state"] {
  if (live?.state === "starting") return "pending";
  return live?.state ?? record.status;
}

function effectivePackaging({ settings }: StreamRecord, defaults: StreamDefaults) {
  const { lowLatency } = settings;
  const segmentDurationMs = lowLatency ? defaults.segmentDurationMs : defaults.plainSegmentDurationMs;
  const windowSegmentCount = lowLatency ? defaults.windowSegmentCount : defaults.plainWindowSegmentCount;
  return {
    part_duration_ms: settings.partDurationMs ?? defaults.partDurationMs,
    segment_duration_ms: settings.segmentDurationMs ?? segmentDurationMs,
    window_segments: settings.windowSegmentCount ?? windowSegmentCount,
    reconnect_window_ms: settings.reconnectWindowMs ?? defaults.reconnectWindowMs,
  };
}

function describeTrack(track: LiveTrack): StreamBody["tracks"][number] {
  return { ...describePicture(track), bitrate_bps: track.bitrateBps ?? null };
}

function describeRendition(rendition: LiveRendition): StreamBody["renditions"][number] {
  return {
    id: rendition.id,
    origin: rendition.origin,
    ...describePicture(rendition),
    average_bps: rendition.averageBps ?? null,
    peak_bps: rendition.peakBps ?? null,
  };
}

function describePicture(medium: Omit<LiveTrack, "bitrateBps">) {
  return {
    kind: medium.kind,
    codec: medium.codec,
    width: medium.width ?? null,
    height: medium.height ?? null,
    frame_rate: medium.frameRate ?? null,
    sample_rate_hz: medium.sampleRateHz ?? null,
    channel_count: medium.channelCount ?? null,
  };
}
