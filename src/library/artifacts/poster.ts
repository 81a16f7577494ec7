import { DomainError } from "../../core/errors.ts";
import { msToTicks, VIDEO_TIMESCALE } from "../../media/timebase.ts";
import type { MakeTools, TimedSource } from "../make/contract.ts";
import { runFfmpeg } from "../make/ffmpeg-run.ts";
import { GatheredOutput } from "../make/gathered-output.ts";
import { colourFilters, outputColour, stillFilters, timeFilters } from "../make/picture-filter.ts";
import { sourceArguments } from "../make/source-arguments.ts";
import type { PictureTreatment } from "../plan/video-plan.ts";
import type { SourceVideo } from "../probe/source-media.ts";
import { COMPARED_BYTES, COMPARED_FILTERS, comparedScore } from "./picture-score.ts";
import { type PictureSize, sizeWithin } from "./picture-size.ts";
import { makeStills } from "./stills.ts";
import { endMs, type StoredPictures } from "./stored-picture.ts";

export interface PosterRequest {
  readonly source: TimedSource;
  readonly video: SourceVideo;
  readonly picture: PictureTreatment;
  readonly durationMs: number;
  readonly signal: AbortSignal;
}

export interface Poster {
  readonly jpeg: Uint8Array;
  /** Undefined where only the file itself tells. */
  readonly size: PictureSize | undefined;
}

const LONGEST_SIDE = 1280;
const MOST_JPEG_BYTES = 16 * 1024 * 1024;
/** Where in the video pictures are looked at, as shares of its length, in this order: it is not to tell how it ends. */
const PLACES = [0.1, 0.25, 0.4, 0.05, 0.5, 0.17, 0.33, 0.02, 0];
/** So many are looked at by one ffmpeg, whose start costs as much as a picture; then the best is taken if it is as good as this. */
const TOGETHER = 3;
const GOOD_SCORE = 0.6;
/** In shorter ones the picture at the place itself is taken, in longer ones the key frame before it. */
const SHORT_MS = 60_000;
/** Reading begins so long before a place: a demuxer may land behind where it was asked to. */
const SEEK_MARGIN_MS = 1_000;

interface Candidate {
  readonly jpeg: Uint8Array;
  readonly score: number;
}

/**
 * One picture that stands for a video: the best of several from its first half, neither black nor a title where there is
 * anything else. Throws MEDIA_DAMAGED when no picture can be decoded, and as `runFfmpeg` does.
 */
export async function makePoster(tools: MakeTools, request: PosterRequest): Promise<Poster> {
  const size = sizeWithin({ width: request.video.shownWidth, height: request.video.shownHeight }, LONGEST_SIDE);
  const instantsMs = PLACES.map((place) => Math.round(request.durationMs * place));
  let best: Candidate | undefined;
  while (instantsMs.length > 0 && (best?.score ?? 0) < GOOD_SCORE) {
    const found = await candidatesAt(tools, request, size, instantsMs.splice(0, TOGETHER));
    best = [...(best ? [best] : []), ...found].toSorted((one, other) => other.score - one.score)[0];
  }
  if (!best) throw new DomainError("MEDIA_DAMAGED", "no picture of it can be decoded");
  return { jpeg: best.jpeg, size };
}

/** Those that can be decoded, in order. */
async function candidatesAt(
  tools: MakeTools,
  request: PosterRequest,
  size: PictureSize,
  instantsMs: readonly number[],
): Promise<readonly Candidate[]> {
  const { source, signal } = request;
  const outputs = instantsMs.map(() => ({
    jpeg: new GatheredOutput(MOST_JPEG_BYTES, "a poster"),
    small: new GatheredOutput(COMPARED_BYTES, "a small picture"),
  }));
  try {
    await runFfmpeg(tools, {
      access: source.access,
      arguments: candidateArguments(tools, request, size, instantsMs),
      readers: outputs.flatMap(({ jpeg, small }) => [jpeg.read, small.read]),
      signal,
    });
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== "MEDIA_DAMAGED") throw error;
    if (instantsMs.length === 1) return [];
    // One place that cannot be decoded takes the others along.
    const alone: Candidate[] = [];
    for (const atMs of instantsMs) alone.push(...(await candidatesAt(tools, request, size, [atMs])));
    return alone;
  }
  return outputs
    .filter(({ jpeg }) => jpeg.bytes.length > 0)
    .map(({ jpeg, small }) => ({ jpeg: jpeg.bytes, score: comparedScore(small.bytes) }));
}

