/** The API's types under the names that the pages call them by. */
export type {
  CreatedStream,
  CreateStreamInput as CreateStream,
  HealthNote,
  KeyGrant,
  Playback,
  Rendition as RenditionFacts,
  Server as ServerFacts,
  Session,
  Stream as StreamDetails,
  StreamPage,
  StreamSummary,
  Track as TrackFacts,
} from "./schema.ts";
