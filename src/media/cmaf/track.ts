import type { MediaFormat } from "../format.ts";

/** A track as a CMAF header names it. */
export interface CmafTrack {
  readonly trackId: number;
  readonly timescale: number;
  readonly format: MediaFormat;
}

/** `sample_flags` of ISO/IEC 14496-12 8.8.3.1, as CMAF wants them. */
export const SAMPLE_FLAGS = {
  /** depends on no other sample */
  sync: 0x02000000,
  /** depends on others, is no sync sample */
  dependent: 0x01010000,
} as const;

export const SAMPLE_IS_NON_SYNC = 0x00010000;
