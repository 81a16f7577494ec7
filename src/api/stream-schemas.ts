import { z } from "zod";
import { QUALITY_NAMES } from "../encode/ladder.ts";

const timestamp = z.iso.datetime().describe("RFC 3339, UTC");
const count = z.int().min(0);
const figure = z.number().nullable();
const ingestType = z.enum(["rtmp", "pattern"]);

const STREAM_ID_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

const name = z
  .string()
  .trim()
  .min(1)
  .max(200)
  .regex(/^\P{Cc}*$/u, "must not hold control characters")
  .describe("For people; the id when it is left out");

/** Body of a new stream: what both of the documented bodies hold, and the settings of a stream. */
export const createStreamSchema = z
  .strictObject({
    stream_id: z.string().regex(STREAM_ID_PATTERN).optional().describe("Stands in all addresses; made when left out"),
    name: name.optional(),
    ingest_type: ingestType.default("rtmp").describe("`pattern` is a test picture with clock and tone"),
    source_url: z.string().max(2048).optional().describe("Where to pull from: not available yet, answers 501"),
    qualities: z
      .array(z.enum(QUALITY_NAMES))
      .min(1)
      .max(QUALITY_NAMES.length)
      .refine((names) => new Set(names).size === names.length, "must name each quality once")
      .optional()
      .describe("Rungs of the ladder by name; the configured ladder when left out"),
    transcode: z.boolean().optional().describe("false serves the source alone, as it comes"),
    record: z.boolean().optional().describe("Keep every broadcast as a video, of the very segments that viewers get"),
    enable_hls: z.boolean().default(true),
    enable_dash: z.boolean().default(true),
    low_latency: z.boolean().optional().describe("LL-HLS parts and LL-DASH chunks"),
    part_duration_ms: z.int().min(200).max(2000).optional(),
    segment_duration_ms: z.int().min(1000).max(10_000).optional(),
    window_segments: z.int().min(3).max(1000).optional().describe("Segments in a playlist"),
    reconnect_window_ms: z
      .int()
      .min(0)
      .max(600_000)
      .optional()
      .describe("How long viewers wait for a publisher that is gone"),
  })
  .superRefine((body, context) => {
    const refuse = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message });
    if (!body.enable_hls && !body.enable_dash) refuse("enable_dash", "must be true when enable_hls is false");
    if (body.transcode === false && body.qualities) refuse("qualities", "need transcode to be true");
    const { part_duration_ms: partMs, segment_duration_ms: segmentMs } = body;
    if (partMs !== undefined && segmentMs !== undefined && partMs > segmentMs) {
      refuse("part_duration_ms", "must not be longer than segment_duration_ms");
    }
  })
  .meta({ id: "CreateStream" });

const healthNoteSchema = z
  .object({
    code: z.string().describe("Stable name of the finding, such as long_gop"),
    severity: z.enum(["error", "warning", "info"]),
    message: z.string().describe("One sentence for whoever streams"),
  })
  .meta({ id: "HealthNote" });

const pictureAndSound = {
  kind: z.enum(["video", "audio"]),
  codec: z.string().describe("RFC 6381"),
  width: figure,
  height: figure,
  frame_rate: figure,
  sample_rate_hz: figure,
  channel_count: figure,
};

const trackSchema = z
  .object({ ...pictureAndSound, bitrate_bps: figure.describe("Measured over five seconds") })
  .meta({ id: "Track" });

const renditionSchema = z
  .object({
    id: z.string(),
    origin: z.enum(["source", "rung"]).describe("As it came, or encoded here"),
    ...pictureAndSound,
    average_bps: figure.describe("Measured"),
    peak_bps: figure.describe("Measured, highest segment"),
  })
  .meta({ id: "Rendition" });

const ingestSchema = z
  .object({ protocol: z.string(), address: z.string(), encoder: z.string().nullable() })
  .meta({ id: "Ingest" });

