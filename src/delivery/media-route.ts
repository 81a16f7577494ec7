import type { PlaylistForm } from "../packaging/hls/playlist-form.ts";

/** A path that delivery answers. */
export type MediaRoute =
  | { readonly kind: "time" }
  | { readonly kind: "multivariant"; readonly streamId: string }
  | { readonly kind: "mpd"; readonly streamId: string }
  | {
      readonly kind: "playlist";
      readonly streamId: string;
      readonly renditionId: string;
      readonly form: PlaylistForm;
    }
  | { readonly kind: "object"; readonly streamId: string; readonly renditionId: string; readonly name: string };

const PREFIX = "/streams/";
const PLAYLISTS: ReadonlyMap<string, PlaylistForm> = new Map([
  ["playlist.m3u8", "segments"],
  ["iframes.m3u8", "iframes"],
]);
const TIME: MediaRoute = { kind: "time" };

/**
 * The route of a path without its query, undefined for what is not ours (`/streams/{id}` and the API below it). Nothing
 * is decoded: ids and object names need no escapes, so an escaped path names nothing.
 */
export function parseMediaPath(path: string): MediaRoute | undefined {
  if (path === "/time") return TIME;
  if (!path.startsWith(PREFIX)) return undefined;
  const idEnd = path.indexOf("/", PREFIX.length);
  if (idEnd <= PREFIX.length) return undefined;
  const streamId = path.slice(PREFIX.length, idEnd);
  const renditionEnd = path.indexOf("/", idEnd + 1);
  if (renditionEnd < 0) return parsePresentationLeaf(streamId, path.slice(idEnd + 1));
  const renditionId = path.slice(idEnd + 1, renditionEnd);
  const name = path.slice(renditionEnd + 1);
  const form = PLAYLISTS.get(name);
  if (form) return { kind: "playlist", streamId, renditionId, form };
  if (!name.includes(".") || name.includes("/") || renditionId === "") return undefined;
  return { kind: "object", streamId, renditionId, name };
}

function parsePresentationLeaf(streamId: string, leaf: string): MediaRoute | undefined {
  if (leaf === "master.m3u8" || leaf === "playlist.m3u8") return { kind: "multivariant", streamId };
  return leaf === "manifest.mpd" ? { kind: "mpd", streamId } : undefined;
}
