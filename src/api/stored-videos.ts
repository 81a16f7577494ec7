import type { VideoRenditionRecord } from "../catalog/video-record.ts";
import type { VideoId } from "../core/ids.ts";

/** How far a rendition is. */
export interface RenditionProgress {
  readonly renditionId: string;
  /** Of the video's length, 0 to 1. */
  readonly share: number;
  /** Media time made in one second of wall time; undefined while nothing is being made. */
  readonly speed: number | undefined;
}

/** What a rendition turned out to be. */
export interface RenditionFacts {
  /** RFC 6381. */
  readonly codec: string;
  readonly width: number | undefined;
  readonly height: number | undefined;
}

export interface VideoProgress {
  /** Of all that is to be made, 0 to 1. */
  readonly share: number;
  /** Undefined while it cannot be told. */
  readonly remainingMs: number | undefined;
  readonly renditions: readonly RenditionProgress[];
}

/** What VS's `POST /api/videos/{id}/transcode` asks for. */
export interface TranscodeRequest {
  /** Names of qualities; undefined for all that the source has pixels for. */
  readonly profiles: readonly string[] | undefined;
  readonly generatesThumbnails: boolean;
}

/** Stored videos as the API moves them; the records themselves it reads from the catalog. */
export interface StoredVideos {
  /** Undefined until its first chunk is there. */
  factsOf(rendition: VideoRenditionRecord): RenditionFacts | undefined;
  progress(videoId: VideoId): Promise<VideoProgress>;
  /** Makes what is asked for and not there yet; gives the id of the job that people can follow. Throws VIDEO_CONFLICT, VIDEO_NOT_FOUND. */
  transcode(videoId: VideoId, request: TranscodeRequest): Promise<string>;
  /** Makes one rendition anew. Throws VIDEO_CONFLICT while it is being made, NOT_FOUND when there is none of this id. */
  retryRendition(videoId: VideoId, renditionId: string): Promise<void>;
  /** Makes no more of it; what is playable stays so. */
  cancel(videoId: VideoId): Promise<void>;
  /** Deletes it in any state, with everything that was made of it; false when there is none. */
  remove(videoId: VideoId): Promise<boolean>;
}
