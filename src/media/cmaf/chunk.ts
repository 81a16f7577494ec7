import type { Ticks } from "../timebase.ts";
import { SAMPLE_FLAGS } from "./track.ts";

/** One access unit of a chunk. A live `Unit` is one as it stands. */
export interface CmafSample {
  readonly duration: Ticks;
  /** Composition offset, signed. */
  readonly cts: Ticks;
  readonly isKey: boolean;
  readonly data: Uint8Array;
}

/** When the frame with `mediaTime` was there, for `prft`. */
interface ProducerReference {
  /** Milliseconds since the Unix epoch. */
  readonly wallClockMs: number;
  /** Presentation time in ticks of the track. */
  readonly mediaTime: Ticks;
}

export interface ChunkOptions {
  /** Strictly rising over the chunks of a rendition. */
  readonly sequenceNumber: number;
  readonly trackId: number;
  /** Decode time of the first sample, in ticks of the track. */
  readonly baseDecodeTime: Ticks;
  /** At least one. */
  readonly samples: readonly CmafSample[];
  /** The chunk begins a segment: `styp` stands first. */
  readonly isSegmentStart: boolean;
  readonly producerReference?: ProducerReference | undefined;
}

/** Where bytes stand in a whole. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

export interface Chunk {
  readonly bytes: Uint8Array;
  /** From moof to the last byte of the first sample: all that a decoder needs of a chunk that begins with a key frame. */
  readonly firstSample: ByteRange;
}

const STYP = 0x73747970;
const PRFT = 0x70726674;
const MOOF = 0x6d6f6f66;
const MFHD = 0x6d666864;
const TRAF = 0x74726166;
const TFHD = 0x74666864;
const TFDT = 0x74666474;
const TRUN = 0x7472756e;
const MDAT = 0x6d646174;

/** cmfs, cmff, cmfl: segment, fragment, chunk. msdh: what DASH calls a segment that starts with moof. */
const SEGMENT_BRANDS = [0x636d6673, 0x636d6666, 0x636d666c, 0x6d736468];

const STYP_BYTES = 16 + 4 * SEGMENT_BRANDS.length;
const PRFT_BYTES = 32;
const MFHD_BYTES = 16;
const TFHD_BYTES = 28;
const TFDT_BYTES = 20;
const TRUN_FIXED_BYTES = 20;

/** default-base-is-moof, default duration, size and flags present. */
const TFHD_FLAGS = 0x020038;
const TRUN_DATA_OFFSET = 0x000001;
const TRUN_FIRST_FLAGS = 0x000004;
const TRUN_DURATIONS = 0x000100;
const TRUN_SIZES = 0x000200;
const TRUN_SAMPLE_FLAGS = 0x000400;
const TRUN_OFFSETS = 0x000800;
/** `prft` flags: a wall clock that the media time is tied to (ISO/IEC 14496-12 8.16.5). */
const PRFT_WALL_CLOCK = 24;
const NTP_EPOCH_OFFSET_S = 2_208_988_800;

/** Which fields every sample needs for itself, and how long the media is. */
interface ChunkLayout {
  readonly trunFlags: number;
  readonly bytesPerSample: number;
  readonly mediaBytes: number;
  /** Of every sample but, with TRUN_FIRST_FLAGS, the first. */
  readonly defaultFlags: number;
}

/**
 * A CMAF chunk: styp (at a segment's start), prft (when asked for), moof, mdat. Allocates once and copies each sample once.
 * What all samples share stands once in tfhd. Throws RangeError without samples.
 */
export function writeChunk(options: ChunkOptions): Chunk {
  const { samples } = options;
  const layout = measure(samples);
  const trunBytes =
    TRUN_FIXED_BYTES + (layout.trunFlags & TRUN_FIRST_FLAGS ? 4 : 0) + layout.bytesPerSample * samples.length;
  const trafBytes = 8 + TFHD_BYTES + TFDT_BYTES + trunBytes;
  const moofBytes = 8 + MFHD_BYTES + trafBytes;
  const leadBytes = (options.isSegmentStart ? STYP_BYTES : 0) + (options.producerReference ? PRFT_BYTES : 0);
  const mediaAt = leadBytes + moofBytes + 8;

  // Not zeroed, because every byte is written; its own memory, because chunks live longer than the pool's other tenants.
  const chunk = new Uint8Array(Buffer.allocUnsafeSlow(mediaAt + layout.mediaBytes).buffer);
  const view = new DataView(chunk.buffer);
  let at = 0;
  if (options.isSegmentStart) at = writeSegmentType(view, at);
  if (options.producerReference) at = writeProducerReference(view, at, options.trackId, options.producerReference);
  at = writeHeader(view, at, moofBytes, MOOF);
  at = writeMovieFragmentHeader(view, at, options.sequenceNumber);
  at = writeHeader(view, at, trafBytes, TRAF);
  at = writeTrackFragmentHeader(view, at, options.trackId, samples, layout.defaultFlags);
  at = writeDecodeTime(view, at, options.baseDecodeTime);
  at = writeRun(view, at, trunBytes, samples, layout, moofBytes + 8);
  at = writeHeader(view, at, 8 + layout.mediaBytes, MDAT);
  copySamples(chunk, at, samples);
  const firstSampleEnd = mediaAt + (samples[0]?.data.length ?? 0);
  return { bytes: chunk, firstSample: { offset: leadBytes, length: firstSampleEnd - leadBytes } };
}

