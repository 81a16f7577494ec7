import type { ColourDescription, MediaFormat, VideoFormat } from "../../media/format.ts";
import type { AudioGroup } from "../audio-groups.ts";
import type { Rendition } from "../presentation.ts";
import { quoted, tag } from "./attribute-list.ts";
import { bitrateOf } from "./bandwidth.ts";
import type { Offer } from "./offered-renditions.ts";

const TRANSFER_PQ = 16;
const TRANSFER_HLG = 18;
export type VideoRange = "SDR" | "PQ" | "HLG";

export interface VariantContext {
  /** Some variant is not SDR, so each one says what it is. */
  readonly hasVideoRange: boolean;
  /** Stands before addresses. */
  readonly base: string;
  /** GROUP-ID of the subtitles, when there are any. */
  readonly subtitles: string | undefined;
}

/** EXT-X-STREAM-INF and its URI line. */
export function variantLines({ main, audio }: Offer, { hasVideoRange, base, subtitles }: VariantContext): string[] {
  const { format } = main;
  return [
    tag("EXT-X-STREAM-INF", {
      BANDWIDTH: bandwidth({ main, audio }),
      "AVERAGE-BANDWIDTH": total(main, audio, (rendition) => bitrateOf(rendition).averageBps),
      CODECS: quoted(codecs(main, audio).join(",")),
      ...(format.kind === "video" ? videoAttributes(main, format, hasVideoRange) : {}),
      AUDIO: audio && quoted(audio.id),
      SUBTITLES: subtitles && quoted(subtitles),
      "CLOSED-CAPTIONS": "NONE",
    }),
    `${base}${main.id}/playlist.m3u8`,
  ];
}

/** Peak bit rate of the variant: its own and the highest that its audio can have (HLS §4.4.6.2). */
export function bandwidth({ main, audio }: Pick<Offer, "main" | "audio">): number {
  return total(main, audio, (rendition) => bitrateOf(rendition).peakBps);
}

export function videoRange(format: MediaFormat): VideoRange {
  const colour: ColourDescription | undefined = format.kind === "video" ? format.colour : undefined;
  if (colour?.transfer === TRANSFER_PQ) return "PQ";
  return colour?.transfer === TRANSFER_HLG ? "HLG" : "SDR";
}

function total(main: Rendition, audio: AudioGroup | undefined, of: (rendition: Rendition) => number): number {
  const highest = Math.max(0, ...(audio?.members ?? []).map(of));
  // Where there is no video, the variant is a member of its own group.
  return Math.ceil(main.kind === "audio" && audio ? highest : of(main) + highest);
}

/** Every format that a player of the variant can meet in what is listed, video before audio (HLS §6.2.4). */
function codecs(main: Rendition, audio: AudioGroup | undefined): string[] {
  return [...new Set([main, ...(audio?.members ?? [])].flatMap(codecStrings))];
}

export function codecStrings(rendition: Rendition): string[] {
  return [...rendition.segments.map(({ init }) => init.format.codecString), rendition.format.codecString];
}

function videoAttributes(rendition: Rendition, format: VideoFormat, hasVideoRange: boolean) {
  return {
    RESOLUTION: displaySize(format),
    "FRAME-RATE": frameRate(rendition, format)?.toFixed(3),
    "VIDEO-RANGE": hasVideoRange ? videoRange(format) : undefined,
  };
}

/** The size in square pixels: the height stays, the width is stretched by the sample aspect ratio. */
export function displaySize({ width, height, sampleAspect }: VideoFormat): string {
  return `${Math.round((width * sampleAspect.width) / sampleAspect.height)}x${height}`;
}

function frameRate(rendition: Rendition, format: VideoFormat): number | undefined {
  const hint = format.frameRate;
  return rendition.frameRate ?? (hint && hint.numerator / hint.denominator);
}
