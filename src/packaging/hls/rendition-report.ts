import type { Presentation, Rendition } from "../presentation.ts";
import { quoted, tag } from "./attribute-list.ts";
import { offeredRenditions } from "./offered-renditions.ts";

/** EXT-X-RENDITION-REPORT for every other media playlist: where it stands now, so that a switch needs no extra reload. */
export function renditionReports(presentation: Presentation, rendition: Rendition): string[] {
  return offeredRenditions(presentation)
    .filter((other) => other !== rendition)
    .map(report);
}

function report(rendition: Rendition): string {
  const newest = rendition.segments.at(-1);
  const lastPart = (newest?.parts.length ?? 0) - 1;
  return tag("EXT-X-RENDITION-REPORT", {
    URI: quoted(`../${rendition.id}/playlist.m3u8`),
    "LAST-MSN": newest?.msn,
    "LAST-PART": lastPart >= 0 ? lastPart : undefined,
  });
}
