import { BoxWriter } from "../isobmff/box-writer.ts";
import { writeMedia, writeMovieHeader, writeTrackHeader } from "../isobmff/track-boxes.ts";
import type { CmafTrack } from "./track.ts";

/** cmf2: signed composition offsets, no edit list, defaults in every fragment. */
const BRANDS = ["iso6", "cmfc", "cmf2"];

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

function writeTrack(writer: BoxWriter, track: CmafTrack): void {
  writer.box("trak", () => {
    writeTrackHeader(writer, track);
    writeMedia(writer, track, () => writeEmptyTables(writer));
  });
}

function writeEmptyTables(writer: BoxWriter): void {
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
