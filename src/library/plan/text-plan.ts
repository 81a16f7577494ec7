import type { SourceText } from "../probe/source-media.ts";
import { labelTracks } from "../probe/track-label.ts";
import type { TextSpec } from "./video-plan.ts";

const MOST_TEXTS = 32;

/** Every text track as WebVTT; tracks of pictures are named in the notes and left out. */
export function planTexts(text: readonly SourceText[]): {
  readonly renditions: readonly TextSpec[];
  readonly notes: readonly string[];
} {
  const tracks = text.filter(({ isText }) => isText).slice(0, MOST_TEXTS);
  const labels = labelTracks(
    tracks.map(({ language, title, isForHearingImpaired }) => ({
      language,
      title: title ?? (isForHearingImpaired ? "For the hard of hearing" : null),
    })),
    "Subtitles",
  );
  const ids = new Set<string>();
  const renditions = tracks.map(({ index: streamIndex, language, isForced }, index) => {
    const base = `text_${(language ?? "und").toLowerCase().slice(0, 20)}${isForced ? "_forced" : ""}`;
    const id = ids.has(base) ? `${base}_${index + 1}` : base;
    ids.add(id);
    const label = labels[index]?.label ?? id;
    return { kind: "text", method: "convert", id, streamIndex, language: language ?? "und", label, isForced } as const;
  });
  return { renditions, notes: notesOn(text, tracks) };
}

function notesOn(text: readonly SourceText[], tracks: readonly SourceText[]): readonly string[] {
  const pictures = text.filter(({ isText }) => !isText);
  const tooManyCount = text.length - pictures.length - tracks.length;
  return [
    ...pictures.map(({ index, codec }) => {
      return `Subtitles of stream ${index} are left out: they are no text, but ${codec}.`;
    }),
    ...(tooManyCount > 0 ? [`${tooManyCount} tracks of subtitles are left out: there are too many.`] : []),
  ];
}
