import { DomainError } from "../../core/errors.ts";
import { writeChunk } from "../../media/cmaf/chunk.ts";
import type { VideoFormat } from "../../media/format.ts";
import { msToTicks, ticksToMs } from "../../media/timebase.ts";
import type { StoredKeyFrame, StoredRendition } from "../../packaging/stored-rendition.ts";
import type { ObjectStore } from "../../storage/object-store.ts";
import { renditionInit } from "../make/rendition-init.ts";
import { STORED_TRACK_ID } from "../make/stored-segmenter.ts";
import { shiftMedia } from "../recording/shift-media.ts";
import type { PictureSize } from "./picture-size.ts";

/** A whole rendition of pictures. */
export interface StoredPictures extends StoredRendition {
  readonly kind: "video";
  readonly format: VideoFormat;
}

/** How ffmpeg reads these streams from a pipe. */
export const PIPED_INPUT = ["-protocol_whitelist", "pipe", "-f", "mp4", "-i", "pipe:0"] as const;

/** A picture that stands alone, with the segment that it lies in. */
interface FoundKeyFrame extends StoredKeyFrame {
  readonly key: string;
}

export function shownSize({ format: { width, height, sampleAspect } }: StoredPictures): PictureSize {
  return { width: Math.max(1, Math.round((width * sampleAspect.width) / sampleAspect.height)), height };
}

/**
 * The key frames nearest to instants that come in order, as fragmented MP4 in which the n-th picture is shown from `n ×
 * stepMs`: whoever reads it at that rate gets one for each instant, and the one before where one cannot be decoded. Few
 * bytes are read, wherever they lie.
 */
export async function* keyFrameStream(
  store: Pick<ObjectStore, "get">,
  { format, timescale, segments }: StoredPictures,
  { instantsMs, stepMs }: { readonly instantsMs: readonly number[]; readonly stepMs: number },
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const frames = segments.flatMap(({ key, keyFrames }) => keyFrames.map((frame) => ({ ...frame, key })));
  const duration = msToTicks(stepMs, timescale);
  const shownFrom = (place: number, data: Uint8Array) => {
    const baseDecodeTime = msToTicks(place * stepMs, timescale);
    const samples = [{ duration, cts: 0, isKey: true, data }];
    const chunk = { sequenceNumber: place + 1, trackId: STORED_TRACK_ID, baseDecodeTime, samples };
    return writeChunk({ ...chunk, isSegmentStart: false }).bytes;
  };
  yield renditionInit(format, 0).bytes;
  let shown: FoundKeyFrame | undefined;
  let data: Uint8Array = new Uint8Array();
  for (const [place, instantMs] of instantsMs.entries()) {
    const frame = nearest(frames, msToTicks(instantMs, timescale));
    if (!frame || frame === shown) continue;
    shown = frame;
    data = await readSample(store, frame, signal);
    yield shownFrom(place, data);
  }
  // A filter does not know how long the last one is shown unless another one follows.
  if (shown) yield shownFrom(instantsMs.length, data);
}

/** `frames` are in order. */
function nearest(frames: readonly FoundKeyFrame[], at: number): FoundKeyFrame | undefined {
  let low = 0;
  let high = frames.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((frames[middle]?.start ?? 0) < at) low = middle + 1;
    else high = middle;
  }
  const [before, after] = [frames[low - 1], frames[low]];
  if (!before || !after) return before ?? after;
  return at - before.start <= after.start - at ? before : after;
}

/** The picture behind its moof and the header of its mdat. */
async function readSample(
  store: Pick<ObjectStore, "get">,
  { key, offset, length }: FoundKeyFrame,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const object = await store.get(key, { range: { first: offset, last: offset + length - 1 }, signal });
  if (!object) throw new DomainError("NOT_FOUND", "a segment is not in the store");
  const bytes = Buffer.concat(await Array.fromAsync(object.body));
  return bytes.subarray(bytes.readUInt32BE(0) + MDAT_HEADER_BYTES);
}

const MDAT_HEADER_BYTES = 8;

/** All segments of a rendition, one after another, from its header on. */
export async function* segmentStream(
  store: Pick<ObjectStore, "get">,
  { initBytes, segments }: StoredRendition,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  yield initBytes;
  for (const { key, shiftTicks } of segments) {
    const object = await store.get(key, { signal });
    if (!object) throw new DomainError("NOT_FOUND", "a segment is not in the store");
    if (shiftTicks === undefined) yield* object.body;
    else yield shiftMedia(Buffer.concat(await Array.fromAsync(object.body)), shiftTicks);
  }
}

/** When its pictures end. */
export function endMs({ segments, timescale }: StoredRendition): number {
  const last = segments.at(-1);
  return last ? ticksToMs(last.start + last.duration, timescale) : 0;
}

/** Where a stream of more than this many lines says nothing, it means BT.709. */
const STANDARD_DEFINITION_LINES = 576;
/** swscale's names of matrix code points (ISO/IEC 23091-2); what is not told apart there is taken for BT.601. */
const MATRICES: Readonly<Record<number, string>> = { 1: "bt709", 4: "fcc", 7: "smpte240m", 9: "bt2020", 10: "bt2020" };

/** On the clock of a rendition's media, presentation zero in seconds. */
export function leadOf({ leadTicks, timescale }: StoredRendition): number {
  return leadTicks / timescale;
}

/** How swscale names the matrix that a picture's colours were made with. */
export function matrixOf({ format }: StoredPictures): string {
  const told = format.colour?.matrix ?? UNSPECIFIED;
  const usual = format.height > STANDARD_DEFINITION_LINES ? "bt709" : "bt601";
  return told === UNSPECIFIED ? usual : (MATRICES[told] ?? "bt601");
}

/** Makes stills of stored pictures, for JPEG: BT.601 in full range, which is how every JPEG is read. */
export function storedStillFilters(pictures: StoredPictures, { width, height }: PictureSize): readonly string[] {
  const colours = `in_color_matrix=${matrixOf(pictures)}:out_color_matrix=bt601:out_range=pc`;
  return [`scale=${width}:${height}:flags=bicubic:${colours}`, "setsar=1", "format=yuvj420p"];
}

const UNSPECIFIED = 2;
