import { MalformedInput } from "../../core/errors.ts";
import { ByteReader } from "../byte-reader.ts";
import type { AudioFormat } from "../format.ts";

/** Opus time is always counted at this rate (RFC 7845 section 4). */
const OPUS_RATE_HZ = 48_000;

/** Decoder delay of libopus at 48 kHz: what encoders announce when they announce anything. */
const USUAL_PRE_SKIP_SAMPLES = 312;
const LONGEST_PACKET_SAMPLES = 5760; // 120 ms

/** Frame length in samples by the upper five bits of the first byte (RFC 6716 table 2). */
const FRAME_SAMPLES = [
  ...[480, 960, 1920, 2880, 480, 960, 1920, 2880, 480, 960, 1920, 2880], // SILK: 10, 20, 40, 60 ms
  ...[480, 960, 480, 960], // hybrid: 10, 20 ms
  ...[120, 240, 480, 960, 120, 240, 480, 960, 120, 240, 480, 960, 120, 240, 480, 960], // CELT: 2.5 to 20 ms
];

/** Streams, coupled streams and channel mapping of mapping family 1 by channel count (RFC 7845 5.1.1.2, libopus' order). */
const SURROUND: Readonly<Record<number, readonly number[]>> = {
  3: [2, 1, 0, 2, 1],
  4: [2, 2, 0, 1, 2, 3],
  5: [3, 2, 0, 4, 1, 2, 3],
  6: [4, 2, 0, 4, 1, 2, 3, 5],
  7: [4, 3, 0, 4, 1, 2, 3, 5, 6],
  8: [5, 3, 0, 6, 1, 2, 3, 4, 5, 7],
};

interface Head {
  readonly channelCount: number;
  readonly preSkip: number;
  readonly inputRateHz: number;
  readonly gain: number;
  /** Mapping family, and what follows it when it is not 0. */
  readonly mapping: Uint8Array;
}

/**
 * An identification header (`OpusHead`, RFC 7845 5.1) as a format whose `config` is the `dOps` body. An empty header, as
 * Enhanced RTMP allows, stands for the usual one with `channelCount` channels. Throws MalformedInput.
 */
export function readOpusHead(idHeader: Uint8Array, channelCount = 2): AudioFormat {
  if (idHeader.length === 0) return opusFormat(usualHead(channelCount));
  const bytes = new ByteReader(idHeader, "OpusHead");
  if (bytes.fourCc() !== "Opus" || bytes.fourCc() !== "Head") throw bytes.malformed("no OpusHead signature");
  if (bytes.u8() > 15) throw bytes.malformed("unknown version");
  return opusFormat({
    channelCount: bytes.u8(),
    preSkip: bytes.u16LittleEndian(),
    inputRateHz: bytes.u32LittleEndian(),
    gain: bytes.u16LittleEndian(),
    mapping: bytes.rest(),
  });
}

/** A `dOps` body as a format. Throws MalformedInput. */
export function readOpusConfig(dOps: Uint8Array): AudioFormat {
  const bytes = new ByteReader(dOps, "dOps");
  if (bytes.u8() !== 0) throw bytes.malformed("unknown version");
  return opusFormat({
    channelCount: bytes.u8(),
    preSkip: bytes.u16(),
    inputRateHz: bytes.u32(),
    gain: bytes.u16(),
    mapping: bytes.rest(),
  });
}

/** PCM samples (at 48 kHz) that a packet makes, from its first bytes. Throws MalformedInput. */
export function opusPacketSamples(packet: Uint8Array): number {
  const toc = packet[0];
  if (toc === undefined) throw new MalformedInput("Opus packet", 0, "is empty");
  const frameSamples = FRAME_SAMPLES[toc >> 3] ?? 0;
  const code = toc & 3;
  const frameCount = code === 0 ? 1 : code < 3 ? 2 : (packet[1] ?? 0) & 63;
  const samples = frameSamples * frameCount;
  if (samples === 0 || samples > LONGEST_PACKET_SAMPLES) {
    throw new MalformedInput("Opus packet", 0, `${frameCount} frames of ${frameSamples} samples`);
  }
  return samples;
}

function usualHead(channelCount: number): Head {
  const surround = SURROUND[channelCount];
  const mapping = surround ? Uint8Array.of(1, ...surround) : Uint8Array.of(0);
  return { channelCount, preSkip: USUAL_PRE_SKIP_SAMPLES, inputRateHz: OPUS_RATE_HZ, gain: 0, mapping };
}

function opusFormat(head: Head): AudioFormat {
  return {
    kind: "audio",
    codec: "opus",
    config: writeDops(head),
    codecString: "opus",
    sampleRateHz: OPUS_RATE_HZ,
    channelCount: head.channelCount,
    samplesPerUnit: undefined,
  };
}

/** Opus in ISO BMFF 4.3.2: the identification header in big-endian. */
function writeDops(head: Head): Uint8Array {
  const { channelCount } = head;
  const family = head.mapping[0] ?? 0;
  const mappingLength = family === 0 ? 1 : 3 + channelCount;
  if (channelCount === 0 || (family === 0 && channelCount > 2)) {
    throw new MalformedInput("OpusHead", 9, `${channelCount} channels in mapping family ${family}`);
  }
  if (family > 0 && head.mapping.length < mappingLength) {
    throw new MalformedInput("OpusHead", 18, "channel mapping is cut off");
  }
  const dOps = new Uint8Array(10 + mappingLength);
  const view = new DataView(dOps.buffer);
  dOps[1] = channelCount;
  view.setUint16(2, head.preSkip);
  view.setUint32(4, head.inputRateHz);
  view.setUint16(8, head.gain);
  dOps.set(head.mapping.subarray(0, mappingLength), 10);
  return dOps;
}
