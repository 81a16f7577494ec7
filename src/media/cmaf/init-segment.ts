import type { MediaFormat, VideoFormat } from "../format.ts";
import { BoxWriter } from "../isobmff/box-writer.ts";
import { writeSampleEntry } from "../isobmff/sample-entry.ts";
import type { CmafTrack } from "./track.ts";

/** cmf2: signed composition offsets, no edit list, defaults in every fragment. */
const BRANDS = ["iso6", "cmfc", "cmf2"];
const MOVIE_TIMESCALE = 1000;
const FIXED_ONE = 0x00010000;
const FULL_VOLUME = 0x0100;
/** track_enabled, track_in_movie. */
const TRACK_FLAGS = 3;
const UNDETERMINED_LANGUAGE = 0x55c4; // "und"

/**
 * A CMAF header: ftyp and moov with empty sample tables. One track for delivery (CMAF allows no more); two make one input
 * for an encoder.
 */
export function writeInitSegment(tracks: readonly CmafTrack[]): Uint8Array {
  const writer = new BoxWriter(1024);
  writer.box("ftyp", () => {
    writer.fourCc("iso6");
    writer.u32(0);
    for (const brand of BRANDS) writer.fourCc(brand);
  });
  writer.box("moov", () => {
    writeMovieHeader(writer, Math.max(...tracks.map(({ trackId }) => trackId)) + 1);
    for (const track of tracks) writeTrack(writer, track);
    writer.box("mvex", () => {
      for (const { trackId } of tracks) writeTrackExtends(writer, trackId);
    });
  });
  return writer.finish();
}

function writeMovieHeader(writer: BoxWriter, nextTrackId: number): void {
  writer.fullBox("mvhd", 0, 0, () => {
    writer.zeros(8); // creation, modification: not told, so that equal formats make equal bytes
    writer.u32(MOVIE_TIMESCALE);
    writer.u32(0); // duration
    writer.u32(FIXED_ONE);
    writer.u16(FULL_VOLUME);
    writer.zeros(10);
    writeIdentityMatrix(writer);
    writer.zeros(24);
    writer.u32(nextTrackId);
  });
}

function writeTrack(writer: BoxWriter, track: CmafTrack): void {
  writer.box("trak", () => {
    writeTrackHeader(writer, track);
    writer.box("mdia", () => {
      writeMediaHeader(writer, track.timescale);
      writeHandler(writer, track.format);
      writer.box("minf", () => writeMediaInformation(writer, track.format));
    });
  });
}

function writeTrackHeader(writer: BoxWriter, { trackId, format }: CmafTrack): void {
  writer.fullBox("tkhd", 0, TRACK_FLAGS, () => {
    writer.zeros(8);
    writer.u32(trackId);
    writer.zeros(4 + 4 + 8);
    writer.zeros(4); // layer, alternate_group
    writer.u16(format.kind === "audio" ? FULL_VOLUME : 0);
    writer.u16(0);
    writeIdentityMatrix(writer);
    const size = format.kind === "video" ? shownSize(format) : { width: 0, height: 0 };
    writer.u32(size.width * FIXED_ONE);
    writer.u32(size.height * FIXED_ONE);
  });
}

/** With square pixels, as tkhd wants it: the height stays, the width takes the aspect ratio. */
function shownSize({ width, height, sampleAspect }: VideoFormat): { width: number; height: number } {
  const shown = Math.round((width * sampleAspect.width) / sampleAspect.height);
  return { width: Math.min(Math.max(shown, 1), 0xffff), height };
}

function writeIdentityMatrix(writer: BoxWriter): void {
  for (const value of [FIXED_ONE, 0, 0, 0, FIXED_ONE, 0, 0, 0, 0x40000000]) writer.u32(value);
}

function writeMediaHeader(writer: BoxWriter, timescale: number): void {
  writer.fullBox("mdhd", 0, 0, () => {
    writer.zeros(8);
    writer.u32(timescale);
    writer.u32(0); // duration
    writer.u16(UNDETERMINED_LANGUAGE);
    writer.u16(0);
  });
}

function writeHandler(writer: BoxWriter, { kind }: MediaFormat): void {
  writer.fullBox("hdlr", 0, 0, () => {
    writer.u32(0);
    writer.fourCc(kind === "video" ? "vide" : "soun");
    writer.zeros(12);
    writer.fourCc(kind === "video" ? "Video\0" : "Audio\0");
  });
}

function writeMediaInformation(writer: BoxWriter, format: MediaFormat): void {
  if (format.kind === "video") writer.fullBox("vmhd", 0, 1, () => writer.zeros(8));
  else writer.fullBox("smhd", 0, 0, () => writer.zeros(4));
  writer.box("dinf", () => {
    writer.fullBox("dref", 0, 0, () => {
      writer.u32(1);
      writer.fullBox("url ", 0, 1, () => undefined); // flag 1: the media is in this file
    });
  });
  writer.box("stbl", () => writeSampleTables(writer, format));
}

function writeSampleTables(writer: BoxWriter, format: MediaFormat): void {
  writer.fullBox("stsd", 0, 0, () => {
    writer.u32(1);
    writeSampleEntry(writer, format);
  });
  writer.fullBox("stts", 0, 0, () => writer.u32(0));
  writer.fullBox("stsc", 0, 0, () => writer.u32(0));
  writer.fullBox("stsz", 0, 0, () => writer.zeros(8));
  writer.fullBox("stco", 0, 0, () => writer.u32(0));
}

/** All defaults but the description stand in every fragment (cmf2). */
function writeTrackExtends(writer: BoxWriter, trackId: number): void {
  writer.fullBox("trex", 0, 0, () => {
    writer.u32(trackId);
    writer.u32(1); // default_sample_description_index
    writer.zeros(12);
  });
}
