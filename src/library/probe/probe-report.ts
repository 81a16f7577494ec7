import { z } from "zod";
import { DomainError } from "../../core/errors.ts";

const figure = z.coerce.number();
const streamReport = z.object({
  index: z.int(),
  codec_name: z.string().optional(),
  codec_type: z.string().optional(),
  profile: z.coerce.string().optional(),
  level: figure.optional(),
  width: figure.optional(),
  height: figure.optional(),
  has_b_frames: figure.optional(),
  sample_aspect_ratio: z.string().optional(),
  pix_fmt: z.string().optional(),
  bits_per_raw_sample: figure.optional(),
  color_range: z.string().optional(),
  color_space: z.string().optional(),
  color_transfer: z.string().optional(),
  color_primaries: z.string().optional(),
  field_order: z.string().optional(),
  r_frame_rate: z.string().optional(),
  avg_frame_rate: z.string().optional(),
  sample_rate: figure.optional(),
  channels: figure.optional(),
  channel_layout: z.string().optional(),
  start_time: figure.optional(),
  duration: figure.optional(),
  bit_rate: figure.optional(),
  nb_frames: figure.optional(),
  disposition: z.record(z.string(), z.number()).default({}),
  tags: z.record(z.string(), z.string()).default({}),
  side_data_list: z.array(z.looseObject({ side_data_type: z.string().optional() })).default([]),
});

const probeReport = z.object({
  streams: z.array(streamReport).default([]),
  format: z.object({
    start_time: figure.optional(),
    duration: figure.optional(),
    bit_rate: figure.optional(),
  }),
});

/** What of ffprobe's answer we read. Times are in seconds. */
export type ProbeReport = z.output<typeof probeReport>;
export type StreamReport = z.output<typeof streamReport>;

/** Throws DomainError MEDIA_DAMAGED when ffprobe says what we cannot read. */
export function parseProbeReport(text: string): ProbeReport {
  try {
    return probeReport.parse(JSON.parse(text));
  } catch (cause) {
    throw new DomainError("MEDIA_DAMAGED", "the file cannot be played: its description cannot be read", { cause });
  }
}
