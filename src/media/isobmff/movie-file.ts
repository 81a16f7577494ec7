import type { MediaFormat } from "../format.ts";
import { rescale, type Ticks, ticksToMs } from "../timebase.ts";
import { BoxWriter } from "./box-writer.ts";
import type { Run, SampleTable } from "./sample-table.ts";
import { MOVIE_TIMESCALE, writeMedia, writeMovieHeader, writeTrackHeader } from "./track-boxes.ts";

/** A track of a movie that is one file. */
export interface FileTrack {
  readonly format: MediaFormat;
  readonly timescale: number;
  /** Decode time of its first sample since presentation zero; media from before zero is not shown. */
  readonly start: Ticks;
  readonly samples: SampleTable;
}

/** Samples of one track that lie together. */
export interface MovieChunk {
  /** Place of the track, from 0. */
  readonly track: number;
  readonly sampleCount: number;
  readonly byteLength: number;
}

export interface MovieLayout {
  /** All that stands before the media: a player has it first. */
  readonly head: Uint8Array;
  /** Which samples follow the head, in this order. */
  readonly chunks: readonly MovieChunk[];
}

/** Media of one track that stands together: a player that reads from the front never lacks the other one for long. */
const CHUNK_MS = 500;
const LARGEST_U32 = 0xffffffff;
const EMPTY_EDIT = 0xffffffff;
const FIXED_ONE = 0x00010000;

/**
 * A plain MP4 whose tables stand first, as downloads and the oldest players want it. Composition offsets are made positive
 * and an edit list takes that off again, which everybody understands.
 */
export function layOutMovie(tracks: readonly FileTrack[]): MovieLayout {
  const placed = interleave(tracks);
  const mediaBytes = placed.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const isLong = mediaBytes > LARGEST_U32 / 2;
  // Written twice: how long the tables are does not depend on where the media begins.
  const headBytes = writeHead(tracks, placed, { mediaBytes, isLong, mediaAt: 0 }).length;
  return { head: writeHead(tracks, placed, { mediaBytes, isLong, mediaAt: headBytes }), chunks: placed };
}

interface PlacedChunk extends MovieChunk {
  /** From the first byte of media on. */
  readonly offset: number;
}

function interleave(tracks: readonly FileTrack[]): readonly PlacedChunk[] {
  const chunks = tracks
    .flatMap(chunksOf)
    // Of one instant, the order of the tracks.
    .sort((a, b) => a.startMs - b.startMs || a.track - b.track);
  let offset = 0;
  return chunks.map((chunk) => {
    const placed = { ...chunk, offset };
    offset += chunk.byteLength;
    return placed;
  });
}

function chunksOf({ timescale, start, samples }: FileTrack, track: number) {
  const chunks: (MovieChunk & { readonly startMs: number })[] = [];
  const { sizes } = samples;
  let at = start;
  let startMs = ticksToMs(at, timescale);
  let sampleCount = 0;
  let byteLength = 0;
  const close = () => {
    if (sampleCount > 0) chunks.push({ track, startMs, sampleCount, byteLength });
    startMs = ticksToMs(at, timescale);
    sampleCount = 0;
    byteLength = 0;
  };
  let place = 0;
  for (const { count, value: duration } of samples.durations) {
    for (let index = 0; index < count; index += 1) {
      if (ticksToMs(at, timescale) - startMs >= CHUNK_MS) close();
      sampleCount += 1;
      byteLength += sizes[place] ?? 0;
      place += 1;
      at += duration;
    }
  }
  close();
  return chunks;
}

interface MediaPlace {
  readonly mediaBytes: number;
  /** Beyond what 32 bits can tell. */
  readonly isLong: boolean;
  readonly mediaAt: number;
}

