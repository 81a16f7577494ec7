import type { Presentation } from "../presentation.ts";
import type { Storyboard } from "../stored-rendition.ts";
import { imageDurationMs, storyboardBps } from "../storyboard-layout.ts";
import { quoted, tag } from "./attribute-list.ts";

/**
 * EXT-X-IMAGE-STREAM-INF: the storyboard, for players that know the image playlists of Roku and Disney (Shaka does). Others
 * pass over it as over any tag they do not know.
 */
export function imageVariant({ stored }: Presentation, base: string): string[] {
  if (!stored?.storyboard) return [];
  const { storyboard, durationMs } = stored;
  return [
    tag("EXT-X-IMAGE-STREAM-INF", {
      BANDWIDTH: storyboardBps(storyboard, durationMs),
      CODECS: quoted("jpeg"),
      RESOLUTION: `${storyboard.tileWidth}x${storyboard.tileHeight}`,
      URI: quoted(`${base}storyboard.m3u8`),
    }),
  ];
}

/** The images of a storyboard, at `storyboard.m3u8` beside them. */
export function renderImagePlaylist(storyboard: Storyboard, durationMs: number): string {
  const { tileWidth, tileHeight, columnCount, rowCount, intervalMs, imageNames } = storyboard;
  const fullMs = imageDurationMs(storyboard);
  const tiles = tag("EXT-X-TILES", {
    RESOLUTION: `${tileWidth}x${tileHeight}`,
    LAYOUT: `${columnCount}x${rowCount}`,
    DURATION: intervalMs / 1000,
  });
  const lines = [
    "#EXTM3U",
    "#EXT-X-VERSION:7",
    `#EXT-X-TARGETDURATION:${Math.max(1, Math.round(fullMs / 1000))}`,
    "#EXT-X-PLAYLIST-TYPE:VOD",
    "#EXT-X-MEDIA-SEQUENCE:1",
    "#EXT-X-IMAGES-ONLY",
    ...imageNames.flatMap((name, index) => {
      const lastsMs = Math.max(1, Math.min(fullMs, durationMs - index * fullMs));
      return [`#EXTINF:${(lastsMs / 1000).toFixed(3)},`, tiles, name];
    }),
    "#EXT-X-ENDLIST",
  ];
  return `${lines.join("\n")}\n`;
}
