import {
  type LadderPicture,
  type LadderRung,
  NAMED_QUALITIES,
  planLadder,
  QUALITY_NAMES,
} from "../../encode/ladder.ts";
import { VIDEO_TIMESCALE } from "../../media/timebase.ts";
import type { SourceMedia, SourceVideo } from "../probe/source-media.ts";
import type { PlanOptions } from "./plan-options.ts";
import type { PictureTreatment, VideoEncodeSpec } from "./video-plan.ts";

/** One rung with the rate of the sound that fits it. */
type PlannedRung = Pick<VideoEncodeSpec, "id" | "width" | "height" | "bitrateBps" | "profile" | "level"> & {
  readonly audioBps: number;
};

export interface PicturePlan {
  readonly streamIndex: number;
  /** The source is kept as it came, and offered beside the rungs. */
  readonly copies: boolean;
  readonly treatment: PictureTreatment;
  /** Best first. */
  readonly rungs: readonly PlannedRung[];
  readonly notes: readonly string[];
}

export function planPicture(media: SourceMedia, video: SourceVideo, options: PlanOptions): PicturePlan {
  const obstacle = options.copiesVideo ? copyObstacle(media, video) : undefined;
  const copies = options.copiesVideo && obstacle === undefined;
  const treatment = treatmentOf(video);
  return {
    streamIndex: video.index,
    copies,
    treatment,
    rungs: rungsFor(media, video, treatment, copies, options),
    notes: notesOn(media, video, treatment, obstacle),
  };
}

/** Of what we encode: x264 puts one picture that others need between two that are shown around it. */
const ENCODED_REORDER_COUNT = 2;
/** What Matroska rounds times to. */
const ROUNDED_TICKS = VIDEO_TIMESCALE / 1000;
/** More would be seen as a hole at the beginning: hls.js (1.6) fills up to 100 ms. */
const MOST_LEAD_TICKS = VIDEO_TIMESCALE / 10;

/**
 * By how much the media times of a video are later than its presentation times, sound included: pictures that are decoded
 * in another order than shown then need no negative offset between the two. Players of browsers can do with those, ffmpeg's
 * (5.1 to 8.1) shows all pictures later by the largest of them, out of step with sound.
 */
export function leadTicksOf({ frameRate, reorderCount }: SourceVideo, { frameRateLimit }: PictureTreatment): number {
  const count = Math.max(ENCODED_REORDER_COUNT, reorderCount);
  const frames = perSecond(frameRateLimit ?? frameRate);
  const frameTicks = frames > 0 ? VIDEO_TIMESCALE / frames : 0;
  return Math.min(MOST_LEAD_TICKS, Math.ceil(count * frameTicks + ROUNDED_TICKS));
}

const COPIED_PROFILES = new Set(["Constrained Baseline", "Baseline", "Main", "High"]);
const COPIED_FORMATS = new Set(["yuv420p", "yuvj420p"]);
const HIGHEST_COPIED_LEVEL = 52;
/** A little above 60: 60.0x is what some cameras call it. */
const HIGHEST_FRAME_RATE = 60.5;

/** Why a picture cannot be shown by every player as it came; undefined when it can. Its packets have a word to say yet. */
function copyObstacle({ container }: SourceMedia, video: SourceVideo): string | undefined {
  const { codec, profile, pixelFormat, rotationDegrees, isMirrored, isInterlaced, level } = video;
  if (codec !== "h264") return `its codec is ${codec}`;
  if (container === "avi") return "AVI does not tell when its pictures are shown";
  if (!COPIED_PROFILES.has(profile ?? "")) return `its H.264 profile is ${profile ?? "unknown"}`;
  if (!COPIED_FORMATS.has(pixelFormat ?? "")) return `its pixel format is ${pixelFormat ?? "unknown"}`;
  if (rotationDegrees !== 0 || isMirrored) return "it has to be turned";
  if (isInterlaced) return "it is interlaced";
  if (video.hdr) return "it is HDR";
  if ((level ?? 0) > HIGHEST_COPIED_LEVEL) return "its H.264 level is beyond 5.2";
  if (perSecond(video.frameRate) > HIGHEST_FRAME_RATE) return "it has more than 60 pictures a second";
  return undefined;
}

type Rate = SourceVideo["frameRate"];

function perSecond(rate: Rate): number {
  return rate ? rate.numerator / rate.denominator : 0;
}

function treatmentOf({ isInterlaced, hdr, frameRate }: SourceVideo): PictureTreatment {
  return { deinterlace: isInterlaced, toneMapFrom: hdr, frameRateLimit: limitOf(frameRate) };
}

/** Above this a rate is not one that a camera made, but a clock that somebody took for one. */
const FASTEST_CAMERA = 1_000;

/** Every second, third ... picture: at most 60 a second, evenly spaced. */
function limitOf(frameRate: Rate): Rate {
  const rate = perSecond(frameRate);
  if (!frameRate || rate <= HIGHEST_FRAME_RATE) return null;
  if (rate > FASTEST_CAMERA) return { numerator: 60, denominator: 1 };
  const { numerator, denominator } = frameRate;
  return { numerator, denominator: denominator * Math.ceil(rate / HIGHEST_FRAME_RATE) };
}

