import { z } from "zod";
import type { VideoArtifactRecord } from "../../catalog/video-record.ts";
import { DomainError } from "../../core/errors.ts";
import type { MakeTools } from "../make/contract.ts";
import { runFfmpeg } from "../make/ffmpeg-run.ts";
import { GatheredOutput } from "../make/gathered-output.ts";
import { thumbnailName } from "./artifact-steps.ts";
import { splitJpegs } from "./multipart-jpegs.ts";
import { COMPARED_BYTES, COMPARED_FILTERS, comparedScore } from "./picture-score.ts";
import { type PictureSize, sizeWithin } from "./picture-size.ts";
import {
  endMs,
  keyFrameStream,
  PIPED_INPUT,
  type StoredPictures,
  shownSize,
  storedStillFilters,
} from "./stored-picture.ts";

interface Still {
  readonly size: PictureSize;
  readonly jpeg: Uint8Array;
  /** About where in the video. */
  readonly atMs: number;
  /** As `pictureScore` says. */
  readonly score: number;
}

/** A thumbnail as the records know it. */
export interface Thumbnail extends z.output<typeof thumbnailDetails> {
  readonly name: string;
}

const thumbnailDetails = z.strictObject({
  atMs: z.number().min(0),
  width: z.int().positive(),
  height: z.int().positive(),
});

/** The thumbnails that are among a video's artifacts, in order. Throws ZodError when a record is of another version. */
export function thumbnailsOf(artifacts: readonly VideoArtifactRecord[]): readonly Thumbnail[] {
  const byName = new Map(artifacts.map((artifact) => [artifact.name, artifact]));
  return Array.from({ length: MOST_THUMBNAILS }, (_, place) => byName.get(thumbnailName(place)))
    .filter((artifact) => artifact !== undefined)
    .map(({ name, details }) => ({ name, ...thumbnailDetails.parse(details) }));
}

const MOST_THUMBNAILS = 12;
/** More often than this a short video does not change. */
const LEAST_DISTANCE_MS = 1_000;
export const THUMBNAIL_SIDE = 640;
const MOST_BYTES = 64 * 1024 * 1024;

/** Pictures at key frames, evenly over the video; at least one. Throws as `runFfmpeg` and the store do. */
export async function makeThumbnails(
  tools: MakeTools,
  pictures: StoredPictures,
  signal: AbortSignal,
): Promise<readonly Still[]> {
  const durationMs = endMs(pictures);
  const count = Math.max(
    1,
    Math.min(MOST_THUMBNAILS, Math.floor(durationMs / LEAST_DISTANCE_MS), keyFrameCount(pictures)),
  );
  const instantsMs = Array.from({ length: count }, (_, place) => Math.round((durationMs * (place + 0.5)) / count));
  return makeStills(tools, pictures, { instantsMs, longestSide: THUMBNAIL_SIDE }, signal);
}

function keyFrameCount({ segments }: StoredPictures): number {
  return segments.reduce((sum, { keyFrames }) => sum + keyFrames.length, 0);
}

/** One still for each instant, of the key frame nearest to it. */
export async function makeStills(
  tools: MakeTools,
  pictures: StoredPictures,
  { instantsMs, longestSide }: { readonly instantsMs: readonly number[]; readonly longestSide: number },
  signal: AbortSignal,
): Promise<readonly Still[]> {
  const size = sizeWithin(shownSize(pictures), longestSide);
  const jpegs = new GatheredOutput(MOST_BYTES, "a video's thumbnails");
  const small = new GatheredOutput(MOST_BYTES, "a video's small pictures");
  // One a second, whenever they were: see keyFrameStream.
  const steady = [
    "fps=1:start_time=0:round=near",
    "tpad=stop_mode=clone:stop=-1",
    `trim=end_frame=${instantsMs.length}`,
  ];
  const stills = [...steady, ...storedStillFilters(pictures, size)].join(",");
  await runFfmpeg(tools, {
    feeds: [keyFrameStream(tools.store, pictures, { instantsMs, stepMs: 1_000 }, signal)],
    arguments: [
      ...PIPED_INPUT,
      ...["-filter_complex", `[0:v]${stills},split[still][s];[s]${COMPARED_FILTERS}[small]`],
      ...["-map", "[still]", "-fps_mode", "passthrough", "-c:v", "mjpeg", "-q:v", "3", "-f", "mpjpeg", "pipe:3"],
      ...["-map", "[small]", "-fps_mode", "passthrough", "-c:v", "rawvideo", "-f", "rawvideo", "pipe:4"],
    ],
    readers: [jpegs.read, small.read],
    signal,
  });
  const images = splitJpegs(jpegs.bytes);
  if (images.length !== instantsMs.length) {
    throw new DomainError("INTERNAL", `ffmpeg made ${images.length} of ${instantsMs.length} stills`);
  }
  const greys = small.bytes;
  return images.map((jpeg, place) => {
    const score = comparedScore(greys.subarray(place * COMPARED_BYTES, (place + 1) * COMPARED_BYTES));
    return { jpeg, size, atMs: instantsMs[place] ?? 0, score };
  });
}
