import type { VideoRenditionRecord } from "../catalog/video-record.ts";
import type { Clock } from "../core/clock.ts";
import { readRenditionInit } from "./rendition-json.ts";
import { committedOf, isUnsettled, type PlannedRendition, type VideoState } from "./video-records.ts";
import { rungChunkCount } from "./video-steps.ts";

/** How far a rendition is. */
export interface RenditionProgress {
  readonly renditionId: string;
  /** Of the video's length, 0 to 1. */
  readonly share: number;
  /** Media time made in one second of wall time; undefined while nothing is being made. */
  readonly speed: number | undefined;
}

export interface VideoProgress {
  /** Of all that is to be made, 0 to 1. */
  readonly share: number;
  /** Undefined while it cannot be told. */
  readonly remainingMs: number | undefined;
  readonly renditions: readonly RenditionProgress[];
}

/** What a rendition turned out to be. */
export interface RenditionFacts {
  /** RFC 6381. */
  readonly codec: string;
  readonly width: number | undefined;
  readonly height: number | undefined;
}

/** Undefined until its first chunk is there, and for text. */
export function factsOf({ kind, init }: VideoRenditionRecord): RenditionFacts | undefined {
  if (kind === "text" || init === null) return undefined;
  const { format } = readRenditionInit(init);
  const isVideo = format.kind === "video";
  return {
    codec: format.codecString,
    width: isVideo ? format.width : undefined,
    height: isVideo ? format.height : undefined,
  };
}

/** Pictures are what takes the time. */
const EFFORT = { video: 10, audio: 1, text: 0.1 };
/** Less tells nothing of the rest. */
const LEAST_TELLING_SHARE = 0.02;

/** How far a video is, by what is committed. */
export function progressOf(state: VideoState, clock: Clock): VideoProgress {
  const { video, plan } = state;
  const elapsedMs = ({ record }: PlannedRendition) =>
    Math.max(1, clock.nowMs() - (record.begunAtMs ?? video.createdAtMs));
  const shares = state.renditions.map((rendition) => shareOf(rendition, state));
  const efforts = state.renditions.map(({ spec }) => EFFORT[spec.kind]);
  const total = efforts.reduce((sum, effort) => sum + effort, 0);
  const share = total === 0 ? 0 : shares.reduce((sum, each, index) => sum + each * (efforts[index] ?? 0), 0) / total;
  const isUnderWay = video.status === "preparing" || video.status === "playable";
  return {
    share: Math.min(1, share),
    remainingMs: isUnderWay ? remainingMs(state, elapsedMs) : undefined,
    renditions: state.renditions.map((rendition, index) => {
      const madeMs = (shares[index] ?? 0) * (plan?.durationMs ?? 0);
      const { renditionId, status } = rendition.record;
      const speed = status === "working" ? madeMs / elapsedMs(rendition) : undefined;
      return { renditionId, share: shares[index] ?? 0, speed };
    }),
  };
}

/** As long as what is being made will take at the pace that it has had; what was made before says nothing of that. */
function remainingMs(state: VideoState, elapsedMs: (rendition: PlannedRendition) => number): number | undefined {
  const open = state.renditions.filter(({ record }) => isUnsettled(record));
  const efforts = open.map((rendition) => EFFORT[rendition.spec.kind]);
  const total = efforts.reduce((sum, effort) => sum + effort, 0);
  const made = open.reduce((sum, rendition, index) => sum + shareOf(rendition, state) * (efforts[index] ?? 0), 0);
  const share = total === 0 ? 0 : made / total;
  if (share < LEAST_TELLING_SHARE) return undefined;
  return Math.round((Math.max(...open.map(elapsedMs)) * (1 - share)) / share);
}

function shareOf({ record }: PlannedRendition, state: VideoState): number {
  if (!isUnsettled(record)) return 1;
  const { plan } = state;
  if (!plan) return 0;
  // What is made in one go has as many chunks as it turns out to have; about as many as video has.
  const aboutCount = 1 + Math.ceil(plan.durationMs / plan.chunkTargetMs);
  const chunkCount = record.chunkCount ?? rungChunkCount(state) ?? aboutCount;
  return Math.min(1, committedOf(state, record).size / Math.max(1, chunkCount));
}
