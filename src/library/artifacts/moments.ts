import { ticksToMs } from "../../media/timebase.ts";
import type { StoredRendition, StoredSegment } from "../../packaging/stored-rendition.ts";

/** A piece of a video, which begins where a segment does. */
export interface Moment {
  readonly startMs: number;
  readonly endMs: number;
}

/** A preview is no longer. */
const LONGEST_PREVIEW_MS = 30_000;
const MOMENT_COUNT = 6;
const MOMENT_MS = LONGEST_PREVIEW_MS / MOMENT_COUNT;

/**
 * What a preview shows: all of a short video, else moments evenly over a longer one, for whoever hovers over it wants to
 * know what it is about. None begins before the one before it has ended.
 */
export function pickMoments({
  segments,
  timescale,
}: Pick<StoredRendition, "segments" | "timescale">): readonly Moment[] {
  const last = segments.at(-1);
  if (!last) return [];
  const endMs = ticksToMs(last.start + last.duration, timescale);
  if (endMs <= LONGEST_PREVIEW_MS) return [{ startMs: ticksToMs(segments[0]?.start ?? 0, timescale), endMs }];
  const moments: Moment[] = [];
  for (let place = 0; place < MOMENT_COUNT; place += 1) {
    const wantedMs = (endMs * (place + 0.5)) / MOMENT_COUNT - MOMENT_MS / 2;
    const earliestMs = moments.at(-1)?.endMs ?? 0;
    const startMs = nearestStart(segments, timescale, wantedMs, earliestMs);
    if (startMs !== undefined) moments.push({ startMs, endMs: Math.min(startMs + MOMENT_MS, endMs) });
  }
  return moments;
}

/** The start of a segment that is nearest to an instant and not before another. */
function nearestStart(
  segments: readonly StoredSegment[],
  timescale: number,
  wantedMs: number,
  earliestMs: number,
): number | undefined {
  return segments
    .map(({ start }) => ticksToMs(start, timescale))
    .filter((startMs) => startMs >= earliestMs)
    .reduce<number | undefined>((best, startMs) => {
      return best === undefined || Math.abs(startMs - wantedMs) < Math.abs(best - wantedMs) ? startMs : best;
    }, undefined);
}

/** The segments of a rendition in which something of these moments lies. */
export function segmentsWithin(
  { segments, timescale }: Pick<StoredRendition, "segments" | "timescale">,
  moments: readonly Moment[],
): readonly StoredSegment[] {
  return segments.filter(({ start, duration }) => {
    const [startMs, endMs] = [ticksToMs(start, timescale), ticksToMs(start + duration, timescale)];
    return moments.some((moment) => startMs < moment.endMs && endMs > moment.startMs);
  });
}
