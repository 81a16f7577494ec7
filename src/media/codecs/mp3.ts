import { BitReader } from "../bits.ts";
import type { AudioFormat } from "../format.ts";

const FRAME_SYNC = 0x7ff; // 11 bits
const LAYER_III = 1;
const MONO = 3;
const FREE_BIT_RATE = 0;
const BAD_BIT_RATE = 15;

/** By version bits: MPEG-2.5, reserved, MPEG-2, MPEG-1; then by rate index. */
const SAMPLE_RATES_HZ: readonly (readonly number[])[] = [
  [11_025, 12_000, 8_000],
  [],
  [22_050, 24_000, 16_000],
  [44_100, 48_000, 32_000],
];
const MPEG_1 = 3;

const NO_CONFIG = new Uint8Array(0);

/** The header of an MPEG audio layer III frame as a format. Throws MalformedInput. */
export function readMp3Frame(frame: Uint8Array): AudioFormat {
  const bits = new BitReader(frame, "MP3 frame");
  if (bits.bits(11) !== FRAME_SYNC) throw bits.malformed("no sync word");
  const version = bits.bits(2);
  if (bits.bits(2) !== LAYER_III) throw bits.malformed("not layer III");
  bits.skip(1); // protection
  const bitRate = bits.bits(4);
  const sampleRateHz = SAMPLE_RATES_HZ[version]?.[bits.bits(2)];
  if (sampleRateHz === undefined || bitRate === FREE_BIT_RATE || bitRate === BAD_BIT_RATE) {
    throw bits.malformed("reserved sample rate or bit rate");
  }
  bits.skip(2); // padding, private
  return mp3Format(sampleRateHz, bits.bits(2) === MONO ? 1 : 2, version === MPEG_1);
}

/** MP3 carries its parameters in every frame, so its sample entry alone is its configuration. */
export function mp3Format(sampleRateHz: number, channelCount: number, isMpeg1 = sampleRateHz >= 32_000): AudioFormat {
  return {
    kind: "audio",
    codec: "mp3",
    config: NO_CONFIG,
    codecString: "mp4a.40.34",
    sampleRateHz,
    channelCount,
    samplesPerUnit: isMpeg1 ? 1152 : 576,
  };
}
