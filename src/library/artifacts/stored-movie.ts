import { DomainError } from "../../core/errors.ts";
import { CmafReader, type ReadSample } from "../../media/cmaf/reader.ts";
import { type FileTrack, layOutMovie } from "../../media/isobmff/movie-file.ts";
import { SampleTable } from "../../media/isobmff/sample-table.ts";
import type { StoredRendition } from "../../packaging/stored-rendition.ts";
import type { ObjectStore } from "../../storage/object-store.ts";
import { segmentStream } from "./stored-picture.ts";

/** The largest fragment of a rendition is all from key frame to key frame. */
const MOST_FRAGMENT_BYTES = 256 * 1024 * 1024;

export interface StoredMovie {
  readonly store: Pick<ObjectStore, "get">;
  /** Whole ones, that are played together. */
  readonly renditions: readonly StoredRendition[];
  readonly signal: AbortSignal;
  /** How much of it is written, 0 to 1. */
  readonly onProgress?: (share: number) => void;
}

/**
 * Renditions as one MP4 whose tables stand first, without encoding anything. Reads every segment twice, for sizes stand
 * before what they are sizes of; holds one fragment of each rendition at a time. Throws what the store throws.
 */
export async function* writeStoredMovie({
  store,
  renditions,
  signal,
  onProgress,
}: StoredMovie): AsyncGenerator<Uint8Array> {
  const tracks: FileTrack[] = [];
  for (const rendition of renditions) tracks.push(await readTrack(store, rendition, signal));
  const { head, chunks } = layOutMovie(tracks);
  yield head;
  const media = renditions.map((rendition) => samplesOf(store, rendition, signal));
  const allBytes = tracks.reduce((sum, { samples }) => sum + samples.byteLength, 0);
  let writtenBytes = 0;
  try {
    for (const { track, sampleCount, byteLength } of chunks) {
      const bytes = await takeSamples(media[track], sampleCount);
      if (bytes.length !== byteLength) throw new DomainError("INTERNAL", "a segment changed while it was read");
      yield bytes;
      writtenBytes += byteLength;
      onProgress?.(writtenBytes / allBytes);
    }
  } finally {
    // Behind the last sample each still has its last object open.
    await Promise.all(media.map((samples) => samples.return(undefined)));
  }
}

async function takeSamples(samples: AsyncGenerator<ReadSample> | undefined, count: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for (let taken = 0; taken < count; taken += 1) {
    const next = await samples?.next();
    if (next?.value) pieces.push(next.value.data);
  }
  return Buffer.concat(pieces);
}

async function readTrack(
  store: Pick<ObjectStore, "get">,
  rendition: StoredRendition,
  signal: AbortSignal,
): Promise<FileTrack> {
  const { format, timescale, leadTicks } = rendition;
  const samples = new SampleTable();
  let start: number | undefined;
  for await (const { dts, cts, duration, isKey, data } of samplesOf(store, rendition, signal)) {
    start ??= dts;
    samples.push({ duration, cts, isKey, byteLength: data.length });
  }
  return { format, timescale, start: (start ?? leadTicks) - leadTicks, samples };
}

async function* samplesOf(
  store: Pick<ObjectStore, "get">,
  rendition: StoredRendition,
  signal: AbortSignal,
): AsyncGenerator<ReadSample, undefined> {
  const reader = new CmafReader({ limitBytes: MOST_FRAGMENT_BYTES });
  for await (const piece of segmentStream(store, rendition, signal)) {
    for (const event of reader.push(piece)) if (event.kind === "sample") yield event;
  }
}
