/** Seconds late that nobody notices, and that a pause of the encoder may cost. */
const TOLERANCE_S = 0.05;
/** How much faster than the encoder, at most; and by how much for each second that is to be made up. */
const MAX_GAIN = 0.1;
const GAIN_PER_SECOND = 0.5;
/** Parts that stay buffered while playing faster: one that is played, and half of one for the way of the next. */
const LEAST_BUFFER_PARTS = 1.5;

export interface LiveStanding {
  readonly latencyS: number;
  readonly targetS: number;
  /** What is buffered ahead of the picture. */
  readonly bufferS: number;
  readonly partS: number;
  /** Who is further behind than this has sought back, and wants to be there. */
  readonly maxLateS: number;
}

/**
 * The speed at which a viewer comes back to the live edge. hls.js has the same, but only while more than a second is
 * buffered: with short parts, there never is.
 */
export function catchUpRate({ latencyS, targetS, bufferS, partS, maxLateS }: LiveStanding): number {
  const lateS = latencyS - targetS;
  if (lateS <= TOLERANCE_S || lateS > maxLateS || bufferS < LEAST_BUFFER_PARTS * partS) return 1;
  return 1 + Math.round(100 * Math.min(MAX_GAIN, GAIN_PER_SECOND * lateS)) / 100;
}

/** Seconds buffered from the picture on without a hole. */
export function bufferedAheadS({ buffered, currentTime }: Pick<HTMLMediaElement, "buffered" | "currentTime">): number {
  for (let i = 0; i < buffered.length; i++) {
    if (buffered.start(i) <= currentTime && currentTime <= buffered.end(i)) return buffered.end(i) - currentTime;
  }
  return 0;
}
