import type { VideoRecord } from "../catalog/video-record.ts";
import type { ApiDependencies } from "./dependencies.ts";
import type { VideoDetails } from "./video-resource.ts";

/** Reads what else is known of the video of `record`. */
export async function readVideo(
  record: VideoRecord,
  { videos, stored }: Pick<ApiDependencies, "videos" | "stored">,
): Promise<VideoDetails> {
  const { videoId } = record;
  const [renditions, artifacts, progress] = await Promise.all([
    videos.renditions(videoId),
    videos.artifacts(videoId),
    stored.progress(videoId),
  ]);
  return {
    record,
    renditions,
    artifacts,
    progress,
    factsOf: (rendition) => stored.factsOf(rendition),
    recordingOf: (video) => stored.recordingOf(video),
  };
}
