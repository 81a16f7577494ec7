import type { Presentation } from "../presentation.ts";
import { textObjectName } from "../stored-names.ts";
import type { StoredText } from "../stored-rendition.ts";
import { quoted, tag } from "./attribute-list.ts";

/** GROUP-ID of all subtitles: there is one group. */
export const SUBTITLES_GROUP = "text";
const SECONDS_DECIMALS = 3;

/** EXT-X-MEDIA of every subtitle. Players show one when its language is the viewer's, and forced ones without being asked. */
export function subtitles({ stored }: Presentation, base: string): string[] {
  return (stored?.texts ?? []).map(({ id, language, label, isForced }, index, all) =>
    tag("EXT-X-MEDIA", {
      TYPE: "SUBTITLES",
      "GROUP-ID": quoted(SUBTITLES_GROUP),
      NAME: quoted(distinctLabel(label, index, all)),
      LANGUAGE: quoted(language),
      DEFAULT: "NO",
      AUTOSELECT: "YES",
      FORCED: isForced ? "YES" : "NO",
      URI: quoted(`${base}${id}/playlist.m3u8`),
    }),
  );
}

/** The media playlist of a text, at `{text}/playlist.m3u8`: one segment, which is there from the first moment. */
export function renderTextPlaylist({ epoch }: StoredText, durationMs: number): string {
  const lines = [
    "#EXTM3U",
    "#EXT-X-VERSION:3",
    `#EXT-X-TARGETDURATION:${Math.max(1, Math.round(durationMs / 1000))}`,
    "#EXT-X-PLAYLIST-TYPE:VOD",
    "#EXT-X-MEDIA-SEQUENCE:1",
    `#EXTINF:${(durationMs / 1000).toFixed(SECONDS_DECIMALS)},`,
    textObjectName(epoch),
    "#EXT-X-ENDLIST",
  ];
  return `${lines.join("\n")}\n`;
}

/** Names are distinct within a group (HLS §4.4.6.1); two texts may be called the same by whoever made the file. */
function distinctLabel(label: string, index: number, all: readonly StoredText[]): string {
  const sameBefore = all.slice(0, index).filter((other) => other.label === label).length;
  return sameBefore === 0 ? label : `${label} ${sameBefore + 1}`;
}
