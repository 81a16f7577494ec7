import type { VideoRenditionRecord } from "../catalog/video-record.ts";
import type { StatusChange } from "../catalog/video-repository.ts";
import type { NewJob } from "../jobs/job-queue.ts";
import { audioJob, encodeJob, type JobTarget, openingJob, prepareJob, repackageJob, textJob } from "./video-jobs.ts";
import {
  committedOf,
  hasItsBorders,
  isUnsettled,
  type PlannedRendition,
  type VideoState,
  videoCopyOf,
} from "./video-records.ts";

/** The jobs that a video needs as its records stand; those that wait or run already are told apart by their keys. */
export function missingJobs(state: VideoState): readonly NewJob[] {
  const { video, plan } = state;
  if (!video.source || !isUnderWay(state)) return [];
  if (!plan) return [prepareJob(video.videoId)];
  return [...copyJobs(state), ...encodeJobs(state), ...audioJobs(state), ...textJobs(state)];
}

function isUnderWay({ video: { status } }: VideoState): boolean {
  return status === "preparing" || status === "playable";
}

type Made<Kind extends string, Method extends string> = PlannedRendition & {
  readonly spec: Extract<PlannedRendition["spec"], { kind: Kind; method: Method }>;
};

function unsettled<Kind extends string, Method extends string>(
  { renditions }: VideoState,
  kind: Kind,
  method: Method,
): readonly Made<Kind, Method>[] {
  return renditions.filter((rendition): rendition is Made<Kind, Method> => {
    const { record, spec } = rendition;
    return isUnsettled(record) && spec.kind === kind && spec.method === method;
  });
}

function targetOf({ record: { renditionId, epoch } }: PlannedRendition): JobTarget {
  return { renditionId, epoch };
}

function copyJobs(state: VideoState): readonly NewJob[] {
  const copies = [...unsettled(state, "video", "copy"), ...unsettled(state, "audio", "copy")];
  return copies.length === 0 ? [] : [repackageJob(state.video.videoId, copies.map(targetOf))];
}

function encodeJobs(state: VideoState): readonly NewJob[] {
  const { videoId } = state.video;
  return encodableChunks(state).flatMap((index) => {
    const lacking = rungsLacking(state, index);
    const groups = index === 0 && !videoCopyOf(state) ? byHaste(lacking) : [lacking];
    return groups
      .filter((rungs) => rungs.length > 0)
      .map((rungs, place) => {
        const targets = rungs.map(targetOf);
        const opens = index === 0 && place === 0 && !hasPicture(state);
        return opens ? openingJob(videoId, targets) : encodeJob(videoId, index, targets);
      });
  });
}

/** Whether there is anything to be seen of it that goes on. */
function hasPicture(state: VideoState): boolean {
  return mainRenditions(state).some(({ record }) => record.status !== "errored" && hasBegun(state, record));
}

/** Larger ones take longer than people like to wait for a first picture. */
const MOST_HASTY_PIXELS = 1280 * 720;

/** What a video can begin with, and what follows at once: decoding the first segment twice is little, waiting for 1080p is not. */
function byHaste(lacking: readonly Made<"video", "encode">[]): readonly (readonly Made<"video", "encode">[])[] {
  const isHasty = ({ spec }: Made<"video", "encode">) => spec.width * spec.height <= MOST_HASTY_PIXELS;
  return [lacking.filter(isHasty), lacking.filter((rendition) => !isHasty(rendition))];
}

/** Of all chunks those whose borders are known: beside a copy of the source they are the copy's, once it has them. */
function encodableChunks(state: VideoState): readonly number[] {
  const copy = videoCopyOf(state);
  if (copy) return [...committedOf(state, copy.record)].sort((a, b) => a - b);
  return Array.from({ length: state.plan?.chunkCount ?? 0 }, (_, index) => index);
}

/** How many chunks can be encoded now and are not there. */
export function lackingChunkCount(state: VideoState): number {
  return encodableChunks(state).filter((index) => rungsLacking(state, index).length > 0).length;
}

