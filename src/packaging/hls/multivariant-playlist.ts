import type { Presentation, Rendition } from "../presentation.ts";
import { audioGroup } from "./audio-group.ts";
import { iframeVariant } from "./iframe-variant.ts";
import { type Offer, offers } from "./offered-renditions.ts";
import { bandwidth, variantLines, videoRange } from "./variant.ts";

/** Highest peak with which a player should start blind: high definition, within reach of most links. */
const FIRST_VARIANT_MAX_BPS = 4_000_000;

/** The multivariant playlist, at `master.m3u8` beside the folders of the renditions. */
export function renderMultivariantPlaylist(presentation: Presentation): string {
  const ordered = inPlayOrder(offers(presentation));
  const hasVideoRange = ordered.some(({ main }) => videoRange(main.format) !== "SDR");
  const lines = [
    "#EXTM3U",
    "#EXT-X-VERSION:6",
    ...(presentation.isIndependent ? ["#EXT-X-INDEPENDENT-SEGMENTS"] : []),
    ...audioRenditions(ordered).map(audioGroup),
    ...ordered.flatMap((offer) => variantLines(offer, hasVideoRange)),
    ...ordered.flatMap(({ main }) => iframeVariant(main, hasVideoRange)),
  ];
  return `${lines.join("\n")}\n`;
}

/** Best first, but for the one that players start with: the best that a usual link carries (docs/adr/0013). */
function inPlayOrder(all: readonly Offer[]): Offer[] {
  const ranked = [...all].sort((a, b) => bandwidth(b) - bandwidth(a));
  const first = ranked.find((offer) => bandwidth(offer) <= FIRST_VARIANT_MAX_BPS) ?? ranked.at(-1);
  return first ? [first, ...ranked.filter((offer) => offer !== first)] : [];
}

function audioRenditions(all: readonly Offer[]): Rendition[] {
  return [...new Set(all.flatMap(({ audio }) => audio ?? []))];
}
