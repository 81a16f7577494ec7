import type { VideoArtifactRecord } from "../../catalog/video-record.ts";
import type { NewJob } from "../../jobs/job-queue.ts";
import { picturesJob, posterJob, previewJob } from "../video-jobs.ts";
import { isUnsettled, type VideoState } from "../video-records.ts";
import { isPlayable } from "../video-steps.ts";
import type { ArtifactKind } from "./artifact-kind.ts";
import { wholePictureRecords } from "./whole-renditions.ts";

/** Names of artifacts, as they stand in paths. */
export const POSTER = "poster.jpg";
export const STORYBOARD = "storyboard.vtt";
export const PREVIEW = "preview.mp4";
export const PREVIEW_IMAGE = "preview.webp";
export function thumbnailName(place: number): string {
  return `thumbnails/${place + 1}.jpg`;
}

/**
 * The jobs for what of `kinds` a video lacks, as its records stand: a poster of the original as soon as it can be played,
 * everything else of the renditions once one is whole.
 */
export function missingArtifactJobs(
  state: VideoState,
  artifacts: readonly VideoArtifactRecord[],
  kinds: readonly ArtifactKind[],
): NewJob[] {
  const { videoId, source } = state.video;
  const lacks = (name: string) => !hasArtifact(artifacts, name);
  const hasWhole = wholePictureRecords(state).length > 0;
  const lacksPreview = lacks(PREVIEW) || lacks(PREVIEW_IMAGE);
  const jobs = {
    poster: source && isPlayable(state) && lacks(POSTER) ? posterJob(videoId) : undefined,
    pictures: hasWhole && (lacks(STORYBOARD) || lacks(thumbnailName(0))) ? picturesJob(videoId) : undefined,
    preview: hasWhole && lacksPreview && isHeard(state) ? previewJob(videoId) : undefined,
  };
  return kinds.flatMap((kind) => jobs[kind] ?? []);
}

/** No sound is still being made. */
export function isHeard({ renditions }: VideoState): boolean {
  return !renditions.some(({ record }) => record.kind === "audio" && isUnsettled(record));
}

export function hasArtifact(artifacts: readonly VideoArtifactRecord[], name: string): boolean {
  return artifacts.some((artifact) => artifact.name === name);
}
