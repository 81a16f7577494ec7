import type { Storyboard } from "./stored-rendition.ts";

/** How long one image of a storyboard lasts when all its places are used. */
export function imageDurationMs({ columnCount, rowCount, intervalMs }: Storyboard): number {
  return columnCount * rowCount * intervalMs;
}

/** Bits of images in a second of video. */
export function storyboardBps({ sizeBytes }: Storyboard, durationMs: number): number {
  return Math.max(1, Math.ceil((sizeBytes * 8000) / Math.max(1, durationMs)));
}