/** The ladder gives fewer bits to fewer pixels, down to this. */
const FEWEST_BPS = 100_000;
/** Below it there is nothing to see, and some encoders refuse. */
const SMALLEST_SIDE = 32;

function rungsFor(
  media: SourceMedia,
  video: SourceVideo,
  treatment: PictureTreatment,
  copies: boolean,
  { profiles, isAskedFor }: PlanOptions,
): readonly PlannedRung[] {
  const ladder = QUALITY_NAMES.filter((id) => profiles.includes(id)).map((id) => ({ id, ...NAMED_QUALITIES[id] }));
  const picture: LadderPicture = {
    width: video.shownWidth,
    height: video.shownHeight,
    sampleAspect: { width: 1, height: 1 },
    frameRate: treatment.frameRateLimit ?? video.frameRate ?? undefined,
    // A rung of the source's own size is left out only beside the source itself.
    codec: copies && !isAskedFor ? "h264" : "",
  };
  const within = ladder.filter((rung) => fits(picture, rung));
  const own = copies || isAskedFor ? undefined : rungOfOwnSize(picture, ladder, within);
  const rungs = own ? [own, ...within] : within.length > 0 ? within : copies ? [] : ladder.slice(-1);
  if (rungs.length === 0) return [];
  const sourceBps = videoBpsOf(media, video);
  const mostBps = video.codec === "h264" && sourceBps ? Math.max(FEWEST_BPS, sourceBps) : Number.POSITIVE_INFINITY;
  const planned = planLadder(
    { video: picture, sourceBitrate: { videoBps: sourceBps } },
    { rungs, transcode: true },
  ).video;
  return planned
    .filter(({ width, height }, index) => index === 0 || Math.min(width, height) >= SMALLEST_SIDE)
    .map(({ id, width, height, bitrateBps, profile, level }) => {
      const audioBps = rungs.find((rung) => rung.id === id)?.audioBps ?? NAMED_QUALITIES["480p"].audioBps;
      return { id, width, height, bitrateBps: Math.min(bitrateBps, mostBps), profile, level, audioBps };
    });
}

function videoBpsOf({ bitrateBps, audio }: SourceMedia, video: SourceVideo): number | undefined {
  const audioBps = audio.reduce((sum, stream) => sum + (stream.bitrateBps ?? 0), 0);
  const videoBps = video.bitrateBps ?? bitrateBps - audioBps;
  return videoBps > 0 ? Math.round(videoBps) : undefined;
}

/** The rung's box lies within the picture, whichever way round that is: nothing is made larger. */
function fits(picture: LadderPicture, rung: LadderRung): boolean {
  return longSide(rung) <= longSide(picture) || shortSide(rung) <= shortSide(picture);
}

interface Size {
  readonly width: number;
  readonly height: number;
}

const longSide = ({ width, height }: Size) => Math.max(width, height);
const shortSide = ({ width, height }: Size) => Math.min(width, height);

/** A source of so many times the pixels of the best rung gets one of its own size as well. */
const WORTH_A_RUNG = 1.3;
/** Bits grow slower than pixels. */
const BITS_PER_PIXELS = 0.75;

/** For a picture between two rungs (900 lines, say), which would lose much by coming down to the lower. */
function rungOfOwnSize(
  picture: LadderPicture,
  ladder: readonly LadderRung[],
  within: readonly LadderRung[],
): LadderRung | undefined {
  const below = within[0];
  const above = ladder.findLast((rung) => !within.includes(rung));
  if (!below || !above) return undefined;
  const scale = Math.min(longSide(below) / longSide(picture), shortSide(below) / shortSide(picture));
  const pixelRatio = 1 / scale ** 2;
  if (pixelRatio < WORTH_A_RUNG) return undefined;
  const { profile, level, audioBps } = above;
  const videoBps = Math.round(Math.min(above.videoBps, below.videoBps * pixelRatio ** BITS_PER_PIXELS));
  const id = `${Math.floor(shortSide(picture) / 2) * 2}p`;
  return { id, width: longSide(picture), height: shortSide(picture), videoBps, audioBps, profile, level };
}

function notesOn(
  { video: streams }: SourceMedia,
  video: SourceVideo,
  treatment: PictureTreatment,
  obstacle: string | undefined,
): readonly string[] {
  return [
    ...(obstacle && video.codec === "h264" ? [`The picture is not kept as it came: ${obstacle}.`] : []),
    ...(treatment.toneMapFrom ? ["High dynamic range is mapped to the standard range."] : []),
    ...(treatment.deinterlace ? ["Interlaced pictures are made progressive."] : []),
    ...(treatment.frameRateLimit ? ["Of more than 60 pictures a second, some are left out."] : []),
    ...(streams.length > 1 ? [`The file has ${streams.length} video streams; one is kept.`] : []),
  ];
}
