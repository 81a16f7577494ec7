/** Media time is an integer count of ticks; the timescale says how many make a second. Seconds appear only in text. */
export type Ticks = number;

/** The timescale of every video track: exact for milliseconds and for the usual frame rates. */
export const VIDEO_TIMESCALE = 90_000;

/** Where presentation time starts, so that a negative composition offset never makes a negative time. */
export const PRESENTATION_START_MS = 10_000;

/**
 * `ticks` of `fromTimescale` in ticks of `toTimescale`, rounded to the nearest (half up). Exact up to 2^53 in and out:
 * whole seconds and the rest are scaled apart.
 */
export function rescale(ticks: Ticks, fromTimescale: number, toTimescale: number): Ticks {
  if (fromTimescale === toTimescale) return ticks;
  const seconds = Math.floor(ticks / fromTimescale);
  const rest = ticks - seconds * fromTimescale;
  return seconds * toTimescale + Math.round((rest * toTimescale) / fromTimescale);
}

/** -1, 0 or 1 as the first instant is before, at or after the second, compared without rounding. */
export function compareTicks(a: Ticks, aTimescale: number, b: Ticks, bTimescale: number): -1 | 0 | 1 {
  const secondsA = Math.floor(a / aTimescale);
  const secondsB = Math.floor(b / bTimescale);
  if (secondsA !== secondsB) return secondsA < secondsB ? -1 : 1;
  const restA = (a - secondsA * aTimescale) * bTimescale;
  const restB = (b - secondsB * bTimescale) * aTimescale;
  return restA < restB ? -1 : restA > restB ? 1 : 0;
}

export function ticksToMs(ticks: Ticks, timescale: number): number {
  return (ticks / timescale) * 1000;
}

export function msToTicks(ms: number, timescale: number): Ticks {
  return Math.round((ms * timescale) / 1000);
}
