import type { AnyPlayback } from "../api/model.ts";

type StreamPlayback = Extract<AnyPlayback, { kind: "stream" }>;
type VideoPlayback = Extract<AnyPlayback, { kind: "video" }>;

/** What a watch page shows: a live stream or a stored video. */
export interface Watchable {
  readonly kind: "stream" | "video";
  readonly name: string;
  /** A stream's states, and a video's: being prepared, there to be played (all or the beginning of it), or not to be had. */
  readonly state: "pending" | "live" | "reconnecting" | "ended" | "preparing" | "stored" | "errored";
  readonly hlsUrl: string | null;
  readonly dashUrl: string | null;
  readonly isLowLatency: boolean;
  readonly posterUrl: string | null;
  /** WebVTT that names a still for each moment. */
  readonly storyboardUrl: string | null;
}

export function watchable(playback: AnyPlayback): Watchable {
  return playback.kind === "stream" ? watchableStream(playback) : watchableVideo(playback);
}

function watchableStream(playback: StreamPlayback): Watchable {
  return {
    kind: "stream",
    name: playback.name,
    state: playback.state,
    hlsUrl: playback.hls_url,
    dashUrl: playback.dash_url,
    isLowLatency: playback.low_latency,
    posterUrl: null,
    storyboardUrl: null,
  };
}

function watchableVideo(playback: VideoPlayback): Watchable {
  const { state } = playback;
  const isGrowing = state === "preparing" || state === "playable";
  return {
    kind: "video",
    name: playback.title,
    state: videoState(playback),
    hlsUrl: playback.hls_url,
    // A video that still grows is a live MPD, in which a viewer would not begin at its beginning.
    dashUrl: isGrowing ? null : playback.dash_url,
    isLowLatency: false,
    posterUrl: playback.poster_url,
    storyboardUrl: playback.storyboard_url,
  };
}

/** What can be played stays so, though no more will be made of it. */
function videoState({ state, is_playable }: VideoPlayback): Watchable["state"] {
  if (is_playable) return "stored";
  return state === "errored" ? "errored" : "preparing";
}
