import type { AudioGroup } from "../audio-groups.ts";
import type { Rendition } from "../presentation.ts";
import { quoted, tag } from "./attribute-list.ts";

/**
 * EXT-X-MEDIA of the audio renditions of one group. The members of all groups have the same names and languages, as HLS
 * §4.4.6.1.1 asks, so a player that changes group stays with "the same" audio. `base` stands before addresses.
 */
export function audioGroup({ id, members }: AudioGroup, base: string): string[] {
  return members.map((rendition, index) =>
    tag("EXT-X-MEDIA", {
      TYPE: "AUDIO",
      "GROUP-ID": quoted(id),
      NAME: quoted(rendition.stored?.label ?? "Audio"),
      // RTMP does not say which language is spoken; Apple §8.10 wants the attribute nevertheless.
      LANGUAGE: quoted(rendition.stored?.language ?? "und"),
      DEFAULT: index === 0 ? "YES" : "NO",
      AUTOSELECT: "YES",
      CHANNELS: channels(rendition),
      URI: quoted(`${base}${rendition.id}/playlist.m3u8`),
    }),
  );
}

function channels({ format }: Rendition): string | undefined {
  return format.kind === "audio" ? quoted(String(format.channelCount)) : undefined;
}
