import type { NewRendition, VideoRepository } from "../catalog/video-repository.ts";
import { newEpoch, type VideoId } from "../core/ids.ts";
import type { MakeSource, MakeTools, SourceAccess } from "./make/contract.ts";
import { findPresentationZero } from "./make/presentation-zero.ts";
import type { PlanOptions } from "./plan/plan-options.ts";
import { planVideo } from "./plan/planner.ts";
import type { RenditionSpec } from "./plan/video-plan.ts";
import type { FfprobeOptions } from "./probe/ffprobe.ts";
import { checkLimits, type SourceLimits } from "./probe/source-limits.ts";
import { mainVideo, type SourceMedia } from "./probe/source-media.ts";
import { probeObject, withSource } from "./video-source.ts";

export interface VideoPreparationOptions {
  readonly videos: Pick<VideoRepository, "setPlan">;
  readonly tools: MakeTools;
  readonly ffprobe: Omit<FfprobeOptions, "signal">;
  readonly limits: SourceLimits;
  readonly planning: Omit<PlanOptions, "zeroTicks">;
}

/** Finds out what an original is, decides what is made of it, and keeps both. Throws as probing and `checkLimits` do. */
export async function prepareVideo(
  { videos, tools, ffprobe, limits, planning }: VideoPreparationOptions,
  videoId: VideoId,
  sourceKey: string,
  signal: AbortSignal,
): Promise<void> {
  await withSource(tools, sourceKey, async (access) => {
    const media = await probeObject(tools, sourceKey, access, { ...ffprobe, signal });
    checkLimits(media, limits);
    const zeroTicks = await findZero(tools, media, access, signal);
    const plan = planVideo(media, { ...planning, zeroTicks });
    const renditions = plan.renditions.map((spec, position) => {
      return newRendition(spec, position, plan.road === "encode" ? plan.chunkCount : null);
    });
    await videos.setPlan({ videoId, metadata: media, plan, durationMs: plan.durationMs, renditions });
  });
}

function findZero(tools: MakeTools, media: SourceMedia, access: SourceAccess, signal: AbortSignal): Promise<number> {
  const { container, sizeBytes } = media;
  const source: MakeSource = { access, container, sizeBytes };
  const video = mainVideo(media);
  const index = video?.index ?? media.audio[0]?.index ?? 0;
  return findPresentationZero(tools, source, { kind: video ? "video" : "audio", index }, signal);
}

/** `chunkCount`: of encoded video, where it is known before. */
export function newRendition(spec: RenditionSpec, position: number, chunkCount: number | null): NewRendition {
  return {
    renditionId: spec.id,
    kind: spec.kind,
    origin: spec.method === "copy" ? "source" : "rung",
    epoch: newEpoch(),
    position,
    spec,
    chunkCount: spec.kind === "video" && spec.method === "encode" ? chunkCount : null,
  };
}
