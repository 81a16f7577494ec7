import { z } from "zod";
import { RENDITION_STATUSES, VIDEO_STATUSES } from "../catalog/video-record.ts";
import { QUALITY_NAMES } from "../encode/ladder.ts";
import { JOB_STATES } from "../jobs/job-queue.ts";

const timestamp = z.iso.datetime().describe("RFC 3339, UTC");
const share = z.number().min(0).max(1);
const figure = z.number().nullable();

/** What people write of a video. */
export const videoTextFields = {
  title: z
    .string()
    .trim()
    .max(200)
    .regex(/^\P{Cc}*$/u, "must not hold control characters"),
  description: z
    .string()
    .trim()
    .max(5000)
    .regex(/^[\P{Cc}\r\n\t]*$/u, "must not hold control characters but ends of lines"),
};

const reasonSchema = z
  .object({ code: z.string().describe("Stable, as in docs/errors.md"), message: z.string().describe("For people") })
  .meta({ id: "Reason" });

const videoRenditionSchema = z
  .object({
    id: z.string(),
    kind: z.enum(["video", "audio", "text"]),
    origin: z.enum(["source", "rung"]).describe("As it came, or encoded here"),
    status: z.enum(RENDITION_STATUSES),
    progress: share.describe("How much of the video's length is there"),
    speed: figure.describe("Media time made in one second; null while nothing is being made"),
    codec: z.string().nullable().describe("RFC 6381"),
    width: figure,
    height: figure,
    error: z.string().nullable(),
  })
  .meta({ id: "VideoRendition" });

const thumbnailSchema = z
  .object({
    url: z.string().describe("JPEG; reference, relative to this server"),
    time_ms: z.number().describe("About where in the video"),
    width: z.int(),
    height: z.int(),
  })
  .meta({ id: "VideoThumbnail" });

const downloadSchema = z
  .object({
    rendition: z.string(),
    url: z.string().describe("MP4; reference, relative to this server"),
    size_bytes: z.int(),
  })
  .meta({ id: "VideoDownload" });
const recordingSchema = z
  .object({
    stream_id: z.string(),
    started_at: timestamp.describe("When its first media came"),
    gaps: z
      .array(z.object({ at_ms: z.number(), duration_ms: z.number() }))
      .describe("What of the broadcast could not be stored, and where in the video it is missing"),
  })
  .meta({ id: "Recording" });

const summaryFields = {
  video_id: z.uuid(),
  title: z.string(),
  is_recording: z.boolean().describe("Of a broadcast, not handed in"),
  status: z.enum(VIDEO_STATUSES).describe("A playable video can be watched while the rest of it is being made"),
  progress: share.describe("Of all that is to be made"),
  duration_ms: figure,
  created_at: timestamp,
  poster_url: z.string().nullable().describe("JPEG; reference, relative to this server"),
  preview_image_url: z.string().nullable().describe("Animated WebP; reference, relative to this server"),
  error: reasonSchema.nullable(),
};

const videoSummarySchema = z.object(summaryFields).meta({ id: "VideoSummary" });

export const videoSchema = z
  .object({
    ...summaryFields,
    description: z.string().nullable(),
    source: z.object({ file_name: z.string(), size_bytes: z.int() }).nullable().describe("What was handed in"),
    recording: recordingSchema.nullable().describe("Of which broadcast it is; null for what was handed in"),
    renditions: z.array(videoRenditionSchema),
    remaining_ms: figure.describe("Until all is made; null when that cannot be told"),
    playable_at: timestamp.nullable(),
    ready_at: timestamp.nullable(),
    hls_url: z.string(),
    dash_url: z.string(),
    watch_url: z.string(),
    thumbnails: z.array(thumbnailSchema).describe("At key frames, evenly over the video"),
    storyboard_url: z.string().nullable().describe("WebVTT; reference, relative to this server"),
    downloads: z.array(downloadSchema).describe("Files that were asked for"),
    preview_url: z.string().nullable().describe("MP4; reference, relative to this server"),
  })
  .meta({ id: "Video" });

export const videoPageSchema = z
  .object({
    videos: z.array(videoSummarySchema),
    next_cursor: z.string().nullable().describe("null at the end"),
  })
  .meta({ id: "VideoPage" });

