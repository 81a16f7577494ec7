import type { MediaFormat } from "../../src/media/format.ts";
import type { StoredRendition, StoredSegment, StoredVideo } from "../../src/packaging/stored-rendition.ts";
import { AAC, H264 } from "./presentation.ts";

const SEGMENT_S = 4;
const FRAME_RATE = 25;

export interface StoredScript extends Partial<Omit<StoredRendition, "segments" | "kind">> {
  readonly id: string;
  readonly segmentCount: number;
  readonly bytesPerSegment?: number;
}

/** A rendition of segments of 4 s that hold nothing, as its rows would tell of it. */
export function storedRendition({ segmentCount, bytesPerSegment = 500_000, ...told }: StoredScript): StoredRendition {
  const format: MediaFormat = told.format ?? H264;
  const timescale = format.kind === "audio" ? format.sampleRateHz : 90_000;
  const epoch = told.epoch ?? "e0";
  return {
    origin: "rung",
    audioRenditionId: undefined,
    language: undefined,
    label: undefined,
    isComplete: true,
    leadTicks: 0,
    ...told,
    kind: format.kind,
    epoch,
    format,
    timescale,
    initBytes: Buffer.from(`<init of ${told.id}>`),
    segments: Array.from({ length: segmentCount }, (_, index): StoredSegment => {
      const start = index * SEGMENT_S * timescale;
      const second = { start: start + 2 * timescale, offset: bytesPerSegment / 2, length: 8_000 };
      return {
        start,
        duration: SEGMENT_S * timescale,
        byteLength: bytesPerSegment,
        frameCount: format.kind === "audio" ? 1 : SEGMENT_S * FRAME_RATE,
        keyFrames: format.kind === "audio" ? [] : [{ start, offset: 32, length: 12_000 }, second],
        key: `videos/v/${told.id}/${epoch}/a/${index + 1}.m4s`,
      };
    }),
  };
}

/** Audio beside it. */
export function storedAudio(script: StoredScript): StoredRendition {
  return storedRendition({ format: AAC, bytesPerSegment: 64_000, ...script });
}

/** A video of 12 s that is ready. */
export function storedVideo(told: Partial<StoredVideo> & Pick<StoredVideo, "renditions">): StoredVideo {
  return {
    revision: 1,
    updatedAtMs: Date.UTC(2026, 0, 1),
    isPlayable: true,
    isFinal: true,
    durationMs: 12_000,
    segmentTargetMs: 4_000,
    targetDurationS: 4,
    texts: [],
    storyboard: undefined,
    files: new Map(),
    ...told,
  };
}
