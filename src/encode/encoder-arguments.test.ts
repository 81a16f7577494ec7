import assert from "node:assert/strict";
import { test } from "node:test";
import type { AudioFormat, VideoFormat } from "../media/format.ts";
import { DEFAULT_ENCODER_SETTINGS, type EncoderName, ladderArguments, ladderOutputs } from "./encoder-arguments.ts";
import type { LadderPlan } from "./ladder.ts";

const VIDEO: VideoFormat = {
  kind: "video",
  codec: "h264",
  config: new Uint8Array(),
  codecString: "avc1.640028",
  width: 1920,
  height: 1080,
  sampleAspect: { width: 1, height: 1 },
  frameRate: undefined,
  colour: undefined,
  bitDepth: 8,
};

const AUDIO: AudioFormat = {
  kind: "audio",
  codec: "aac",
  config: new Uint8Array(),
  codecString: "mp4a.40.2",
  sampleRateHz: 48_000,
  channelCount: 2,
  samplesPerUnit: 1024,
};

const PLAN: LadderPlan = {
  video: [
    {
      id: "medium",
      width: 1280,
      height: 720,
      bitrateBps: 2_000_000,
      profile: "main",
      level: "3.1",
      audioRenditionId: "aac_96",
    },
  ],
  audio: [{ id: "aac_96", bitrateBps: 96_000, sampleRateHz: 48_000, channelCount: 2 }],
};

const BOTH = { video: VIDEO, audio: AUDIO };

function argumentsOf(encoder: EncoderName, isLowLatency: boolean): string {
  return ladderArguments(PLAN, BOTH, { ...DEFAULT_ENCODER_SETTINGS, encoder, isLowLatency }).join(" ");
}

const START = "-hide_banner -nostdin -nostats -loglevel level+warning -filter_threads 1 -copyts";
const INPUT =
  "-protocol_whitelist pipe -probesize 32 -analyzeduration 0 -threads:v 1 -f mp4 -i pipe:0 " + "-map 0:v:0 -vf";
const TIMING = "-fps_mode passthrough -enc_time_base 1:90000 -force_key_frames source -c:v";
const RATES =
  "-b:v 2000000 -maxrate 2400000 -bufsize 2400000 -bf 0 -g 65535 -video_track_timescale 90000 " +
  "-map_metadata -1 -avoid_negative_ts disabled -use_editlist 0 -flush_packets 1 " +
  "-movflags +empty_moov+default_base_moof+frag_every_frame+frag_discont -f mp4 pipe:3 " +
  "-map 0:a:0 -c:a aac -b:a 96000 -ar 48000 -ac 2 " +
  "-map_metadata -1 -avoid_negative_ts disabled -use_editlist 0 -flush_packets 1 " +
  "-movflags +empty_moov+default_base_moof+frag_every_frame+frag_discont -f mp4 pipe:4";
const SCALED = "scale=1280:720:flags=bicubic:out_range=tv,setsar=1,format";

test("writes the whole line for libx264", () => {
  assert.equal(
    argumentsOf("libx264", true),
    `${START} ${INPUT} ${SCALED}=yuv420p ${TIMING} libx264 -preset veryfast -tune zerolatency -profile:v main ` +
      `-level:v 3.1 -threads:v 2 -sc_threshold 0 -forced-idr 1 ${RATES}`,
  );
  assert.equal(
    argumentsOf("libx264", false),
    `${START} ${INPUT} ${SCALED}=yuv420p ${TIMING} libx264 -preset veryfast -profile:v main ` +
      `-level:v 3.1 -threads:v 2 -sc_threshold 0 -forced-idr 1 ${RATES}`,
  );
});

test("writes the whole line for VAAPI: uploaded once, scaled on the device", () => {
  const line = (asyncDepth: number) =>
    `${START} -init_hw_device vaapi=hw:/dev/dri/renderD128 -filter_hw_device hw ${INPUT} ` +
    `format=nv12,hwupload,scale_vaapi=w=1280:h=720,setsar=1 ${TIMING} h264_vaapi -rc_mode VBR -profile:v main ` +
    `-level:v 3.1 -idr_interval 0 -async_depth ${asyncDepth} ${RATES}`;
  assert.equal(argumentsOf("h264_vaapi", true), line(1));
  assert.equal(argumentsOf("h264_vaapi", false), line(4));
});

test("writes the whole line for NVENC", () => {
  const line = (tune: string, end: string) =>
    `${START} ${INPUT} ${SCALED}=yuv420p ${TIMING} h264_nvenc -preset p4 -tune ${tune} -rc vbr -profile:v main ` +
    `-level:v 3.1 -no-scenecut 1 -forced-idr 1 -strict_gop 1${end} ${RATES}`;
  assert.equal(argumentsOf("h264_nvenc", true), line("ll", " -delay 0 -zerolatency 1"));
  assert.equal(argumentsOf("h264_nvenc", false), line("hq", ""));
});

test("writes the whole line for QSV, whose level is a number", () => {
  const line = (asyncDepth: number, end: string) =>
    `${START} ${INPUT} ${SCALED}=nv12 ${TIMING} h264_qsv -preset veryfast -profile:v main -level:v 31 ` +
    `-forced_idr 1 -adaptive_i 0 -look_ahead 0 -async_depth ${asyncDepth}${end} ${RATES}`;
  assert.equal(argumentsOf("h264_qsv", true), line(1, " -low_delay_brc 1"));
  assert.equal(argumentsOf("h264_qsv", false), line(4, ""));
});

test("tells x264 the frame rate that the source declares", () => {
  const line = (numerator: number) => {
    const video = { ...VIDEO, frameRate: { numerator, denominator: 1001 } };
    return ladderArguments(PLAN, { video, audio: AUDIO }, DEFAULT_ENCODER_SETTINGS).join(" ");
  };
  assert.match(line(30_000), / -x264-params fps=30000\/1001 /);
  assert.doesNotMatch(line(90_000_000), /x264-params/);
});

test("names no device for audio alone and numbers pipes in the order of the outputs", () => {
  const plan = { video: [], audio: PLAN.audio };
  const settings = { ...DEFAULT_ENCODER_SETTINGS, encoder: "h264_vaapi" as const };
  const args = ladderArguments(plan, { video: undefined, audio: AUDIO }, settings);
  assert.ok(!args.includes("-init_hw_device"));
  assert.equal(args.at(-1), "pipe:3");
  assert.deepEqual(ladderOutputs(PLAN), [
    { renditionId: "medium", kind: "video" },
    { renditionId: "aac_96", kind: "audio" },
  ]);
});

test("decodes with one thread up to full HD, so that no frame is held back", () => {
  const threads = (width: number, height: number) => {
    const args = ladderArguments(PLAN, { video: { ...VIDEO, width, height }, audio: AUDIO }, DEFAULT_ENCODER_SETTINGS);
    return args[args.indexOf("-threads:v") + 1];
  };
  assert.deepEqual([threads(1920, 1080), threads(3840, 2160)], ["1", "4"]);
});
