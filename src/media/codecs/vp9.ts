import { BitReader } from "../bits.ts";
import { ByteReader } from "../byte-reader.ts";
import type { ColourDescription, VideoFormat } from "../format.ts";
import { describedColour } from "./colour.ts";
import { SQUARE_SAMPLES } from "./vui.ts";

const FRAME_MARKER = 2;
const SYNC_CODE = 0x498342;
const COLOUR_SPACE_RGB = 7;
const COLOUR_UNSPECIFIED = 2;

/** What a VP9 key frame says in its uncompressed header. */
export interface Vp9KeyFrame {
  readonly profile: number;
  readonly bitDepth: number;
  /** As in `vpcC`: 0 and 1 are 4:2:0, 2 is 4:2:2, 3 is 4:4:4. */
  readonly chromaSubsampling: number;
  readonly isFullRange: boolean;
  readonly width: number;
  readonly height: number;
}

/** `vpcC` counts its levels times ten; smallest level by luma samples in a picture (VP9 levels, Annex A). */
const LEVELS: readonly (readonly [number, number])[] = [
  [36_864, 10],
  [73_728, 11],
  [122_880, 20],
  [245_760, 21],
  [552_960, 30],
  [983_040, 31],
  [2_228_224, 40],
  [8_912_896, 50],
  [35_651_584, 60],
];

/**
 * The format of a VP9 track: the configuration does not say its picture size, a key frame does. `vpcC` may be the whole
 * box body or (as Enhanced RTMP sends it) without version and flags; undefined makes one from the key frame.
 * Throws MalformedInput.
 */
export function vp9Format(vpcC: Uint8Array | undefined, keyFrame: { width: number; height: number }): VideoFormat;
export function vp9Format(vpcC: Uint8Array | undefined, keyFrame: Vp9KeyFrame): VideoFormat;
export function vp9Format(
  vpcC: Uint8Array | undefined,
  keyFrame: { width: number; height: number } | Vp9KeyFrame,
): VideoFormat {
  const config = vpcC ? wholeVpcC(vpcC) : makeVpcC(keyFrame);
  const { profile, level, bitDepth, chroma, colour } = readVpcC(config);
  return {
    kind: "video",
    codec: "vp9",
    config,
    codecString: vp9CodecString(profile, level || levelOf(keyFrame), bitDepth, chroma, colour),
    width: keyFrame.width,
    height: keyFrame.height,
    sampleAspect: SQUARE_SAMPLES,
    frameRate: undefined,
    colour: describedColour(colour),
    bitDepth,
  };
}

/** The header of a key frame; undefined for any other frame. Throws MalformedInput when it is no VP9 frame. */
export function readVp9KeyFrame(data: Uint8Array): Vp9KeyFrame | undefined {
  const bits = new BitReader(data, "VP9 frame");
  if (bits.bits(2) !== FRAME_MARKER) throw bits.malformed("no frame marker");
  const profile = bits.bits(1) + bits.bits(1) * 2;
  if (profile === 3 && bits.flag()) throw bits.malformed("reserved profile");
  const isShowingExisting = bits.flag();
  if (isShowingExisting || bits.flag()) return undefined; // frame_type 1 is a non-key frame
  bits.skip(2); // show_frame, error_resilient_mode
  if (bits.bits(24) !== SYNC_CODE) throw bits.malformed("no sync code");
  const colour = readColourConfig(bits, profile);
  return { profile, ...colour, width: bits.bits(16) + 1, height: bits.bits(16) + 1 };
}

/** Whether a decoder can start at this frame. Throws MalformedInput when it is no VP9 frame. */
export function isVp9KeyFrame(data: Uint8Array): boolean {
  return readVp9KeyFrame(data) !== undefined;
}

