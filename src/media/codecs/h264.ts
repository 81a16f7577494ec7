import { MalformedInput } from "../../core/errors.ts";
import { BitReader, unescapeNal } from "../bits.ts";
import { ByteReader } from "../byte-reader.ts";
import type { VideoFormat } from "../format.ts";
import { judgeNalUnits, nalUnits } from "./nal.ts";
import { frameRateOf, readVuiPicture, SQUARE_SAMPLES } from "./vui.ts";

const NAL_SLICE = 1;
const NAL_IDR = 5;
const NAL_SPS = 7;

/** Profiles whose SPS carries chroma format, bit depth and scaling matrices (ITU-T H.264 7.3.2.1.1). */
const HIGH_PROFILES = new Set([44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244]);

/** In macroblocks; level 6.2 allows 139264 of them in all. */
const MOST_MACROBLOCKS_ACROSS = 1056;
const MOST_REFERENCE_FRAMES_IN_CYCLE = 255;

type SpsFields = Omit<VideoFormat, "kind" | "codec" | "config" | "codecString">;

/** An `avcC` body (AVCDecoderConfigurationRecord) as a format. Throws MalformedInput; also when it holds no SPS. */
export function readAvcConfig(avcC: Uint8Array): VideoFormat {
  const bytes = new ByteReader(avcC, "avcC");
  if (bytes.u8() !== 1) throw bytes.malformed("unknown configuration version");
  const profileCompatLevel = bytes.bytes(3);
  bytes.skip(1);
  const spsCount = bytes.u8() & 31;
  if (spsCount === 0) throw bytes.malformed("no sequence parameter set");
  const sps = bytes.bytes(bytes.u16());
  return {
    kind: "video",
    codec: "h264",
    config: avcC,
    codecString: `avc1.${Buffer.from(profileCompatLevel).toString("hex")}`,
    ...readSps(sps),
  };
}

/** Bytes in the length field before each NAL unit: 1, 2 or 4. Throws MalformedInput when `avcC` is too short. */
export function avcNalLengthSize(avcC: Uint8Array): 1 | 2 | 4 {
  const size = ((avcC[4] ?? 0) & 3) + 1;
  if (avcC.length < 7 || size === 3) throw new MalformedInput("avcC", 4, "no valid NAL unit length size");
  return size as 1 | 2 | 4;
}

/** Whether the access unit is an IDR picture. Throws MalformedInput when its NAL unit lengths are wrong. */
export function isH264KeyFrame(data: Uint8Array, lengthSize: number): boolean {
  return judgeNalUnits(data, lengthSize, (firstByte) => {
    const type = firstByte & 31;
    return type >= NAL_SLICE && type <= NAL_IDR ? type === NAL_IDR : undefined;
  });
}

/** Whether the access unit brings a sequence parameter set that `avcC` does not hold: what follows is another format. */
export function bringsOtherSps(data: Uint8Array, lengthSize: number, avcC: Uint8Array): boolean {
  const known = Buffer.from(avcC.buffer, avcC.byteOffset, avcC.byteLength);
  return nalUnits(data, lengthSize).some((nal) => ((nal[0] ?? 0) & 31) === NAL_SPS && !known.includes(nal));
}

function readSps(nal: Uint8Array): SpsFields {
  const bits = new BitReader(unescapeNal(nal), "H.264 SPS");
  if ((bits.bits(8) & 31) !== NAL_SPS) throw bits.malformed("not a sequence parameter set");
  const profile = bits.bits(8);
  bits.skip(16);
  bits.ueUpTo(31, "seq_parameter_set_id");
  const chroma = HIGH_PROFILES.has(profile) ? readChroma(bits) : { format: 1, bitDepth: 8 };
  bits.ueUpTo(12, "log2_max_frame_num_minus4");
  skipPictureOrder(bits);
  bits.ueUpTo(16, "max_num_ref_frames");
  bits.skip(1); // gaps_in_frame_num_value_allowed_flag
  const size = readPictureSize(bits, chroma.format);
  const vui = bits.flag() ? readVui(bits) : { sampleAspect: SQUARE_SAMPLES, colour: undefined, frameRate: undefined };
  return { ...size, ...vui, bitDepth: chroma.bitDepth };
}

