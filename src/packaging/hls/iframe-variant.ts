import type { Rendition } from "../presentation.ts";
import { quoted, tag } from "./attribute-list.ts";
import { codecStrings, displaySize, type VariantContext, videoRange } from "./variant.ts";

/**
 * EXT-X-I-FRAME-STREAM-INF: the key frames of a video rendition, with the bit rates of those alone. Nothing while it has
 * none.
 */
export function iframeVariant(rendition: Rendition, { hasVideoRange, base }: VariantContext): string[] {
  const { id, format, iframeBitrate } = rendition;
  if (!iframeBitrate || format.kind !== "video") return [];
  return [
    tag("EXT-X-I-FRAME-STREAM-INF", {
      BANDWIDTH: Math.ceil(iframeBitrate.peakBps),
      "AVERAGE-BANDWIDTH": Math.ceil(iframeBitrate.averageBps),
      CODECS: quoted([...new Set(codecStrings(rendition))].join(",")),
      RESOLUTION: displaySize(format),
      "VIDEO-RANGE": hasVideoRange ? videoRange(format) : undefined,
      URI: quoted(`${base}${id}/iframes.m3u8`),
    }),
  ];
}
