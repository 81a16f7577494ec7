import { DomainError } from "../core/errors.ts";
import type { AudioFormat, VideoFormat } from "../media/format.ts";

/** What a ladder says about one quality: the picture fits inside the box, whichever way round it is. */
export interface LadderRung {
  /** Rendition id; stands in paths. */
  readonly id: string;
  readonly width: number;
  readonly height: number;
  /** At up to 30 frames per second. */
  readonly videoBps: number;
  readonly audioBps: number;
  readonly profile: H264Profile;
  /** The lowest level that is declared; raised when size and frame rate need more. */
  readonly level: H264Level;
}

export type H264Profile = "main" | "high";

/** ISO/IEC 14496-10 table A-1: macroblocks per second and per frame that a decoder of this level must manage. */
const LEVEL_LIMITS = {
  "2.1": { macroblocksPerSecond: 19_800, macroblocksPerFrame: 792 },
  "3.0": { macroblocksPerSecond: 40_500, macroblocksPerFrame: 1_620 },
  "3.1": { macroblocksPerSecond: 108_000, macroblocksPerFrame: 3_600 },
  "3.2": { macroblocksPerSecond: 216_000, macroblocksPerFrame: 5_120 },
  "4.0": { macroblocksPerSecond: 245_760, macroblocksPerFrame: 8_192 },
  "4.1": { macroblocksPerSecond: 245_760, macroblocksPerFrame: 8_192 },
  "4.2": { macroblocksPerSecond: 522_240, macroblocksPerFrame: 8_704 },
  "5.0": { macroblocksPerSecond: 589_824, macroblocksPerFrame: 22_080 },
  "5.1": { macroblocksPerSecond: 983_040, macroblocksPerFrame: 36_864 },
  "5.2": { macroblocksPerSecond: 2_073_600, macroblocksPerFrame: 36_864 },
} as const;

export type H264Level = keyof typeof LEVEL_LIMITS;

const LEVELS = Object.keys(LEVEL_LIMITS) as H264Level[];

/** The ladder of a stream that names no qualities. */
export const DEFAULT_LADDER: readonly LadderRung[] = [
  { id: "high", width: 1920, height: 1080, videoBps: 3_500_000, audioBps: 128_000, profile: "high", level: "4.1" },
  { id: "medium", width: 1280, height: 720, videoBps: 2_000_000, audioBps: 128_000, profile: "main", level: "3.1" },
  { id: "low", width: 854, height: 480, videoBps: 1_000_000, audioBps: 96_000, profile: "main", level: "3.0" },
];

/** What a stream's `qualities` may name, best first. 1080p to 360p carry the bit rates of the upload profiles. */
export const NAMED_QUALITIES = {
  "2160p": { width: 3840, height: 2160, videoBps: 14_000_000, audioBps: 192_000, profile: "high", level: "5.1" },
  "1440p": { width: 2560, height: 1440, videoBps: 9_000_000, audioBps: 192_000, profile: "high", level: "5.0" },
  "1080p": { width: 1920, height: 1080, videoBps: 5_000_000, audioBps: 192_000, profile: "high", level: "4.1" },
  "720p": { width: 1280, height: 720, videoBps: 2_800_000, audioBps: 128_000, profile: "main", level: "3.1" },
  "480p": { width: 854, height: 480, videoBps: 1_400_000, audioBps: 128_000, profile: "main", level: "3.0" },
  "360p": { width: 640, height: 360, videoBps: 800_000, audioBps: 96_000, profile: "main", level: "3.0" },
  "240p": { width: 426, height: 240, videoBps: 400_000, audioBps: 96_000, profile: "main", level: "2.1" },
} as const satisfies Record<string, Omit<LadderRung, "id">>;

export type QualityName = keyof typeof NAMED_QUALITIES;

export const QUALITY_NAMES = Object.keys(NAMED_QUALITIES) as readonly QualityName[];

/** The audio rendition that is the publisher's own. */
const SOURCE_AUDIO_ID = "audio_source";

export interface VideoRung {
  readonly id: string;
  /** Square pixels, even, never more of them than the source shows. */
  readonly width: number;
  readonly height: number;
  readonly bitrateBps: number;
  readonly profile: H264Profile;
  readonly level: H264Level;
  /** What is heard beside it: `audio_source` or an `AudioRung`; undefined without audio. */
  readonly audioRenditionId: string | undefined;
}

export interface AudioRung {
  /** `aac_` and kbit/s. */
  readonly id: string;
  readonly bitrateBps: number;
  readonly sampleRateHz: number;
  readonly channelCount: number;
}

