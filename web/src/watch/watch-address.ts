/** What the address of a watch page says: `/watch/{id}?format=dash&embed=1`. */
export interface WatchAddress {
  /** Of a stream or of a video. */
  readonly id: string;
  readonly format: "hls" | "dash";
  readonly isEmbedded: boolean;
}

export function parseWatchAddress(href: string): WatchAddress {
  const { pathname, searchParams } = new URL(href);
  const id = /^\/watch\/([^/]+)/.exec(pathname)?.[1] ?? "";
  return {
    id: decoded(id),
    format: searchParams.get("format") === "dash" ? "dash" : "hls",
    isEmbedded: searchParams.has("embed") && searchParams.get("embed") !== "0",
  };
}

/** The same page with its format remembered; HLS, the default, is not written. */
export function withFormat(href: string, format: "hls" | "dash"): string {
  const url = new URL(href);
  if (format === "dash") url.searchParams.set("format", "dash");
  else url.searchParams.delete("format");
  return url.href;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
