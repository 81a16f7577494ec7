import type { ByteRange } from "../media/cmaf/chunk.ts";
import type { Ticks } from "../media/timebase.ts";
import type { Segment } from "./presentation.ts";
import type { StoredSegment } from "./stored-rendition.ts";

/** One entry of an I-frame playlist: a picture that stands until the next entry. */
export interface Iframe {
  /** Decode time, on the clock of `Segment.start`. */
  readonly start: Ticks;
  readonly duration: Ticks;
  /** What of the segment has to be fetched; undefined where a segment has time but no key frame. */
  readonly range: ByteRange | undefined;
}

/** More parts than a segment can have: parts are at least 200 ms long, segments at most 13 s. */
export const MAX_IFRAMES_PER_SEGMENT = 100;

/**
 * The key frames of a complete segment that begin a part: those that can be fetched without what is before them.
 * Together they last as long as the segment; one that begins without a key frame has an entry without bytes first.
 */
export function iframesOf(segment: Segment): readonly Iframe[] {
  const found = segment.stored ? storedKeyFrames(segment.stored) : keyFramesOfParts(segment);
  if (found[0]?.start !== segment.start) found.unshift({ start: segment.start, range: undefined });
  const end = segment.start + segment.duration;
  return found.map((iframe, index) => ({ ...iframe, duration: (found[index + 1]?.start ?? end) - iframe.start }));
}

function storedKeyFrames({ keyFrames }: StoredSegment): Omit<Iframe, "duration">[] {
  return keyFrames.map(({ start, offset, length }) => ({ start, range: { offset, length } }));
}

function keyFramesOfParts(segment: Segment): Omit<Iframe, "duration">[] {
  const found: Omit<Iframe, "duration">[] = [];
  let partAt = 0;
  for (const { start, keyFrame, bytes } of segment.parts) {
    if (keyFrame) found.push({ start, range: { ...keyFrame, offset: partAt + keyFrame.offset } });
    partAt += bytes.byteLength;
  }
  return found;
}
