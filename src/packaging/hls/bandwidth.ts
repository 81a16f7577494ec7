import { ticksToMs } from "../../media/timebase.ts";
import type { MeasuredBitrate, Rendition } from "../presentation.ts";

/** The rendition's bit rates; before its first complete segment is measured, those of what is there so far. */
export function bitrateOf(rendition: Rendition): MeasuredBitrate {
  if (rendition.bitrate.peakBps > 0) return rendition.bitrate;
  const byteCount = sum(rendition, (segment) => segment.byteLength);
  const elapsedMs = sum(rendition, (segment) => ticksToMs(segment.duration, segment.init.timescale));
  // Both attributes are required and above zero; one bit per second stands for "not known yet".
  const averageBps = elapsedMs > 0 ? Math.max(1, (byteCount * 8000) / elapsedMs) : 1;
  return { peakBps: averageBps, averageBps };
}

function sum(rendition: Rendition, of: (segment: Rendition["segments"][number]) => number): number {
  return rendition.segments.reduce((total, segment) => total + of(segment), 0);
}
