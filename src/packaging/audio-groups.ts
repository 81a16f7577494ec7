import type { Rendition } from "./presentation.ts";

/** Audio renditions of which one is played at a time: the tracks that there are, in one encoding. Its default comes first. */
export interface AudioGroup {
  /** GROUP-ID. */
  readonly id: string;
  /** Codec and channels; groups that share it differ in bit rate alone. */
  readonly encoding: string;
  readonly members: readonly [Rendition, ...Rendition[]];
}

/**
 * The audio of a presentation in groups. Live, each rendition has one to itself, named after it. Stored audio may have many
 * tracks (languages, commentary), each in some encodings: every group has a member of every track, in its own encoding
 * where there is one, since groups have to have the same members (HLS §4.4.6.1.1).
 */
export function audioGroups(renditions: readonly Rendition[], isStored: boolean): AudioGroup[] {
  const audios = renditions.filter(({ kind }) => kind === "audio");
  if (!isStored) return audios.map((audio) => ({ id: audio.id, encoding: audio.id, members: [audio] }));
  const tracks = tracksOf(audios, renditions);
  const groups = Map.groupBy(audios, (audio) => groupId(audio, audios));
  return [...groups].flatMap(([id, own]) => {
    const [first, ...others] = tracks.flatMap(
      (track) => own.find((audio) => track.includes(audio)) ?? track.slice(0, 1),
    );
    return first && own[0] ? [{ id, encoding: encodingOf(own[0]), members: [first, ...others] as const }] : [];
  });
}

/** Renditions of the same sound, by track; first the one that belongs to the first video. */
function tracksOf(audios: readonly Rendition[], renditions: readonly Rendition[]): readonly Rendition[][] {
  const usual = renditions.find(({ kind }) => kind === "video")?.audioRenditionId;
  const tracks = [...Map.groupBy(audios, audioTrackKey).values()];
  const isUsual = (track: readonly Rendition[]) => track.some(({ id }) => id === usual);
  return [...tracks.filter(isUsual), ...tracks.filter((track) => !isUsual(track))];
}

/** What renditions of one track of stored audio share. */
export function audioTrackKey({ stored }: Rendition): string {
  return `${stored?.language} ${stored?.label}`;
}

/** `aac_2ch`; `aac_2ch_2` for a second bit rate of the same track. */
function groupId(audio: Rendition, audios: readonly Rendition[]): string {
  const alike = audios.filter(
    (other) => encodingOf(other) === encodingOf(audio) && audioTrackKey(other) === audioTrackKey(audio),
  );
  const index = alike.indexOf(audio);
  return index === 0 ? encodingOf(audio) : `${encodingOf(audio)}_${index + 1}`;
}

function encodingOf({ format }: Rendition): string {
  return format.kind === "audio" ? `${format.codec}_${format.channelCount}ch` : format.codec;
}
