import type { Presentation, Rendition } from "../presentation.ts";

/** Nothing will come after what is listed. */
export function isFinal(presentation: Presentation, rendition: Rendition): boolean {
  return rendition.stored?.isComplete ?? presentation.isEnded;
}

/** EXT-X-PLAYLIST-TYPE of a stored video, which is listed from its beginning whether it still grows or not. */
export function playlistTypeLines(presentation: Presentation, rendition: Rendition): string[] {
  if (!presentation.stored) return [];
  return isFinal(presentation, rendition) ? ["#EXT-X-PLAYLIST-TYPE:VOD"] : ["#EXT-X-PLAYLIST-TYPE:EVENT", ...START];
}

/** While a video grows, players would take it for live and begin at its end. */
export function startTag(presentation: Presentation): string[] {
  return presentation.stored && !presentation.isEnded ? START : [];
}

/** EXT-X-DISCONTINUITY-SEQUENCE, always there where there can be a discontinuity (Apple §8.17). */
export function discontinuitySequence(presentation: Presentation, rendition: Rendition): string[] {
  return presentation.stored ? [] : [`#EXT-X-DISCONTINUITY-SEQUENCE:${rendition.discontinuitySequence}`];
}

/** Within the first picture; Shaka (5.2) takes 0 for no offset at all. */
const START = ["#EXT-X-START:TIME-OFFSET=0.001,PRECISE=YES"];
