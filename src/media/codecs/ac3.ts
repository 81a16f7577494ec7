import { MalformedInput } from "../../core/errors.ts";
import { BitReader } from "../bits.ts";
import type { AudioFormat } from "../format.ts";

const SYNC_WORD = 0x0b77;
const SAMPLE_RATES_HZ = [48_000, 44_100, 32_000];
const REDUCED_RATES_HZ = [24_000, 22_050, 16_000];
/** Full-bandwidth channels by acmod (ETSI TS 102 366 table 4.3). */
const CHANNEL_COUNTS = [2, 1, 2, 3, 3, 4, 4, 5];
const BLOCK_SAMPLES = 256;
const BLOCK_COUNTS = [1, 2, 3, 6];
/** kbit/s by frmsizecod / 2. */
const BIT_RATES_KBPS = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640];
const FRAME_SAMPLES = 1536;

const HIGHEST_AC3_BSID = 8;
const EAC3_BSIDS = { lowest: 11, highest: 16 };
const DEPENDENT_SUBSTREAM = 1;
const MOST_SYNC_FRAMES = 64;

/**
 * Channels that each bit of `chan_loc` adds, from its highest bit on (ETSI TS 102 366 annex F), and the bit of a dependent
 * substream's `chanmap` (also counted from the highest, table E.1.3) that says the same.
 */
const CHANNEL_LOCATIONS: readonly { readonly channelCount: number; readonly mapBit: number }[] = [
  { channelCount: 2, mapBit: 5 }, // Lc/Rc
  { channelCount: 2, mapBit: 6 }, // Lrs/Rrs
  { channelCount: 1, mapBit: 7 }, // Cs
  { channelCount: 1, mapBit: 8 }, // Ts
  { channelCount: 2, mapBit: 9 }, // Lsd/Rsd
  { channelCount: 2, mapBit: 10 }, // Lw/Rw
  { channelCount: 2, mapBit: 11 }, // Lvh/Rvh
  { channelCount: 1, mapBit: 12 }, // Cvh
  { channelCount: 1, mapBit: 14 }, // LFE2
];

/**
 * An access unit of AC-3 or E-AC-3 (sync frames, beginning with a sync word) as a format whose `config` is the `dac3` or
 * `dec3` body. Throws MalformedInput.
 */
export function readAc3Frame(frame: Uint8Array): AudioFormat {
  const bsid = (frame[5] ?? 0) >> 3;
  if (bsid <= HIGHEST_AC3_BSID) return readAc3(frame);
  if (bsid >= EAC3_BSIDS.lowest && bsid <= EAC3_BSIDS.highest) return readEac3(frame);
  throw new MalformedInput("AC-3 frame", 5, `unknown bit stream id ${bsid}`);
}

/** A `dac3` body as a format. Throws MalformedInput. */
export function readAc3Config(dac3: Uint8Array): AudioFormat {
  const bits = new BitReader(dac3, "dac3");
  const sampleRateHz = SAMPLE_RATES_HZ[bits.bits(2)];
  if (sampleRateHz === undefined) throw bits.malformed("reserved sample rate");
  bits.skip(5 + 3);
  const channelCount = channelsOf(bits.bits(3), bits.flag());
  bits.skip(5 + 5);
  return { ...formatOf("ac3", dac3), sampleRateHz, channelCount, samplesPerUnit: FRAME_SAMPLES };
}

/** A `dec3` body as a format. Throws MalformedInput. */
export function readEac3Config(dec3: Uint8Array): AudioFormat {
  const bits = new BitReader(dec3, "dec3");
  bits.skip(13 + 3);
  const sampleRateHz = SAMPLE_RATES_HZ[bits.bits(2)];
  if (sampleRateHz === undefined) throw bits.malformed("sample rates below 32 kHz are not told here");
  bits.skip(5 + 1 + 1 + 3);
  const channelCount = channelsOf(bits.bits(3), bits.flag());
  bits.skip(3);
  const locations = bits.bits(4) > 0 ? bits.bits(9) : 0;
  return {
    ...formatOf("eac3", dec3),
    sampleRateHz,
    channelCount: channelCount + locatedChannels(locations),
    samplesPerUnit: FRAME_SAMPLES,
  };
}

function formatOf(
  codec: "ac3" | "eac3",
  config: Uint8Array,
): Pick<AudioFormat, "kind" | "codec" | "config" | "codecString"> {
  return { kind: "audio", codec, config, codecString: codec === "ac3" ? "ac-3" : "ec-3" };
}

function channelsOf(mode: number, hasLfe: boolean): number {
  return (CHANNEL_COUNTS[mode] ?? 0) + (hasLfe ? 1 : 0);
}

function locatedChannels(locations: number): number {
  const named = CHANNEL_LOCATIONS.filter((_, i) => locations & (0x100 >> i));
  return named.reduce((count, { channelCount }) => count + channelCount, 0);
}

