import { type AudioGroup, audioGroups } from "../audio-groups.ts";
import type { Presentation, Rendition } from "../presentation.ts";

/** A video and the audio that is played beside it, or audio alone: one way to play the presentation. */
export interface Offer {
  readonly main: Rendition;
  readonly audio: AudioGroup | undefined;
  /** With the audio that belongs to the video, not with another encoding of it. */
  readonly isUsual: boolean;
}

/**
 * The ways to play the presentation, in its own order: for each video that has something to play one with each encoding of
 * its audio, or one for each audio when there is no video (an audio-only variant beside video is what Apple forbids on
 * tvOS, §9.20).
 */
export function offers(presentation: Presentation): Offer[] {
  const ready = presentation.renditions.filter((rendition) => rendition.segments.length > 0);
  const groups = audioGroups(ready, presentation.stored !== undefined);
  const videos = ready.filter((rendition) => rendition.kind === "video");
  if (videos.length === 0) return groups.map(soundAlone);
  return videos.flatMap((main) => withAudio(main, groups));
}

function withAudio(main: Rendition, groups: readonly AudioGroup[]): Offer[] {
  const own = groups.find(({ members }) => members.some(({ id }) => id === main.audioRenditionId));
  if (!own) return [{ main, audio: undefined, isUsual: true }];
  // Live, each video has one audio that is made for it.
  const others = main.stored ? groups.filter(({ encoding }) => encoding !== own.encoding) : [];
  return [own, ...others].map((audio) => ({ main, audio, isUsual: audio === own }));
}

/** A choice of tracks makes a group; one track alone needs none. */
function soundAlone(group: AudioGroup): Offer {
  const [main] = group.members;
  return { main, audio: group.members.length > 1 ? group : undefined, isUsual: true };
}

/** Every rendition that the multivariant playlist names, in the presentation's order. */
export function offeredRenditions(presentation: Presentation): Rendition[] {
  const named = new Set(offers(presentation).flatMap(({ main, audio }) => [main, ...(audio?.members ?? [])]));
  return presentation.renditions.filter((rendition) => named.has(rendition));
}
