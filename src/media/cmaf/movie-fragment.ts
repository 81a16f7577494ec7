import { type Box, childBoxes, fullBoxFields, malformedBox } from "../isobmff/box.ts";
import type { Ticks } from "../timebase.ts";
import type { MovieTrack, SampleDefaults } from "./movie.ts";
import { SAMPLE_IS_NON_SYNC } from "./track.ts";

/** In one moof; a minute of 48 kHz Opus in 2.5 ms packets is 24000. */
const MOST_SAMPLES = 100_000;

const TFHD_BASE_DATA_OFFSET = 0x000001;
const TFHD_DESCRIPTION_INDEX = 0x000002;
const TFHD_DURATION = 0x000008;
const TFHD_SIZE = 0x000010;
const TFHD_FLAGS = 0x000020;
const TFHD_BASE_IS_MOOF = 0x020000;

const TRUN_DATA_OFFSET = 0x000001;
const TRUN_FIRST_FLAGS = 0x000004;
const TRUN_DURATIONS = 0x000100;
const TRUN_SIZES = 0x000200;
const TRUN_SAMPLE_FLAGS = 0x000400;
const TRUN_OFFSETS = 0x000800;

/** A sample whose bytes stand at `position` of the stream. */
export interface FragmentSample {
  readonly position: number;
  readonly size: number;
  readonly trackId: number;
  readonly dts: Ticks;
  readonly cts: Ticks;
  readonly duration: Ticks;
  readonly isKey: boolean;
}

interface TrackFragment {
  readonly track: MovieTrack;
  readonly defaults: SampleDefaults;
  readonly basePosition: number;
}

/**
 * The samples that a moof box announces, in the order of its runs; advances the `nextDecodeTime` of their tracks. Tracks
 * that are not in `tracks` (subtitles, data) are passed over. Throws MalformedInput.
 */
export function readMovieFragment(
  moof: Box,
  moofPosition: number,
  tracks: ReadonlyMap<number, MovieTrack>,
): FragmentSample[] {
  const samples: FragmentSample[] = [];
  // Without any base in tfhd, a track's data follows that of the track before (8.8.7.1).
  let dataEnd = moofPosition;
  for (const traf of childBoxes(moof).filter(({ type }) => type === "traf")) {
    const boxes = childBoxes(traf);
    const fragment = readTrackFragmentHeader(traf, boxes, moofPosition, dataEnd, tracks);
    if (!fragment) continue;
    readDecodeTime(boxes, fragment.track);
    dataEnd = fragment.basePosition;
    for (const trun of boxes.filter(({ type }) => type === "trun")) dataEnd = readRun(trun, fragment, dataEnd, samples);
  }
  return samples;
}

function readTrackFragmentHeader(
  traf: Box,
  boxes: readonly Box[],
  moofPosition: number,
  previousEnd: number,
  tracks: ReadonlyMap<number, MovieTrack>,
): TrackFragment | undefined {
  const tfhd = boxes.find(({ type }) => type === "tfhd");
  if (!tfhd) throw malformedBox(traf, "has no tfhd");
  const { flags, fields } = fullBoxFields(tfhd);
  const track = tracks.get(fields.u32());
  if (!track) return undefined;
  const fallbackBase = flags & TFHD_BASE_IS_MOOF ? moofPosition : previousEnd;
  const basePosition = flags & TFHD_BASE_DATA_OFFSET ? fields.u64() : fallbackBase;
  if (flags & TFHD_DESCRIPTION_INDEX && fields.u32() !== 1) throw malformedBox(tfhd, "uses a second sample entry");
  const defaults = {
    duration: flags & TFHD_DURATION ? fields.u32() : track.defaults.duration,
    size: flags & TFHD_SIZE ? fields.u32() : track.defaults.size,
    flags: flags & TFHD_FLAGS ? fields.u32() : track.defaults.flags,
  };
  return { track, defaults, basePosition };
}

function readDecodeTime(boxes: readonly Box[], track: MovieTrack): void {
  const tfdt = boxes.find(({ type }) => type === "tfdt");
  if (!tfdt) return;
  const { version, fields } = fullBoxFields(tfdt);
  track.nextDecodeTime = version === 1 ? fields.u64() : fields.u32();
}

/** Reads a run whose data starts at `previousEnd` unless it says otherwise; returns where its data ends. */
function readRun(trun: Box, fragment: TrackFragment, previousEnd: number, samples: FragmentSample[]): number {
  const { track, defaults, basePosition } = fragment;
  const { version, flags, fields } = fullBoxFields(trun);
  const count = fields.u32();
  if (count > MOST_SAMPLES - samples.length) throw malformedBox(trun, `announces ${count} samples`);
  let position = flags & TRUN_DATA_OFFSET ? basePosition + fields.i32() : previousEnd;
  const firstFlags = flags & TRUN_FIRST_FLAGS ? fields.u32() : undefined;
  for (let i = 0; i < count; i += 1) {
    const duration = flags & TRUN_DURATIONS ? fields.u32() : defaults.duration;
    const size = flags & TRUN_SIZES ? fields.u32() : defaults.size;
    const ownFlags = flags & TRUN_SAMPLE_FLAGS ? fields.u32() : defaults.flags;
    const cts = flags & TRUN_OFFSETS ? (version === 0 ? fields.u32() : fields.i32()) : 0;
    const sampleFlags = i === 0 ? (firstFlags ?? ownFlags) : ownFlags;
    const isKey = (sampleFlags & SAMPLE_IS_NON_SYNC) === 0;
    const dts = track.nextDecodeTime - track.editOffset;
    samples.push({ position, size, trackId: track.trackId, dts, cts, duration, isKey });
    position += size;
    track.nextDecodeTime += duration;
  }
  return position;
}
