import type { QualityName } from "../../encode/ladder.ts";

/** What was asked for, and what is taken and how it is cut by the settings. */
export interface PlanOptions {
  /** What the ladder is made of. */
  readonly profiles: readonly QualityName[];
  /** Somebody asked for these profiles: each that the source has pixels for is made. */
  readonly isAskedFor: boolean;
  /** What fits is kept as it came. */
  readonly copiesVideo: boolean;
  readonly copiesAudio: boolean;
  /** Codecs of sound that we take; tracks of others are left out. */
  readonly audioCodecs: readonly string[];
  readonly segmentTargetMs: number;
  readonly chunkTargetMs: number;
  readonly zeroTicks: number;
}
