import { z } from "zod";
import type { VideoArtifactRecord, VideoRecord, VideoRenditionRecord } from "../../catalog/video-record.ts";
import type { VideoRepository } from "../../catalog/video-repository.ts";
import { DomainError } from "../../core/errors.ts";
import type { VideoId } from "../../core/ids.ts";
import type { JobQueue } from "../../jobs/job-queue.ts";
import type { StoredRendition } from "../../packaging/stored-rendition.ts";
import type { ObjectStore } from "../../storage/object-store.ts";
import { downloadJob } from "../video-jobs.ts";
import type { PlannedRendition, VideoState } from "../video-records.ts";
import type { VideoRoad } from "../video-road.ts";
import { largestPictureRecord, readWhole } from "./whole-renditions.ts";

export interface DownloadsOptions {
  readonly videos: Pick<VideoRepository, "artifacts" | "removeArtifact" | "chunks">;
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
   * VIDEO_CONFLICT for one that is not whole, or has breaks.
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
    const parts = partsOfDownload(state, record);
    for (const { renditionId: part, status } of parts) if (status !== "ready") throw notWhole(part);
    // What is made of an original has no breaks.
    if (!state.video.source) await readDownload(videos, parts);
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

/** What a download of this rendition holds: it, and what is heard beside a picture where that could be made. */
export function partsOfDownload(
  { renditions }: VideoState,
  { renditionId }: VideoRenditionRecord,
): readonly VideoRenditionRecord[] {
  const named = (id: string | null | undefined) => renditions.find(({ record }) => record.renditionId === id);
  const wanted = named(renditionId);
  const sound = named(wanted && soundIdOf(wanted));
  return [wanted, sound?.record.status === "errored" ? undefined : sound].flatMap((part) => part?.record ?? []);
}

/** Throws VIDEO_CONFLICT when one of them is not whole, or has breaks, which an MP4 cannot have. */
export async function readDownload(
  videos: Pick<VideoRepository, "chunks">,
  parts: readonly VideoRenditionRecord[],
): Promise<readonly StoredRendition[]> {
  const renditions: StoredRendition[] = [];
  for (const record of parts) {
    const rendition = await readWhole(videos, record);
    if (!rendition) throw notWhole(record.renditionId);
    if (!rendition.isUnbroken)
      throw new DomainError("VIDEO_CONFLICT", "the recording has breaks, an MP4 can have none");
    renditions.push(rendition);
  }
  return renditions;
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

function soundIdOf({ spec }: PlannedRendition): string | null {
  return spec.kind === "video" ? spec.audioRenditionId : null;
}

function notWhole(renditionId: string): DomainError {
  return new DomainError("VIDEO_CONFLICT", `${renditionId} is not whole`);
}

function wholeOf({ renditions }: VideoState, renditionId: string): VideoRenditionRecord {
  const record = renditions.map((each) => each.record).find((each) => each.renditionId === renditionId);
  if (!record || record.kind === "text")
    throw new DomainError("NOT_FOUND", `the video has no rendition ${renditionId}`);
  if (record.status !== "ready") throw notWhole(renditionId);
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