/** syncinfo() and bsi() of ETSI TS 102 366 4.3. */
function readAc3(frame: Uint8Array): AudioFormat {
  const bits = new BitReader(frame, "AC-3 frame");
  if (bits.bits(16) !== SYNC_WORD) throw bits.malformed("no sync word");
  bits.skip(16); // crc1
  const rateCode = bits.bits(2);
  const bitRateCode = bits.bits(6) >> 1;
  const bsid = bits.bits(5);
  const bitStreamMode = bits.bits(3);
  const mode = bits.bits(3);
  if (mode % 2 === 1 && mode !== 1) bits.skip(2); // centre mix level
  if (mode & 4) bits.skip(2); // surround mix level
  if (mode === 2) bits.skip(2); // Dolby Surround mode
  const lfe = bits.bits(1);
  const sampleRateHz = SAMPLE_RATES_HZ[rateCode];
  if (sampleRateHz === undefined || BIT_RATES_KBPS[bitRateCode] === undefined) throw bits.malformed("reserved rate");
  const packed =
    (rateCode << 22) | (bsid << 17) | (bitStreamMode << 14) | (mode << 11) | (lfe << 10) | (bitRateCode << 5);
  const config = Uint8Array.of(packed >> 16, packed >> 8, packed);
  return {
    ...formatOf("ac3", config),
    sampleRateHz,
    channelCount: channelsOf(mode, lfe === 1),
    samplesPerUnit: FRAME_SAMPLES,
  };
}

/** All sync frames of the access unit; the first independent substream and what depends on it make the format. */
function readEac3(unit: Uint8Array): AudioFormat {
  const first = readEac3SyncFrame(unit, 0);
  if (first.isDependent) throw new MalformedInput("E-AC-3 frame", 2, "access unit begins with a dependent substream");
  let blockCount = 0;
  let dependentCount = 0;
  let locations = 0;
  let frameCount = 0;
  for (let at = 0; at < unit.length; frameCount += 1) {
    if (frameCount === MOST_SYNC_FRAMES) throw new MalformedInput("E-AC-3 frame", at, "too many sync frames");
    const frame = readEac3SyncFrame(unit, at);
    at += frame.byteLength;
    if (frame.isDependent) locations |= frame.locations;
    if (frame.isDependent && blockCount === first.blockCount) dependentCount += 1;
    if (!frame.isDependent && frame.substream === 0) blockCount += frame.blockCount;
  }
  const config = writeDec3(first, unit.length, blockCount, dependentCount, locations);
  return {
    ...formatOf("eac3", config),
    sampleRateHz: first.sampleRateHz,
    channelCount: channelsOf(first.mode, first.hasLfe) + locatedChannels(locations),
    samplesPerUnit: blockCount * BLOCK_SAMPLES,
  };
}

/** What the header of an E-AC-3 sync frame says. */
interface Eac3SyncFrame {
  readonly byteLength: number;
  readonly isDependent: boolean;
  readonly substream: number;
  readonly rateCode: number;
  readonly sampleRateHz: number;
  readonly blockCount: number;
  readonly bsid: number;
  readonly mode: number;
  readonly hasLfe: boolean;
  /** `chan_loc` of what a dependent substream adds. */
  readonly locations: number;
}

/** syncinfo() and the start of bsi() of ETSI TS 102 366 E.1.2. */
function readEac3SyncFrame(unit: Uint8Array, at: number): Eac3SyncFrame {
  const bits = new BitReader(unit.subarray(at), "E-AC-3 frame");
  if (bits.bits(16) !== SYNC_WORD) throw bits.malformed("no sync word");
  const isDependent = bits.bits(2) === DEPENDENT_SUBSTREAM;
  const substream = bits.bits(3);
  const byteLength = (bits.bits(11) + 1) * 2;
  const rateCode = bits.bits(2);
  const reducedOrBlocks = bits.bits(2);
  const sampleRateHz = rateCode === 3 ? REDUCED_RATES_HZ[reducedOrBlocks] : SAMPLE_RATES_HZ[rateCode];
  if (sampleRateHz === undefined) throw bits.malformed("reserved sample rate");
  const mode = bits.bits(3);
  const hasLfe = bits.flag();
  const bsid = bits.bits(5);
  const blockCount = rateCode === 3 ? 6 : (BLOCK_COUNTS[reducedOrBlocks] ?? 6);
  const locations = isDependent ? readChannelMap(bits, mode) : 0;
  return { byteLength, rateCode, sampleRateHz, bsid, mode, hasLfe, isDependent, substream, blockCount, locations };
}

/** chanmap of a dependent substream as `chan_loc`, which leaves out the five main channels and the LFE. */
function readChannelMap(bits: BitReader, mode: number): number {
  bits.skip(5); // dialnorm
  if (bits.flag()) bits.skip(8); // compr
  if (mode === 0) {
    bits.skip(5);
    if (bits.flag()) bits.skip(8);
  }
  if (!bits.flag()) return 0;
  const map = bits.bits(16);
  return CHANNEL_LOCATIONS.reduce(
    (locations, { mapBit }, i) => locations | (map & (0x8000 >> mapBit) ? 0x100 >> i : 0),
    0,
  );
}

function writeDec3(
  first: Eac3SyncFrame,
  unitBytes: number,
  blockCount: number,
  dependentCount: number,
  locations: number,
): Uint8Array {
  const seconds = (blockCount * BLOCK_SAMPLES) / first.sampleRateHz;
  const dataRateKbps = Math.min(Math.round((unitBytes * 8) / seconds / 1000), 0x1fff);
  const rate = dataRateKbps << 3; // num_ind_sub 0: one independent substream
  const programme = (first.rateCode << 14) | (first.bsid << 9) | (first.mode << 1) | (first.hasLfe ? 1 : 0);
  const head = [rate >> 8, rate, programme >> 8, programme];
  return dependentCount > 0
    ? Uint8Array.of(...head, (dependentCount << 1) | (locations >> 8), locations)
    : Uint8Array.of(...head, 0);
}
