import type { Rendition } from "../presentation.ts";
import { quoted, tag } from "./attribute-list.ts";

/**
 * EXT-X-MEDIA of an audio rendition, alone in a group named after it. All groups have the one member with the same
 * name and language, as HLS §4.4.6.1.1 asks, so a player that changes group stays with "the same" audio.
 */
export function audioGroup(rendition: Rendition): string {
  const { format } = rendition;
  return tag("EXT-X-MEDIA", {
    TYPE: "AUDIO",
    "GROUP-ID": quoted(rendition.id),
    NAME: quoted("Audio"),
    // RTMP does not say which language is spoken; Apple §8.10 wants the attribute nevertheless.
    LANGUAGE: quoted("und"),
    DEFAULT: "YES",
    AUTOSELECT: "YES",
    CHANNELS: format.kind === "audio" ? quoted(String(format.channelCount)) : undefined,
    URI: quoted(`${rendition.id}/playlist.m3u8`),
  });
}
