import { type Box, boxAt, childBoxes, fullBoxFields, malformedBox } from "../isobmff/box.ts";
import { readSampleEntry } from "../isobmff/sample-entry.ts";
import type { CmafTrack } from "./track.ts";

const MOST_TRACKS = 64;
const MOST_EDITS = 16;
const EMPTY_EDIT = -1;

/** What every fragment of a track falls back on. */
export interface SampleDefaults {
  readonly duration: number;
  readonly size: number;
  readonly flags: number;
}

/** A track of a moov box, with what its fragments need. */
export interface MovieTrack extends CmafTrack {
  readonly defaults: SampleDefaults;
  /** What the edit list takes off every time, in ticks of the track; negative when it adds an empty start. */
  readonly editOffset: number;
  /** Decode time after the newest sample, for fragments that do not tell theirs. */
  nextDecodeTime: number;
}

/** The tracks of a moov box that carry video or audio. Throws MalformedInput; also on a codec that we do not know. */
export function readMovie(moov: Box): MovieTrack[] {
  const boxes = childBoxes(moov);
  const movieTimescale = readTimescale(boxAt(moov, "mvhd"));
  const defaults = readAllDefaults(boxAt(moov, "mvex"));
  const trackBoxes = boxes.filter(({ type }) => type === "trak");
  if (trackBoxes.length === 0 || trackBoxes.length > MOST_TRACKS)
    throw malformedBox(moov, "has no tracks, or too many");
  const tracks = trackBoxes.filter(isMedia).map((trak) => readTrack(trak, movieTimescale, defaults));
  if (new Set(tracks.map(({ trackId }) => trackId)).size < tracks.length)
    throw malformedBox(moov, "repeats a track id");
  return tracks;
}

function isMedia(trak: Box): boolean {
  const { fields } = fullBoxFields(boxAt(trak, "mdia", "hdlr"));
  fields.skip(4);
  return ["vide", "soun"].includes(fields.fourCc());
}

function readTrack(trak: Box, movieTimescale: number, allDefaults: ReadonlyMap<number, SampleDefaults>): MovieTrack {
  const trackId = readTrackId(boxAt(trak, "tkhd"));
  const defaults = allDefaults.get(trackId);
  if (!defaults) throw malformedBox(trak, `has no trex for track ${trackId}`);
  const timescale = readTimescale(boxAt(trak, "mdia", "mdhd"));
  const [entry] = childBoxes(boxAt(trak, "mdia", "minf", "stbl", "stsd"), 8);
  if (!entry) throw malformedBox(trak, "has no sample entry");
  const editOffset = readEditOffset(trak, timescale / movieTimescale);
  return { trackId, timescale, format: readSampleEntry(entry), defaults, editOffset, nextDecodeTime: 0 };
}

function readTrackId(tkhd: Box): number {
  const { version, fields } = fullBoxFields(tkhd);
  fields.skip(version === 1 ? 16 : 8);
  return fields.u32();
}

/** Of mvhd and mdhd, which begin alike. */
function readTimescale(box: Box): number {
  const { version, fields } = fullBoxFields(box);
  fields.skip(version === 1 ? 16 : 8);
  const timescale = fields.u32();
  if (timescale === 0) throw malformedBox(box, "has timescale 0");
  return timescale;
}

function readAllDefaults(mvex: Box): Map<number, SampleDefaults> {
  const defaults = childBoxes(mvex)
    .filter(({ type }) => type === "trex")
    .map((trex): [number, SampleDefaults] => {
      const { fields } = fullBoxFields(trex);
      const trackId = fields.u32();
      fields.skip(4); // default_sample_description_index
      return [trackId, { duration: fields.u32(), size: fields.u32(), flags: fields.u32() }];
    });
  return new Map(defaults);
}

/** Empty edits at the start push the media back, the first real edit says where in the media it begins. */
function readEditOffset(trak: Box, trackTicksPerMovieTick: number): number {
  const edts = childBoxes(trak).find(({ type }) => type === "edts");
  const elst = edts && childBoxes(edts).find(({ type }) => type === "elst");
  if (!elst) return 0;
  const { version, fields } = fullBoxFields(elst);
  const count = fields.u32();
  if (count > MOST_EDITS) throw malformedBox(elst, `has ${count} edits`);
  let emptyTicks = 0;
  for (let i = 0; i < count; i += 1) {
    const editDuration = version === 1 ? fields.u64() : fields.u32();
    const mediaTime = version === 1 ? fields.i64() : fields.i32();
    fields.skip(4); // media_rate
    if (mediaTime !== EMPTY_EDIT) return mediaTime - emptyTicks;
    emptyTicks += Math.round(editDuration * trackTicksPerMovieTick);
  }
  return -emptyTicks;
}
