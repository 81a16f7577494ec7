import { z } from "zod";
import type { VideoChunkRecord, VideoRenditionRecord } from "../catalog/video-record.ts";
import type { JsonObject } from "../core/json.ts";
import type { StoredOpening, StoredRendition, StoredSegment } from "../packaging/stored-rendition.ts";
import type { RenditionInit } from "./make/contract.ts";
import { type StoredSpec, storedSpecSchema } from "./plan/video-plan.ts";

const count = z.int().min(0);
const size = z.int().positive();
const bytes = z.base64().transform((text): Uint8Array => new Uint8Array(Buffer.from(text, "base64")));

const videoFormat = z.strictObject({
  kind: z.literal("video"),
  codec: z.enum(["h264", "hevc", "av1", "vp9"]),
  config: bytes,
  codecString: z.string(),
  width: size,
  height: size,
  sampleAspect: z.strictObject({ width: size, height: size }),
  frameRate: z.strictObject({ numerator: size, denominator: size }).optional(),
  colour: z.strictObject({ primaries: count, transfer: count, matrix: count, isFullRange: z.boolean() }).optional(),
  bitDepth: size,
});

const audioFormat = z.strictObject({
  kind: z.literal("audio"),
  codec: z.enum(["aac", "opus", "flac", "ac3", "eac3", "mp3"]),
  config: bytes,
  codecString: z.string(),
  sampleRateHz: size,
  channelCount: size,
  samplesPerUnit: size.optional(),
});

const init = z.strictObject({
  format: z.discriminatedUnion("kind", [videoFormat, audioFormat]),
  timescale: size,
  bytes,
  lead: count.default(0),
});

/** What begins with a segment of a recording. */
const opening = z.strictObject({
  index: count,
  startMs: z.number(),
  placeMs: z.number().min(0),
  wallZeroMs: z.number(),
  isDiscontinuity: z.boolean(),
  /** Where it is another than before. */
  init: init.optional(),
});

/** A video of hours has thousands of these: names are short. Keys follow from the chunk's prefix and the place. */
const segment = z.strictObject({
  start: count,
  duration: size,
  bytes: count,
  frames: count,
  /** Start, offset and length of each. */
  keys: z.array(z.tuple([count, count, size])),
  gap: z.literal(true).optional(),
  opens: opening.optional(),
});

/** As `VideoRenditionRecord.init` keeps it. Equal headers make equal JSON: chunks of a rendition are compared by it. */
export function renditionInitJson({ format, timescale, bytes, leadTicks }: RenditionInit): JsonObject {
  const config = Buffer.from(format.config).toString("base64");
  const told = JSON.parse(JSON.stringify({ ...format, config })) as JsonObject;
  return { format: told, timescale, bytes: Buffer.from(bytes).toString("base64"), lead: leadTicks };
}

/** Throws ZodError when the record is of another version. */
export function readRenditionInit(json: JsonObject): RenditionInit {
  return initOf(init.parse(json));
}

/** With what is not there said to be undefined. */
function initOf({ format, lead: leadTicks, ...rest }: z.output<typeof init>): RenditionInit {
  const told = { ...rest, leadTicks };
  if (format.kind === "audio") return { format: { ...format, samplesPerUnit: format.samplesPerUnit }, ...told };
  return { format: { ...format, frameRate: format.frameRate, colour: format.colour }, ...told };
}

function openingJson({ period, isDiscontinuity, header }: StoredOpening): JsonObject {
  const { index, startMs, placeMs, wallZeroMs } = period;
  const init = header && renditionInitJson({ ...header, bytes: header.initBytes, leadTicks: 0 });
  return { index, startMs, placeMs, wallZeroMs, isDiscontinuity, ...(init && { init }) };
}

function openingOf({ isDiscontinuity, init, ...place }: z.output<typeof opening>): StoredOpening {
  const read = init && initOf(init);
  const header = read && { format: read.format, timescale: read.timescale, initBytes: read.bytes };
  return { period: { ...place, video: undefined, audio: undefined }, isDiscontinuity, header };
}

/** As `VideoChunkRecord.segments` keeps them. */
export function segmentsJson(segments: readonly StoredSegment[]): readonly JsonObject[] {
  return segments.map(({ start, duration, byteLength, frameCount, keyFrames, isGap, opens }) => ({
    ...{ start, duration, bytes: byteLength, frames: frameCount },
    keys: keyFrames.map((frame) => [frame.start, frame.offset, frame.length]),
    ...(isGap && { gap: true }),
    ...(opens && { opens: openingJson(opens) }),
  }));
}

/** Key of the segment in place `index` of its chunk. */
export function segmentKey(keyPrefix: string, index: number): string {
  return `${keyPrefix}${index + 1}.m4s`;
}

/** The segments of a chunk with their keys. Throws ZodError when the record is of another version. */
export function readSegments(chunk: Pick<VideoChunkRecord, "keyPrefix" | "segments">): readonly StoredSegment[] {
  return chunk.segments.map((json, index) => {
    const { start, duration, bytes, frames, keys, gap: isGap, opens } = segment.parse(json);
    const keyFrames = keys.map(([start, offset, length]) => ({ start, offset, length }));
    const key = segmentKey(chunk.keyPrefix, index);
    const stored = { start, duration, byteLength: bytes, frameCount: frames, keyFrames, key };
    return { ...stored, ...(isGap && { isGap }), ...(opens && { opens: openingOf(opens) }) };
  });
}

/** A rendition with the number of chunks that it was read from. */
export interface ReadRendition {
  readonly rendition: StoredRendition;
  readonly chunkCount: number;
}

/**
 * A rendition as far as its chunks follow each other from the first. `chunks`: those of its epoch that are committed, in any
 * order; all, or all behind those that `before` was read from. Undefined for text, and while nothing is there.
 */
export function storedRendition(
  record: VideoRenditionRecord,
  chunks: readonly VideoChunkRecord[],
  before?: ReadRendition,
): ReadRendition | undefined {
  if (record.kind === "text" || record.init === null) return undefined;
  const spec = storedSpecSchema.parse(record.spec);
  const { format, timescale, bytes, leadTicks } = readRenditionInit(record.init);
  const firstIndex = before?.chunkCount ?? 0;
  const joined = joinedChunks(record, chunks, firstIndex);
  const chunkCount = firstIndex + joined.length;
  const rendition = {
    ...{ id: record.renditionId, kind: record.kind, origin: record.origin, epoch: record.epoch },
    ...{ format, timescale, leadTicks, initBytes: bytes },
    audioRenditionId: spec.kind === "video" ? (spec.audioRenditionId ?? undefined) : undefined,
    ...spoken(spec),
    segments: [...(before?.rendition.segments ?? []), ...joined.flatMap(readSegments)],
    isComplete: record.chunkCount !== null && chunkCount >= record.chunkCount,
  };
  return { rendition, chunkCount };
}

function joinedChunks(
  { epoch }: VideoRenditionRecord,
  chunks: readonly VideoChunkRecord[],
  firstIndex: number,
): VideoChunkRecord[] {
  const sorted = chunks.filter((chunk) => chunk.epoch === epoch).sort((a, b) => a.index - b.index);
  return sorted.filter((chunk, place) => chunk.index === firstIndex + place);
}

function spoken(spec: StoredSpec): Pick<StoredRendition, "language" | "label"> {
  if (spec.kind !== "audio") return { language: undefined, label: undefined };
  return { language: spec.language ?? undefined, label: spec.label };
}
