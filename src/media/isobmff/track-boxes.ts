import type { MediaFormat, VideoFormat } from "../format.ts";
import type { Ticks } from "../timebase.ts";
import type { BoxWriter } from "./box-writer.ts";
import { writeSampleEntry } from "./sample-entry.ts";

/** Of the movie, in which durations and edits of tracks are told. */
export const MOVIE_TIMESCALE = 1000;
const FIXED_ONE = 0x00010000;
const FULL_VOLUME = 0x0100;
/** track_enabled, track_in_movie. */
const TRACK_FLAGS = 3;
const UNDETERMINED_LANGUAGE = 0x55c4; // "und"
const LARGEST_U32 = 0xffffffff;

/** `durationMs`: 0 where fragments tell. */
export function writeMovieHeader(writer: BoxWriter, nextTrackId: number, durationMs = 0): void {
  writer.fullBox("mvhd", 0, 0, () => {
    writer.zeros(8); // creation, modification: not told, so that equal formats make equal bytes
    writer.u32(MOVIE_TIMESCALE);
    writer.u32(durationMs);
    writer.u32(FIXED_ONE);
    writer.u16(FULL_VOLUME);
    writer.zeros(10);
    writeIdentityMatrix(writer);
    writer.zeros(24);
    writer.u32(nextTrackId);
  });
}

export interface TrackHeader {
  readonly trackId: number;
  readonly format: MediaFormat;
  /** 0 where fragments tell. */
  readonly durationMs?: number;
}

export function writeTrackHeader(writer: BoxWriter, { trackId, format, durationMs = 0 }: TrackHeader): void {
  writer.fullBox("tkhd", 0, TRACK_FLAGS, () => {
    writer.zeros(8);
    writer.u32(trackId);
    writer.zeros(4);
    writer.u32(durationMs);
    writer.zeros(8);
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

export interface TrackMedia {
  readonly format: MediaFormat;
  readonly timescale: number;
  /** 0 where fragments tell. */
  readonly duration?: Ticks;
}

/** `mdia`, with what `writeTables` writes behind the description of samples. */
export function writeMedia(writer: BoxWriter, track: TrackMedia, writeTables: () => void): void {
  const { format } = track;
  writer.box("mdia", () => {
    writeMediaHeader(writer, track);
    writeHandler(writer, format);
    writer.box("minf", () => {
      if (format.kind === "video") writer.fullBox("vmhd", 0, 1, () => writer.zeros(8));
      else writer.fullBox("smhd", 0, 0, () => writer.zeros(4));
      writeDataInformation(writer);
      writer.box("stbl", () => {
        writer.fullBox("stsd", 0, 0, () => {
          writer.u32(1);
          writeSampleEntry(writer, format);
        });
        writeTables();
      });
    });
  });
}

function writeMediaHeader(writer: BoxWriter, { timescale, duration = 0 }: TrackMedia): void {
  const isLong = duration > LARGEST_U32;
  writer.fullBox("mdhd", isLong ? 1 : 0, 0, () => {
    writer.zeros(isLong ? 16 : 8);
    writer.u32(timescale);
    if (isLong) writer.u64(duration);
    else writer.u32(duration);
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

function writeDataInformation(writer: BoxWriter): void {
  writer.box("dinf", () => {
    writer.fullBox("dref", 0, 0, () => {
      writer.u32(1);
      writer.fullBox("url ", 0, 1, () => undefined); // flag 1: the media is in this file
    });
  });
}
