import { z } from "zod";
import type { VideoArtifactRecord, VideoRecord, VideoRenditionRecord } from "../../catalog/video-record.ts";
import type { VideoRepository } from "../../catalog/video-repository.ts";
import { DomainError } from "../../core/errors.ts";
import type { VideoId } from "../../core/ids.ts";
import type { JobQueue } from "../../jobs/job-queue.ts";
import type { ObjectStore } from "../../storage/object-store.ts";
import { downloadJob } from "../video-jobs.ts";
import type { VideoState } from "../video-records.ts";
import type { VideoRoad } from "../video-road.ts";
import { largestPictureRecord } from "./whole-renditions.ts";

export interface DownloadsOptions {
  readonly videos: Pick<VideoRepository, "artifacts" | "removeArtifact">;
  readonly jobs: Pick<JobQueue, "add">;
  readonly road: Pick<VideoRoad, "state">;
  readonly store: Pick<ObjectStore, "delete">;
}

/** A file that is there, or is being made. */
export interface RequestedDownload {
  readonly renditionId: string;
  readonly name: string;
  /** Undefined when it is there. */
  readonly jobId: string | undefined;
}

/** A file of a rendition with its sound, as the records know it. */
export interface Download {
  readonly renditionId: string;
  readonly name: string;
  readonly sizeBytes: number;
}

const FOLDER = "downloads/";
const details = z.strictObject({ renditionId: z.string(), epoch: z.string() });

/** Plain MP4 files of renditions, made when they are asked for and kept until they, or their video, are deleted. */
export class Downloads {
  readonly #options: DownloadsOptions;

  constructor(options: DownloadsOptions) {
    this.#options = options;
  }

  /**
   * Without `renditionId`, of the best. Throws VIDEO_NOT_FOUND, NOT_FOUND for a rendition that there is not, and
   * VIDEO_CONFLICT for one that is not whole.
   */
  async request(videoId: VideoId, renditionId: string | undefined): Promise<RequestedDownload> {
    const { videos, jobs, road, store } = this.#options;
    const state = await road.state(videoId);
    if (!state) throw new DomainError("VIDEO_NOT_FOUND", `no video has the id ${videoId}`);
    const record = renditionId === undefined ? bestOf(state) : wholeOf(state, renditionId);
    const name = downloadName(record);
    const made = (await videos.artifacts(videoId)).find((artifact) => artifact.name === name);
    if (made && details.parse(made.details).epoch === record.epoch) {
      return { renditionId: record.renditionId, name, jobId: undefined };
    }
    // It is of what the rendition was before it was made anew.
    if (made) await store.delete([(await videos.removeArtifact(videoId, name)) ?? made.key]);
    return { renditionId: record.renditionId, name, jobId: await jobs.add(downloadJob(videoId, record)) };
  }

  /** False when there is none. */
  async remove(videoId: VideoId, renditionId: string): Promise<boolean> {
    const { videos, store } = this.#options;
    const download = downloadsOf(await videos.artifacts(videoId)).find((each) => each.renditionId === renditionId);
    const key = download && (await videos.removeArtifact(videoId, download.name));
    if (key === undefined) return false;
    await store.delete([key]);
    return true;
  }
}

/** The downloads that are among a video's artifacts. Throws ZodError when a record is of another version. */
export function downloadsOf(artifacts: readonly VideoArtifactRecord[]): readonly Download[] {
  return artifacts
    .filter(({ name }) => name.startsWith(FOLDER))
    .map((artifact) => {
      const { renditionId } = details.parse(artifact.details);
      return { renditionId, name: artifact.name, sizeBytes: artifact.sizeBytes };
    });
}

export function downloadDetails({ renditionId, epoch }: VideoRenditionRecord) {
  return { renditionId, epoch };
}

/** Stands in paths. */
export function downloadName({ renditionId, kind }: VideoRenditionRecord): string {
  return `${FOLDER}${renditionId}.${kind === "audio" ? "m4a" : "mp4"}`;
}

/** What a browser saves it as; undefined for what is no download. */
export function savedName({ title, source, videoId }: VideoRecord, name: string): string | undefined {
  const [, renditionId, extension] = DOWNLOAD_NAME.exec(name) ?? [];
  if (renditionId === undefined) return undefined;
  const called = title ?? source?.fileName.replace(/\.[^.]{1,5}$/, "") ?? videoId;
  return `${called} (${renditionId}).${extension}`;
}

const DOWNLOAD_NAME = /^downloads\/(.+)\.(mp4|m4a)$/;

function wholeOf({ renditions }: VideoState, renditionId: string): VideoRenditionRecord {
  const record = renditions.map((each) => each.record).find((each) => each.renditionId === renditionId);
  if (!record || record.kind === "text")
    throw new DomainError("NOT_FOUND", `the video has no rendition ${renditionId}`);
  if (record.status !== "ready") throw new DomainError("VIDEO_CONFLICT", `${renditionId} is not whole`);
  return record;
}

/** Of pictures, where there are any; of sound, playlists name the best first. */
function bestOf(state: VideoState): VideoRenditionRecord {
  const pictures = largestPictureRecord(state);
  const hasPictures = state.renditions.some(({ record }) => record.kind === "video");
  const sound = state.renditions.find(({ record }) => record.kind === "audio" && record.status === "ready")?.record;
  const best = pictures ?? (hasPictures ? undefined : sound);
  if (!best) throw new DomainError("VIDEO_CONFLICT", "no rendition of the video is whole yet");
  return best;
}