/** What is to be encoded, best first. */
export interface LadderPlan {
  readonly video: readonly VideoRung[];
  readonly audio: readonly AudioRung[];
}

/** What a ladder has to know of a picture. */
export type LadderPicture = Pick<VideoFormat, "width" | "height" | "sampleAspect" | "frameRate"> & {
  readonly codec: string;
};

export interface LadderSource {
  readonly video?: LadderPicture | undefined;
  readonly audio?: AudioFormat | undefined;
  /** As the publisher announces it, or as it was measured. */
  readonly sourceBitrate?:
    | { readonly videoBps?: number | undefined; readonly audioBps?: number | undefined }
    | undefined;
}

export interface LadderChoice {
  /** Names out of NAMED_QUALITIES; they replace the ladder. */
  readonly qualities?: readonly string[] | undefined;
  readonly rungs?: readonly LadderRung[] | undefined;
  /** False: the source as it came, nothing else. */
  readonly transcode: boolean;
}

/** Above this many frames per second a rung gets half as many bits again. */
const HIGH_FRAME_RATE = 35;
const ASSUMED_FRAME_RATE = 30;
const HIGHEST_FRAME_RATE = 240;
/** A rung of the source's own size is worth its work when it saves at least this share of the source's bits. */
const WORTHWHILE_SAVING = 0.2;
/** Fewer bits a second for each pixel make no picture: who announces them is mistaken. A still slide needs about so many. */
const LEAST_BITS_PER_PIXEL = 0.15;

/**
 * Which rungs a source gets beside itself. Never larger than the source. A rung of exactly its size is left out only
 * when an H.264 source is known to need hardly more bits (a viewer gains nothing, the machine pays most for it) and
 * nobody asked for it by name. A source below every rung gets one at its own size with the lowest rung's settings.
 * An audio rung is left out when the source is AAC-LC of no higher bit rate: the source is heard in its place.
 * Throws DomainError INVALID_REQUEST for a quality that has no entry in NAMED_QUALITIES.
 */
export function planLadder(given: LadderSource, choice: LadderChoice): LadderPlan {
  const ladder = chosenRungs(choice);
  if (!choice.transcode || ladder.length === 0) return { video: [], audio: [] };
  const source = withoutMistakes(given);
  const { video, audio } = source;
  const rungs = video ? fittingRungs(video, ladder, source, choice.qualities !== undefined) : ladder;
  const audioRungs = audio ? planAudio(audio, rungs, source.sourceBitrate?.audioBps) : [];
  return {
    video: video ? rungs.map((rung) => planVideo(video, rung, source, audioRungs)) : [],
    audio: audioRungs,
  };
}

function withoutMistakes(source: LadderSource): LadderSource {
  const { video, sourceBitrate } = source;
  const leastBps = video ? video.width * video.height * LEAST_BITS_PER_PIXEL : 0;
  if ((sourceBitrate?.videoBps ?? leastBps) >= leastBps) return source;
  return { ...source, sourceBitrate: { ...sourceBitrate, videoBps: undefined } };
}

function chosenRungs(choice: LadderChoice): readonly LadderRung[] {
  const rungs = choice.qualities ? [...new Set(choice.qualities)].map(namedRung) : (choice.rungs ?? DEFAULT_LADDER);
  return [...rungs].sort((a, b) => b.width * b.height - a.width * a.height || b.videoBps - a.videoBps);
}

function namedRung(name: string): LadderRung {
  const id = QUALITY_NAMES.find((known) => known === name);
  if (!id) {
    const known = QUALITY_NAMES.join(", ");
    throw new DomainError("INVALID_REQUEST", `quality ${JSON.stringify(name)} is unknown; known are ${known}`);
  }
  return { id, ...NAMED_QUALITIES[id] };
}

function fittingRungs(
  video: LadderPicture,
  ladder: readonly LadderRung[],
  source: LadderSource,
  isNamed: boolean,
): readonly LadderRung[] {
  const within = ladder.filter((rung) => fitScale(video, rung) <= 1);
  if (within.length === 0) return ladder.slice(-1);
  const worthwhile = within.filter((rung) => isNamed || isWorthwhile(video, rung, source.sourceBitrate?.videoBps));
  return worthwhile;
}

function isWorthwhile(video: LadderPicture, rung: LadderRung, sourceBps: number | undefined): boolean {
  if (fitScale(video, rung) < 1 || video.codec !== "h264" || sourceBps === undefined) return true;
  return rungBps(video, rung) <= sourceBps * (1 - WORTHWHILE_SAVING);
}

