import type { VideoRenditionRecord } from "../../catalog/video-record.ts";
import type { VideoRepository } from "../../catalog/video-repository.ts";
import type { StoredRendition } from "../../packaging/stored-rendition.ts";
import { type OneClockRendition, onOneClock } from "../recording/one-clock.ts";
import { readRenditionInit, storedRendition } from "../rendition-json.ts";
import type { VideoState } from "../video-records.ts";
import type { StoredPictures } from "./stored-picture.ts";

/** Renditions of pictures that are there from the beginning to the end. */
export function wholePictureRecords({ renditions }: VideoState): readonly VideoRenditionRecord[] {
  return renditions
    .map(({ record }) => record)
    .filter(({ kind, status, init }) => kind === "video" && status === "ready" && init !== null);
}

/** The one with most to see; of two, that which is named first. */
export function largestPictureRecord(state: VideoState): VideoRenditionRecord | undefined {
  return wholePictureRecords(state)
    .map((record) => ({ record, side: longSide(record) }))
    .reduce<{ record: VideoRenditionRecord; side: number } | undefined>(
      (largest, each) => (largest && largest.side >= each.side ? largest : each),
      undefined,
    )?.record;
}

/**
 * The smallest whole rendition of pictures with a side of `leastSide` pixels, else the largest: decoding it costs least.
 * Undefined while none is whole.
 */
export async function wholePictures(
  videos: Pick<VideoRepository, "chunks">,
  state: VideoState,
  leastSide: number,
): Promise<StoredPictures | undefined> {
  const bySide = wholePictureRecords(state)
    .map((record) => ({ record, side: longSide(record) }))
    .sort((a, b) => a.side - b.side);
  const chosen = bySide.find(({ side }) => side >= leastSide) ?? bySide.at(-1);
  const rendition = chosen && (await readWhole(videos, chosen.record));
  return rendition && isOfPictures(rendition) ? rendition : undefined;
}

/** Undefined while chunks are missing. */
export async function readWhole(
  videos: Pick<VideoRepository, "chunks">,
  record: VideoRenditionRecord,
): Promise<OneClockRendition | undefined> {
  const { videoId, renditionId } = record;
  const read = storedRendition(record, await videos.chunks(videoId, { renditionId }));
  return read?.rendition.isComplete ? onOneClock(read.rendition) : undefined;
}

function longSide({ init }: VideoRenditionRecord): number {
  const format = init && readRenditionInit(init).format;
  return format?.kind === "video" ? Math.max(format.width, format.height) : 0;
}

function isOfPictures(rendition: StoredRendition): rendition is StoredPictures {
  return rendition.format.kind === "video" && rendition.segments.length > 0;
}