function readColourConfig(
  bits: BitReader,
  profile: number,
): Pick<Vp9KeyFrame, "bitDepth" | "chromaSubsampling" | "isFullRange"> {
  const bitDepth = profile < 2 ? 8 : bits.flag() ? 12 : 10;
  const hasFreeSubsampling = profile % 2 === 1;
  if (bits.bits(3) === COLOUR_SPACE_RGB) {
    if (!hasFreeSubsampling) throw bits.malformed("RGB needs profile 1 or 3");
    bits.skip(1);
    return { bitDepth, chromaSubsampling: 3, isFullRange: true };
  }
  const isFullRange = bits.flag();
  if (!hasFreeSubsampling) return { bitDepth, chromaSubsampling: 1, isFullRange };
  const [x, y] = [bits.bits(1), bits.bits(1)];
  bits.skip(1);
  return { bitDepth, chromaSubsampling: x === 0 ? 3 : y === 0 ? 2 : 1, isFullRange };
}

interface VpcC {
  readonly profile: number;
  readonly level: number;
  readonly bitDepth: number;
  readonly chroma: number;
  readonly colour: ColourDescription;
}

function readVpcC(vpcC: Uint8Array): VpcC {
  const bytes = new ByteReader(vpcC, "vpcC");
  if (bytes.u32() !== 0x01000000) throw bytes.malformed("unknown version");
  const profile = bytes.u8();
  const level = bytes.u8();
  const packed = bytes.u8();
  const [primaries, transfer, matrix] = [bytes.u8(), bytes.u8(), bytes.u8()];
  bytes.skip(bytes.u16());
  const bitDepth = packed >> 4;
  if (profile > 3) throw bytes.malformed(`profile is ${profile}`);
  if (bitDepth !== 8 && bitDepth !== 10 && bitDepth !== 12) throw bytes.malformed(`bit depth is ${bitDepth}`);
  const isFullRange = (packed & 1) === 1;
  return { profile, level, bitDepth, chroma: (packed >> 1) & 7, colour: { primaries, transfer, matrix, isFullRange } };
}

/** With version and flags in front. They cannot be mistaken for a record: its third byte, with the bit depth, is never 0. */
function wholeVpcC(vpcC: Uint8Array): Uint8Array {
  if (vpcC[0] === 1 && vpcC[1] === 0 && vpcC[2] === 0 && vpcC[3] === 0) return vpcC;
  const whole = new Uint8Array(vpcC.length + 4);
  whole[0] = 1;
  whole.set(vpcC, 4);
  return whole;
}

function makeVpcC(keyFrame: { width: number; height: number } | Vp9KeyFrame): Uint8Array {
  const { profile, bitDepth, chromaSubsampling, isFullRange } = {
    profile: 0,
    bitDepth: 8,
    chromaSubsampling: 1,
    isFullRange: false,
    ...keyFrame,
  };
  const packed = (bitDepth << 4) | (chromaSubsampling << 1) | (isFullRange ? 1 : 0);
  const unknown = COLOUR_UNSPECIFIED;
  return Uint8Array.of(1, 0, 0, 0, profile, levelOf(keyFrame), packed, unknown, unknown, unknown, 0, 0);
}

function levelOf({ width, height }: { width: number; height: number }): number {
  return LEVELS.find(([most]) => width * height <= most)?.[1] ?? 62;
}

/** VP codec ISO media file format binding, "Codecs parameter string": the long form when the colours are described. */
function vp9CodecString(
  profile: number,
  level: number,
  bitDepth: number,
  chroma: number,
  colour: ColourDescription,
): string {
  const short = ["vp09", ...[profile, level, bitDepth].map(twoDigits)].join(".");
  const { primaries, transfer, matrix, isFullRange } = colour;
  const isDefault = primaries === 1 && transfer === 1 && matrix === 1 && !isFullRange && chroma <= 1;
  if (!describedColour(colour) || isDefault) return short;
  return [short, ...[chroma, primaries, transfer, matrix, isFullRange ? 1 : 0].map(twoDigits)].join(".");
}

function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}
