import { z } from "zod";

/** The containers that videos are taken in, as our own reading of the first bytes tells them apart. */
export const CONTAINERS = ["mp4", "mov", "matroska", "webm", "avi"] as const;
export type Container = (typeof CONTAINERS)[number];

const rational = z.strictObject({ numerator: z.int().positive(), denominator: z.int().positive() });
const optionalText = z.string().nullable();
const optionalNumber = z.number().nullable();

const videoStream = z.strictObject({
  /** Of the stream in the file, as ffmpeg counts: `0:{index}`. */
  index: z.int().min(0),
  /** As ffmpeg names it. */
  codec: z.string(),
  profile: optionalText,
  /** 41 for 4.1; as the codec counts. */
  level: optionalNumber,
  /** Pixels that are coded, before rotation and sample aspect. */
  width: z.int().positive(),
  height: z.int().positive(),
  /** Square pixels, turned upright: what a person sees. */
  shownWidth: z.int().positive(),
  shownHeight: z.int().positive(),
  sampleAspect: z.strictObject({ width: z.int().positive(), height: z.int().positive() }),
  /** By how much it has to be turned clockwise to stand upright. */
  rotationDegrees: z.union([z.literal(0), z.literal(90), z.literal(180), z.literal(270)]),
  /** It also has to be shown as in a mirror. */
  isMirrored: z.boolean(),
  /** Average over the stream; null when it does not tell. */
  frameRate: rational.nullable(),
  /** The least that all its time stamps can be told by. */
  realFrameRate: rational.nullable(),
  /** A hint: the two rates differ. */
  isVariableFrameRate: z.boolean(),
  pixelFormat: optionalText,
  bitDepth: z.int().positive(),
  /** ffmpeg's words; null where the stream does not say. */
  colour: z.strictObject({
    primaries: optionalText,
    transfer: optionalText,
    matrix: optionalText,
    isFullRange: z.boolean(),
  }),
  hdr: z.enum(["pq", "hlg"]).nullable(),
  isInterlaced: z.boolean(),
  /** ffmpeg's word: `progressive`, `tt`, `bb`, `tb`, `bt`. */
  fieldOrder: optionalText,
  /** So many pictures come before one that is shown before them; 0: all come in the order in which they are shown. */
  reorderCount: z.int().min(0),
  startMs: z.number(),
  durationMs: optionalNumber,
  bitrateBps: optionalNumber,
  frameCount: optionalNumber,
  isDefault: z.boolean(),
});

const audioStream = z.strictObject({
  index: z.int().min(0),
  codec: z.string(),
  profile: optionalText,
  channelCount: z.int().positive(),
  /** ffmpeg's word: `stereo`, `5.1(side)`. */
  channelLayout: optionalText,
  sampleRateHz: z.int().positive(),
  bitrateBps: optionalNumber,
  startMs: z.number(),
  durationMs: optionalNumber,
  /** BCP 47. */
  language: optionalText,
  title: optionalText,
  isDefault: z.boolean(),
});

const textStream = z.strictObject({
  index: z.int().min(0),
  codec: z.string(),
  /** Words that can become WebVTT; else pictures of words, or what ffmpeg does not know. */
  isText: z.boolean(),
  language: optionalText,
  title: optionalText,
  isDefault: z.boolean(),
  isForced: z.boolean(),
  isForHearingImpaired: z.boolean(),
});

/** What a probe found in a file. Times are those of the file's own clock. Kept as the video's metadata. */
export const sourceMediaSchema = z.strictObject({
  container: z.enum(CONTAINERS),
  sizeBytes: z.int().positive(),
  /** Earliest time stamp of the file's video, or of its audio when it has no video: about where presentation time begins. */
  startMs: z.number(),
  /** From `startMs` to the end of the longest of its streams. */
  durationMs: z.number().positive(),
  bitrateBps: z.number().min(0),
  video: z.array(videoStream),
  audio: z.array(audioStream),
  text: z.array(textStream),
  /** Cover pictures: streams that look like video and hold one frame. */
  pictures: z.array(z.strictObject({ index: z.int().min(0), codec: z.string() })),
  /** Sentences for its owner: what was found and will not be kept, or is not as it should be. */
  notes: z.array(z.string()),
});

export type SourceMedia = z.output<typeof sourceMediaSchema>;
export type SourceVideo = z.output<typeof videoStream>;
export type SourceAudio = z.output<typeof audioStream>;
export type SourceText = z.output<typeof textStream>;

/** The video that people see, which is the first of those that the file calls its default; undefined for sound alone. */
export function mainVideo({ video }: SourceMedia): SourceVideo | undefined {
  return video.find((stream) => stream.isDefault) ?? video[0];
}

/** The body of an upload's answer. Numbers are seconds, bits and frames per second; 0 stands for what the file does not have. */
export interface UploadMetadata {
  readonly duration: number;
  readonly format: Container;
  readonly width: number;
  readonly height: number;
  readonly bitrate: number;
  readonly fps: number;
  readonly codec: string;
}

export function uploadMetadata(media: SourceMedia): UploadMetadata {
  const video = mainVideo(media);
  const rate = video?.frameRate;
  return {
    duration: Math.round(media.durationMs) / 1000,
    format: media.container,
    width: video?.shownWidth ?? 0,
    height: video?.shownHeight ?? 0,
    bitrate: Math.round(media.bitrateBps),
    fps: rate ? Math.round((rate.numerator / rate.denominator) * 1000) / 1000 : 0,
    codec: video?.codec ?? media.audio[0]?.codec ?? "",
  };
}
