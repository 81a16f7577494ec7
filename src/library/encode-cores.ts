/** The processor cores of a worker, and how many chunks it encodes at once. */
export interface EncodeCores {
  readonly coreCount: number;
  readonly encodesAtOnce: number;
}

/** Each further thread holds pictures of its own, and most of the time waits for the others. */
const MOST_FOR_ONE = 16;

/** Cores for the chunk that a video opens with: somebody waits for it, whatever else is being made. */
export function openingCoreCount({ coreCount }: EncodeCores): number {
  return Math.min(MOST_FOR_ONE, coreCount);
}

/**
 * Cores for one of the `lackingCount` chunks that a video still lacks. Two encodes with a core each are faster than one
 * with two, whose threads wait for each other; the last chunks, which have nothing beside them, get what is free.
 */
export function chunkCoreCount({ coreCount, encodesAtOnce }: EncodeCores, lackingCount: number): number {
  const besideCount = Math.max(1, Math.min(encodesAtOnce, lackingCount));
  return Math.min(MOST_FOR_ONE, Math.ceil(coreCount / besideCount));
}
