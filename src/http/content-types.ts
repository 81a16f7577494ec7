/** Content types by the last part of a name, as HLS and DASH want them (Apple authoring rule 10.4). */
export const CONTENT_TYPES = {
  m3u8: "application/vnd.apple.mpegurl",
  mpd: "application/dash+xml",
  m4s: "video/iso.segment",
  vtt: "text/vtt; charset=utf-8",
  steering: "application/vnd.apple.steering-list",
  json: "application/json",
  problem: "application/problem+json",
  text: "text/plain; charset=utf-8",
  jpg: "image/jpeg",
} as const satisfies Record<string, string>;

/** The type of fragmented MP4 that holds only this medium: init segments and whole files. */
export function mp4ContentType(kind: "video" | "audio"): "video/mp4" | "audio/mp4" {
  return kind === "video" ? "video/mp4" : "audio/mp4";
}
