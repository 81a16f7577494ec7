import type { AudioFormat, VideoFormat } from "../media/format.ts";
import { VIDEO_TIMESCALE } from "../media/timebase.ts";
import { type AudioRung, declaredFrameRate, type LadderPlan, type VideoRung } from "./ladder.ts";

/** The H.264 encoders that a ladder can run on; `HEADWATER_ENCODER` names one. */
export const ENCODER_NAMES = ["libx264", "h264_vaapi", "h264_nvenc", "h264_qsv"] as const;

export type EncoderName = (typeof ENCODER_NAMES)[number];

export interface EncoderSettings {
  readonly encoder: EncoderName;
  /** libx264 only: its speed preset. */
  readonly preset: string;
  /** No frame waits for a later one. */
  readonly isLowLatency: boolean;
  /** Processor cores that one stream may keep busy. */
  readonly coreCount: number;
  /** VAAPI only. */
  readonly renderDevice: string;
}

export const DEFAULT_ENCODER_SETTINGS: EncoderSettings = {
  encoder: "libx264",
  preset: "veryfast",
  isLowLatency: true,
  coreCount: 2,
  renderDevice: "/dev/dri/renderD128",
};

/** Rate control of a rung: short peaks a fifth above its bit rate, evened out over a second. */
const PEAK_FACTOR = 1.2;
/** Rungs get key frames where the source has them and nowhere else. The largest value every encoder takes (QSV: 16 bits). */
const GOP_WITHOUT_END = "65535";
const FULL_HD_PIXELS = 1920 * 1088;

export interface LadderInput {
  readonly video: VideoFormat | undefined;
  readonly audio: AudioFormat | undefined;
}

/** What one output pipe of a ladder carries. */
export interface LadderOutput {
  readonly renditionId: string;
  readonly kind: "video" | "audio";
}

/** The outputs of a plan in the order of their pipes. */
export function ladderOutputs(plan: LadderPlan): readonly LadderOutput[] {
  return [
    ...plan.video.map(({ id }) => ({ renditionId: id, kind: "video" as const })),
    ...plan.audio.map(({ id }) => ({ renditionId: id, kind: "audio" as const })),
  ];
}

/**
 * The arguments of one ffmpeg that reads fragmented MP4 on pipe 0 and writes each output of `ladderOutputs(plan)` as
 * fragmented MP4, one fragment per frame, to pipes 3, 4, 5 ... Times out equal times in.
 */
export function ladderArguments(plan: LadderPlan, input: LadderInput, settings: EncoderSettings): readonly string[] {
  const { video, audio } = input;
  const outputs = [
    ...(video ? plan.video.map((rung) => videoOutput(rung, video, settings)) : []),
    ...(audio ? plan.audio.map((rung) => audioOutput(rung)) : []),
  ];
  return [
    ...GLOBAL_ARGUMENTS,
    ...(plan.video.length > 0 ? ENCODERS[settings.encoder].device(settings) : []),
    ...pipeInput(video),
    ...outputs.flatMap((output, index) => [...output, ...pipeOutput(index)]),
  ];
}

const GLOBAL_ARGUMENTS = [
  ...["-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+warning"],
  // The pixels of one rung are scaled by one thread; rungs run beside each other.
  ...["-filter_threads", "1"],
  // Without it every timestamp would be moved to start at zero.
  "-copyts",
] as const;

/** `format` is pinned and nothing but pipes can be opened: what a publisher sends can name no file and no address. */
function pipeInput(video: VideoFormat | undefined): readonly string[] {
  return [
    ...["-protocol_whitelist", "pipe", "-probesize", "32", "-analyzeduration", "0"],
    ...(video ? ["-threads:v", `${decoderThreadCount(video)}`] : []),
    ...["-f", "mp4", "-i", "pipe:0"],
  ];
}

/** A decoder with n threads holds n - 1 frames back: one thread, unless the picture is beyond what one manages. */
function decoderThreadCount(video: VideoFormat): number {
  return video.width * video.height <= FULL_HD_PIXELS ? 1 : 4;
}

function videoOutput(rung: VideoRung, video: VideoFormat, settings: EncoderSettings): readonly string[] {
  const encoder = ENCODERS[settings.encoder];
  return [
    ...["-map", "0:v:0", "-vf", encoder.filter(rung, video)],
    ...["-fps_mode", "passthrough", "-enc_time_base", `1:${VIDEO_TIMESCALE}`, "-force_key_frames", "source"],
    ...["-c:v", settings.encoder, ...encoder.options(rung, video, settings)],
    ...["-b:v", `${rung.bitrateBps}`, "-maxrate", `${peakBps(rung)}`, "-bufsize", `${peakBps(rung)}`],
    ...["-bf", "0", "-g", GOP_WITHOUT_END, "-video_track_timescale", `${VIDEO_TIMESCALE}`],
  ];
}

function peakBps(rung: VideoRung): number {
  return Math.round(rung.bitrateBps * PEAK_FACTOR);
}

