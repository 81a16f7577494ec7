import { MalformedInput } from "../../core/errors.ts";
import { BitReader } from "../bits.ts";
import type { ColourDescription, VideoFormat } from "../format.ts";
import { describedColour } from "./colour.ts";
import { frameRateOf, SQUARE_SAMPLES } from "./vui.ts";

const OBU_SEQUENCE_HEADER = 1;
const OBU_TEMPORAL_DELIMITER = 2;
const OBU_FRAME_HEADER = 3;
const OBU_FRAME = 6;

const MOST_OBUS = 4096;
const SELECT_SCREEN_CONTENT_TOOLS = 2;
const COLOUR_UNSPECIFIED = 2;
const SEPARATE_UV_PROFILE = 1;

interface Obu {
  readonly type: number;
  readonly start: number;
  readonly payloadStart: number;
  readonly end: number;
}

interface SequenceHeader {
  readonly profile: number;
  readonly level: number;
  readonly tier: number;
  readonly width: number;
  readonly height: number;
  readonly frameRate: VideoFormat["frameRate"];
  readonly colourConfig: ColourConfig;
}

interface ColourConfig {
  readonly bitDepth: number;
  readonly isMonochrome: boolean;
  readonly subsampling: string;
  readonly colour: ColourDescription | undefined;
}

/** An `av1C` body (AV1CodecConfigurationRecord) as a format. Throws MalformedInput; also without a sequence header OBU. */
export function readAv1Config(av1C: Uint8Array): VideoFormat {
  if (av1C.length < 4 || av1C[0] !== 0x81) throw new MalformedInput("av1C", 0, "unknown marker or version");
  const configObus = av1C.subarray(4);
  const obu = readObus(configObus).find(({ type }) => type === OBU_SEQUENCE_HEADER);
  if (!obu) throw new MalformedInput("av1C", 4, "no sequence header");
  const header = readSequenceHeader(configObus.subarray(obu.payloadStart, obu.end));
  return {
    kind: "video",
    codec: "av1",
    config: av1C,
    codecString: av1CodecString(header),
    width: header.width,
    height: header.height,
    sampleAspect: SQUARE_SAMPLES,
    frameRate: header.frameRate,
    colour: header.colourConfig.colour,
    bitDepth: header.colourConfig.bitDepth,
  };
}

/**
 * The temporal unit without temporal delimiters, as ISO BMFF stores it. Returns a view when they stand only at the front,
 * as encoders write them.
 */
export function stripTemporalDelimiters(data: Uint8Array): Uint8Array {
  const obus = readObus(data);
  const kept = obus.filter(({ type }) => type !== OBU_TEMPORAL_DELIMITER);
  const from = kept[0]?.start ?? data.length;
  const keptLength = kept.reduce((length, { start, end }) => length + end - start, 0);
  if (keptLength === data.length - from) return data.subarray(from);
  const out = new Uint8Array(keptLength);
  let at = 0;
  for (const { start, end } of kept) {
    out.set(data.subarray(start, end), at);
    at += end - start;
  }
  return out;
}

/** Whether the temporal unit starts with a shown key frame. Throws MalformedInput when OBU sizes are wrong. */
export function isAv1KeyFrame(data: Uint8Array): boolean {
  const frame = readObus(data).find(({ type }) => type === OBU_FRAME_HEADER || type === OBU_FRAME);
  if (!frame || frame.payloadStart === frame.end) return false;
  // show_existing_frame = 0, frame_type = KEY_FRAME (0), show_frame = 1: the first four bits of a frame header.
  return ((data[frame.payloadStart] ?? 0) & 0xf0) === 0x10;
}

function readObus(data: Uint8Array): Obu[] {
  const obus: Obu[] = [];
  for (let at = 0; at < data.length; ) {
    if (obus.length === MOST_OBUS) throw new MalformedInput("AV1 OBUs", at, `more than ${MOST_OBUS}`);
    const obu = readObu(data, at);
    obus.push(obu);
    at = obu.end;
  }
  return obus;
}

function readObu(data: Uint8Array, start: number): Obu {
  const header = data[start] ?? 0;
  if (header & 0x80) throw new MalformedInput("AV1 OBUs", start, "forbidden bit is set");
  const type = (header >> 3) & 15;
  const hasExtension = (header & 4) !== 0;
  const sizeAt = start + (hasExtension ? 2 : 1);
  if ((header & 2) === 0) return { type, start, payloadStart: Math.min(sizeAt, data.length), end: data.length };
  let size = 0;
  let at = sizeAt;
  for (let shift = 0; ; shift += 7) {
    if (at >= data.length || shift > 28) throw new MalformedInput("AV1 OBUs", at, "size is cut off or too long");
    const byte = data[at] ?? 0;
    at += 1;
    size += (byte & 127) * 2 ** shift;
    if (byte < 128) break;
  }
  if (size > data.length - at) throw new MalformedInput("AV1 OBUs", at, `size ${size} reaches past the end`);
  return { type, start, payloadStart: at, end: at + size };
}

/** sequence_header_obu() of the AV1 specification 5.5, with its names. */
function readSequenceHeader(payload: Uint8Array): SequenceHeader {
  const bits = new BitReader(payload, "AV1 sequence header");
  const profile = bits.bits(3);
  if (profile > 2) throw bits.malformed(`seq_profile is ${profile}`);
  bits.skip(1); // still_picture
  const isReduced = bits.flag();
  const operation = isReduced ? { level: bits.bits(5), tier: 0, frameRate: undefined } : readOperatingPoints(bits);
  const size = readFrameSize(bits);
  skipFrameIds(bits, isReduced);
  skipTools(bits, isReduced);
  return { profile, ...operation, ...size, colourConfig: readColourConfig(bits, profile) };
}