function measure(samples: readonly CmafSample[]): ChunkLayout {
  const first = samples[0];
  if (!first) throw new RangeError("a chunk holds at least one sample");
  const restIsKey = (samples[1] ?? first).isKey;
  let hasMixedRest = false;
  let mediaBytes = 0;
  let trunFlags = TRUN_DATA_OFFSET;
  for (let i = 0; i < samples.length; i += 1) {
    const sample = samples[i] ?? first;
    mediaBytes += sample.data.length;
    if (sample.duration !== first.duration) trunFlags |= TRUN_DURATIONS;
    if (sample.data.length !== first.data.length) trunFlags |= TRUN_SIZES;
    if (sample.cts !== 0) trunFlags |= TRUN_OFFSETS;
    if (i > 0 && sample.isKey !== restIsKey) hasMixedRest = true;
  }
  if (hasMixedRest) trunFlags |= TRUN_SAMPLE_FLAGS;
  else if (first.isKey !== restIsKey) trunFlags |= TRUN_FIRST_FLAGS;
  const fields = trunFlags & (TRUN_DURATIONS | TRUN_SIZES | TRUN_SAMPLE_FLAGS | TRUN_OFFSETS);
  return { trunFlags, bytesPerSample: 4 * countBits(fields), mediaBytes, defaultFlags: flagsOf(restIsKey) };
}

function countBits(flags: number): number {
  let count = 0;
  for (let rest = flags; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}

function flagsOf(isKey: boolean): number {
  return isKey ? SAMPLE_FLAGS.sync : SAMPLE_FLAGS.dependent;
}

function writeHeader(view: DataView, at: number, totalBytes: number, type: number): number {
  view.setUint32(at, totalBytes);
  view.setUint32(at + 4, type);
  return at + 8;
}

function writeFullHeader(
  view: DataView,
  at: number,
  totalBytes: number,
  type: number,
  version: number,
  flags: number,
): number {
  writeHeader(view, at, totalBytes, type);
  view.setUint32(at + 8, version * 2 ** 24 + flags);
  return at + 12;
}

function writeU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / 2 ** 32));
  view.setUint32(at + 4, value % 2 ** 32);
}

function writeSegmentType(view: DataView, start: number): number {
  let at = writeHeader(view, start, STYP_BYTES, STYP);
  view.setUint32(at, SEGMENT_BRANDS[0] ?? 0);
  view.setUint32(at + 4, 0);
  at += 8;
  for (const brand of SEGMENT_BRANDS) {
    view.setUint32(at, brand);
    at += 4;
  }
  return at;
}

function writeProducerReference(view: DataView, start: number, trackId: number, reference: ProducerReference): number {
  const at = writeFullHeader(view, start, PRFT_BYTES, PRFT, 1, PRFT_WALL_CLOCK);
  const seconds = Math.floor(reference.wallClockMs / 1000);
  const fraction = (reference.wallClockMs - seconds * 1000) / 1000;
  view.setUint32(at, trackId);
  view.setUint32(at + 4, seconds + NTP_EPOCH_OFFSET_S);
  view.setUint32(at + 8, Math.floor(fraction * 2 ** 32));
  writeU64(view, at + 12, reference.mediaTime);
  return at + 20;
}

function writeMovieFragmentHeader(view: DataView, start: number, sequenceNumber: number): number {
  const at = writeFullHeader(view, start, MFHD_BYTES, MFHD, 0, 0);
  view.setUint32(at, sequenceNumber);
  return at + 4;
}

function writeTrackFragmentHeader(
  view: DataView,
  start: number,
  trackId: number,
  samples: readonly CmafSample[],
  defaultFlags: number,
): number {
  const at = writeFullHeader(view, start, TFHD_BYTES, TFHD, 0, TFHD_FLAGS);
  view.setUint32(at, trackId);
  view.setUint32(at + 4, samples[0]?.duration ?? 0);
  view.setUint32(at + 8, samples[0]?.data.length ?? 0);
  view.setUint32(at + 12, defaultFlags);
  return at + 16;
}

function writeDecodeTime(view: DataView, start: number, baseDecodeTime: number): number {
  const at = writeFullHeader(view, start, TFDT_BYTES, TFDT, 1, 0);
  writeU64(view, at, baseDecodeTime);
  return at + 8;
}

function writeRun(
  view: DataView,
  start: number,
  trunBytes: number,
  samples: readonly CmafSample[],
  { trunFlags }: ChunkLayout,
  dataOffset: number,
): number {
  let at = writeFullHeader(view, start, trunBytes, TRUN, 1, trunFlags);
  view.setUint32(at, samples.length);
  view.setInt32(at + 4, dataOffset);
  at += 8;
  if (trunFlags & TRUN_FIRST_FLAGS) {
    view.setUint32(at, flagsOf(samples[0]?.isKey === true));
    at += 4;
  }
  for (const sample of samples) at = writeRunEntry(view, at, trunFlags, sample);
  return at;
}

function writeRunEntry(view: DataView, start: number, trunFlags: number, sample: CmafSample): number {
  let at = start;
  if (trunFlags & TRUN_DURATIONS) {
    view.setUint32(at, sample.duration);
    at += 4;
  }
  if (trunFlags & TRUN_SIZES) {
    view.setUint32(at, sample.data.length);
    at += 4;
  }
  if (trunFlags & TRUN_SAMPLE_FLAGS) {
    view.setUint32(at, flagsOf(sample.isKey));
    at += 4;
  }
  if (trunFlags & TRUN_OFFSETS) {
    view.setInt32(at, sample.cts);
    at += 4;
  }
  return at;
}

function copySamples(chunk: Uint8Array, start: number, samples: readonly CmafSample[]): void {
  let at = start;
  for (const { data } of samples) {
    chunk.set(data, at);
    at += data.length;
  }
}
