import type { VideoId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";

/** A video is being made playable, can be played as far as it is done, is done in every rendition, or cannot be made. */
export const VIDEO_STATUSES = ["preparing", "playable", "ready", "errored"] as const;
export type VideoStatus = (typeof VIDEO_STATUSES)[number];

/** What the catalog knows of a stored video. Instants are ms since the Unix epoch. */
export interface VideoRecord {
  readonly videoId: VideoId;
  readonly title: string | null;
  readonly description: string | null;
  readonly status: VideoStatus;
  /** The original as it was handed in; null for a recording, which has none. */
  readonly source: VideoSource | null;
  /** What the probe found in it; null until then. The library reads and writes it. */
  readonly metadata: JsonObject | null;
  /** What is to be made of it; null until that is decided. The library reads and writes it. */
  readonly plan: JsonObject | null;
  readonly durationMs: number | null;
  /** Why the status is `errored`: a reason code and a sentence for a person. */
  readonly error: { readonly code: string; readonly message: string } | null;
  /** Goes up with every change of the video, its renditions, its chunks and its artifacts. */
  readonly revision: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly playableAtMs: number | null;
  readonly readyAtMs: number | null;
}

export interface VideoSource {
  /** In the object store. */
  readonly key: string;
  /** As its owner named it: never part of a path. */
  readonly fileName: string;
  readonly sizeBytes: number;
}

export const RENDITION_STATUSES = ["waiting", "working", "ready", "errored"] as const;
export type RenditionStatus = (typeof RENDITION_STATUSES)[number];

/** One rendition of a video and how far it is. */
export interface VideoRenditionRecord {
  readonly videoId: VideoId;
  /** Stands in paths: `source`, `720p`, `audio_aac_128`, `text_en`. */
  readonly renditionId: string;
  readonly kind: "video" | "audio" | "text";
  readonly origin: "source" | "rung";
  /** Stands in the public names of its objects; a new one when it is made anew. */
  readonly epoch: string;
  readonly status: RenditionStatus;
  /** Its place in the order in which playlists name renditions. */
  readonly position: number;
  /** What is to be made. The library reads and writes it. */
  readonly spec: JsonObject;
  /** What its init segment says, set by the first chunk that is committed. The library reads and writes it. */
  readonly init: JsonObject | null;
  /** Known from the plan, or at the end of a rendition that is made in one go. */
  readonly chunkCount: number | null;
  readonly error: string | null;
  /** Since when it is being made, this time; null for what an earlier version began. */
  readonly begunAtMs: number | null;
}

/**
 * A run of segments of one rendition that was made by one attempt and committed as one. Chunks of a rendition count up from
 * 0; the rendition can be played as far as they follow each other without a hole.
 */
export interface VideoChunkRecord {
  readonly videoId: VideoId;
  readonly renditionId: string;
  readonly epoch: string;
  readonly index: number;
  /** Object keys of its segments begin with this. */
  readonly keyPrefix: string;
  /** The segments, in order. The library reads and writes them. */
  readonly segments: readonly JsonObject[];
}

/** Something made of a video beside its renditions: `poster.jpg`, `storyboard.jpg`, `preview.mp4`. */
export interface VideoArtifactRecord {
  readonly videoId: VideoId;
  /** Stands in paths. */
  readonly name: string;
  readonly key: string;
  readonly contentType: string;
  readonly sizeBytes: number;
  readonly details: JsonObject | null;
}
