import { type PictureSize, sizeWithin } from "./picture-size.ts";

/** How the small pictures of a video are spread over its length and over images. */
export interface StoryboardPlan {
  readonly tile: PictureSize;
  readonly columnCount: number;
  readonly rowCount: number;
  readonly intervalMs: number;
  readonly tileCount: number;
}

/** Wide enough to tell scenes apart while somebody scrubs; some 5 kB. */
export const TILE_SIDE = 192;
/** On one image: some 120 kB, which is there before somebody has scrubbed on. */
const SIDE_COUNT = 5;
/** With the longest interval that any limit gives, 15 images and some 2 MB. */
const MOST_TILES = 360;
/** Short videos are decoded whole; up to so long each, pictures may stand closer than key frames do. */
const SHORT = [
  { intervalMs: 1_000, upToMs: 60_000 },
  { intervalMs: 2_000, upToMs: 120_000 },
] as const;
/** Round numbers, so that people who read the WebVTT see what goes on. */
const INTERVALS_MS = [5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600].map((seconds) => seconds * 1000);

/** For a picture of this shape and a video so long. */
export function planStoryboard(picture: PictureSize, durationMs: number): StoryboardPlan {
  const intervalMs = intervalFor(durationMs);
  const tileCount = Math.max(1, Math.ceil(durationMs / intervalMs));
  const columnCount = Math.min(SIDE_COUNT, tileCount);
  const rowCount = Math.min(SIDE_COUNT, Math.ceil(tileCount / columnCount));
  return { tile: sizeWithin(picture, TILE_SIDE), columnCount, rowCount, intervalMs, tileCount };
}

function intervalFor(durationMs: number): number {
  const short = SHORT.find(({ upToMs }) => durationMs <= upToMs);
  if (short) return short.intervalMs;
  const fitting = INTERVALS_MS.find((intervalMs) => durationMs / intervalMs <= MOST_TILES);
  return fitting ?? Math.ceil(durationMs / MOST_TILES / 1000) * 1000;
}

/** Whether key frames stand too far apart to show what is asked for. */
export function readsEveryFrame({ intervalMs }: StoryboardPlan): boolean {
  return SHORT.some((short) => short.intervalMs === intervalMs);
}

export function imageCount({ columnCount, rowCount, tileCount }: StoryboardPlan): number {
  return Math.ceil(tileCount / (columnCount * rowCount));
}