/** `format` 0 also stands for three separately coded planes: then the crop unit is one sample (ChromaArrayType 0). */
function readChroma(bits: BitReader): { format: number; bitDepth: number } {
  const chromaFormat = bits.ueUpTo(3, "chroma_format_idc");
  const isSeparate = chromaFormat === 3 && bits.flag();
  const bitDepth = 8 + bits.ueUpTo(6, "bit_depth_luma_minus8");
  bits.ueUpTo(6, "bit_depth_chroma_minus8");
  bits.skip(1); // qpprime_y_zero_transform_bypass_flag
  if (bits.flag()) {
    const listCount = chromaFormat === 3 ? 12 : 8;
    for (let list = 0; list < listCount; list += 1) if (bits.flag()) skipScalingList(bits, list < 6 ? 16 : 64);
  }
  return { format: isSeparate ? 0 : chromaFormat, bitDepth };
}

function skipScalingList(bits: BitReader, size: number): void {
  let scale = 8;
  for (let i = 0; i < size; i += 1) {
    scale = (scale + bits.se() + 256) & 255;
    if (scale === 0) return;
  }
}

function skipPictureOrder(bits: BitReader): void {
  const type = bits.ueUpTo(2, "pic_order_cnt_type");
  if (type === 0) bits.ueUpTo(12, "log2_max_pic_order_cnt_lsb_minus4");
  if (type !== 1) return;
  bits.skip(1); // delta_pic_order_always_zero_flag
  bits.se();
  bits.se();
  const count = bits.ueUpTo(MOST_REFERENCE_FRAMES_IN_CYCLE, "num_ref_frames_in_pic_order_cnt_cycle");
  for (let i = 0; i < count; i += 1) bits.se();
}

function readPictureSize(bits: BitReader, chromaFormat: number): { width: number; height: number } {
  const widthInMacroblocks = bits.ueUpTo(MOST_MACROBLOCKS_ACROSS - 1, "pic_width_in_mbs_minus1") + 1;
  const heightInUnits = bits.ueUpTo(MOST_MACROBLOCKS_ACROSS - 1, "pic_height_in_map_units_minus1") + 1;
  const fieldsPerUnit = bits.flag() ? 1 : 2; // frame_mbs_only_flag
  if (fieldsPerUnit === 2) bits.skip(1);
  bits.skip(1); // direct_8x8_inference_flag
  const [left, right, top, bottom] = bits.flag() ? [bits.ue(), bits.ue(), bits.ue(), bits.ue()] : [0, 0, 0, 0];
  const cropX = chromaFormat === 1 || chromaFormat === 2 ? 2 : 1;
  const cropY = (chromaFormat === 1 ? 2 : 1) * fieldsPerUnit;
  const width = widthInMacroblocks * 16 - (left + right) * cropX;
  const height = heightInUnits * 16 * fieldsPerUnit - (top + bottom) * cropY;
  if (width <= 0 || height <= 0) throw bits.malformed("nothing is left after cropping");
  return { width, height };
}

function readVui(bits: BitReader): Pick<SpsFields, "sampleAspect" | "colour" | "frameRate"> {
  const picture = readVuiPicture(bits);
  // A tick is a field (E.2.1), so a frame lasts two of them.
  const frameRate = bits.flag() ? readTiming(bits) : undefined;
  return { ...picture, frameRate };
}

function readTiming(bits: BitReader): SpsFields["frameRate"] {
  const ticksPerField = bits.bits(32);
  return frameRateOf(bits.bits(32), ticksPerField * 2);
}
