import type { AudioFormat } from "../format.ts";
import { flacFrameSamples } from "./flac.ts";
import { opusPacketSamples } from "./opus.ts";

/** PCM samples (per channel) in one access unit, from its own header where units differ. Throws MalformedInput. */
export function unitSampleCount(format: AudioFormat, data: Uint8Array): number | undefined {
  if (format.codec === "opus") return opusPacketSamples(data);
  if (format.codec === "flac") return flacFrameSamples(data);
  return format.samplesPerUnit;
}
