import { writeInitSegment } from "../../media/cmaf/init-segment.ts";
import type { MediaFormat } from "../../media/format.ts";
import { rescale, type Ticks, VIDEO_TIMESCALE } from "../../media/timebase.ts";
import type { RenditionInit } from "./contract.ts";
import { STORED_TRACK_ID } from "./stored-segmenter.ts";

/** The CMAF header of a rendition with the ticks that its segments count in. `leadTicks` are at 90 kHz. */
export function renditionInit(format: MediaFormat, leadTicks: Ticks): RenditionInit {
  const timescale = format.kind === "video" ? VIDEO_TIMESCALE : format.sampleRateHz;
  const bytes = writeInitSegment([{ trackId: STORED_TRACK_ID, timescale, format }]);
  return { format, timescale, bytes, leadTicks: rescale(leadTicks, VIDEO_TIMESCALE, timescale) };
}
