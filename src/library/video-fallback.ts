import type { VideoRepository } from "../catalog/video-repository.ts";
import { newEpoch } from "../core/ids.ts";
import { encodedInstead } from "./plan/audio-plan.ts";
import type { PlanOptions } from "./plan/plan-options.ts";
import { planVideo } from "./plan/planner.ts";
import type { VideoEncodeSpec, VideoPlan } from "./plan/video-plan.ts";
import { newRendition } from "./video-preparation.ts";
import { type PlannedRendition, soundBeside, type VideoState } from "./video-records.ts";

type FallbackVideos = Pick<VideoRepository, "setPlan" | "renewRendition" | "failRendition">;

/**
 * The whole ladder is made of a picture that cannot be kept as it came. Its own chunks no longer tell where others begin:
 * rungs that went along with it begin anew, as the road finds them.
 */
export async function fallBackToEncoding(
  videos: FallbackVideos,
  state: VideoState,
  copy: PlannedRendition,
  message: string,
  options: Omit<PlanOptions, "zeroTicks">,
): Promise<void> {
  const { video, media, plan, renditions } = state;
  if (!media || !plan) return;
  const { videoId } = video;
  const encoded = planVideo(media, { ...options, copiesVideo: false, zeroTicks: plan.zeroTicks });
  const rungs = encoded.renditions.filter((spec): spec is VideoEncodeSpec => spec.kind === "video");
  const missing = rungs
    .filter(({ id }) => !renditions.some(({ record }) => record.renditionId === id))
    .map((spec) => ({ ...spec, audioRenditionId: soundBeside(spec, renditions) }));
  const { durationMs, chunkCount, picture } = encoded;
  const notes = [...plan.notes, `The picture is not kept as it came: ${message}.`];
  const next: VideoPlan = {
    ...plan,
    ...{ road: "encode", chunkCount, picture, notes },
    renditions: [...plan.renditions.filter(({ id }) => id !== copy.spec.id), ...missing],
  };
  // First the plan, last the copy: whatever a crash leaves undone, the copy's job begins again.
  const position = renditions.length;
  const added = missing.map((spec, index) => newRendition(spec, position + index, chunkCount));
  await videos.setPlan({ videoId, metadata: media, plan: next, durationMs, renditions: added });
  await videos.failRendition({ ...copy.record, error: `It is not kept as it came: ${message}.` });
}

/** Sound that cannot be kept as it came is encoded in its place, under the same id. */
export async function encodeSoundInstead(videos: FallbackVideos, { record, spec }: PlannedRendition): Promise<void> {
  if (spec.kind !== "audio" || spec.method !== "copy") return;
  await videos.renewRendition({ ...record, nextEpoch: newEpoch(), spec: encodedInstead(spec), chunkCount: null });
}
