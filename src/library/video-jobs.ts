import { createHash } from "node:crypto";
import { z } from "zod";
import type { VideoId } from "../core/ids.ts";
import type { NewJob } from "../jobs/job-queue.ts";

/** A rendition as a job was told to make it. */
export interface JobTarget {
  readonly renditionId: string;
  readonly epoch: string;
}

const targets = z.array(z.strictObject({ renditionId: z.string(), epoch: z.string() }));
const videoId = z.uuid().transform((id) => id as VideoId);

/** What the data of each kind of job hold. They say what is to be looked at; what is to be done, the records say. */
export const VIDEO_JOB_DATA = {
  "video.prepare": z.strictObject({ videoId }),
  "video.repackage": z.strictObject({ videoId, targets }),
  "video.opening": z.strictObject({ videoId, targets }),
  "video.encode": z.strictObject({ videoId, targets, index: z.int().min(0) }),
  "video.audio": z.strictObject({ videoId, targets, streamIndex: z.int().min(0) }),
  "video.text": z.strictObject({ videoId, targets }),
  "video.poster": z.strictObject({ videoId }),
  "video.pictures": z.strictObject({ videoId }),
  "video.preview": z.strictObject({ videoId }),
  "video.download": z.strictObject({ videoId, renditionId: z.string(), epoch: z.string() }),
  "video.delete": z.strictObject({ videoId, keys: z.array(z.string()) }),
} as const;

/** What the data of any of them tell: which video, and what of it. */
export const VIDEO_JOB_SUBJECT = z.object({ videoId, targets: targets.default([]) });

export type VideoJobKind = keyof typeof VIDEO_JOB_DATA;
export type VideoJobData<Kind extends VideoJobKind> = z.output<(typeof VIDEO_JOB_DATA)[Kind]>;

/** What lets a video begin goes before everything, over all videos; then chunk by chunk. */
const PRIORITIES = {
  prepare: 0,
  repackage: 10,
  opening: 10,
  audio: 20,
  poster: 25,
  text: 30,
  delete: 40,
  download: 50,
  pictures: 60,
  preview: 70,
  chunk: 100,
};
/** A store or database that is gone for eight minutes fails nothing, and a minute after it is back all work goes on. */
const TRIED = { maxAttempts: 14, backOff: { kind: "exponential", delayMs: 1_000, maxDelayMs: 60_000 } } as const;

export function prepareJob(videoId: VideoId): NewJob {
  return {
    kind: "video.prepare",
    data: { videoId },
    priority: PRIORITIES.prepare,
    dedupKey: `prepare:${videoId}`,
    ...TRIED,
  };
}

/** Copies tracks of the source in one reading. */
export function repackageJob(videoId: VideoId, targets: readonly JobTarget[]): NewJob {
  return {
    kind: "video.repackage",
    data: { videoId, targets: plain(targets) },
    priority: PRIORITIES.repackage,
    dedupKey: `repackage:${videoId}:${digest(targets)}`,
    ...TRIED,
  };
}

/** Encodes the chunk that a video opens with, which nobody has a picture of yet. */
export function openingJob(videoId: VideoId, targets: readonly JobTarget[]): NewJob {
  return {
    kind: "video.opening",
    data: { videoId, targets: plain(targets) },
    priority: PRIORITIES.opening,
    dedupKey: chunkKey(videoId, 0, targets),
    ...TRIED,
  };
}

/** Encodes one chunk for all rungs that lack it. */
export function encodeJob(videoId: VideoId, index: number, targets: readonly JobTarget[]): NewJob {
  return {
    kind: "video.encode",
    data: { videoId, index, targets: plain(targets) },
    priority: PRIORITIES.chunk + index,
    dedupKey: chunkKey(videoId, index, targets),
    ...TRIED,
  };
}

function chunkKey(videoId: VideoId, index: number, targets: readonly JobTarget[]): string {
  return `encode:${videoId}:${index}:${digest(targets)}`;
}

/** Encodes one track of sound in all its forms. */
export function audioJob(videoId: VideoId, streamIndex: number, targets: readonly JobTarget[]): NewJob {
  return {
    kind: "video.audio",
    data: { videoId, streamIndex, targets: plain(targets) },
    priority: PRIORITIES.audio,
    dedupKey: `audio:${videoId}:${streamIndex}:${digest(targets)}`,
    ...TRIED,
  };
}

export function textJob(videoId: VideoId, target: JobTarget): NewJob {
  return {
    kind: "video.text",
    data: { videoId, targets: plain([target]) },
    priority: PRIORITIES.text,
    dedupKey: `text:${videoId}:${digest([target])}`,
    ...TRIED,
  };
}

export function posterJob(videoId: VideoId): NewJob {
  const dedupKey = `poster:${videoId}`;
  return { kind: "video.poster", data: { videoId }, priority: PRIORITIES.poster, dedupKey, ...TRIED };
}

/** Thumbnails and the storyboard. */
export function picturesJob(videoId: VideoId): NewJob {
  const dedupKey = `pictures:${videoId}`;
  return { kind: "video.pictures", data: { videoId }, priority: PRIORITIES.pictures, dedupKey, ...TRIED };
}

export function previewJob(videoId: VideoId): NewJob {
  const dedupKey = `preview:${videoId}`;
  return { kind: "video.preview", data: { videoId }, priority: PRIORITIES.preview, dedupKey, ...TRIED };
}

/** A rendition and its sound as one file. */
export function downloadJob(videoId: VideoId, { renditionId, epoch }: JobTarget): NewJob {
  const dedupKey = `download:${videoId}:${renditionId}:${epoch}`;
  const data = { videoId, renditionId, epoch };
  return { kind: "video.download", data, priority: PRIORITIES.download, dedupKey, ...TRIED };
}

/** Deletes the objects of a video whose records are gone. */
export function deleteJob(videoId: VideoId, keys: readonly string[]): NewJob {
  const dedupKey = `delete:${videoId}`;
  return { kind: "video.delete", data: { videoId, keys }, priority: PRIORITIES.delete, dedupKey, ...TRIED };
}

function plain(targets: readonly JobTarget[]) {
  return targets.map(({ renditionId, epoch }) => ({ renditionId, epoch }));
}

/** A rendition that is made anew gets jobs of its own, though jobs for what it was still wait. */
function digest(targets: readonly JobTarget[]): string {
  const names = targets.map(({ renditionId, epoch }) => `${renditionId}/${epoch}`).sort();
  return createHash("sha256").update(names.join()).digest("hex").slice(0, 16);
}
