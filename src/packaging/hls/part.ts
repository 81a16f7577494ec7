import type { Part } from "../presentation.ts";
import { durationText, quoted, tag } from "./attribute-list.ts";

const texts = new WeakMap<Part, string>();

/** EXT-X-PART. Parts never change, so each is written once, however many playlists list it. */
export function partTag(part: Part, timescale: number): string {
  const known = texts.get(part);
  if (known) return known;
  const text = tag("EXT-X-PART", {
    DURATION: durationText(part.duration, timescale),
    URI: quoted(part.name),
    INDEPENDENT: part.isIndependent ? "YES" : undefined,
    GAP: part.isGap ? "YES" : undefined,
  });
  texts.set(part, text);
  return text;
}
