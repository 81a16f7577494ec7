import type { AudioGroup } from "../audio-groups.ts";
import type { Presentation } from "../presentation.ts";
import { audioGroup } from "./audio-group.ts";
import { iframeVariant } from "./iframe-variant.ts";
import { imageVariant } from "./image-playlist.ts";
import { type Offer, offers } from "./offered-renditions.ts";
import { startTag } from "./playlist-type.ts";
import { SUBTITLES_GROUP, subtitles } from "./subtitles.ts";
import { bandwidth, variantLines, videoRange } from "./variant.ts";

/** Highest peak with which a player should start blind: high definition, within reach of most links. */
const FIRST_VARIANT_MAX_BPS = 4_000_000;

export interface MultivariantOptions {
  /** Where the folders of the renditions are, when not beside the playlist; with a slash at its end. */
  readonly base?: string;
}

/** The multivariant playlist, at `master.m3u8` beside the folders of the renditions. */
export function renderMultivariantPlaylist(
  presentation: Presentation,
  { base = "" }: MultivariantOptions = {},
): string {
  const ordered = inPlayOrder(offers(presentation));
  const context = {
    base,
    hasVideoRange: ordered.some(({ main }) => videoRange(main.format) !== "SDR"),
    subtitles: presentation.stored?.texts.length ? SUBTITLES_GROUP : undefined,
  };
  const lines = [
    "#EXTM3U",
    "#EXT-X-VERSION:6",
    ...(presentation.isIndependent ? ["#EXT-X-INDEPENDENT-SEGMENTS"] : []),
    ...startTag(presentation),
    ...groups(ordered).flatMap((group) => audioGroup(group, base)),
    ...subtitles(presentation, base),
    ...ordered.flatMap((offer) => variantLines(offer, context)),
    ...new Set(ordered.map(({ main }) => main)).values().flatMap((main) => iframeVariant(main, context)),
    ...imageVariant(presentation, base),
  ];
  return `${lines.join("\n")}\n`;
}

/** Best first, but for the one that players start with: the best that a usual link carries (docs/adr/0013). */
function inPlayOrder(all: readonly Offer[]): Offer[] {
  const ranked = [...all].sort((a, b) => bandwidth(b) - bandwidth(a));
  const usual = ranked.filter(({ isUsual }) => isUsual);
  const first = usual.find((offer) => bandwidth(offer) <= FIRST_VARIANT_MAX_BPS) ?? usual.at(-1);
  return first ? [first, ...ranked.filter((offer) => offer !== first)] : [];
}

function groups(all: readonly Offer[]): AudioGroup[] {
  return [...new Set(all.flatMap(({ audio }) => audio ?? []))];
}
