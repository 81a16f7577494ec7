import type { VideoRecord, VideoRenditionRecord } from "../catalog/video-record.ts";
import type { CommittedChunk } from "../catalog/video-repository.ts";
import {
  type StoredSpec,
  storedSpecSchema,
  type VideoEncodeSpec,
  type VideoPlan,
  videoPlanSchema,
} from "./plan/video-plan.ts";
import { type SourceMedia, sourceMediaSchema } from "./probe/source-media.ts";
import { type RecordingPlan, recordingPlanSchema } from "./recording/recording-plan.ts";

/** A rendition with what is to be made of it, or what it is a recording of. */
export interface PlannedRendition {
  readonly record: VideoRenditionRecord;
  readonly spec: StoredSpec;
}

/** All that the road of a video depends on. */
export interface VideoState {
  readonly video: VideoRecord;
  /** Undefined until it is prepared, and for a recording. */
  readonly media: SourceMedia | undefined;
  readonly plan: VideoPlan | undefined;
  /** Undefined for what was uploaded. */
  readonly recording: RecordingPlan | undefined;
  readonly renditions: readonly PlannedRendition[];
  /** Which chunks are there, by rendition and epoch. */
  readonly committed: ReadonlyMap<string, ReadonlySet<number>>;
}

/** Throws ZodError when the records are of another version. */
export function readState(
  video: VideoRecord,
  renditions: readonly VideoRenditionRecord[],
  committed: readonly CommittedChunk[],
): VideoState {
  return {
    video,
    media: video.metadata === null ? undefined : sourceMediaSchema.parse(video.metadata),
    ...readPlan(video),
    renditions: renditions.map((record) => ({ record, spec: storedSpecSchema.parse(record.spec) })),
    committed: byEpoch(committed),
  };
}

/** What is to be made of a video, or of which broadcast it is a recording. Throws ZodError as `readState` does. */
export function readPlan({ plan }: Pick<VideoRecord, "plan">): Pick<VideoState, "plan" | "recording"> {
  if (plan?.road === "record") return { plan: undefined, recording: recordingPlanSchema.parse(plan) };
  return { plan: plan === null ? undefined : videoPlanSchema.parse(plan), recording: undefined };
}

function byEpoch(committed: readonly CommittedChunk[]): ReadonlyMap<string, ReadonlySet<number>> {
  const groups = Map.groupBy(committed, epochKey);
  return new Map([...groups].map(([key, chunks]) => [key, new Set(chunks.map(({ index }) => index))]));
}

function epochKey({ renditionId, epoch }: { readonly renditionId: string; readonly epoch: string }): string {
  return `${renditionId}/${epoch}`;
}

const NONE: ReadonlySet<number> = new Set();

/** Which chunks of a rendition are there, of its epoch. */
export function committedOf({ committed }: VideoState, record: VideoRenditionRecord): ReadonlySet<number> {
  return committed.get(epochKey(record)) ?? NONE;
}

/** It is neither whole nor given up. */
export function isUnsettled({ status }: VideoRenditionRecord): boolean {
  return status === "waiting" || status === "working";
}

/** The rendition that is the picture as it came; undefined where there is none, or it was given up. */
export function videoCopyOf({ plan, renditions }: VideoState): PlannedRendition | undefined {
  if (plan?.road !== "repackage") return undefined;
  return renditions.find(({ record, spec }) => {
    return spec.kind === "video" && spec.method === "copy" && record.status !== "errored";
  });
}

/**
 * Of how many chunks a rendition is that begins now; null where only its end tells. So it is with rungs beside a copy of
 * the source: their borders are the copy's, all others' are the plan's.
 */
export function chunkCountAtStart(state: VideoState, { kind, method }: StoredSpec): number | null {
  if (kind !== "video" || method !== "encode" || videoCopyOf(state)) return null;
  return state.plan?.chunkCount ?? null;
}

/**
 * Whether an unfinished rung can go on. All chunks of one epoch have their borders from one place, which its chunk count
 * tells; when the copy of the source is given up, or is there again, borders come from another.
 */
export function hasItsBorders(state: VideoState, { record, spec }: PlannedRendition): boolean {
  return (record.chunkCount === null) === (chunkCountAtStart(state, spec) === null);
}

/** What is heard beside a rung that joins later: what its own plan says where that is there, else the best. */
export function soundBeside(
  { audioRenditionId }: VideoEncodeSpec,
  renditions: readonly PlannedRendition[],
): string | null {
  const audio = renditions.filter(({ spec }) => spec.kind === "audio").map(({ record }) => record.renditionId);
  return audio.find((id) => id === audioRenditionId) ?? audio[0] ?? null;
}
