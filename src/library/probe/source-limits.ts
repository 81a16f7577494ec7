import { DomainError } from "../../core/errors.ts";
import { mainVideo, type SourceMedia } from "./source-media.ts";

/** What is in files that people have, and ffmpeg decodes well. */
export const DEFAULT_VIDEO_CODECS: readonly string[] = [
  ...["h264", "hevc", "av1", "vp9", "vp8", "mpeg4", "mpeg2video", "mpeg1video", "h263", "msmpeg4v3", "msmpeg4v2"],
  ...["vc1", "wmv3", "theora", "mjpeg", "prores", "dnxhd", "cfhd", "ffv1", "huffyuv", "ffvhuff", "utvideo", "qtrle"],
  ...["dvvideo", "flv1", "rawvideo", "png"],
];
export const DEFAULT_AUDIO_CODECS: readonly string[] = [
  ...[
    "aac",
    "mp3",
    "opus",
    "vorbis",
    "flac",
    "alac",
    "ac3",
    "eac3",
    "mp2",
    "dts",
    "truehd",
    "wmav2",
    "amr_nb",
    "amr_wb",
  ],
  ...["pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_f32le", "pcm_u8", "pcm_mulaw", "pcm_alaw"],
  ...["adpcm_ms", "adpcm_ima_wav", "adpcm_ima_qt"],
];

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
