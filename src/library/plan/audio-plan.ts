import type { SourceAudio, SourceMedia } from "../probe/source-media.ts";
import { labelTracks } from "../probe/track-label.ts";
import type { PlanOptions } from "./plan-options.ts";
import type { AudioCopySpec, AudioEncodeSpec, AudioSpec } from "./video-plan.ts";

export interface AudioPlan {
  /** The default track's first. */
  readonly renditions: readonly AudioSpec[];
  readonly notes: readonly string[];
  /** The rendition of the default track that is heard beside video whose quality goes with `audioBps`; null without sound. */
  beside(audioBps: number): string | null;
}

const MOST_TRACKS = 8;
const STEREO_BPS = 192_000;
const SURROUND_BPS = 384_000;
/** AAC's channel configurations; seven do not exist. */
const AAC_CHANNEL_COUNTS: ReadonlySet<number> = new Set([3, 4, 5, 6, 8]);
/** The source serves in place of a rendition whose bit rate is not clearly below its own. */
const WORTHWHILE = 1.25;

/**
 * Stereo for every track at one or two bit rates, which every player takes; beside it what the source has more: its
 * channels, or its own Opus or FLAC. AAC-LC of one or two channels is kept as it came, and is the best stereo itself.
 */
export function planAudio(media: SourceMedia, options: PlanOptions, rates: readonly number[]): AudioPlan {
  const taken = media.audio.filter(({ codec }) => options.audioCodecs.includes(codec));
  const main = taken.find(({ isDefault }) => isDefault) ?? taken[0];
  const tracks = main ? [main, ...taken.filter((track) => track !== main)].slice(0, MOST_TRACKS) : [];
  const canCopy = options.copiesAudio && media.container !== "avi";
  const wanted = main ? worthwhileRates(main, rates, canCopy) : [];
  const labels = labelTracks(tracks, "Audio");
  const forms = tracks.map((track, index) => {
    const naming = { language: track.language, isDefault: index === 0, ...(labels[index] ?? { tag: "", label: "" }) };
    return formsOf(track, naming, wanted, canCopy);
  });
  const stereo = forms[0]?.stereo ?? [];
  return {
    renditions: forms.flatMap(({ stereo, more }) => [...stereo, ...more]),
    notes: notesOn(media.audio, taken, tracks),
    beside: (audioBps) => (audioBps > (wanted.at(-1) ?? 0) ? stereo[0] : stereo.at(-1))?.id ?? null,
  };
}

/** All tracks are made at the same rates, so that changing the quality keeps the choice of languages. */
function worthwhileRates(main: SourceAudio, rates: readonly number[], canCopy: boolean): readonly number[] {
  const sourceBps = main.bitrateBps ?? Number.POSITIVE_INFINITY;
  if (!canCopy || !isPlainAac(main)) return rates;
  return rates.filter((bitrateBps, index) => index === 0 || sourceBps > bitrateBps * WORTHWHILE);
}

interface Naming {
  readonly tag: string;
  readonly label: string;
  readonly language: string | null;
  readonly isDefault: boolean;
}

interface Forms {
  /** Best first, as many for every track. */
  readonly stereo: readonly AudioSpec[];
  readonly more: readonly AudioSpec[];
}

function formsOf(track: SourceAudio, naming: Naming, rates: readonly number[], canCopy: boolean): Forms {
  const copy = canCopy ? copyOf(track, naming) : undefined;
  const isStereoCopy = copy !== undefined && isPlainAac(track);
  const stereo = rates.map((rate, index) => {
    return index === 0 && isStereoCopy ? copy : encodeOf(track, naming, rate, Math.min(2, track.channelCount));
  });
  if (isStereoCopy) return { stereo, more: [] };
  return { stereo, more: copy ? [copy] : surroundOf(track, naming) };
}

function isPlainAac({ codec, profile, channelCount, sampleRateHz }: SourceAudio): boolean {
  return codec === "aac" && profile === "LC" && channelCount <= 2 && sampleRateHz <= 48_000;
}

/** Codecs that our segments carry and players know, in the forms that they know. */
function copyOf(track: SourceAudio, { tag, ...names }: Naming): AudioCopySpec | undefined {
  const { index: streamIndex, codec, profile, channelCount, sampleRateHz } = track;
  const spec = {
    kind: "audio",
    method: "copy",
    id: `audio${tag}_source`,
    streamIndex,
    channelCount,
    sampleRateHz,
  } as const;
  if (codec === "aac") return profile === "LC" && sampleRateHz <= 48_000 ? { ...spec, codec, ...names } : undefined;
  if (codec === "ac3" || codec === "eac3") return channelCount > 2 ? { ...spec, codec, ...names } : undefined;
  if (codec !== "opus" && codec !== "flac") return undefined;
  return channelCount <= 2 && sampleRateHz <= 48_000 ? { ...spec, codec, ...names } : undefined;
}

function surroundOf(track: SourceAudio, naming: Naming): readonly AudioSpec[] {
  const channelCount = Math.min(6, track.channelCount);
  if (channelCount <= 2 || !AAC_CHANNEL_COUNTS.has(channelCount)) return [];
  return [encodeOf(track, naming, surroundBps(channelCount), channelCount)];
}

function encodeOf(
  { index: streamIndex, sampleRateHz }: SourceAudio,
  { tag, ...names }: Naming,
  rate: number,
  channelCount: number,
): AudioEncodeSpec {
  const bitrateBps = channelCount === 1 ? Math.round(rate / 2) : rate;
  return {
    kind: "audio",
    method: "encode",
    id: `audio${tag}_aac_${Math.round(bitrateBps / 1000)}`,
    streamIndex,
    channelCount,
    // Every player takes these two.
    sampleRateHz: sampleRateHz === 44_100 ? 44_100 : 48_000,
    bitrateBps,
    ...names,
  };
}

/** What is made in the place of sound that turned out not to fit our segments as it came. */
export function encodedInstead({ codec: _codec, ...spec }: AudioCopySpec): AudioEncodeSpec {
  const channelCount = AAC_CHANNEL_COUNTS.has(spec.channelCount)
    ? Math.min(6, spec.channelCount)
    : Math.min(2, spec.channelCount);
  const bitrateBps = channelCount > 2 ? surroundBps(channelCount) : STEREO_BPS / (3 - channelCount);
  const sampleRateHz = spec.sampleRateHz === 44_100 ? 44_100 : 48_000;
  return { ...spec, method: "encode", channelCount, bitrateBps, sampleRateHz };
}

function surroundBps(channelCount: number): number {
  return Math.round((SURROUND_BPS * channelCount) / 6);
}

function notesOn(
  all: readonly SourceAudio[],
  taken: readonly SourceAudio[],
  tracks: readonly SourceAudio[],
): readonly string[] {
  const refused = all.filter((track) => !taken.includes(track));
  const tooManyCount = taken.length - tracks.length;
  return [
    ...refused.map(({ index, codec }) => `Sound of stream ${index} is left out: its codec is ${codec}.`),
    ...(tooManyCount > 0 ? [`The file has ${all.length} tracks of sound; ${tooManyCount} are left out.`] : []),
  ];
}