export const videoListQuerySchema = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(50),
  cursor: z.string().min(1).max(512).optional().describe("next_cursor of the page before"),
  status: z.enum(VIDEO_STATUSES).optional(),
});

export const videoParamsSchema = z.object({ id: z.string().describe("video_id") });

export const videoRenditionParamsSchema = videoParamsSchema.extend({ rendition: z.string().max(64) });

export const changeVideoSchema = z
  .strictObject({
    title: videoTextFields.title.nullable().optional(),
    description: videoTextFields.description.nullable().optional(),
  })
  .meta({ id: "ChangeVideo" });

/** VS's body; `generateHLS` and `generateDASH` both are made of the same segments, so either asks for both. */
export const transcodeSchema = z
  .strictObject({
    profiles: z.array(z.enum(QUALITY_NAMES)).min(1).max(QUALITY_NAMES.length).optional(),
    generateHLS: z.boolean().default(true),
    generateDASH: z.boolean().default(true),
    generateThumbnails: z
      .boolean()
      .default(true)
      .describe("Taken, and heeded by nothing: `video.artifacts` says what is made of every video"),
  })
  .superRefine((body, context) => {
    if (body.generateHLS || body.generateDASH) return;
    context.addIssue({ code: "custom", path: ["generateDASH"], message: "must be true when generateHLS is false" });
  })
  .meta({ id: "Transcode" });

export const transcodeStartedSchema = z
  .object({ jobId: z.string(), videoId: z.uuid(), message: z.string() })
  .meta({ id: "TranscodeStarted" });

export const requestDownloadSchema = z
  .strictObject({
    rendition: z.string().min(1).max(64).optional().describe("The best of the video when left out"),
  })
  .meta({ id: "RequestDownload" });

export const requestedDownloadSchema = z
  .object({
    rendition: z.string(),
    url: z.string().describe("Where the file is, or will be; reference, relative to this server"),
    job_id: z.string().nullable().describe("To follow; null when the file is there"),
  })
  .meta({ id: "RequestedDownload" });

export const videoPlaybackSchema = z
  .object({
    video_id: z.uuid(),
    title: z.string(),
    state: z.enum(["preparing", "playable", "ready", "errored"]),
    is_playable: z
      .boolean()
      .describe("Its beginning is there, at least: also of what was stopped or failed later (`errored`)"),
    duration_ms: figure,
    hls_url: z.string().describe("Reference, relative to this server"),
    dash_url: z.string().describe("Reference, relative to this server"),
    poster_url: z.string().nullable(),
    storyboard_url: z.string().nullable(),
  })
  .meta({ id: "VideoPlayback" });

export const jobSchema = z
  .object({
    job_id: z.string(),
    kind: z.string(),
    state: z.enum(JOB_STATES),
    video_id: z.string().nullable(),
    priority: z.int(),
    attempts: z.int(),
    max_attempts: z.int(),
    progress: share.nullable().describe("Of the video's whole making, when the job belongs to one"),
    remaining_ms: figure,
    renditions: z.array(
      videoRenditionSchema.pick({ id: true, status: true, progress: true, speed: true, error: true }),
    ),
    error: reasonSchema.nullable(),
    created_at: timestamp,
    started_at: timestamp.nullable(),
    finished_at: timestamp.nullable(),
  })
  .meta({ id: "Job" });

export const jobPageSchema = z
  .object({ jobs: z.array(jobSchema), next_cursor: z.string().nullable() })
  .meta({ id: "JobPage" });

export const jobListQuerySchema = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(50),
  cursor: z.string().min(1).max(512).optional(),
  state: z.enum(JOB_STATES).optional(),
  kind: z.string().max(64).optional().describe("What the jobs do: video.import, for instance"),
});

export const jobParamsSchema = z.object({ id: z.string().max(128).describe("job_id") });

export type VideoSummaryBody = z.output<typeof videoSummarySchema>;
export type VideoBody = z.output<typeof videoSchema>;
export type VideoPlaybackBody = z.output<typeof videoPlaybackSchema>;
export type JobBody = z.output<typeof jobSchema>;
