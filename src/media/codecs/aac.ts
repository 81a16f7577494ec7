import { BitReader } from "../bits.ts";
import type { AudioFormat } from "../format.ts";

/** samplingFrequencyIndex 0 to 12 (ISO/IEC 14496-3 table 1.18); 15 escapes to 24 bits. */
const SAMPLE_RATES_HZ = [
  96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
];
const ESCAPED_RATE = 15;
const HIGHEST_RATE_HZ = 192_000;

/** channelConfiguration 1 to 14 (table 1.19 and amendments); 0 is told by a program config element. */
const CHANNEL_COUNTS = [0, 1, 2, 3, 4, 5, 6, 8, 0, 0, 0, 7, 8, 0, 8];

const OBJECT_SBR = 5;
const OBJECT_PS = 29;
const OBJECT_USAC = 42;
/** Main, LC, SSR, LTP: all have a GASpecificConfig and 1024 or 960 samples in a frame. */
const GENERAL_AUDIO_OBJECTS = new Set([1, 2, 3, 4]);

const SBR_SYNC_EXTENSION = 0x2b7;
const PS_SYNC_EXTENSION = 0x548;

/** Output samples of a USAC frame by coreSbrFrameLengthIndex (ISO/IEC 23003-3 table 70). */
const USAC_FRAME_SAMPLES = [768, 1024, 2048, 2048, 4096];

interface Core {
  readonly objectType: number;
  readonly sampleRateHz: number;
  readonly channelCount: number;
  readonly frameSamples: number;
}

/** What spectral band replication and parametric stereo add to the core. */
interface Extension {
  readonly objectType: typeof OBJECT_SBR | typeof OBJECT_PS;
  readonly sampleRateHz: number;
}

/**
 * An AudioSpecificConfig as a format. Throws MalformedInput.
 *
 * `sampleRateHz` is the rate of what the decoder puts out, and so the track's timescale. When the configuration says that
 * SBR is there (object type 5 or 29 in front, or the backward compatible extension behind), that is twice the core's rate
 * and a unit makes 2048 samples: 1024 at the core's rate last exactly as long. SBR that hides in the bit stream (implicit
 * signalling) cannot be seen here: then the core's rate and 1024 stand, and time is right all the same.
 */
export function readAacConfig(asc: Uint8Array): AudioFormat {
  const bits = new BitReader(asc, "AudioSpecificConfig");
  const first = readObjectType(bits);
  const coreRateHz = readSampleRate(bits);
  const channelConfiguration = bits.bits(4);
  const hierarchical = first === OBJECT_SBR || first === OBJECT_PS ? readExtension(bits, first) : undefined;
  const objectType = hierarchical ? readObjectType(bits) : first;
  const core = readCore(bits, objectType, coreRateHz, channelConfiguration);
  const extension = hierarchical ?? readSyncExtension(bits);
  return {
    kind: "audio",
    codec: "aac",
    config: asc,
    codecString: `mp4a.40.${extension?.objectType ?? core.objectType}`,
    sampleRateHz: extension?.sampleRateHz ?? core.sampleRateHz,
    channelCount: extension?.objectType === OBJECT_PS && core.channelCount === 1 ? 2 : core.channelCount,
    samplesPerUnit: samplesPerUnit(bits, core, extension),
  };
}

function samplesPerUnit(bits: BitReader, core: Core, extension: Extension | undefined): number {
  const ratio = (extension?.sampleRateHz ?? core.sampleRateHz) / core.sampleRateHz;
  if (ratio !== 1 && ratio !== 2) throw bits.malformed(`SBR changes the sample rate ${ratio} times`);
  return core.frameSamples * ratio;
}

function readObjectType(bits: BitReader): number {
  const type = bits.bits(5);
  return type === 31 ? 32 + bits.bits(6) : type;
}

function readSampleRate(bits: BitReader): number {
  const index = bits.bits(4);
  const rateHz = index === ESCAPED_RATE ? bits.bits(24) : SAMPLE_RATES_HZ[index];
  if (!rateHz || rateHz > HIGHEST_RATE_HZ) throw bits.malformed("no valid sample rate");
  return rateHz;
}

function readExtension(bits: BitReader, objectType: Extension["objectType"]): Extension {
  return { objectType, sampleRateHz: readSampleRate(bits) };
}

function readCore(bits: BitReader, objectType: number, sampleRateHz: number, channelConfiguration: number): Core {
  if (objectType === OBJECT_USAC) return readUsacCore(bits, sampleRateHz, channelConfiguration);
  if (!GENERAL_AUDIO_OBJECTS.has(objectType)) throw bits.malformed(`audio object type ${objectType} is not supported`);
  const frameSamples = bits.flag() ? 960 : 1024;
  if (bits.flag()) bits.skip(14); // coreCoderDelay
  bits.skip(1); // extensionFlag, whose content these object types do not have
  const channelCount =
    channelConfiguration === 0 ? readProgramChannels(bits) : (CHANNEL_COUNTS[channelConfiguration] ?? 0);
  if (channelCount === 0) throw bits.malformed("no valid channel configuration");
  return { objectType, sampleRateHz, channelCount, frameSamples };
}

function readUsacCore(bits: BitReader, sampleRateHz: number, channelConfiguration: number): Core {
  if (bits.bits(5) === 31) bits.skip(24);
  const frameSamples = USAC_FRAME_SAMPLES[bits.bits(3)];
  const channelCount = CHANNEL_COUNTS[channelConfiguration];
  if (!frameSamples || !channelCount) throw bits.malformed("USAC configuration is not supported");
  return { objectType: OBJECT_USAC, sampleRateHz, channelCount, frameSamples };
}

/** Channels that a program_config_element() names (ISO/IEC 14496-3 table 4.2). */
function readProgramChannels(bits: BitReader): number {
  bits.skip(4 + 2 + 4); // element_instance_tag, object_type, sampling_frequency_index
  const [front, side, back, lfe, data, coupling] = [
    bits.bits(4),
    bits.bits(4),
    bits.bits(4),
    bits.bits(2),
    bits.bits(3),
    bits.bits(4),
  ];
  if (bits.flag()) bits.skip(4); // mono mixdown
  if (bits.flag()) bits.skip(4); // stereo mixdown
  if (bits.flag()) bits.skip(3); // matrix mixdown
  let channelCount = lfe;
  for (let i = 0; i < front + side + back; i += 1) {
    channelCount += bits.flag() ? 2 : 1;
    bits.skip(4);
  }
  bits.skip(lfe * 4 + data * 4 + coupling * 5);
  bits.alignToByte();
  bits.skip(bits.bits(8) * 8); // comment
  return channelCount;
}

/** The backward compatible signalling that may follow the core's configuration. */
function readSyncExtension(bits: BitReader): Extension | undefined {
  if (bits.bitsLeft < 16 || bits.bits(11) !== SBR_SYNC_EXTENSION) return undefined;
  if (readObjectType(bits) !== OBJECT_SBR || bits.bitsLeft < 1 || !bits.flag()) return undefined;
  const { sampleRateHz } = readExtension(bits, OBJECT_SBR);
  const hasPs = bits.bitsLeft >= 12 && bits.bits(11) === PS_SYNC_EXTENSION && bits.flag();
  return { objectType: hasPs ? OBJECT_PS : OBJECT_SBR, sampleRateHz };
}