/** By how much the shown picture grows (> 1) or shrinks to touch the rung's box. */
function fitScale(video: LadderPicture, rung: LadderRung): number {
  const { width, height } = shownSize(video);
  const isPortrait = height > width;
  const boxWidth = isPortrait ? rung.height : rung.width;
  const boxHeight = isPortrait ? rung.width : rung.height;
  return Math.min(boxWidth / width, boxHeight / height);
}

function shownSize(video: LadderPicture): { width: number; height: number } {
  const { width, height } = video.sampleAspect;
  const aspect = width > 0 && height > 0 ? width / height : 1;
  return { width: video.width * aspect, height: video.height };
}

function planVideo(
  video: LadderPicture,
  rung: LadderRung,
  source: LadderSource,
  audioRungs: readonly AudioRung[],
): VideoRung {
  const shown = shownSize(video);
  const scale = Math.min(1, fitScale(video, rung));
  const width = toEven(shown.width * scale, shown.width);
  const height = toEven(shown.height * scale, shown.height);
  const sourceBps = video.codec === "h264" ? source.sourceBitrate?.videoBps : undefined;
  const ownAudio = audioRungs.find((audio) => audio.id === audioRungId(rung.audioBps));
  return {
    id: rung.id,
    width,
    height,
    bitrateBps: Math.round(Math.min(rungBps(video, rung), sourceBps ?? Number.POSITIVE_INFINITY)),
    profile: rung.profile,
    level: levelFor(rung.level, width, height, frameRateOf(video)),
    audioRenditionId: source.audio && (ownAudio?.id ?? SOURCE_AUDIO_ID),
  };
}

function rungBps(video: LadderPicture, rung: LadderRung): number {
  return frameRateOf(video) > HIGH_FRAME_RATE ? rung.videoBps * 1.5 : rung.videoBps;
}

function frameRateOf(video: LadderPicture): number {
  const rate = declaredFrameRate(video);
  return rate ? rate.numerator / rate.denominator : ASSUMED_FRAME_RATE;
}

/** The frame rate that a stream declares, unless it cannot be: some encoders write their timescale there. */
export function declaredFrameRate({ frameRate }: Pick<VideoFormat, "frameRate">): VideoFormat["frameRate"] {
  const rate = frameRate ? frameRate.numerator / frameRate.denominator : 0;
  return rate > 0 && rate <= HIGHEST_FRAME_RATE ? frameRate : undefined;
}

/** 480p at 30 fps is beyond 3.0 and 720p60 beyond 3.1, whatever the ladder says: decoders trust the declared level. */
function levelFor(lowest: H264Level, width: number, height: number, frameRate: number): H264Level {
  const macroblocks = Math.ceil(width / 16) * Math.ceil(height / 16);
  const fits = LEVELS.slice(LEVELS.indexOf(lowest)).find((level) => {
    const limits = LEVEL_LIMITS[level];
    return macroblocks <= limits.macroblocksPerFrame && macroblocks * frameRate <= limits.macroblocksPerSecond;
  });
  return fits ?? "5.2";
}

/** The nearest even size (4:2:0 halves both directions) that is not above `limit`. */
function toEven(pixels: number, limit: number): number {
  return Math.max(2, Math.min(Math.round(pixels / 2), Math.floor(limit / 2)) * 2);
}

function planAudio(
  audio: AudioFormat,
  rungs: readonly LadderRung[],
  sourceBps: number | undefined,
): readonly AudioRung[] {
  const isServed = (bitrateBps: number) =>
    audio.codecString === "mp4a.40.2" && sourceBps !== undefined && sourceBps <= bitrateBps;
  const bitrates = [...new Set(rungs.map((rung) => rung.audioBps))].sort((a, b) => b - a);
  return bitrates
    .filter((bitrateBps) => !isServed(bitrateBps))
    .map((bitrateBps) => ({
      id: audioRungId(bitrateBps),
      bitrateBps,
      // Every player takes these two; anything else (Opus' and FLAC's other rates, 22.05, 96 kHz) becomes 48 kHz.
      sampleRateHz: audio.sampleRateHz === 44_100 ? 44_100 : 48_000,
      channelCount: Math.min(2, Math.max(1, audio.channelCount)),
    }));
}

function audioRungId(bitrateBps: number): string {
  return `aac_${Math.round(bitrateBps / 1000)}`;
}