function writeHead(tracks: readonly FileTrack[], chunks: readonly PlacedChunk[], place: MediaPlace): Uint8Array {
  const { mediaBytes, isLong } = place;
  const writer = new BoxWriter(1024 * 1024);
  writer.box("ftyp", () => {
    const isSound = tracks.every(({ format }) => format.kind === "audio");
    writer.fourCc(isSound ? "M4A " : "isom");
    writer.u32(0x200);
    for (const brand of [...(isSound ? ["M4A "] : []), "isom", "iso2", "mp41", "mp42"]) writer.fourCc(brand);
  });
  writer.box("moov", () => {
    writeMovieHeader(writer, tracks.length + 1, Math.max(0, ...tracks.map(shownMs)));
    for (const [index, track] of tracks.entries()) {
      const own = chunks.filter((chunk) => chunk.track === index);
      writer.box("trak", () => writeTrack(writer, track, index + 1, own, place));
    }
  });
  writer.u32(isLong ? 1 : 8 + mediaBytes);
  writer.fourCc("mdat");
  if (isLong) writer.u64(16 + mediaBytes);
  return writer.finish();
}

function writeTrack(
  writer: BoxWriter,
  track: FileTrack,
  trackId: number,
  chunks: readonly PlacedChunk[],
  place: MediaPlace,
): void {
  const { format, timescale, samples } = track;
  writeTrackHeader(writer, { trackId, format, durationMs: shownMs(track) });
  writeEdits(writer, track);
  writeMedia(writer, { format, timescale, duration: samples.duration }, () => {
    writeRuns(writer, "stts", samples.durations);
    const { leastOffset, offsets } = samples;
    const hasOffsets = offsets.some(({ value }) => value !== 0);
    if (hasOffsets) {
      writeRuns(
        writer,
        "ctts",
        offsets.map(({ count, value }) => ({ count, value: value - leastOffset })),
      );
    }
    if (samples.keys.length < samples.count) {
      writer.fullBox("stss", 0, 0, () => {
        writer.u32(samples.keys.length);
        for (const key of samples.keys) writer.u32(key + 1);
      });
    }
    writeChunkRuns(writer, chunks);
    writer.fullBox("stsz", 0, 0, () => {
      writer.u32(0); // sizes differ
      writer.u32(samples.count);
      for (const size of samples.sizes) writer.u32(size);
    });
    writer.fullBox(place.isLong ? "co64" : "stco", 0, 0, () => {
      writer.u32(chunks.length);
      for (const { offset } of chunks) {
        if (place.isLong) writer.u64(place.mediaAt + offset);
        else writer.u32(place.mediaAt + offset);
      }
    });
  });
}

/** Where in the track's own time presentation zero is; negative when the track begins later. */
function zeroOf({ start, samples }: FileTrack): Ticks {
  return -start - samples.leastOffset;
}

/** How long the track is shown, from presentation zero on. */
function shownMs(track: FileTrack): number {
  const { start, samples, timescale } = track;
  return Math.max(0, rescale(start + samples.shownEnd, timescale, MOVIE_TIMESCALE));
}

function writeEdits(writer: BoxWriter, track: FileTrack): void {
  const zero = zeroOf(track);
  const lateMs = zero < 0 ? rescale(-zero, track.timescale, MOVIE_TIMESCALE) : 0;
  writer.box("edts", () => {
    writer.fullBox("elst", 0, 0, () => {
      writer.u32(lateMs > 0 ? 2 : 1);
      if (lateMs > 0) {
        writer.u32(lateMs);
        writer.u32(EMPTY_EDIT);
        writer.u32(FIXED_ONE);
      }
      writer.u32(shownMs(track) - lateMs);
      writer.u32(Math.max(0, zero));
      writer.u32(FIXED_ONE);
    });
  });
}

function writeRuns(writer: BoxWriter, type: "stts" | "ctts", runs: readonly Run[]): void {
  writer.fullBox(type, 0, 0, () => {
    writer.u32(runs.length);
    for (const { count, value } of runs) {
      writer.u32(count);
      writer.u32(value);
    }
  });
}

function writeChunkRuns(writer: BoxWriter, chunks: readonly PlacedChunk[]): void {
  const firsts = chunks
    .map(({ sampleCount }, index) => ({ sampleCount, index }))
    .filter(({ sampleCount, index }) => chunks[index - 1]?.sampleCount !== sampleCount);
  writer.fullBox("stsc", 0, 0, () => {
    writer.u32(firsts.length);
    for (const { sampleCount, index } of firsts) {
      writer.u32(index + 1);
      writer.u32(sampleCount);
      writer.u32(1);
    }
  });
}
