import { openAsBlob } from "node:fs";
import { basename } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Headwater, Settings } from "./headwater.ts";

/** What the API tells of a video. */
export interface VideoBody {
  readonly video_id: string;
  readonly status: "preparing" | "playable" | "ready" | "errored";
  readonly duration_ms: number | null;
  readonly renditions: readonly {
    readonly id: string;
    readonly kind: "video" | "audio" | "text";
    readonly origin: "source" | "rung";
    readonly status: string;
    readonly codec: string | null;
    readonly width: number | null;
    readonly height: number | null;
    readonly error: string | null;
  }[];
  readonly error: { readonly code: string; readonly message: string } | null;
}

const ASK_EVERY_MS = 50;

/** A video of a server, with its addresses. */
export class Film {
  readonly videoId: string;
  readonly #server: Headwater;

  constructor(server: Headwater, videoId: string) {
    this.#server = server;
    this.videoId = videoId;
  }

  get hlsUrl(): string {
    return `${this.#server.httpUrl}/videos/${this.videoId}/master.m3u8`;
  }

  get dashUrl(): string {
    return `${this.#server.httpUrl}/videos/${this.videoId}/manifest.mpd`;
  }

  now(): Promise<VideoBody> {
    return this.#server.ask<VideoBody>("GET", `/api/v1/videos/${this.videoId}`);
  }

  /** Asks until the video is in one of these. Throws with what it is when it never comes to that, or cannot be made. */
  async until(statuses: readonly VideoBody["status"][], signal: AbortSignal): Promise<VideoBody> {
    for (;;) {
      const video = await this.now();
      if (statuses.includes(video.status)) return video;
      if (signal.aborted || video.status === "errored") throw new Error(`the video is ${JSON.stringify(video)}`);
      await delay(ASK_EVERY_MS);
    }
  }
}

/** Short segments, one small quality and nothing beside it, so that few seconds of film show all. */
export const SHORT: Settings = {
  "video-segment-duration": "1s",
  "video-chunk-duration": "4s",
  "video-profiles": "240p",
  "video-preset": "ultrafast",
  "video-artifacts": "poster",
};

/** Hands a file in, as people do. */
export async function uploadFilm(server: Headwater, path: string): Promise<Film> {
  const body = new FormData();
  body.set("video", await openAsBlob(path), basename(path));
  const headers = { authorization: `Bearer ${server.adminToken}` };
  const answer = await server.get("/api/videos/upload", { method: "POST", headers, body });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${path} was answered ${answer.status}: ${text}`);
  return new Film(server, JSON.parse(text).videoId);
}
