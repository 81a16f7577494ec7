/** What the address bar asks of the studio; it all stands behind the `#`, so that one page serves every view. */
export type Route =
  | { readonly view: "streams" }
  | { readonly view: "stream"; readonly streamId: string }
  | { readonly view: "videos" }
  | { readonly view: "video"; readonly videoId: string }
  | { readonly view: "sign-in"; readonly token: string };

/** Reads a location hash, with or without its `#`. What it does not know is the list of streams. */
export function parseRoute(hash: string): Route {
  const path = hash.replace(/^#\/?/, "");
  if (path.startsWith("token=")) return { view: "sign-in", token: new URLSearchParams(path).get("token") ?? "" };
  const [area, id] = path.split("/");
  if (area === "streams" && id) return { view: "stream", streamId: decoded(id) };
  if (area === "videos") return id ? { view: "video", videoId: decoded(id) } : { view: "videos" };
  return { view: "streams" };
}

export const VIDEOS_HREF = "#/videos";

export function streamHref(streamId: string): string {
  return `#/streams/${encodeURIComponent(streamId)}`;
}

export function videoHref(videoId: string): string {
  return `${VIDEOS_HREF}/${encodeURIComponent(videoId)}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
