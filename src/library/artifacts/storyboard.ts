import { z } from "zod";
import type { VideoArtifactRecord } from "../../catalog/video-record.ts";
import { DomainError } from "../../core/errors.ts";
import type { Storyboard } from "../../packaging/stored-rendition.ts";
import type { MakeTools } from "../make/contract.ts";
import { runFfmpeg } from "../make/ffmpeg-run.ts";
import { GatheredOutput } from "../make/gathered-output.ts";
import type { MadeArtifact } from "./artifact-publisher.ts";
import { STORYBOARD } from "./artifact-steps.ts";
import { splitJpegs } from "./multipart-jpegs.ts";
import {
  endMs,
  keyFrameStream,
  leadOf,
  PIPED_INPUT,
  type StoredPictures,
  segmentStream,
  shownSize,
  storedStillFilters,
} from "./stored-picture.ts";
import { imageCount, planStoryboard, readsEveryFrame, type StoryboardPlan } from "./storyboard-plan.ts";
import { storyboardJson, storyboardVtt } from "./storyboard-text.ts";

const MOST_BYTES = 64 * 1024 * 1024;

/** Small pictures of all of a video: images of many side by side, and where each moment is on them as WebVTT and JSON. */
export async function makeStoryboard(
  tools: MakeTools,
  pictures: StoredPictures,
  signal: AbortSignal,
): Promise<readonly MadeArtifact[]> {
  const durationMs = Math.round(endMs(pictures));
  const plan = planStoryboard(shownSize(pictures), durationMs);
  const images = await drawImages(tools, pictures, plan, signal);
  const imageNames = images.map((_, index) => `storyboard-${index + 1}.jpg`);
  const details: StoredLayout = {
    ...{ tileWidth: plan.tile.width, tileHeight: plan.tile.height },
    ...{ columnCount: plan.columnCount, rowCount: plan.rowCount, intervalMs: plan.intervalMs, imageNames },
    sizeBytes: images.reduce((sum, image) => sum + image.length, 0),
  };
  const placed = { plan, imageNames, durationMs };
  return [
    ...images.map((body, index) => {
      return { name: imageNames[index] ?? "", contentType: "image/jpeg", body, details: null };
    }),
    { name: "storyboard.json", contentType: "application/json", body: storyboardJson(placed), details: null },
    { name: STORYBOARD, contentType: "text/vtt; charset=utf-8", body: storyboardVtt(placed), details },
  ];
}

async function drawImages(
  tools: MakeTools,
  pictures: StoredPictures,
  plan: StoryboardPlan,
  signal: AbortSignal,
): Promise<readonly Uint8Array[]> {
  const { tile, columnCount, rowCount, intervalMs, tileCount } = plan;
  const output = new GatheredOutput(MOST_BYTES, "a storyboard");
  const filters = [
    ...(readsEveryFrame(plan) ? [`setpts=PTS-${leadOf(pictures)}/TB`] : []),
    // For every interval what is shown in its middle, and to the last one something.
    `fps=1000/${intervalMs}:start_time=0:round=near`,
    ...["tpad=stop_mode=clone:stop=-1", `trim=end_frame=${tileCount}`],
    ...storedStillFilters(pictures, tile),
    `tile=${columnCount}x${rowCount}`,
  ];
  await runFfmpeg(tools, {
    feeds: [pictureFeed(tools, pictures, plan, signal)],
    arguments: [
      ...["-threads:v", `${tools.coreCount}`, ...PIPED_INPUT, "-filter_complex", `[0:v]${filters.join(",")}[tiles]`],
      ...["-map", "[tiles]", "-fps_mode", "passthrough", "-c:v", "mjpeg", "-q:v", "5", "-f", "mpjpeg", "pipe:3"],
    ],
    readers: [output.read],
    signal,
  });
  const images = splitJpegs(output.bytes);
  if (images.length === imageCount(plan)) return images;
  throw new DomainError("INTERNAL", `ffmpeg made ${images.length} of ${imageCount(plan)} images`);
}

function pictureFeed({ store }: MakeTools, pictures: StoredPictures, plan: StoryboardPlan, signal: AbortSignal) {
  if (readsEveryFrame(plan)) return segmentStream(store, pictures, signal);
  const { tileCount, intervalMs } = plan;
  const instantsMs = Array.from({ length: tileCount }, (_, place) => (place + 0.5) * intervalMs);
  return keyFrameStream(store, pictures, { instantsMs, stepMs: intervalMs }, signal);
}

const size = z.int().positive();
const storedLayout = z.strictObject({
  ...{ tileWidth: size, tileHeight: size, columnCount: size, rowCount: size, intervalMs: size },
  imageNames: z.array(z.string()),
  sizeBytes: size,
});
type StoredLayout = z.output<typeof storedLayout>;

/** The storyboard that is among a video's artifacts. Throws ZodError when the record is of another version. */
export function storyboardOf(artifacts: readonly VideoArtifactRecord[]): Storyboard | undefined {
  const details = artifacts.find(({ name }) => name === STORYBOARD)?.details;
  return details ? storedLayout.parse(details) : undefined;
}
