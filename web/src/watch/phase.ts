import type { Watchable } from "./watchable.ts";

/** What the server last said of the stream or the video, or why it could not say. */
export type ServerView = Watchable["state"] | "unknown" | "missing" | "unreachable";

/** What the media element does. `blocked`: the browser wants a click before it plays. */
export type MediaView = "none" | "starting" | "playing" | "paused" | "blocked" | "stalled" | "ended" | "failed";

/** What the viewer is shown. `stored`: a video and its controls. */
export type Phase =
  | "loading"
  | "pending"
  | "live"
  | "reconnecting"
  | "ended"
  | "preparing"
  | "stored"
  | "errored"
  | "missing"
  | "unreachable"
  | "failed";

const WITHOUT_MEDIA: Readonly<Record<ServerView, Phase>> = {
  unknown: "loading",
  missing: "missing",
  unreachable: "unreachable",
  pending: "pending",
  live: "live",
  reconnecting: "reconnecting",
  ended: "ended",
  preparing: "preparing",
  stored: "stored",
  errored: "errored",
};

/** What is buffered is played out whatever the server says meanwhile; only then its word counts. */
export function phaseOf(server: ServerView, media: MediaView, kind: Watchable["kind"] = "stream"): Phase {
  return kind === "video" ? videoPhase(server, media) : streamPhase(server, media);
}

function videoPhase(server: ServerView, media: MediaView): Phase {
  if (server === "stored") return media === "failed" ? "failed" : "stored";
  const isShown = media === "playing" || media === "paused" || media === "blocked" || media === "ended";
  return isShown ? "stored" : WITHOUT_MEDIA[server];
}

function streamPhase(server: ServerView, media: MediaView): Phase {
  if (media === "playing") return "live";
  if ((media === "paused" || media === "blocked") && server !== "ended" && server !== "missing") return "live";
  if (media === "failed" && server === "live") return "failed";
  if (server === "unreachable" && media !== "none") return "reconnecting";
  return WITHOUT_MEDIA[server];
}

/** Whether there is something to play. */
export function canPlay(server: ServerView): boolean {
  return server === "live" || server === "stored";
}

/** What to do with the player. A broadcast that comes back may have other media at the same address. */
export function playerStep(server: ServerView, media: MediaView): "open" | "close" | "keep" {
  // What is stored stays what it is, so its end is no reason to open it again.
  if (server === "stored") return media === "none" ? "open" : "keep";
  if (server === "live") return media === "none" || media === "ended" ? "open" : "keep";
  const isOver = server === "ended" || server === "pending" || server === "missing";
  return isOver && media !== "none" && media !== "playing" ? "close" : "keep";
}