function readOperatingPoints(bits: BitReader): Pick<SequenceHeader, "level" | "tier" | "frameRate"> {
  let frameRate: VideoFormat["frameRate"];
  let bufferDelayBits = 0;
  if (bits.flag()) {
    frameRate = readTimingInfo(bits);
    if (bits.flag()) {
      bufferDelayBits = bits.bits(5) + 1;
      bits.skip(32 + 5 + 5);
    }
  }
  const hasInitialDisplayDelay = bits.flag();
  const points = Array.from({ length: bits.bits(5) + 1 }, () => {
    bits.skip(12);
    const level = bits.bits(5);
    const tier = level > 7 ? bits.bits(1) : 0;
    if (bufferDelayBits > 0 && bits.flag()) bits.skip(2 * bufferDelayBits + 1);
    if (hasInitialDisplayDelay && bits.flag()) bits.skip(4);
    return { level, tier };
  });
  return { level: points[0]?.level ?? 0, tier: points[0]?.tier ?? 0, frameRate };
}

function readTimingInfo(bits: BitReader): VideoFormat["frameRate"] {
  const ticksPerDisplayTick = bits.bits(32);
  const timeScale = bits.bits(32);
  const isEqualInterval = bits.flag();
  if (!isEqualInterval) return undefined;
  return frameRateOf(timeScale, ticksPerDisplayTick * (bits.ue() + 1));
}

function readFrameSize(bits: BitReader): { width: number; height: number } {
  const widthBits = bits.bits(4) + 1;
  const heightBits = bits.bits(4) + 1;
  return { width: bits.bits(widthBits) + 1, height: bits.bits(heightBits) + 1 };
}

function skipFrameIds(bits: BitReader, isReduced: boolean): void {
  if (!isReduced && bits.flag()) bits.skip(4 + 3);
}

/** From use_128x128_superblock to enable_restoration. */
function skipTools(bits: BitReader, isReduced: boolean): void {
  bits.skip(3); // use_128x128_superblock, enable_filter_intra, enable_intra_edge_filter
  if (!isReduced) {
    bits.skip(4); // interintra, masked compound, warped motion, dual filter
    const hasOrderHint = bits.flag();
    if (hasOrderHint) bits.skip(2); // jnt_comp, ref_frame_mvs
    const screenContentTools = bits.flag() ? SELECT_SCREEN_CONTENT_TOOLS : bits.bits(1);
    if (screenContentTools > 0 && !bits.flag()) bits.skip(1); // seq_choose_integer_mv, seq_force_integer_mv
    if (hasOrderHint) bits.skip(3);
  }
  bits.skip(3); // superres, cdef, restoration
}

function readColourConfig(bits: BitReader, profile: number): ColourConfig {
  const isHighBitDepth = bits.flag();
  const bitDepth = isHighBitDepth ? (profile === 2 && bits.flag() ? 12 : 10) : 8;
  const isMonochrome = profile !== SEPARATE_UV_PROFILE && bits.flag();
  const [primaries, transfer, matrix] = bits.flag()
    ? [bits.bits(8), bits.bits(8), bits.bits(8)]
    : [COLOUR_UNSPECIFIED, COLOUR_UNSPECIFIED, COLOUR_UNSPECIFIED];
  // BT.709 primaries with the sRGB transfer and identity matrix is RGB: full range 4:4:4 without further bits.
  const isRgb = !isMonochrome && primaries === 1 && transfer === 13 && matrix === 0;
  const isFullRange = isRgb || bits.flag();
  const subsampling = isMonochrome ? "110" : isRgb ? "000" : readSubsampling(bits, profile, bitDepth);
  const colour = describedColour({ primaries, transfer, matrix, isFullRange });
  return { bitDepth, isMonochrome, subsampling, colour };
}

/** The CCC field of the codec string: subsampling in x and y, then chroma_sample_position. */
function readSubsampling(bits: BitReader, profile: number, bitDepth: number): string {
  if (profile === 1) return "000";
  const x = profile === 0 ? 1 : bitDepth === 12 ? bits.bits(1) : 1;
  const y = profile === 0 ? 1 : bitDepth === 12 && x === 1 ? bits.bits(1) : 0;
  return `${x}${y}${x === 1 && y === 1 ? bits.bits(2) : 0}`;
}

/** AV1 in ISO BMFF section 5: the short form, or the long one when the colours are not the default BT.709. */
function av1CodecString({ profile, level, tier, colourConfig }: SequenceHeader): string {
  const { bitDepth, isMonochrome, subsampling, colour } = colourConfig;
  const short = `av01.${profile}.${twoDigits(level)}${tier === 1 ? "H" : "M"}.${twoDigits(bitDepth)}`;
  const { primaries, transfer, matrix, isFullRange } = colour ?? {
    primaries: 1,
    transfer: 1,
    matrix: 1,
    isFullRange: false,
  };
  const codes = [primaries, transfer, matrix].map(twoDigits).join(".");
  const long = `${isMonochrome ? 1 : 0}.${subsampling}.${codes}.${isFullRange ? 1 : 0}`;
  return colour === undefined || long === "0.110.01.01.01.0" ? short : `${short}.${long}`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}
