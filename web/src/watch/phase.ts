import type { Playback } from "../api/model.ts";

/** What the server last said of the stream, or why it could not say. */
export type ServerView = Playback["state"] | "unknown" | "missing" | "unreachable";

/** What the media element does. `blocked`: the browser wants a click before it plays. */
export type MediaView = "none" | "starting" | "playing" | "paused" | "blocked" | "stalled" | "ended" | "failed";

/** What the viewer is shown. */
export type Phase = "loading" | "pending" | "live" | "reconnecting" | "ended" | "missing" | "unreachable" | "failed";

const WITHOUT_MEDIA: Readonly<Record<ServerView, Phase>> = {
  unknown: "loading",
  missing: "missing",
  unreachable: "unreachable",
  pending: "pending",
  live: "live",
  reconnecting: "reconnecting",
  ended: "ended",
};

/** What is buffered is played out whatever the server says meanwhile; only then its word counts. */
export function phaseOf(server: ServerView, media: MediaView): Phase {
  if (media === "playing") return "live";
  if ((media === "paused" || media === "blocked") && server !== "ended" && server !== "missing") return "live";
  if (media === "failed" && server === "live") return "failed";
  if (server === "unreachable" && media !== "none") return "reconnecting";
  return WITHOUT_MEDIA[server];
}

/** What to do with the player. A broadcast that comes back may have other media at the same address. */
export function playerStep(server: ServerView, media: MediaView): "open" | "close" | "keep" {
  if (server === "live") return media === "none" || media === "ended" ? "open" : "keep";
  const isOver = server === "ended" || server === "pending" || server === "missing";
  return isOver && media !== "none" && media !== "playing" ? "close" : "keep";
}
