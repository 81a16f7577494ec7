import { renditionInit } from "../../src/library/make/rendition-init.ts";
import { StoredSegmenter } from "../../src/library/make/stored-segmenter.ts";
import { ticksToMs } from "../../src/media/timebase.ts";
import type { StoredRendition, StoredSegment, StoredText, StoredVideo } from "../../src/packaging/stored-rendition.ts";
import type { ObjectStore } from "../../src/storage/object-store.ts";
import { encodeSource } from "./encoded-source.ts";

type Told = Pick<StoredRendition, "id" | "origin"> &
  Partial<Pick<StoredRendition, "audioRenditionId" | "language" | "label">>;

const EPOCH = "e1";

/** What ffmpeg makes of `line` (inputs and encoder options, one track), cut as the workers cut it and put into `store`. */
export async function storeRendition(
  store: ObjectStore,
  line: string,
  segmentTargetMs: number,
  told: Told,
): Promise<StoredRendition> {
  const { units } = await encodeSource(line);
  const [first] = units;
  if (!first) throw new Error("ffmpeg made nothing");
  const { format, timescale } = first.track;
  const segmenter = new StoredSegmenter({
    kind: format.kind,
    timescale,
    rule: { kind: "every", targetMs: segmentTargetMs },
    usualDuration: first.duration,
    leadTicks: 0,
  });
  const zero = Math.min(...units.map(({ dts, cts }) => dts + cts));
  const cut = units.flatMap(
    ({ dts, cts, isKey, data }) =>
      segmenter.push({ pts: dts + cts - zero, isKey: isKey || format.kind === "audio", data }) ?? [],
  );
  const last = segmenter.finish();
  const segments: StoredSegment[] = [];
  for (const { bytes, ...segment } of last ? [...cut, last] : cut) {
    const key = `videos/test/${told.id}/${EPOCH}/0/${segments.length + 1}.m4s`;
    await store.put(key, bytes);
    segments.push({ ...segment, key });
  }
  return {
    audioRenditionId: undefined,
    language: undefined,
    label: undefined,
    ...told,
    kind: format.kind,
    epoch: EPOCH,
    format,
    timescale,
    leadTicks: 0,
    initBytes: renditionInit(format, 0).bytes,
    segments,
    isComplete: true,
  };
}

export async function storeText(store: ObjectStore, vtt: string, language: string, label: string): Promise<StoredText> {
  const id = `text_${language}`;
  const key = `videos/test/${id}/${EPOCH}/0/1.vtt`;
  const bytes = Buffer.from(vtt);
  await store.put(key, bytes);
  return { id, epoch: EPOCH, language, label, isForced: false, key, sizeBytes: bytes.byteLength };
}

/** The video as it was when `ms` of it were made. */
export function grownTo(video: StoredVideo, ms: number, revision: number): StoredVideo {
  const renditions = video.renditions.map((rendition) => {
    const segments = rendition.segments.filter(
      ({ start, duration }) => ticksToMs(start + duration, rendition.timescale) <= ms,
    );
    return { ...rendition, segments, isComplete: false };
  });
  return { ...video, revision, isFinal: false, renditions };
}