/** For each instant the source is opened anew, at that place: pipes 3 and 4 are of the first, 5 and 6 of the second. */
function candidateArguments(
  { coreCount }: MakeTools,
  { source, video, picture, durationMs }: PosterRequest,
  size: PictureSize,
  instantsMs: readonly number[],
): readonly string[] {
  const isShort = durationMs <= SHORT_MS;
  const conversion = colourFilters(video, picture, size);
  const inputs = instantsMs.flatMap((atMs) => {
    const fromMs = atMs - (isShort ? SEEK_MARGIN_MS : 0);
    const fromTicks = fromMs > 0 ? source.zeroTicks + msToTicks(fromMs, VIDEO_TIMESCALE) : undefined;
    const skip = isShort ? [] : ["-skip_frame:v", "nokey"];
    return [...skip, "-threads:v", `${coreCount}`, ...sourceArguments(source, fromTicks)];
  });
  const outputs = instantsMs.flatMap((atMs, input) => {
    const filters = [
      ...timeFilters({ ...picture, frameRateLimit: null }, source.zeroTicks),
      ...(isShort ? [`trim=start_pts=${msToTicks(atMs, VIDEO_TIMESCALE)}`] : []),
      ...conversion,
      ...stillFilters(size, video, outputColour(video, picture), conversion.length > 0),
    ];
    const [still, small, pipe] = [`[still${input}]`, `[small${input}]`, 3 + 2 * input];
    const graph = `[${input}:${video.index}]${filters.join(",")},split${still}[s];[s]${COMPARED_FILTERS}${small}`;
    return [
      ...["-filter_complex", graph],
      ...["-map", still, "-frames:v", "1", "-c:v", "mjpeg", "-q:v", "3", "-f", "mjpeg", `pipe:${pipe}`],
      ...["-map", small, "-frames:v", "1", "-c:v", "rawvideo", "-f", "rawvideo", `pipe:${pipe + 1}`],
    ];
  });
  return [...inputs, ...outputs];
}

/** The poster of a video that has no original, of its key frames. Throws as `makeStills` does. */
export async function makeStoredPoster(
  tools: MakeTools,
  pictures: StoredPictures,
  signal: AbortSignal,
): Promise<Poster> {
  const durationMs = endMs(pictures);
  const instantsMs = PLACES.map((place) => durationMs * place);
  const stills = await makeStills(tools, pictures, { instantsMs, longestSide: LONGEST_SIDE }, signal);
  const [best] = stills.toSorted((a, b) => b.score - a.score);
  if (!best) throw new DomainError("MEDIA_DAMAGED", "no picture of it can be decoded");
  return { jpeg: best.jpeg, size: best.size };
}

/** The cover of an album, as the poster of sound alone. Throws as `runFfmpeg` does. */
export async function makeCover(
  tools: MakeTools,
  { source, streamIndex, signal }: Pick<PosterRequest, "source" | "signal"> & { readonly streamIndex: number },
): Promise<Poster> {
  const jpeg = new GatheredOutput(MOST_JPEG_BYTES, "a cover");
  const scale = `scale='min(${LONGEST_SIDE},iw)':'min(${LONGEST_SIDE},ih)':force_original_aspect_ratio=decrease`;
  await runFfmpeg(tools, {
    access: source.access,
    arguments: [
      ...sourceArguments(source),
      ...["-map", `0:${streamIndex}`, "-vf", `${scale},format=yuvj420p`, "-frames:v", "1"],
      ...["-c:v", "mjpeg", "-q:v", "3", "-f", "mjpeg", "pipe:3"],
    ],
    readers: [jpeg.read],
    signal,
  });
  if (jpeg.bytes.length === 0) throw new DomainError("MEDIA_DAMAGED", "its cover cannot be decoded");
  return { jpeg: jpeg.bytes, size: undefined };
}
