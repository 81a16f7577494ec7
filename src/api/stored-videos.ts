import type { Library } from "../library/library.ts";

/** Stored videos as the API moves them; the records themselves it reads from the catalog. */
export type StoredVideos = Pick<
  Library,
  | "factsOf"
  | "recordingOf"
  | "progress"
  | "isPlayable"
  | "transcode"
  | "retryRendition"
  | "cancel"
  | "remove"
  | "downloads"
>;
