import { msToTicks, type Ticks, ticksToMs, VIDEO_TIMESCALE } from "../../media/timebase.ts";
import type { ChunkRange, PictureTreatment, VideoEncodeSpec } from "../plan/video-plan.ts";
import type { SourceVideo } from "../probe/source-media.ts";
import { cmafPipeArguments } from "./cmaf-pipe.ts";
import type { MakeSource, SegmentRule } from "./contract.ts";
import { colourFilters, outputColour, rungFilters, timeFilters } from "./picture-filter.ts";
import { sourceArguments } from "./source-arguments.ts";

/**
 * Reading begins this long before the chunk: a demuxer that seeks by decode time lands at a key frame that is shown up to
 * sixteen frames later, and what follows a key frame in an open GOP may be shown before it.
 */
const SEEK_MARGIN_MS = 1_000;
/**
 * Quality is constant, the bit rate of a rung its limit: chunks that are encoded apart look alike where they meet, and easy
 * pictures cost what they need.
 */
const CONSTANT_RATE_FACTOR = 22;
/** Of the rate limit's buffer. */
const BUFFER_S = 2;
const FIRST_PIPE = 3;

export interface VideoChunkPlan {
  readonly source: MakeSource & { readonly zeroTicks: Ticks };
  readonly video: SourceVideo;
  readonly picture: PictureTreatment;
  readonly rungs: readonly VideoEncodeSpec[];
  readonly range: ChunkRange;
  readonly rule: SegmentRule;
  readonly preset: string;
  readonly coreCount: number;
  /** False: reads from the beginning of the file. */
  readonly seeks: boolean;
}

/** Which pipes there are beside one for each rung, in this order. */
export interface ChunkWitnesses {
  /** Tells the first frame that was decoded before the chunk: nothing of the chunk was skipped. */
  readonly before: boolean;
  /** Tells the first frame after the chunk: until there its last frame is shown. */
  readonly after: boolean;
}

export function chunkWitnesses({ range, seeks }: Pick<VideoChunkPlan, "range" | "seeks">): ChunkWitnesses {
  return { before: seeks && range.startMs > SEEK_MARGIN_MS, after: range.endMs !== undefined };
}

/** The arguments of one ffmpeg that decodes a chunk once, and writes each rung and then each witness to pipes 3, 4, 5 ... */
export function videoChunkArguments(plan: VideoChunkPlan): readonly string[] {
  const { source, range, rungs } = plan;
  const witnesses = chunkWitnesses(plan);
  const seekTicks = source.zeroTicks + msToTicks(range.startMs - SEEK_MARGIN_MS, VIDEO_TIMESCALE);
  const names = [...(witnesses.before ? ["before"] : []), ...(witnesses.after ? ["after"] : [])];
  return [
    ...["-threads:v", `${plan.coreCount}`, ...sourceArguments(source, witnesses.before ? seekTicks : undefined)],
    ...["-filter_complex", filterGraph(plan, witnesses)],
    ...rungs.flatMap((rung, index) => rungArguments(plan, rung, index)),
    ...names.flatMap((name, index) => witnessArguments(name, FIRST_PIPE + rungs.length + index)),
  ];
}

function filterGraph({ source, video, picture, rungs, range }: VideoChunkPlan, witnesses: ChunkWitnesses): string {
  const start = msToTicks(range.startMs, VIDEO_TIMESCALE);
  const end = range.endMs === undefined ? undefined : msToTicks(range.endMs, VIDEO_TIMESCALE);
  const branches = ["frames", ...(witnesses.before ? ["b"] : []), ...(witnesses.after ? ["a"] : [])];
  const largest = rungs.reduce((most, rung) => (rung.width > most.width ? rung : most));
  const conversion = colourFilters(video, picture, largest);
  const colour = outputColour(video, picture);
  const cut = `trim=start_pts=${start}${end === undefined ? "" : `:end_pts=${end}`}`;
  return [
    `[0:${video.index}]${timeFilters(picture, source.zeroTicks).join(",")},${split(branches)}`,
    ...(witnesses.before ? [`[b]trim=end_pts=${start},${WITNESS_PICTURE}[before]`] : []),
    // Its own end: `-frames` would leave the branch open, and all of the film would be decoded for it.
    ...(witnesses.after ? [`[a]trim=start_pts=${end},trim=end_frame=1,${WITNESS_PICTURE}[after]`] : []),
    `[frames]${[cut, ...conversion].join(",")},${split(rungs.map((_, index) => `s${index}`))}`,
    ...rungs.map((rung, index) => {
      const filters = rungFilters(rung, video, colour, conversion.length > 0);
      return `[s${index}]${filters.join(",")}[v${index}]`;
    }),
  ].join(";");
}

