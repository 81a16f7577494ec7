import { NAMED_QUALITIES } from "../../encode/ladder.ts";
import { mainVideo, type SourceMedia, type SourceVideo } from "../probe/source-media.ts";
import { planAudio } from "./audio-plan.ts";
import { leadTicksOf, type PicturePlan, planPicture } from "./picture-plan.ts";
import type { PlanOptions } from "./plan-options.ts";
import { planTexts } from "./text-plan.ts";
import type { RenditionSpec, VideoPlan } from "./video-plan.ts";

/** What is to be made of a source: a function of what the probe found and what was asked for, and of nothing else. */
export function planVideo(media: SourceMedia, options: PlanOptions): VideoPlan {
  const video = mainVideo(media);
  const picture = video && planPicture(media, video, options);
  const audio = planAudio(media, options, audioRatesFor(picture));
  const texts = planTexts(media.text);
  const renditions: RenditionSpec[] = [
    ...videoRenditions(picture, audio.beside),
    ...audio.renditions,
    ...texts.renditions,
  ];
  const { segmentTargetMs, zeroTicks } = options;
  // Whole segments, and more than one: else the second chunk would be empty.
  const chunkTargetMs = Math.max(2, Math.round(options.chunkTargetMs / segmentTargetMs)) * segmentTargetMs;
  const hasCopy = picture?.copies ?? renditions.some(({ method }) => method === "copy");
  return {
    road: hasCopy ? "repackage" : "encode",
    zeroTicks,
    leadTicks: video && picture ? leadTicksOf(video, picture.treatment) : 0,
    durationMs: media.durationMs,
    segmentTargetMs,
    chunkTargetMs,
    chunkCount: video ? chunkCountOf(videoLengthMs(media, video), segmentTargetMs, chunkTargetMs) : 0,
    frameRate: picture?.treatment.frameRateLimit ?? video?.frameRate ?? null,
    picture: picture?.treatment ?? null,
    renditions,
    notes: [...media.notes, ...(picture?.notes ?? []), ...audio.notes, ...texts.notes],
  };
}

/** Best and least of what the qualities name; sound alone, and a source without rungs, get what a film would. */
function audioRatesFor(picture: PicturePlan | undefined): readonly number[] {
  const rates = (picture?.rungs ?? []).map(({ audioBps }) => audioBps);
  if (rates.length > 0) return [...new Set([Math.max(...rates), Math.min(...rates)])];
  return picture
    ? [NAMED_QUALITIES["480p"].audioBps]
    : [NAMED_QUALITIES["1080p"].audioBps, NAMED_QUALITIES["360p"].audioBps];
}

function videoRenditions(
  picture: PicturePlan | undefined,
  audioBeside: (audioBps: number) => string | null,
): RenditionSpec[] {
  if (!picture) return [];
  const { streamIndex, rungs } = picture;
  const copy = {
    kind: "video",
    method: "copy",
    id: "source",
    streamIndex,
    audioRenditionId: audioBeside(Number.POSITIVE_INFINITY),
  } as const;
  const encodes = rungs.map(({ audioBps, ...rung }) => {
    return { kind: "video", method: "encode", ...rung, streamIndex, audioRenditionId: audioBeside(audioBps) } as const;
  });
  return [...(picture.copies ? [copy] : []), ...encodes];
}

function videoLengthMs(media: SourceMedia, video: SourceVideo): number {
  return Math.min(video.durationMs ?? media.durationMs, media.durationMs);
}

/** A last segment that would be shorter than this share of its target joins the one before. */
const SHORT_SHARE = 0.25;

/**
 * The first chunk is one segment; the second ends where a chunk would that began at zero; the last takes in a rest that is
 * shorter than a segment.
 */
function chunkCountOf(lengthMs: number, segmentTargetMs: number, chunkTargetMs: number): number {
  if (lengthMs <= segmentTargetMs * (1 + SHORT_SHARE)) return 1;
  return 2 + Math.max(0, Math.floor((lengthMs - segmentTargetMs) / chunkTargetMs));
}
