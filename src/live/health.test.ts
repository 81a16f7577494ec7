import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../core/clock.ts";
import type { AudioFormat, VideoFormat } from "../media/format.ts";
import { type HealthSentence, StreamHealth, type StreamHealthOptions } from "./health.ts";
import { Intake } from "./intake.ts";
import type { AudioTrack, Period, Unit, VideoTrack } from "./unit.ts";

const VIDEO_FORMAT: VideoFormat = {
  kind: "video",
  codec: "h264",
  config: new Uint8Array([1, 100, 0, 31]),
  codecString: "avc1.64001f",
  width: 1280,
  height: 720,
  sampleAspect: { width: 1, height: 1 },
  frameRate: undefined,
  colour: undefined,
  bitDepth: 8,
};
const AUDIO_FORMAT: AudioFormat = {
  kind: "audio",
  codec: "aac",
  config: new Uint8Array([0x11, 0x90]),
  codecString: "mp4a.40.2",
  sampleRateHz: 48_000,
  channelCount: 2,
  samplesPerUnit: 1024,
};
const VIDEO: VideoTrack = { timescale: 90_000, format: VIDEO_FORMAT };
const AUDIO: AudioTrack = { timescale: 48_000, format: AUDIO_FORMAT };

/** An encoder on a clock that stands still between frames. */
class Encoder {
  readonly clock = new ManualClock();
  readonly health: StreamHealth;
  #index = 0;
  #videoTicks = 900_000;
  #audioTicks = 480_000;

  constructor(options: Partial<StreamHealthOptions> = {}) {
    this.health = new StreamHealth({
      clock: this.clock,
      segmentDurationMs: 2000,
      partDurationMs: 500,
      ...options,
    });
  }

  begin(tracks: { video?: VideoTrack | undefined; audio?: AudioTrack | undefined }): void {
    const period: Period = {
      index: this.#index++,
      video: tracks.video,
      audio: tracks.audio,
      startMs: 10_000,
      wallZeroMs: 0,
    };
    this.health.onPeriod(period);
  }

