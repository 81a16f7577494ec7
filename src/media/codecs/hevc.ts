import { MalformedInput } from "../../core/errors.ts";
import { BitReader, unescapeNal } from "../bits.ts";
import { ByteReader } from "../byte-reader.ts";
import type { VideoFormat } from "../format.ts";
import { judgeNalUnits } from "./nal.ts";
import { frameRateOf, readVuiPicture, SQUARE_SAMPLES } from "./vui.ts";

const NAL_FIRST_IRAP = 16; // BLA_W_LP
const NAL_LAST_IRAP = 21; // CRA_NUT
const NAL_LAST_VCL = 31;
const NAL_SPS = 33;

/** The longest side that level 6.2 allows, rounded up. */
const MOST_PIXELS_ACROSS = 16_888;
const MOST_ARRAYS = 32;
const MOST_REFERENCE_SETS = 64;
const MOST_REFERENCE_PICTURES = 16;
const MOST_LONG_TERM_PICTURES = 32;

type SpsFields = Omit<VideoFormat, "kind" | "codec" | "config" | "codecString">;

/** An `hvcC` body (HEVCDecoderConfigurationRecord) as a format. Throws MalformedInput; also when it holds no SPS. */
export function readHevcConfig(hvcC: Uint8Array): VideoFormat {
  const bytes = new ByteReader(hvcC, "hvcC");
  // Version 0 is what early muxers wrote for the same layout.
  if (bytes.u8() > 1) throw bytes.malformed("unknown configuration version");
  const profileTierLevel = bytes.bytes(12);
  bytes.skip(9);
  const sps = findSps(bytes);
  return {
    kind: "video",
    codec: "hevc",
    config: hvcC,
    codecString: hevcCodecString(profileTierLevel),
    ...readSps(sps),
  };
}

/** Bytes in the length field before each NAL unit: 1, 2 or 4. Throws MalformedInput when `hvcC` is too short. */
export function hevcNalLengthSize(hvcC: Uint8Array): 1 | 2 | 4 {
  const size = ((hvcC[21] ?? 0) & 3) + 1;
  if (hvcC.length < 23 || size === 3) throw new MalformedInput("hvcC", 21, "no valid NAL unit length size");
  return size as 1 | 2 | 4;
}

/** Whether the access unit is an IRAP picture (IDR, BLA or CRA). Throws MalformedInput when NAL unit lengths are wrong. */
export function isHevcKeyFrame(data: Uint8Array, lengthSize: number): boolean {
  return judgeNalUnits(data, lengthSize, (firstByte) => {
    const type = (firstByte >> 1) & 63;
    return type <= NAL_LAST_VCL ? type >= NAL_FIRST_IRAP && type <= NAL_LAST_IRAP : undefined;
  });
}

/** ISO/IEC 14496-15 Annex E.3, from the 12 bytes general_profile_space to general_level_idc. */
function hevcCodecString(profileTierLevel: Uint8Array): string {
  const bytes = new ByteReader(profileTierLevel, "hvcC", 1);
  const first = bytes.u8();
  const space = ["", "A", "B", "C"][first >> 6] ?? "";
  const tier = (first & 32) === 0 ? "L" : "H";
  const compatibility = reverseBits(bytes.u32()).toString(16).toUpperCase();
  const constraints = [...bytes.bytes(6)];
  while (constraints.at(-1) === 0) constraints.pop();
  const level = bytes.u8();
  const parts = ["hvc1", `${space}${first & 31}`, compatibility, `${tier}${level}`];
  return [...parts, ...constraints.map((byte) => byte.toString(16).toUpperCase())].join(".");
}

function reverseBits(value: number): number {
  let reversed = 0;
  for (let bit = 0; bit < 32; bit += 1) reversed = ((reversed << 1) | ((value >>> bit) & 1)) >>> 0;
  return reversed;
}

function findSps(bytes: ByteReader): Uint8Array {
  const arrayCount = bytes.u8();
  if (arrayCount > MOST_ARRAYS) throw bytes.malformed(`${arrayCount} parameter set arrays`);
  for (let array = 0; array < arrayCount; array += 1) {
    const type = bytes.u8() & 63;
    const count = bytes.u16();
    for (let i = 0; i < count; i += 1) {
      const nal = bytes.bytes(bytes.u16());
      if (type === NAL_SPS) return nal;
    }
  }
  throw bytes.malformed("no sequence parameter set");
}

/** ITU-T H.265 7.3.2.2.1, as far as the timing in the VUI. */
function readSps(nal: Uint8Array): SpsFields {
  const bits = new BitReader(unescapeNal(nal), "H.265 SPS");
  if (((bits.bits(16) >> 9) & 63) !== NAL_SPS) throw bits.malformed("not a sequence parameter set");
  bits.skip(4); // sps_video_parameter_set_id
  const highestSubLayer = bits.bits(3);
  bits.skip(1); // sps_temporal_id_nesting_flag
  skipProfileTierLevel(bits, highestSubLayer);
  bits.ueUpTo(15, "sps_seq_parameter_set_id");
  const size = readPictureSize(bits);
  const bitDepth = 8 + bits.ueUpTo(8, "bit_depth_luma_minus8");
  bits.ueUpTo(8, "bit_depth_chroma_minus8");
  const orderCountBits = 4 + bits.ueUpTo(12, "log2_max_pic_order_cnt_lsb_minus4");
  skipSubLayerOrdering(bits, highestSubLayer);
  for (let i = 0; i < 6; i += 1) bits.ueUpTo(32, "block size or depth");
  skipCodingTools(bits);
  skipReferenceSets(bits, orderCountBits);
  bits.skip(2); // sps_temporal_mvp_enabled_flag, strong_intra_smoothing_enabled_flag
  const vui = bits.flag() ? readVui(bits) : { sampleAspect: SQUARE_SAMPLES, colour: undefined, frameRate: undefined };
  return { ...size, ...vui, bitDepth };
}

