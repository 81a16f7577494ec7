import { z } from "zod";

const rational = z.strictObject({ numerator: z.int().positive(), denominator: z.int().positive() });
const renditionId = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,63}$/);

/** Kept as it came: the packets of the source under our segments. */
const videoCopy = z.strictObject({
  kind: z.literal("video"),
  method: z.literal("copy"),
  id: renditionId,
  streamIndex: z.int().min(0),
  /** What is heard beside it by default. */
  audioRenditionId: renditionId.nullable(),
});

/** One H.264 quality. How the picture is treated before it is scaled is the same for all: `VideoPlan.picture`. */
const videoEncode = z.strictObject({
  kind: z.literal("video"),
  method: z.literal("encode"),
  id: renditionId,
  streamIndex: z.int().min(0),
  /** Square pixels, even. */
  width: z.int().min(2),
  height: z.int().min(2),
  bitrateBps: z.int().positive(),
  profile: z.enum(["main", "high"]),
  level: z.enum(["2.1", "3.0", "3.1", "3.2", "4.0", "4.1", "4.2", "5.0", "5.1", "5.2"]),
  audioRenditionId: renditionId.nullable(),
});

const audioFields = {
  kind: z.literal("audio"),
  id: renditionId,
  streamIndex: z.int().min(0),
  channelCount: z.int().positive(),
  sampleRateHz: z.int().positive(),
  /** BCP 47. */
  language: z.string().nullable(),
  /** What people choose it by. */
  label: z.string(),
  isDefault: z.boolean(),
};

const audioCopy = z.strictObject({
  ...audioFields,
  method: z.literal("copy"),
  codec: z.enum(["aac", "ac3", "eac3", "opus", "flac"]),
});

/** AAC-LC. Fewer channels than the source has: a down-mix. */
const audioEncode = z.strictObject({ ...audioFields, method: z.literal("encode"), bitrateBps: z.int().positive() });

/** Words as one WebVTT file. */
const text = z.strictObject({
  kind: z.literal("text"),
  method: z.literal("convert"),
  id: renditionId,
  streamIndex: z.int().min(0),
  language: z.string(),
  label: z.string(),
  isForced: z.boolean(),
});

/** Segments of a broadcast as its viewers got them. */
const videoRecording = z.strictObject({
  kind: z.literal("video"),
  method: z.literal("record"),
  id: renditionId,
  /** What is heard beside it, should there be such a rendition. */
  audioRenditionId: renditionId.nullable(),
});

const audioRecording = z.strictObject({
  kind: z.literal("audio"),
  method: z.literal("record"),
  id: renditionId,
  language: z.string().nullable(),
  label: z.string(),
});

/** What is to be made of a source. */
const renditionSpecSchema = z.union([videoCopy, videoEncode, audioCopy, audioEncode, text]);

/** What a rendition of a video is, made or recorded. */
export const storedSpecSchema = z.union([...renditionSpecSchema.options, videoRecording, audioRecording]);

/** What happens to every picture before it is scaled, in this order. Rotation is ffmpeg's own doing. */
const pictureTreatment = z.strictObject({
  deinterlace: z.boolean(),
  /** Which transfer is mapped to SDR (BT.709); null: none. */
  toneMapFrom: z.enum(["pq", "hlg"]).nullable(),
  /** Frames are left out evenly to come down to this rate; null: all are kept at their own times. */
  frameRateLimit: rational.nullable(),
});

/** What is to be made of a source. Kept with the video, so that every worker makes the same of it. */
export const videoPlanSchema = z.strictObject({
  /** Whether a video rendition is the source as it came. */
  road: z.enum(["repackage", "encode"]),
  /** Presentation zero on the clock of the source, at 90 kHz. */
  zeroTicks: z.int(),
  /** So much later than presentation time are the times in our segments, at 90 kHz: see `leadTicksOf`. */
  leadTicks: z.int().min(0).default(0),
  durationMs: z.number().positive(),
  segmentTargetMs: z.int().positive(),
  /** A multiple of `segmentTargetMs`, at least twice of it. */
  chunkTargetMs: z.int().positive(),
  /** Of every encoded video rendition. */
  chunkCount: z.int().min(0),
  /** Average; null when the source does not tell, or has no video. */
  frameRate: rational.nullable(),
  picture: pictureTreatment.nullable(),
  renditions: z.array(renditionSpecSchema).min(1),
  /** Sentences for its owner: what is left out, and why. */
  notes: z.array(z.string()),
});

export type VideoPlan = z.output<typeof videoPlanSchema>;
export type RenditionSpec = z.output<typeof renditionSpecSchema>;
export type VideoEncodeSpec = z.output<typeof videoEncode>;
export type AudioEncodeSpec = z.output<typeof audioEncode>;
export type AudioCopySpec = z.output<typeof audioCopy>;
export type AudioSpec = AudioCopySpec | AudioEncodeSpec;
export type StoredSpec = z.output<typeof storedSpecSchema>;
export type RecordingSpec = z.output<typeof videoRecording> | z.output<typeof audioRecording>;
export type TextSpec = z.output<typeof text>;
export type PictureTreatment = z.output<typeof pictureTreatment>;

/** Presentation time that a chunk is about: its segments begin at the first frame at or after `startMs`, and before `endMs`. */
export interface ChunkRange {
  readonly startMs: number;
  /** Undefined: to the end. */
  readonly endMs: number | undefined;
}

type ChunkTargets = Pick<VideoPlan, "segmentTargetMs" | "chunkTargetMs" | "chunkCount">;

/** What chunk `index` of an encoded rendition covers. */
export function chunkRange(plan: ChunkTargets, index: number): ChunkRange {
  const isLast = index >= plan.chunkCount - 1;
  return { startMs: chunkStartMs(plan, index), endMs: isLast ? undefined : chunkStartMs(plan, index + 1) };
}

/** The first chunk is one segment, so that it is there soon; the second ends where one would that began at zero. */
function chunkStartMs({ segmentTargetMs, chunkTargetMs }: ChunkTargets, index: number): number {
  if (index === 0) return 0;
  return index === 1 ? segmentTargetMs : (index - 1) * chunkTargetMs;
}

/** The chunk that a segment belongs to that begins at `startMs`. */
export function chunkIndexAt(grid: Pick<VideoPlan, "segmentTargetMs" | "chunkTargetMs">, startMs: number): number {
  return startMs < grid.segmentTargetMs ? 0 : 1 + Math.floor(startMs / grid.chunkTargetMs);
}
