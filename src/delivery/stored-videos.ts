import type { VideoId } from "../core/ids.ts";
import type { StoredVideo } from "../packaging/stored-rendition.ts";

/** What delivery needs to know of stored videos; whoever keeps them implements it. */
export interface StoredVideos {
  /**
   * The video as it stands; undefined when there is none. `known` is what the asker has: given back as it is while its revision
   * is the newest, so that asking again costs one short look. Renditions that have not changed may share objects with it.
   */
  get(videoId: VideoId, known?: StoredVideo): Promise<StoredVideo | undefined>;
}