function skipProfileTierLevel(bits: BitReader, highestSubLayer: number): void {
  bits.skip(88 + 8);
  const present: { hasProfile: boolean; hasLevel: boolean }[] = [];
  for (let i = 0; i < highestSubLayer; i += 1) present.push({ hasProfile: bits.flag(), hasLevel: bits.flag() });
  if (highestSubLayer > 0) bits.skip(2 * (8 - highestSubLayer));
  for (const { hasProfile, hasLevel } of present) bits.skip((hasProfile ? 88 : 0) + (hasLevel ? 8 : 0));
}

function readPictureSize(bits: BitReader): { width: number; height: number } {
  const chromaFormat = bits.ueUpTo(3, "chroma_format_idc");
  const isSeparate = chromaFormat === 3 && bits.flag();
  const codedWidth = bits.ueUpTo(MOST_PIXELS_ACROSS, "pic_width_in_luma_samples");
  const codedHeight = bits.ueUpTo(MOST_PIXELS_ACROSS, "pic_height_in_luma_samples");
  const [left, right, top, bottom] = bits.flag() ? [bits.ue(), bits.ue(), bits.ue(), bits.ue()] : [0, 0, 0, 0];
  const cropX = !isSeparate && (chromaFormat === 1 || chromaFormat === 2) ? 2 : 1;
  const cropY = !isSeparate && chromaFormat === 1 ? 2 : 1;
  const width = codedWidth - (left + right) * cropX;
  const height = codedHeight - (top + bottom) * cropY;
  if (width <= 0 || height <= 0) throw bits.malformed("nothing is left after cropping");
  return { width, height };
}

function skipSubLayerOrdering(bits: BitReader, highestSubLayer: number): void {
  const layerCount = bits.flag() ? highestSubLayer + 1 : 1;
  for (let i = 0; i < layerCount * 3; i += 1) bits.ue();
}

/** From scaling_list_enabled_flag to the end of the PCM fields. */
function skipCodingTools(bits: BitReader): void {
  if (bits.flag() && bits.flag()) skipScalingLists(bits);
  bits.skip(2); // amp_enabled_flag, sample_adaptive_offset_enabled_flag
  if (!bits.flag()) return;
  bits.skip(8); // pcm_sample_bit_depth_luma_minus1, …_chroma_minus1
  bits.ueUpTo(3, "log2_min_pcm_luma_coding_block_size_minus3");
  bits.ueUpTo(3, "log2_diff_max_min_pcm_luma_coding_block_size");
  bits.skip(1);
}

function skipScalingLists(bits: BitReader): void {
  for (let size = 0; size < 4; size += 1) {
    for (let matrix = 0; matrix < 6; matrix += size === 3 ? 3 : 1) {
      if (!bits.flag()) {
        bits.ueUpTo(6, "scaling_list_pred_matrix_id_delta");
        continue;
      }
      const coefficientCount = Math.min(64, 1 << (4 + size * 2));
      if (size > 1) bits.se();
      for (let i = 0; i < coefficientCount; i += 1) bits.se();
    }
  }
}

function skipReferenceSets(bits: BitReader, orderCountBits: number): void {
  const setCount = bits.ueUpTo(MOST_REFERENCE_SETS, "num_short_term_ref_pic_sets");
  let pictureCount = 0;
  for (let i = 0; i < setCount; i += 1) pictureCount = skipShortTermSet(bits, i, pictureCount);
  if (!bits.flag()) return;
  const longTermCount = bits.ueUpTo(MOST_LONG_TERM_PICTURES, "num_long_term_ref_pics_sps");
  for (let i = 0; i < longTermCount; i += 1) bits.skip(orderCountBits + 1);
}

/** Skips st_ref_pic_set(index) and returns how many pictures it names (NumDeltaPocs). */
function skipShortTermSet(bits: BitReader, index: number, previousCount: number): number {
  if (index > 0 && bits.flag()) return skipPredictedSet(bits, previousCount);
  const negativeCount = bits.ueUpTo(MOST_REFERENCE_PICTURES, "num_negative_pics");
  const positiveCount = bits.ueUpTo(MOST_REFERENCE_PICTURES, "num_positive_pics");
  for (let i = 0; i < negativeCount + positiveCount; i += 1) {
    bits.ue();
    bits.skip(1);
  }
  return negativeCount + positiveCount;
}

function skipPredictedSet(bits: BitReader, previousCount: number): number {
  bits.skip(1); // delta_rps_sign
  bits.ue();
  let count = 0;
  for (let i = 0; i <= previousCount; i += 1) {
    const isUsedByCurrent = bits.flag();
    if (isUsedByCurrent || bits.flag()) count += 1;
  }
  if (count > 2 * MOST_REFERENCE_PICTURES) throw bits.malformed("too many reference pictures");
  return count;
}

function readVui(bits: BitReader): Pick<SpsFields, "sampleAspect" | "colour" | "frameRate"> {
  const picture = readVuiPicture(bits);
  bits.skip(3); // neutral_chroma_indication_flag, field_seq_flag, frame_field_info_present_flag
  if (bits.flag()) for (let i = 0; i < 4; i += 1) bits.ue(); // default display window
  const frameRate = bits.flag() ? readTiming(bits) : undefined;
  return { ...picture, frameRate };
}

function readTiming(bits: BitReader): SpsFields["frameRate"] {
  const ticksPerPicture = bits.bits(32);
  return frameRateOf(bits.bits(32), ticksPerPicture);
}