const summaryFields = {
  stream_id: z.string(),
  name: z.string(),
  status: z.enum(["pending", "live", "processing", "ready", "error", "deleted"]),
  state: z
    .enum(["pending", "live", "reconnecting", "processing", "ready", "error", "deleted"])
    .describe("As status, but tells a broadcast whose publisher is away"),
  ingest_type: ingestType,
  low_latency: z.boolean(),
  created_at: timestamp,
  viewers: count,
  bitrate_bps: figure.describe("What the source sends, all media together"),
  health: z.array(healthNoteSchema).describe("The worst first; empty when all is well"),
};

const detailFields = {
  ...summaryFields,
  qualities: z.array(z.string()).describe("Empty: the configured ladder"),
  transcode: z.boolean(),
  record: z.boolean().describe("Every broadcast is kept as a video"),
  video_id: z.string().nullable().describe("The newest recording, or the video that was uploaded for the stream"),
  enable_hls: z.boolean(),
  enable_dash: z.boolean(),
  part_duration_ms: z.int(),
  segment_duration_ms: z.int(),
  window_segments: z.int(),
  reconnect_window_ms: z.int(),
  stream_key_hint: z.string().describe("The last characters of the stream key"),
  error: z.string().nullable().describe("Why the status is error"),
  last_heartbeat_at: timestamp.nullable(),
  started_at: timestamp.nullable().describe("When this broadcast began"),
  latency_ms: figure.describe("From the encoder to a player at the live edge, as the server reckons it"),
  encoder: z.string().nullable().describe("How the encoder names itself"),
  ingest: ingestSchema.nullable(),
  tracks: z.array(trackSchema).describe("What the publisher sends"),
  renditions: z.array(renditionSchema).describe("What viewers can choose"),
  hls_url: z.string().nullable(),
  dash_url: z.string().nullable(),
  watch_url: z.string(),
};

const streamSummarySchema = z.object(summaryFields).meta({ id: "StreamSummary" });

export const streamSchema = z.object(detailFields).meta({ id: "Stream" });

export const createdStreamSchema = z
  .object({
    ...detailFields,
    stream_key: z.string().optional().describe("Shown now and never again; absent when nobody has to publish"),
    rtmp_url: z.string().optional().describe("Server and key in one, as ffmpeg takes it"),
  })
  .meta({ id: "CreatedStream" });

export const keyGrantSchema = z
  .object({ stream_id: z.string(), stream_key: z.string(), rtmp_url: z.string() })
  .meta({ id: "KeyGrant" });

export const streamPageSchema = z
  .object({
    streams: z.array(streamSummarySchema),
    next_cursor: z.string().nullable().describe("null at the end"),
  })
  .meta({ id: "StreamPage" });

export const heartbeatSchema = z
  .object({
    stream_id: z.string(),
    status: summaryFields.status,
    last_heartbeat_at: timestamp,
    stale_at: timestamp.describe("The broadcast ends at the first check after this instant without another heartbeat"),
  })
  .meta({ id: "Heartbeat" });

export const playbackSchema = z
  .object({
    stream_id: z.string(),
    name: z.string(),
    state: z.enum(["pending", "live", "reconnecting", "ended"]),
    low_latency: z.boolean(),
    hls_url: z.string().nullable().describe("Reference, relative to this server"),
    dash_url: z.string().nullable().describe("Reference, relative to this server"),
  })
  .meta({ id: "Playback" });

export const listQuerySchema = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(50),
  cursor: z.string().min(1).max(512).optional().describe("next_cursor of the page before"),
  status: z.enum(["pending", "live", "processing", "ready", "error"]).optional(),
});

export const streamParamsSchema = z.object({ id: z.string().describe("stream_id") });

export type PlaybackBody = z.output<typeof playbackSchema>;
export type CreateStreamBody = z.output<typeof createStreamSchema>;
export type StreamSummaryBody = z.output<typeof streamSummarySchema>;
export type StreamBody = z.output<typeof streamSchema>;