const WITNESS_PICTURE = "scale=16:16,format=gray";

function split(labels: readonly string[]): string {
  return `split=${labels.length}${labels.map((label) => `[${label}]`).join("")}`;
}

const PASSED_THROUGH = ["-fps_mode", "passthrough", "-enc_time_base", `1:${VIDEO_TIMESCALE}`];

function witnessArguments(name: string, pipe: number): readonly string[] {
  return [
    "-map",
    `[${name}]`,
    ...PASSED_THROUGH,
    "-c:v",
    "rawvideo",
    "-frames:v",
    "1",
    "-f",
    "framecrc",
    `pipe:${pipe}`,
  ];
}

function rungArguments(plan: VideoChunkPlan, rung: VideoEncodeSpec, index: number): readonly string[] {
  // Older ffmpeg takes the words of colour from here, newer from the frames.
  const colour = outputColour(plan.video, plan.picture);
  return [
    ...["-map", `[v${index}]`, ...PASSED_THROUGH, "-c:v", "libx264", "-preset", plan.preset],
    ...["-profile:v", rung.profile, "-level:v", rung.level, "-threads:v", `${threadCount(rung, plan.coreCount)}`],
    ...[
      "-crf",
      `${CONSTANT_RATE_FACTOR}`,
      "-maxrate",
      `${rung.bitrateBps}`,
      "-bufsize",
      `${rung.bitrateBps * BUFFER_S}`,
    ],
    ...["-color_range", "tv", "-color_primaries", colour.primaries, "-color_trc", colour.transfer],
    ...["-colorspace", colour.matrix, "-x264-params", x264Parameters(plan)],
    ...["-forced-idr", "1", "-force_key_frames", keyFrames(plan)],
    ...["-video_track_timescale", `${VIDEO_TIMESCALE}`, ...cmafPipeArguments(FIRST_PIPE + index, "encoded")],
  ];
}

/** Headers depend on nothing that chunks may differ in (stitchable), and key frames come where they are asked for or the scene changes. */
function x264Parameters({ video, picture }: VideoChunkPlan): string {
  const rate = picture.frameRateLimit ?? video.frameRate;
  const fps = rate ? [`fps=${rate.numerator}/${rate.denominator}`] : [];
  return ["stitchable=1", "keyint=infinite", "open-gop=0", ...fps].join(":");
}

/** The first frame of the chunk, and the first at or after each start of a segment. Half a tick is allowed for the fraction. */
function keyFrames({ rule, range }: VideoChunkPlan): string {
  if (rule.kind === "at") return keyFramesWithin(rule.starts, range);
  const segment = (t: string) => `floor((${t}+0.000005)*1000/${rule.targetMs})`;
  return `expr:if(isnan(prev_forced_t),1,gt(${segment("t")},${segment("prev_forced_t")}))`;
}

/** A start from before the chunk would make a key frame of whatever frame comes next. */
function keyFramesWithin(starts: readonly Ticks[], { startMs, endMs = Number.POSITIVE_INFINITY }: ChunkRange): string {
  const within = starts.filter((start) => {
    const ms = ticksToMs(start, VIDEO_TIMESCALE);
    return ms > startMs && ms < endMs;
  });
  return [msToTicks(startMs, VIDEO_TIMESCALE), ...within]
    .map((start) => (start / VIDEO_TIMESCALE).toFixed(6))
    .join(",");
}

/** Small pictures lose more to slicing time between threads than they gain. */
function threadCount({ width, height }: VideoEncodeSpec, coreCount: number): number {
  return Math.max(1, Math.min(width * height > 1280 * 720 ? 8 : width * height > 640 * 360 ? 4 : 2, coreCount));
}
