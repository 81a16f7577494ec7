import { parseVideoId, type VideoId } from "../core/ids.ts";
import type { PlaylistForm } from "../packaging/hls/playlist-form.ts";

/** A path of a stored video. `base`: where its media are, for those who do not ask beside them. */
export type StoredRoute = { readonly videoId: VideoId } & (
  | { readonly kind: "multivariant"; readonly base: string | undefined }
  | { readonly kind: "mpd"; readonly base: string | undefined }
  | { readonly kind: "images" }
  | { readonly kind: "playlist"; readonly renditionId: string; readonly form: PlaylistForm }
  /** An object of a rendition, or a file of the video with a slash in its name. */
  | { readonly kind: "object"; readonly renditionId: string; readonly name: string }
  | { readonly kind: "file"; readonly name: string }
);

const PREFIX = "/videos/";
const ALIAS = /^\/api\/stream\/([^/]+)\/(?:(hls)\/playlist\.m3u8|dash\/manifest\.mpd)$/;
const PLAYLISTS: ReadonlyMap<string, PlaylistForm> = new Map([
  ["playlist.m3u8", "segments"],
  ["iframes.m3u8", "iframes"],
]);

/**
 * The route of a path without its query; `absent` for one of ours that names nothing, undefined for what is not ours.
 * Nothing is decoded: ids and names need no escapes, so an escaped path names nothing.
 */
export function parseStoredPath(path: string): StoredRoute | "absent" | undefined {
  if (path.startsWith("/api/stream/")) return parseAlias(path);
  return path.startsWith(PREFIX) ? (parseOwn(path) ?? "absent") : undefined;
}

function parseOwn(path: string): StoredRoute | undefined {
  const idEnd = path.indexOf("/", PREFIX.length);
  const videoId = idEnd < 0 ? undefined : parseVideoId(path.slice(PREFIX.length, idEnd));
  if (videoId === undefined) return undefined;
  const rest = path.slice(idEnd + 1);
  const slash = rest.indexOf("/");
  return slash < 0 ? parseLeaf(videoId, rest) : parseBelow(videoId, rest.slice(0, slash), rest.slice(slash + 1));
}

function parseLeaf(videoId: VideoId, leaf: string): StoredRoute | undefined {
  if (leaf === "master.m3u8" || leaf === "playlist.m3u8") return { kind: "multivariant", videoId, base: undefined };
  if (leaf === "manifest.mpd") return { kind: "mpd", videoId, base: undefined };
  if (leaf === "storyboard.m3u8") return { kind: "images", videoId };
  return leaf.includes(".") ? { kind: "file", videoId, name: leaf } : undefined;
}

function parseBelow(videoId: VideoId, renditionId: string, name: string): StoredRoute | undefined {
  const form = PLAYLISTS.get(name);
  if (form) return { kind: "playlist", videoId, renditionId, form };
  if (!name.includes(".") || name.includes("/") || renditionId === "") return undefined;
  return { kind: "object", videoId, renditionId, name };
}

/** Media have one address alone, so that caches hold them once: relative, for there may be a prefix before all of ours. */
function parseAlias(path: string): StoredRoute | "absent" | undefined {
  const [, id, isHls] = ALIAS.exec(path) ?? [];
  if (id === undefined) return undefined;
  const videoId = parseVideoId(id);
  if (videoId === undefined) return "absent";
  return { kind: isHls ? "multivariant" : "mpd", videoId, base: `../../../..${PREFIX}${videoId}/` };
}
