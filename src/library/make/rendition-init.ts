import { writeInitSegment } from "../../media/cmaf/init-segment.ts";
import type { MediaFormat } from "../../media/format.ts";
import { VIDEO_TIMESCALE } from "../../media/timebase.ts";
import type { RenditionInit } from "./contract.ts";
import { STORED_TRACK_ID } from "./stored-segmenter.ts";

/** The CMAF header of a rendition with the ticks that its segments count in. */
export function renditionInit(format: MediaFormat): RenditionInit {
  const timescale = format.kind === "video" ? VIDEO_TIMESCALE : format.sampleRateHz;
  return { format, timescale, bytes: writeInitSegment([{ trackId: STORED_TRACK_ID, timescale, format }]) };
}
