import { DomainError } from "../core/errors.ts";
import { mainVideo, type SourceMedia } from "./source-media.ts";

/** What is taken in. */
export interface SourceLimits {
  readonly maxDurationMs: number;
  /** Pixels, of the longer side. */
  readonly maxPictureSide: number;
  /** ffmpeg's names. */
  readonly videoCodecs: readonly string[];
  readonly audioCodecs: readonly string[];
}

/** Throws DomainError with the reason why we do not take what is in a file: UNSUPPORTED_CODEC, DURATION_EXCEEDED, PICTURE_TOO_LARGE. */
export function checkLimits(media: SourceMedia, limits: SourceLimits): void {
  const video = mainVideo(media);
  if (media.durationMs > limits.maxDurationMs) {
    throw new DomainError(
      "DURATION_EXCEEDED",
      `the video is ${minutes(media.durationMs)} long; up to ${minutes(limits.maxDurationMs)} are taken`,
    );
  }
  if (video && !limits.videoCodecs.includes(video.codec)) throw unsupported("video", video.codec, limits.videoCodecs);
  if (video && Math.max(video.width, video.height) > limits.maxPictureSide) {
    const size = `${video.width}x${video.height}`;
    throw new DomainError(
      "PICTURE_TOO_LARGE",
      `the picture is ${size}; up to ${limits.maxPictureSide} pixels a side are taken`,
    );
  }
  const [audio] = media.audio;
  if (audio && !media.audio.some(({ codec }) => limits.audioCodecs.includes(codec))) {
    throw unsupported("audio", audio.codec, limits.audioCodecs);
  }
}

function unsupported(medium: string, codec: string, taken: readonly string[]): DomainError {
  return new DomainError(
    "UNSUPPORTED_CODEC",
    `the ${medium} codec ${codec} is not taken; taken are ${taken.join(", ")}`,
  );
}

function minutes(ms: number): string {
  return `${(ms / 60_000).toFixed(1)} min`;
}
