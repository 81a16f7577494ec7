import type { VideoArtifactRecord } from "../../catalog/video-record.ts";
import type { NewJob } from "../../jobs/job-queue.ts";
import { posterJob } from "../video-jobs.ts";
import type { VideoState } from "../video-records.ts";

/** Stands in paths. */
export const POSTER = "poster.jpg";

/** The jobs that a video needs beside those for its renditions, as its records stand. */
export function missingArtifactJobs({ video }: VideoState, artifacts: readonly VideoArtifactRecord[]): NewJob[] {
  return video.source && !hasArtifact(artifacts, POSTER) ? [posterJob(video.videoId)] : [];
}

export function hasArtifact(artifacts: readonly VideoArtifactRecord[], name: string): boolean {
  return artifacts.some((artifact) => artifact.name === name);
}
