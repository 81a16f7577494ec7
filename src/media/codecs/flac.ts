import { BitReader } from "../bits.ts";
import { ByteReader } from "../byte-reader.ts";
import type { AudioFormat } from "../format.ts";

const STREAMINFO_BYTES = 34;
const LAST_BLOCK_FLAG = 0x80;
const FRAME_SYNC = 0x3ffe; // 14 bits

/** Block sizes of the frame header's 4-bit code that need no further bytes (RFC 9639 table 14). */
const BLOCK_SAMPLES: Readonly<Record<number, number>> = {
  1: 192,
  2: 576,
  3: 1152,
  4: 2304,
  5: 4608,
  8: 256,
  9: 512,
  10: 1024,
  11: 2048,
  12: 4096,
  13: 8192,
  14: 16_384,
  15: 32_768,
};

/**
 * A STREAMINFO block as a format whose `config` is the `dfLa` body. Takes the bare 34 bytes, or `fLaC` and the metadata
 * block as Enhanced RTMP sends them; what follows is ignored. Throws MalformedInput.
 */
export function readFlacConfig(header: Uint8Array): AudioFormat {
  if (header.length === STREAMINFO_BYTES) return flacFormat(header);
  const bytes = new ByteReader(header, "FLAC header");
  if (bytes.fourCc() !== "fLaC") throw bytes.malformed("no fLaC signature");
  return flacFormat(readStreamInfoBlock(bytes));
}

/** A `dfLa` body as a format. Throws MalformedInput. */
export function readDfla(dfLa: Uint8Array): AudioFormat {
  const bytes = new ByteReader(dfLa, "dfLa");
  if (bytes.u32() !== 0) throw bytes.malformed("unknown version");
  return flacFormat(readStreamInfoBlock(bytes));
}

/** PCM samples in a FLAC frame, from its header. Throws MalformedInput. */
export function flacFrameSamples(frame: Uint8Array): number {
  const bits = new BitReader(frame, "FLAC frame");
  if (bits.bits(14) !== FRAME_SYNC) throw bits.malformed("no sync code");
  bits.skip(2); // reserved, blocking strategy
  const code = bits.bits(4);
  bits.skip(4 + 4 + 3 + 1); // sample rate, channels, sample size, reserved
  const samples = BLOCK_SAMPLES[code];
  if (samples !== undefined) return samples;
  if (code !== 6 && code !== 7) throw bits.malformed("reserved block size");
  skipCodedNumber(bits);
  return bits.bits(code === 6 ? 8 : 16) + 1;
}

/** The frame or sample number, coded like UTF-8 in one to seven bytes. */
function skipCodedNumber(bits: BitReader): void {
  const length = Math.clz32(~bits.bits(8) & 0xff) - 24;
  if (length === 1 || length > 7) throw bits.malformed("coded number is not valid");
  if (length > 1) bits.skip((length - 1) * 8);
}

function readStreamInfoBlock(bytes: ByteReader): Uint8Array {
  const type = bytes.u8() & ~LAST_BLOCK_FLAG;
  const length = bytes.u24();
  if (type !== 0 || length !== STREAMINFO_BYTES) throw bytes.malformed("first metadata block is not STREAMINFO");
  return bytes.bytes(STREAMINFO_BYTES);
}

function flacFormat(streamInfo: Uint8Array): AudioFormat {
  const bits = new BitReader(streamInfo, "FLAC STREAMINFO");
  bits.skip(16 + 16 + 24 + 24);
  const sampleRateHz = bits.bits(20);
  if (sampleRateHz === 0) throw bits.malformed("sample rate is 0");
  const config = new Uint8Array(8 + STREAMINFO_BYTES);
  config[4] = LAST_BLOCK_FLAG;
  config[7] = STREAMINFO_BYTES;
  config.set(streamInfo, 8);
  return {
    kind: "audio",
    codec: "flac",
    config,
    codecString: "fLaC",
    sampleRateHz,
    channelCount: bits.bits(3) + 1,
    samplesPerUnit: undefined,
  };
}
