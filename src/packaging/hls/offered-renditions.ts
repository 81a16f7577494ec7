import type { Presentation, Rendition } from "../presentation.ts";

/** A video and the audio that is played beside it, or audio alone: one way to play the presentation. */
export interface Offer {
  readonly main: Rendition;
  readonly audio: Rendition | undefined;
}

/**
 * The ways to play the presentation, in its own order: one for each video that has something to play, or for each
 * audio when there is no video (an audio-only variant beside video is what Apple forbids on tvOS, §9.20).
 */
export function offers(presentation: Presentation): Offer[] {
  const ready = presentation.renditions.filter((rendition) => rendition.segments.length > 0);
  const videos = ready.filter((rendition) => rendition.kind === "video");
  if (videos.length === 0) return ready.map((main) => ({ main, audio: undefined }));
  return videos.map((main) => ({
    main,
    audio: ready.find(({ id, kind }) => kind === "audio" && id === main.audioRenditionId),
  }));
}

/** Every rendition that the multivariant playlist names, in the presentation's order. */
export function offeredRenditions(presentation: Presentation): Rendition[] {
  const named = new Set(offers(presentation).flatMap(({ main, audio }) => [main, audio]));
  return presentation.renditions.filter((rendition) => named.has(rendition));
}