/** Encoded video that has no chunk of this index. */
export function rungsLacking(state: VideoState, index: number): readonly Made<"video", "encode">[] {
  return rungsUnderWay(state).filter(({ record }) => !committedOf(state, record).has(index));
}

function rungsUnderWay(state: VideoState): readonly Made<"video", "encode">[] {
  return unsettled(state, "video", "encode").filter((rung) => hasItsBorders(state, rung));
}

/** Encoded video that has to begin anew: its borders are no longer where they were when it began. */
export function rungsAstray(state: VideoState): readonly PlannedRendition[] {
  return isUnderWay(state) ? unsettled(state, "video", "encode").filter((rung) => !hasItsBorders(state, rung)) : [];
}

function audioJobs(state: VideoState): readonly NewJob[] {
  const byStream = Map.groupBy(unsettled(state, "audio", "encode"), ({ spec }) => spec.streamIndex);
  return [...byStream].map(([index, forms]) => audioJob(state.video.videoId, index, forms.map(targetOf)));
}

function textJobs(state: VideoState): readonly NewJob[] {
  return unsettled(state, "text", "convert").map((text) => textJob(state.video.videoId, targetOf(text)));
}

/** A rendition that is made chunk by chunk and has all of them, with their number. */
export interface WholeRendition {
  readonly record: VideoRenditionRecord;
  readonly chunkCount: number;
}

/** Encoded video of which every chunk is there, though nobody has said so yet. */
export function wholeRungs(state: VideoState): readonly WholeRendition[] {
  const chunkCount = rungChunkCount(state);
  if (chunkCount === undefined) return [];
  return rungsUnderWay(state)
    .filter(({ record }) => committedOf(state, record).size >= chunkCount)
    .map(({ record }) => ({ record, chunkCount }));
}

/** How many chunks a rung has; undefined while the copy of the source that it goes along with is not whole. */
export function rungChunkCount(state: VideoState): number | undefined {
  const copy = videoCopyOf(state);
  if (!copy) return state.plan?.chunkCount;
  return copy.record.status === "ready" ? (copy.record.chunkCount ?? undefined) : undefined;
}

export interface Failure {
  readonly code: string;
  readonly message: string;
}

/**
 * What the video's status should be by its records; undefined while it stays `preparing`. It is `ready` when nothing is
 * under way and one rendition of its picture (or of its sound, without a picture) is whole, `errored` when none is:
 * `failure` says why, else the first rendition that has a reason does.
 */
export function dueStatus(state: VideoState, failure?: Failure): StatusChange | undefined {
  const { plan, recording, renditions } = state;
  if (!(plan ?? recording) || renditions.length === 0) return undefined;
  if (renditions.some(({ record }) => isUnsettled(record)))
    return isPlayable(state) ? { status: "playable" } : undefined;
  const main = mainRenditions(state);
  if (main.some(({ record }) => record.status === "ready")) return { status: "ready" };
  const reason = main.find(({ record }) => record.error !== null)?.record.error ?? "no rendition of it could be made";
  return { status: "errored", error: failure ?? { code: "INTERNAL", message: reason } };
}

function mainRenditions({ renditions }: VideoState): readonly PlannedRendition[] {
  const pictures = renditions.filter(({ spec }) => spec.kind === "video");
  return pictures.length > 0 ? pictures : renditions.filter(({ spec }) => spec.kind === "audio");
}

/** The beginning of a picture and of the sound beside it are there; or of the sound, where there is no picture. */
export function isPlayable(state: VideoState): boolean {
  return mainRenditions(state).some(({ record, spec }) => {
    if (!hasBegun(state, record)) return false;
    const besideId = spec.kind === "video" ? spec.audioRenditionId : null;
    const beside = state.renditions.find((other) => other.record.renditionId === besideId)?.record;
    return !beside || beside.status === "errored" || hasBegun(state, beside);
  });
}

function hasBegun(state: VideoState, record: VideoRenditionRecord): boolean {
  return committedOf(state, record).has(0);
}
