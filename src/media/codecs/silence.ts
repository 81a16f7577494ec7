import type { AudioFormat } from "../format.ts";

/** A unit in which nothing is heard. */
export interface SilentUnit {
  readonly data: Uint8Array;
  /** PCM samples per channel. */
  readonly sampleCount: number;
}

/**
 * One channel without any scale factor band, as bits of ISO/IEC 14496-3 §4.4.2: global gain, ics_info (long window, sine
 * shape, max_sfb 0, no prediction) unless its pair shares one, and none of pulse, noise shaping and gain control.
 */
const ICS_INFO = "00000000000";
const CHANNEL = `00000000${ICS_INFO}000`;
const SHARING_CHANNEL = "00000000000";

/** Syntactic elements by name: id, and what follows the instance tag. */
const AAC_ELEMENTS = {
  single: { id: "000", body: CHANNEL },
  pair: { id: "001", body: `1${ICS_INFO}00${SHARING_CHANNEL}${SHARING_CHANNEL}` },
  low: { id: "011", body: CHANNEL },
} as const;
const AAC_END = "111";

type AacElement = keyof typeof AAC_ELEMENTS;

/** What a raw data block holds for so many channels (table 1.19). */
const AAC_LAYOUTS: Readonly<Record<number, readonly AacElement[]>> = {
  1: ["single"],
  2: ["pair"],
  3: ["single", "pair"],
  4: ["single", "pair", "single"],
  5: ["single", "pair", "pair"],
  6: ["single", "pair", "pair", "low"],
  8: ["single", "pair", "pair", "pair", "low"],
};

const AAC_LC = "mp4a.40.2";
const HE_AAC = "mp4a.40.5";
/** Parametric stereo: two channels are heard, one is coded. */
const HE_AAC_V2 = "mp4a.40.29";

/** CELT, full band, 20 ms, one frame; its first symbol says "silence" (RFC 6716 §4.3). */
const OPUS_SILENCE = { mono: [0xf8, 0xff, 0xfe], stereo: [0xfc, 0xff, 0xfe] } as const;
const OPUS_SILENCE_SAMPLES = 960;

/** Silence that a decoder of this format takes between other units; undefined for formats that we cannot write. */
export function silentUnit(format: AudioFormat): SilentUnit | undefined {
  if (format.codec === "aac") return silentAac(format);
  return format.codec === "opus" ? silentOpus(format) : undefined;
}

function silentAac({ codecString, channelCount, samplesPerUnit }: AudioFormat): SilentUnit | undefined {
  if (![AAC_LC, HE_AAC, HE_AAC_V2].includes(codecString) || samplesPerUnit === undefined) return undefined;
  const layout = AAC_LAYOUTS[codecString === HE_AAC_V2 ? 1 : channelCount];
  return layout && { data: silentRawDataBlock(layout), sampleCount: samplesPerUnit };
}

function silentRawDataBlock(layout: readonly AacElement[]): Uint8Array {
  const tags = { single: 0, pair: 0, low: 0 };
  const elements = layout.map((element) => {
    const { id, body } = AAC_ELEMENTS[element];
    return `${id}${(tags[element]++).toString(2).padStart(4, "0")}${body}`;
  });
  const bits = `${elements.join("")}${AAC_END}`;
  const octets = bits.padEnd(Math.ceil(bits.length / 8) * 8, "0").match(/.{8}/g) ?? [];
  return Uint8Array.from(octets, (octet) => Number.parseInt(octet, 2));
}

/** Mapping family 0 alone: one stream. The TOC byte says for itself whether it is stereo. */
function silentOpus({ channelCount }: AudioFormat): SilentUnit | undefined {
  if (channelCount > 2) return undefined;
  const data = Uint8Array.from(OPUS_SILENCE[channelCount === 1 ? "mono" : "stereo"]);
  return { data, sampleCount: OPUS_SILENCE_SAMPLES };
}
