import type { Rendition } from "../presentation.ts";
import { quoted, tag } from "./attribute-list.ts";

/** EXT-X-PRELOAD-HINT: the address of the part that comes next, to be asked for before it is there. */
export function preloadHint(rendition: Rendition): string {
  return tag("EXT-X-PRELOAD-HINT", { TYPE: "PART", URI: quoted(rendition.nextPart.name) });
}
