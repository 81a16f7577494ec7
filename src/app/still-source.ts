import type { StillMedia } from "../encode/stills.ts";
import type { LivePresentation } from "../packaging/presentation.ts";

/** The newest frame that can be decoded by itself, with the header it needs; undefined without video. */
export function newestKeyFrame(presentation: LivePresentation): StillMedia | undefined {
  const video = presentation.renditions.find(({ kind }) => kind === "video");
  const segment = video?.segments.findLast(({ isIndependent, parts }) => isIndependent && parts.length > 0);
  const part = segment?.parts[0];
  return segment && part ? { init: segment.init.bytes, chunks: [part.bytes] } : undefined;
}
