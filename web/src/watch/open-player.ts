import type { Format, Player, PlayerOptions } from "./player.ts";

/** Loads the library that the format needs, and only that one, and starts to play. */
export async function openPlayer(format: Format, options: PlayerOptions): Promise<Player> {
  if (format === "dash") return new (await import("./dash-player.ts")).DashPlayer(options);
  if (format === "hls") return new (await import("./hls-player.ts")).HlsPlayer(options);
  return new (await import("./native-player.ts")).NativePlayer(options);
}

/** The format to play when `wished` is what the viewer asks for: what the stream offers and the browser can do. */
export function chooseFormat(
  wished: "hls" | "dash",
  offers: { readonly hls: boolean; readonly dash: boolean },
  hasMediaSource: boolean,
): Format | undefined {
  if (!hasMediaSource) return offers.hls ? "native" : undefined;
  if (offers[wished]) return wished;
  const other = wished === "hls" ? "dash" : "hls";
  return offers[other] ? other : undefined;
}

export function hasMediaSource(): boolean {
  return "MediaSource" in globalThis || "ManagedMediaSource" in globalThis;
}
