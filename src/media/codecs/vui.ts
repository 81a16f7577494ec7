import type { BitReader } from "../bits.ts";
import type { ColourDescription, VideoFormat } from "../format.ts";
import { describedColour } from "./colour.ts";

/** What H.264 and H.265 say alike at the start of their video usability information. */
export interface VuiPicture {
  readonly sampleAspect: VideoFormat["sampleAspect"];
  readonly colour: ColourDescription | undefined;
}

export const SQUARE_SAMPLES: VideoFormat["sampleAspect"] = { width: 1, height: 1 };

/** aspect_ratio_idc 1 to 16 (Rec. ITU-T H.273 table 8). */
const ASPECT_RATIOS: readonly (readonly [number, number])[] = [
  [1, 1],
  [12, 11],
  [10, 11],
  [16, 11],
  [40, 33],
  [24, 11],
  [20, 11],
  [32, 11],
  [80, 33],
  [18, 11],
  [15, 11],
  [64, 33],
  [160, 99],
  [4, 3],
  [3, 2],
  [2, 1],
];

const EXTENDED_SAR = 255;

/** Reads from aspect_ratio_info_present_flag up to and with chroma_loc_info. */
export function readVuiPicture(bits: BitReader): VuiPicture {
  const sampleAspect = bits.flag() ? readSampleAspect(bits) : SQUARE_SAMPLES;
  if (bits.flag()) bits.skip(1); // overscan_appropriate_flag
  const colour = bits.flag() ? readVideoSignalType(bits) : undefined;
  if (bits.flag()) {
    bits.ueUpTo(5, "chroma_sample_loc_type_top_field");
    bits.ueUpTo(5, "chroma_sample_loc_type_bottom_field");
  }
  return { sampleAspect, colour };
}

function readSampleAspect(bits: BitReader): VideoFormat["sampleAspect"] {
  const idc = bits.bits(8);
  const [width, height] = idc === EXTENDED_SAR ? [bits.bits(16), bits.bits(16)] : (ASPECT_RATIOS[idc - 1] ?? [1, 1]);
  return width > 0 && height > 0 ? { width, height } : SQUARE_SAMPLES;
}

function readVideoSignalType(bits: BitReader): ColourDescription | undefined {
  bits.skip(3); // video_format
  const isFullRange = bits.flag();
  if (!bits.flag()) return undefined;
  return describedColour({ primaries: bits.bits(8), transfer: bits.bits(8), matrix: bits.bits(8), isFullRange });
}

/** A frame rate from ticks, or undefined when either is 0. */
export function frameRateOf(timeScale: number, ticksPerFrame: number): VideoFormat["frameRate"] {
  if (timeScale === 0 || ticksPerFrame === 0) return undefined;
  const divisor = greatestCommonDivisor(timeScale, ticksPerFrame);
  return { numerator: timeScale / divisor, denominator: ticksPerFrame / divisor };
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