/**
 * ffmpeg stamps what AAC encoders put before the first sample (1024 samples of priming) with times before it, so a
 * decoder that shows units at their times is in step with no edit list.
 */
function audioOutput(rung: AudioRung): readonly string[] {
  return [
    ...["-map", "0:a:0", "-c:a", "aac", "-b:a", `${rung.bitrateBps}`],
    ...["-ar", `${rung.sampleRateHz}`, "-ac", `${rung.channelCount}`],
  ];
}

function pipeOutput(index: number): readonly string[] {
  return [
    ...["-map_metadata", "-1", "-avoid_negative_ts", "disabled", "-use_editlist", "0", "-flush_packets", "1"],
    // One track per pipe: with two and a fragment per frame, ffmpeg 9 writes times that are not the encoder's.
    // frag_discont: the first tfdt carries the true time instead of zero.
    ...["-movflags", "+empty_moov+default_base_moof+frag_every_frame+frag_discont"],
    ...["-f", "mp4", `pipe:${index + 3}`],
  ];
}

interface EncoderArguments {
  /** Options before the input. */
  device(settings: EncoderSettings): readonly string[];
  filter(rung: VideoRung, video: VideoFormat): string;
  /** Options after `-c:v`, without bit rates and GOP. */
  options(rung: VideoRung, video: VideoFormat, settings: EncoderSettings): readonly string[];
}

const ENCODERS: Record<EncoderName, EncoderArguments> = {
  libx264: {
    device: () => [],
    filter: (rung, video) => softwareFilter(rung, video, "yuv420p"),
    options: (rung, video, { preset, isLowLatency, coreCount }) => [
      ...["-preset", preset, ...(isLowLatency ? ["-tune", "zerolatency"] : [])],
      ...["-profile:v", rung.profile, "-level:v", rung.level, "-threads:v", `${encoderThreadCount(rung, coreCount)}`],
      ...["-sc_threshold", "0", "-forced-idr", "1", ...x264FrameRate(video)],
    ],
  },
  // Frames are uploaded as they are and scaled on the device.
  h264_vaapi: {
    device: ({ renderDevice }) => ["-init_hw_device", `vaapi=hw:${renderDevice}`, "-filter_hw_device", "hw"],
    filter: ({ width, height }) => `format=nv12,hwupload,scale_vaapi=w=${width}:h=${height},setsar=1`,
    options: (rung, _video, { isLowLatency }) => [
      ...["-rc_mode", "VBR", "-profile:v", rung.profile, "-level:v", rung.level],
      ...["-idr_interval", "0", "-async_depth", isLowLatency ? "1" : "4"],
    ],
  },
  h264_nvenc: {
    device: () => [],
    filter: (rung, video) => softwareFilter(rung, video, "yuv420p"),
    options: (rung, _video, { isLowLatency }) => [
      ...["-preset", "p4", "-tune", isLowLatency ? "ll" : "hq", "-rc", "vbr"],
      ...["-profile:v", rung.profile, "-level:v", rung.level],
      ...["-no-scenecut", "1", "-forced-idr", "1", "-strict_gop", "1"],
      ...(isLowLatency ? ["-delay", "0", "-zerolatency", "1"] : []),
    ],
  },
  h264_qsv: {
    device: () => [],
    filter: (rung, video) => softwareFilter(rung, video, "nv12"),
    options: (rung, _video, { isLowLatency }) => [
      ...["-preset", "veryfast", "-profile:v", rung.profile, "-level:v", `${Number(rung.level) * 10}`],
      ...["-forced_idr", "1", "-adaptive_i", "0", "-look_ahead", "0", "-async_depth", isLowLatency ? "1" : "4"],
      ...(isLowLatency ? ["-low_delay_brc", "1"] : []),
    ],
  },
};

function softwareFilter(rung: VideoRung, video: VideoFormat, pixelFormat: string): string {
  const isSameSize = rung.width === video.width && rung.height === video.height;
  const scale = isSameSize ? "scale=out_range=tv" : `scale=${rung.width}:${rung.height}:flags=bicubic:out_range=tv`;
  return `${scale},setsar=1,format=${pixelFormat}`;
}

/**
 * With zerolatency, x264 takes every frame for 1/fps long, and gives it its share of bits by that. ffmpeg would guess fps
 * from the first frame's duration, which is not to be relied on.
 */
function x264FrameRate(video: VideoFormat): readonly string[] {
  const rate = declaredFrameRate(video);
  return rate ? ["-x264-params", `fps=${rate.numerator}/${rate.denominator}`] : [];
}

/** Small pictures lose more to slicing than a second thread gains. */
function encoderThreadCount({ width, height }: VideoRung, coreCount: number): number {
  const wanted = width * height > 1280 * 720 ? 4 : width * height > 640 * 480 ? 2 : 1;
  return Math.max(1, Math.min(wanted, coreCount));
}
