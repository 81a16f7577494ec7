import type { VideoArtifactRecord, VideoRecord, VideoRenditionRecord } from "../catalog/video-record.ts";
import type { Job } from "../jobs/job-queue.ts";
import { hasArtifact, POSTER, PREVIEW, PREVIEW_IMAGE, STORYBOARD } from "../library/artifacts/artifact-steps.ts";
import { downloadsOf } from "../library/artifacts/downloads.ts";
import { thumbnailsOf } from "../library/artifacts/stills.ts";
import type { VideoProgress } from "../library/video-progress.ts";
import type { StoredVideos } from "./stored-videos.ts";
import { instant } from "./stream-resource.ts";
import type { JobBody, VideoBody, VideoPlaybackBody, VideoSummaryBody } from "./video-schemas.ts";

/** The records of one video, and how far it is. */
export interface VideoDetails {
  readonly record: VideoRecord;
  readonly renditions: readonly VideoRenditionRecord[];
  readonly artifacts: readonly VideoArtifactRecord[];
  readonly progress: VideoProgress;
  readonly factsOf: StoredVideos["factsOf"];
  readonly recordingOf: StoredVideos["recordingOf"];
}

/** The video as lists show it. */
export function summarizeVideo(
  record: VideoRecord,
  progress: number,
  artifacts: readonly VideoArtifactRecord[],
): VideoSummaryBody {
  return {
    video_id: record.videoId,
    title: titleOf(record),
    is_recording: record.source === null,
    status: record.status,
    progress,
    duration_ms: record.durationMs,
    created_at: instant(record.createdAtMs),
    poster_url: artifactUrl(record, artifacts, POSTER),
    preview_image_url: artifactUrl(record, artifacts, PREVIEW_IMAGE),
    error: record.error ? { ...record.error } : null,
  };
}

/** The video with all that is known of it; `baseUrl` is where people reach us, without a trailing slash. */
export function describeVideo(details: VideoDetails, baseUrl: string): VideoBody {
  const { record, progress, artifacts } = details;
  return {
    ...summarizeVideo(record, progress.share, artifacts),
    description: record.description,
    source: record.source && { file_name: record.source.fileName, size_bytes: record.source.sizeBytes },
    recording: describeRecording(details),
    renditions: describeRenditions(details),
    remaining_ms: progress.remainingMs ?? null,
    playable_at: instantOrNull(record.playableAtMs),
    ready_at: instantOrNull(record.readyAtMs),
    hls_url: `${baseUrl}${videoPath(record)}/master.m3u8`,
    dash_url: `${baseUrl}${videoPath(record)}/manifest.mpd`,
    watch_url: `${baseUrl}/watch/${record.videoId}`,
    thumbnails: describeThumbnails(details),
    storyboard_url: artifactUrl(record, artifacts, STORYBOARD),
    downloads: downloadsOf(artifacts).map(({ renditionId, name, sizeBytes }) => {
      return { rendition: renditionId, url: artifactPath(record, name), size_bytes: sizeBytes };
    }),
    preview_url: artifactUrl(record, artifacts, PREVIEW),
  };
}

function describeRecording({ record, recordingOf }: VideoDetails): VideoBody["recording"] {
  const recording = recordingOf(record);
  if (!recording) return null;
  const { streamId, startedAtMs, gaps } = recording;
  const told = gaps.map(({ atMs, durationMs }) => ({ at_ms: atMs, duration_ms: durationMs }));
  return { stream_id: streamId, started_at: instant(startedAtMs), gaps: told };
}

/** What a player needs, in references relative to this server. */
export function describePlayback(
  record: VideoRecord,
  isPlayable: boolean,
  artifacts: readonly VideoArtifactRecord[],
): VideoPlaybackBody {
  return {
    video_id: record.videoId,
    title: titleOf(record),
    state: record.status,
    is_playable: isPlayable,
    duration_ms: record.durationMs,
    hls_url: `${videoPath(record)}/master.m3u8`,
    dash_url: `${videoPath(record)}/manifest.mpd`,
    poster_url: artifactUrl(record, artifacts, POSTER),
    storyboard_url: artifactUrl(record, artifacts, STORYBOARD),
  };
}

/** A job; with its video, when that is still there, and with what is made of it, where the job is part of that. */
export function describeJob(job: Job, video: VideoRecord | undefined, details: VideoDetails | undefined): JobBody {
  return {
    job_id: job.jobId,
    kind: job.kind,
    state: job.state,
    video_id: video?.videoId ?? null,
    priority: job.priority,
    attempts: job.attemptCount,
    max_attempts: job.maxAttempts,
    progress: ownProgress(job) ?? details?.progress.share ?? null,
    remaining_ms: details?.progress.remainingMs ?? null,
    renditions: details
      ? describeRenditions(details).map(({ id, status, progress, speed, error }) => ({
          id,
          status,
          progress,
          speed,
          error,
        }))
      : [],
    error: job.error ? { ...job.error } : null,
    created_at: instant(job.createdAtMs),
    started_at: instantOrNull(job.startedAtMs),
    finished_at: instantOrNull(job.finishedAtMs),
  };
}

/** Whether a job is part of the making of a video; others know by themselves how far they are. */
export function isOfMaking({ kind }: Job): boolean {
  return kind !== "video.download" && kind !== "video.import";
}

function ownProgress(job: Job): number | undefined {
  if (isOfMaking(job)) return undefined;
  return job.state === "completed" ? 1 : Number(job.progress?.share ?? 0);
}

function describeRenditions({ renditions, progress, factsOf }: VideoDetails): VideoBody["renditions"] {
  const progressOf = new Map(progress.renditions.map((each) => [each.renditionId, each]));
  return renditions.map((rendition) => {
    const facts = factsOf(rendition);
    const { share, speed } = progressOf.get(rendition.renditionId) ?? { share: 0, speed: undefined };
    return {
      id: rendition.renditionId,
      kind: rendition.kind,
      origin: rendition.origin,
      status: rendition.status,
      progress: share,
      speed: speed ?? null,
      codec: facts?.codec ?? null,
      width: facts?.width ?? null,
      height: facts?.height ?? null,
      error: rendition.error,
    };
  });
}

function describeThumbnails({ record, artifacts }: VideoDetails): VideoBody["thumbnails"] {
  return thumbnailsOf(artifacts).map(({ name, atMs, width, height }) => {
    return { url: artifactPath(record, name), time_ms: atMs, width, height };
  });
}

function titleOf(record: VideoRecord): string {
  return record.title ?? record.source?.fileName ?? record.videoId;
}

function videoPath({ videoId }: VideoRecord): string {
  return `/videos/${videoId}`;
}

function artifactPath(record: VideoRecord, name: string): string {
  return `${videoPath(record)}/${name}`;
}

function artifactUrl(record: VideoRecord, artifacts: readonly VideoArtifactRecord[], name: string): string | null {
  return hasArtifact(artifacts, name) ? artifactPath(record, name) : null;
}

function instantOrNull(ms: number | null): string | null {
  return ms === null ? null : instant(ms);
}
