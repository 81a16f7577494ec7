/** The processor cores of a worker, and how many chunks it encodes at once. */
export interface EncodeCores {
  readonly coreCount: number;
  readonly encodesAtOnce: number;
}

/** Each further thread holds pictures of its own, and most of the time waits for the others. */
const MOST_FOR_ONE = 8;

/** Cores for the chunk that a video opens with: somebody waits for it, whatever else is being made. */
export function openingCoreCount({ coreCount }: EncodeCores): number {
  return Math.min(MOST_FOR_ONE, coreCount);
}

/** Videos that are opened at once: as many as have cores of their own. */
export function openingsAtOnce({ coreCount }: EncodeCores): number {
  return Math.ceil(coreCount / MOST_FOR_ONE);
}

/**
 * Cores for one chunk, while so many are being encoded here or are still to be. Two encodes with a core each are faster
 * than one with two, whose threads wait for each other; where there are fewer chunks than cores, they share them.
 */
export function chunkCoreCount({ coreCount, encodesAtOnce }: EncodeCores, chunkCount: number): number {
  const besideCount = Math.max(1, Math.min(encodesAtOnce, chunkCount));
  return Math.min(MOST_FOR_ONE, Math.ceil(coreCount / besideCount));
}
