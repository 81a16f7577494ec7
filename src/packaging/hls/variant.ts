import type { ColourDescription, MediaFormat, VideoFormat } from "../../media/format.ts";
import type { Rendition } from "../presentation.ts";
import { quoted, tag } from "./attribute-list.ts";
import { bitrateOf } from "./bandwidth.ts";
import type { Offer } from "./offered-renditions.ts";

const TRANSFER_PQ = 16;
const TRANSFER_HLG = 18;
export type VideoRange = "SDR" | "PQ" | "HLG";

/** EXT-X-STREAM-INF and its URI line. `hasVideoRange`: some variant is not SDR, so each one says what it is. */
export function variantLines({ main, audio }: Offer, hasVideoRange: boolean): string[] {
  const { format } = main;
  return [
    tag("EXT-X-STREAM-INF", {
      BANDWIDTH: bandwidth({ main, audio }),
      "AVERAGE-BANDWIDTH": total(main, audio, (rendition) => bitrateOf(rendition).averageBps),
      CODECS: quoted(codecs(main, audio).join(",")),
      ...(format.kind === "video" ? videoAttributes(main, format, hasVideoRange) : {}),
      AUDIO: audio && quoted(audio.id),
      "CLOSED-CAPTIONS": "NONE",
    }),
    `${main.id}/playlist.m3u8`,
  ];
}

/** Peak bit rate of the variant: its own and that of its audio (HLS §4.4.6.2; each audio has a group to itself). */
export function bandwidth({ main, audio }: Offer): number {
  return total(main, audio, (rendition) => bitrateOf(rendition).peakBps);
}

export function videoRange(format: MediaFormat): VideoRange {
  const colour: ColourDescription | undefined = format.kind === "video" ? format.colour : undefined;
  if (colour?.transfer === TRANSFER_PQ) return "PQ";
  return colour?.transfer === TRANSFER_HLG ? "HLG" : "SDR";
}

function total(main: Rendition, audio: Rendition | undefined, of: (rendition: Rendition) => number): number {
  return Math.ceil(of(main) + (audio ? of(audio) : 0));
}

/** Every format that a player of the variant can meet in what is listed, video before audio (HLS §6.2.4). */
function codecs(main: Rendition, audio: Rendition | undefined): string[] {
  return [...new Set([main, ...(audio ? [audio] : [])].flatMap(codecStrings))];
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