  frame(options: { frameTicks?: number; isKey?: boolean; cts?: number; bytes?: number } = {}): void {
    const { frameTicks = 3000, isKey = false, cts = 0, bytes = 12_500 } = options;
    this.health.onUnit(this.#unit(VIDEO, this.#videoTicks, frameTicks, isKey, cts, bytes));
    this.#videoTicks += frameTicks;
  }

  sound(bytes = 400): void {
    this.health.onUnit(this.#unit(AUDIO, this.#audioTicks, 1024, true, 0, bytes));
    this.#audioTicks += 1024;
  }

  /** Frames and sound in real time: 30 fps, a keyframe each `gopFrames`. */
  run(seconds: number, options: { gopFrames?: number; audio?: boolean; bytes?: number; cts?: number[] } = {}): void {
    const { gopFrames = 60, audio = true, bytes = 12_500, cts = [0] } = options;
    for (let i = 0; i < seconds * 30; i++) {
      this.clock.advance(1000 / 30);
      this.frame({ isKey: i % gopFrames === 0, bytes, cts: cts[i % cts.length] ?? 0 });
      while (audio && this.#audioTicks / 48 < this.#videoTicks / 90) this.sound();
    }
  }

  codes(): string[] {
    return this.health.sentences().map(({ code }) => code);
  }

  /** The one sentence there is to say. */
  only(): HealthSentence {
    const [sentence, ...others] = this.health.sentences();
    assert.deepEqual(others, []);
    assert.ok(sentence);
    return sentence;
  }

  #unit(
    track: VideoTrack | AudioTrack,
    dts: number,
    duration: number,
    isKey: boolean,
    cts: number,
    bytes: number,
  ): Unit {
    return { track, dts, cts, duration, isKey, data: new Uint8Array(bytes), arrivedAtMs: this.clock.nowMs() };
  }
}

function both(options: Partial<StreamHealthOptions> = {}): Encoder {
  const encoder = new Encoder(options);
  encoder.begin({ video: VIDEO, audio: AUDIO });
  return encoder;
}

test("says nothing of a stream that is well", () => {
  const encoder = both({ maxBitrateBps: 20_000_000 });
  encoder.run(70);
  assert.deepEqual(encoder.health.sentences(), []);
});

test("measures bit rates, frame rate, keyframe interval and interleaving", () => {
  const encoder = both();
  encoder.run(10);
  const figures = encoder.health.figures();
  assert.equal(figures?.video?.bitrateBps, 12_500 * 8 * 30);
  assert.equal(figures?.video?.unitsPerSecond, 30);
  assert.equal(figures?.video?.gopMs, 2000);
  assert.equal(figures?.video?.reorderMs, 0);
  assert.equal(figures?.audio?.bitrateBps, (400 * 8 * 48_000) / 1024);
  assert.equal(figures?.audio?.unitsPerSecond, 48_000 / 1024);
  assert.equal(figures?.bitrateBps, 3_000_000 + 150_000);
  assert.ok(Math.abs(figures?.videoLeadMs ?? 1000) < 35);
});

test("forgets a bit rate after five seconds of media", () => {
  const encoder = both();
  encoder.run(10, { bytes: 50_000 });
  encoder.run(5.3);
  assert.equal(encoder.health.figures()?.video?.bitrateBps, 3_000_000);
});

test("advises against a long keyframe interval", () => {
  const encoder = both();
  encoder.run(25, { gopFrames: 300 });
  assert.deepEqual(encoder.only(), {
    code: "long_gop",
    severity: "warning",
    message:
      "Keyframes come every 10.0 s; set the keyframe interval to 2 s so that viewers start sooner and stay close to live.",
  });
});

test("sees a long keyframe interval before it ends, and forgets it a minute after it was mended", () => {
  const encoder = both();
  encoder.run(4, { gopFrames: 9999 });
  assert.deepEqual(encoder.codes(), ["long_gop"]);
  encoder.run(66);
  assert.deepEqual(encoder.codes(), []);
});

test("allows keyframes as far apart as segments are long", () => {
  const encoder = both({ segmentDurationMs: 6000, partDurationMs: undefined });
  encoder.run(30, { gopFrames: 180 });
  assert.deepEqual(encoder.codes(), []);
});

test("says what B-frames cost", () => {
  const encoder = both();
  // I P b b, decoding order, 30 fps: the keyframe waits two frames, each b none.
  encoder.run(10, { cts: [6000, 9000, 0, 0] });
  const { code, severity, message } = encoder.only();
  assert.deepEqual([code, severity], ["b_frames", "info"]);
  assert.match(message, /add 67 ms of delay/);
});

test("says nothing of a constant composition offset", () => {
  const encoder = both();
  encoder.run(10, { cts: [6000] });
  assert.deepEqual(encoder.codes(), []);
});

test("notes that a stream has no audio, or no video", () => {
  const silent = new Encoder();
  silent.begin({ video: VIDEO });
  silent.run(5, { audio: false });
  assert.equal(silent.only().code, "no_audio");
  const blind = new Encoder();
  blind.begin({ audio: AUDIO });
  for (let i = 0; i < 100; i++) blind.sound();
  assert.equal(blind.only().code, "no_video");
});

test("tells when one medium stops while the other goes on", () => {
  const encoder = both();
  encoder.run(10);
  encoder.run(4, { audio: false });
  const stopped = encoder.health.sentences()[0];
  assert.deepEqual([stopped?.code, stopped?.severity], ["audio_stopped", "error"]);
  assert.match(stopped?.message ?? "", /for 4\.\d s/);
});

test("tells when audio of a period never comes", () => {
  const encoder = both();
  encoder.run(4, { audio: false });
  assert.deepEqual(encoder.codes(), ["audio_stopped"]);
});

test("names the bit rate that is above the limit", () => {
  const encoder = both({ maxBitrateBps: 2_000_000 });
  encoder.run(6);
  assert.deepEqual(encoder.only(), {
    code: "bitrate_above_limit",
    severity: "error",
    message: "The stream takes 3.1 Mbit/s, the limit is 2.0 Mbit/s; lower the bit rate.",
  });
});

test("notices frames that are longer than a part", () => {
  const encoder = new Encoder();
  encoder.begin({ video: VIDEO });
  for (let i = 0; i < 4; i++) {
    encoder.clock.advance(1000);
    encoder.frame({ frameTicks: 90_000, isKey: true });
  }
  assert.deepEqual(encoder.codes(), ["frames_longer_than_part", "no_audio"]);
});

test("estimates how many frames the encoder dropped", () => {
  const encoder = new Encoder();
  encoder.begin({ video: VIDEO });
  for (let i = 0; i < 300; i++) {
    const frameTicks = i % 9 === 0 ? 6000 : 3000;
    encoder.clock.advance(frameTicks / 90);
    encoder.frame({ frameTicks, isKey: i % 30 === 0 });
  }
  const [missing] = encoder.health.sentences();
  assert.equal(missing?.code, "frames_missing");
  assert.match(missing?.message ?? "", /^About 10 % of the frames are missing/);
});

test("tells a varying frame rate from the rounding of milliseconds", () => {
  const encode = (durations: number[]) => {
    const encoder = new Encoder();
    encoder.begin({ video: VIDEO });
    for (let i = 0; i < 300; i++) {
      const frameTicks = durations[i % durations.length] ?? 3000;
      encoder.clock.advance(frameTicks / 90);
      encoder.frame({ frameTicks, isKey: i % 30 === 0 });
    }
    return encoder.codes();
  };
  assert.deepEqual(encode([2970, 3060, 2970]), ["no_audio"]);
  assert.deepEqual(encode([720, 720, 810]), ["no_audio"]);
  assert.deepEqual(encode([3000, 3000, 1500, 3000, 4300]), ["no_audio", "irregular_frame_rate"]);
});

test("tells an upload that stalls", () => {
  const encoder = both();
  encoder.run(20);
  encoder.clock.advance(2500);
  encoder.run(1);
  const { code, message } = encoder.only();
  assert.equal(code, "upload_stalls");
  assert.match(message, /up to 2\.5 s late/);
  encoder.run(75);
  assert.deepEqual(encoder.codes(), []);
});

test("takes what an encoder held back while it connected for no stall", () => {
  const encoder = both();
  encoder.clock.advance(3000);
  encoder.run(20);
  assert.deepEqual(encoder.codes(), []);
});

test("tells an encoder that sends faster than real time", () => {
  const encoder = both();
  encoder.run(6);
  for (let i = 0; i < 300; i++) {
    encoder.clock.advance(3);
    encoder.frame({ isKey: i % 60 === 0 });
    encoder.sound();
  }
  assert.ok(encoder.codes().includes("faster_than_real_time"));
  assert.ok(!encoder.codes().includes("upload_stalls"));
});

test("tells audio and video that arrive apart", () => {
  const encoder = both();
  for (let i = 0; i < 45; i++) encoder.frame({ isKey: i === 0 });
  encoder.run(8, { audio: false });
  for (let i = 0; i < 380; i++) encoder.sound();
  assert.ok(encoder.codes().includes("apart_in_time"));
});

test("counts reconnects for ten minutes and measures nothing while the encoder is away", () => {
  const encoder = both();
  encoder.run(3);
  encoder.health.onInterrupted();
  assert.equal(encoder.health.figures(), undefined);
  assert.deepEqual(encoder.codes(), []);
  encoder.begin({ video: VIDEO, audio: AUDIO });
  encoder.run(1);
  assert.match(encoder.only().message, /came back once in the last ten minutes/);
  encoder.run(60);
  assert.deepEqual(encoder.codes(), ["reconnects"]);
  encoder.clock.advance(600_000);
  encoder.run(1);
  assert.ok(!encoder.codes().includes("reconnects"));
});

test("tells settings that change in mid-stream, but not a mere gap", () => {
  const encoder = both();
  encoder.run(3);
  encoder.begin({ video: VIDEO, audio: AUDIO });
  encoder.run(1);
  assert.deepEqual(encoder.codes(), []);
  encoder.begin({ video: { ...VIDEO, format: { ...VIDEO_FORMAT, width: 1920, height: 1080 } }, audio: AUDIO });
  encoder.run(1);
  assert.deepEqual(encoder.codes(), ["settings_changed"]);
});

test("passes on what it is told, the worst first, and forgets it after a minute", () => {
  const encoder = both();
  encoder.run(3);
  encoder.health.note({ kind: "timestamp_jump", jumpMs: -12_300 });
  encoder.health.note({ kind: "publisher_refused", remoteAddress: "203.0.113.5" });
  encoder.health.note({ kind: "encoder_behind", behindMs: 11_000 });
  encoder.health.note({ kind: "encoder_restarted" });
  encoder.health.note({ kind: "rungs_shed", renditions: ["high", "medium"] });
  const sentences = encoder.health.sentences();
  assert.deepEqual(
    sentences.map(({ severity }) => severity),
    ["warning", "warning", "warning", "warning", "info"],
  );
  const said = sentences.map(({ message }) => message).join("\n");
  assert.match(said, /jumped by 12\.3 s;/);
  assert.match(said, /from 203\.0\.113\.5 was refused once/);
  assert.match(said, /encodes 11\.0 s behind/);
  assert.match(said, /restarted once/);
  assert.match(said, /^high, medium are switched off/m);
  encoder.run(66);
  assert.deepEqual(encoder.codes(), ["rungs_shed"]);
  encoder.health.note({ kind: "rungs_shed", renditions: [] });
  assert.deepEqual(encoder.codes(), []);
});

test("stops saying that the encoder is behind once it has caught up", () => {
  const encoder = both();
  encoder.health.note({ kind: "encoder_behind", behindMs: 11_000 });
  assert.deepEqual(encoder.codes(), ["encoder_behind"]);
  encoder.health.note({ kind: "encoder_behind", behindMs: 0 });
  assert.deepEqual(encoder.codes(), []);
});

/** What an RTMP encoder sends: both media in whole milliseconds, in real time, through the intake of a broadcast. */
function publish(
  frameRate: number,
  seconds: number,
  options: { gopFrames: number; reorder: number[]; jumpAtS?: number },
) {
  const clock = new ManualClock();
  const health = new StreamHealth({ clock, segmentDurationMs: 2000, partDurationMs: 500 });
  const intake = new Intake({
    clock,
    sink: health,
    sampleCount: () => undefined,
    onTimestampJump: (jumpMs) => health.note({ kind: "timestamp_jump", jumpMs }),
  });
  intake.expect({ video: true, audio: true });
  intake.setFormat(VIDEO_FORMAT);
  intake.setFormat(AUDIO_FORMAT);
  const data = new Uint8Array(5000);
  let audioMs = 0;
  for (let i = 0; i < seconds * frameRate; i++) {
    clock.advance(1000 / frameRate);
    const jumpMs = options.jumpAtS !== undefined && i >= options.jumpAtS * frameRate ? 60_000 : 0;
    const delayFrames = options.reorder[i % options.reorder.length] ?? 0;
    const dts = Math.round((i * 1000) / frameRate);
    const cts = Math.round(((i + delayFrames) * 1000) / frameRate) - dts;
    const isKey = i % options.gopFrames === 0;
    intake.write({ kind: "video", timescale: 1000, dts: dts + jumpMs, cts, isKey, data });
    for (; audioMs < dts; audioMs += 1024 / 48) {
      intake.write({ kind: "audio", timescale: 1000, dts: Math.round(audioMs) + jumpMs, cts: 0, isKey: true, data });
    }
  }
  return health;
}

test("finds nothing wrong with the whole milliseconds of RTMP, at any usual frame rate", () => {
  for (const frameRate of [24000 / 1001, 25, 30000 / 1001, 30, 50, 60000 / 1001, 60, 120]) {
    const gopFrames = Math.round(frameRate * 2);
    const health = publish(frameRate, 20, { gopFrames, reorder: [0] });
    assert.deepEqual(health.sentences(), [], `${frameRate} fps`);
    assert.ok(Math.abs((health.figures()?.video?.unitsPerSecond ?? 0) / frameRate - 1) < 0.01, `${frameRate} fps`);
  }
});

test("finds long GOPs, B-frames and jumps in what RTMP carries", () => {
  const health = publish(30, 30, { gopFrames: 300, reorder: [2, 3, 0, 0], jumpAtS: 20 });
  const said = health.sentences().map(({ code, message }) => `${code}: ${message}`);
  assert.equal(said.length, 3);
  assert.match(said[0] ?? "", /^long_gop: Keyframes come every 10\.0 s/);
  assert.match(said[1] ?? "", /^timestamp_jump: The encoder's clock jumped by 60\.0 s/);
  assert.match(said[2] ?? "", /^b_frames: .* 67 ms of delay/);
});
