import type { Writable } from "node:stream";
import { type Clock, pause } from "../../core/clock.ts";
import type { Logger } from "../../core/logger.ts";
import type { Publication } from "../../live/publication.ts";
import { type CmafEvent, CmafReader } from "../../media/cmaf/reader.ts";
import { ticksToMs, VIDEO_TIMESCALE } from "../../media/timebase.ts";
import { drawClock, PATTERN_HEIGHT, PATTERN_WIDTH, STRIP_BYTES, STRIP_HEIGHT } from "./clock-strip.ts";
import { IVF_DATA_AT, makeIvfFrame, writeIvfHeader } from "./ivf.ts";

/** A running ffmpeg, as much as is needed of it here; `encode/ffmpeg/process.ts` is one. */
export interface PatternEncoder {
  readonly inputs: readonly Writable[];
  readonly exited: Promise<{ readonly reason: string }>;
  read(outputIndex: number, take: (bytes: Uint8Array) => void): void;
  /** Makes it stop now. */
  terminate(): void;
}

export type StartPatternEncoder = (start: {
  readonly arguments: readonly string[];
  readonly inputCount: number;
  readonly outputCount: number;
}) => PatternEncoder;

export interface PatternSourceOptions {
  readonly publication: Publication;
  readonly startEncoder: StartPatternEncoder;
  readonly clock: Clock;
  readonly logger: Logger;
}

const FRAMES_PER_SECOND = 30;
const FRAME_MS = 1000 / FRAMES_PER_SECOND;
const GOP_S = 2;
const VIDEO_BPS = 2_500_000;
const AUDIO_BPS = 128_000;
/** A short stall is made up for, because a missing frame cuts parts short; a longer one is left out. */
const MOST_LATE_FRAMES = 15;
/** Clock strips that may wait for the encoder; a later one is left out, and the picture stands still for its time. */
const MAX_WAITING_BYTES = (MOST_LATE_FRAMES + 4) * STRIP_BYTES;
const RESTART_DELAY_MS = 2_000;
const OUTPUTS = ["video", "audio"] as const;

/**
 * The built-in test picture: moving shapes, a tone that is louder at the start of every second, and at the foot a clock
 * that this process draws just before each frame is encoded. The clock's frames carry their times and pace the whole, so
 * media time runs with the machine's clock.
 */
export class PatternSource {
  readonly #options: PatternSourceOptions;
  readonly #startMs: number;

  constructor(options: PatternSourceOptions) {
    this.#options = options;
    this.#startMs = options.clock.monotonicMs();
  }

  /**
   * Publishes until `signal` aborts or the publication ends, which it closes. An encoder that ends by itself is started
   * again; media time then has a gap.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { publication, logger } = this.#options;
    const stop = AbortSignal.any([signal, publication.signal]);
    publication.expect({ video: true, audio: true, videoBps: VIDEO_BPS, audioBps: AUDIO_BPS });
    while (!stop.aborted) {
      const reason = await this.#encode(stop);
      if (stop.aborted) break;
      logger.warn({ reason, retryInMs: RESTART_DELAY_MS }, "test picture encoder ended by itself");
      await pause(this.#options.clock, RESTART_DELAY_MS, stop);
    }
    const reason = publication.signal.aborted ? reasonOf(publication.signal) : "the test picture was stopped";
    publication.close(reason);
    logger.info({ reason }, "test picture ended");
  }

  /** One run of the encoder; resolves with why it ended. */
  async #encode(stop: AbortSignal): Promise<string> {
    const firstFrame = this.#dueFrame();
    const beepPhaseMs = (this.#options.clock.nowMs() + this.#untilMs(firstFrame)) % 1000;
    const encoder = this.#options.startEncoder({
      arguments: patternArguments(firstFrame / FRAMES_PER_SECOND, beepPhaseMs),
      inputCount: 1,
      outputCount: OUTPUTS.length,
    });
    const ended = new AbortController();
    const exit = encoder.exited.finally(() => ended.abort());
    OUTPUTS.forEach((kind, index) => {
      this.#publish(encoder, { kind, index, firstMs: firstFrame * FRAME_MS });
    });
    await this.#feed(encoder, firstFrame, AbortSignal.any([stop, ended.signal]));
    // In this order: the tone has no end of its own, and would be all that is left to encode, at full speed.
    encoder.terminate();
    for (const input of encoder.inputs) input.end();
    return (await exit).reason;
  }

  /** Writes a strip for each frame when it is due. */
  async #feed(encoder: PatternEncoder, firstFrame: number, stop: AbortSignal): Promise<void> {
    const [input] = encoder.inputs;
    input?.write(writeIvfHeader("Y800", PATTERN_WIDTH, STRIP_HEIGHT, FRAMES_PER_SECOND));
    for (let frame = firstFrame; !stop.aborted; frame = Math.max(frame + 1, this.#dueFrame() - MOST_LATE_FRAMES)) {
      await pause(this.#options.clock, this.#untilMs(frame), stop);
      if (stop.aborted || !input?.writable) return;
      if (input.writableLength < MAX_WAITING_BYTES) input.write(this.#drawFrame(frame));
    }
  }

  #drawFrame(frame: number): Uint8Array {
    const bytes = makeIvfFrame(STRIP_BYTES, frame);
    drawClock(bytes.subarray(IVF_DATA_AT), this.#options.clock.nowMs() - this.#lateMs(frame));
    return bytes;
  }

  /** How long ago the frame was due: it shows that instant, so a stall counts as delay to who reads the clock. */
  #lateMs(frame: number): number {
    return this.#options.clock.monotonicMs() - (this.#startMs + frame * FRAME_MS);
  }

  /** The next frame whose time has not passed. */
  #dueFrame(): number {
    return Math.ceil((this.#options.clock.monotonicMs() - this.#startMs) / FRAME_MS);
  }

  #untilMs(frame: number): number {
    return Math.max(0, -this.#lateMs(frame));
  }

  #publish(encoder: PatternEncoder, output: PatternOutput): void {
    const reader = new CmafReader();
    let timescale = VIDEO_TIMESCALE;
    encoder.read(output.index, (bytes) => {
      try {
        for (const event of reader.push(bytes)) {
          if (event.kind === "init") timescale = event.tracks[0]?.timescale ?? timescale;
          this.#pass(event, output, timescale);
        }
      } catch (error) {
        this.#options.logger.error({ err: error, output: output.kind }, "test picture encoder wrote what is no MP4");
        encoder.terminate();
      }
    });
  }

  #pass(event: CmafEvent, { kind, firstMs }: PatternOutput, timescale: number): void {
    const { publication } = this.#options;
    if (event.kind === "init") {
      for (const { format } of event.tracks) publication.setFormat(format);
      return;
    }
    const { dts, cts, isKey, data } = event;
    // What the audio encoder puts before the first sample: its priming.
    if (ticksToMs(dts, timescale) < firstMs - 1) return;
    publication.write({ kind, timescale, dts, cts, isKey, data });
  }
}

interface PatternOutput {
  readonly kind: "video" | "audio";
  readonly index: number;
  /** Media time of the first frame. */
  readonly firstMs: number;
}

function reasonOf(signal: AbortSignal): string {
  return signal.reason instanceof Error ? signal.reason.message : "the publication ended";
}

/**
 * One ffmpeg: the clock's strip on pipe 0, video out on pipe 3, audio on pipe 4. Its media time begins at `startS`;
 * `phaseMs` is how far into a second of UTC that is, so that the beep comes with the clock's full second.
 */
function patternArguments(startS: number, phaseMs: number): readonly string[] {
  const shapesHeight = PATTERN_HEIGHT - STRIP_HEIGHT;
  const second = `mod(t+${(phaseMs / 1000).toFixed(3)}\\,1)`;
  const graph = [
    // The strip drives: the picture has the frames that it has, at its times.
    `[0:v]scale=out_range=tv,format=yuv420p,pad=${PATTERN_WIDTH}:${PATTERN_HEIGHT}:0:${shapesHeight}[foot]`,
    `testsrc2=size=${PATTERN_WIDTH}x${shapesHeight}:rate=${FRAMES_PER_SECOND},setpts=PTS+${startS}/TB[shapes]`,
    "[foot][shapes]overlay=0:0:shortest=1,format=yuv420p[video]",
    `aevalsrc=exprs=sin(2*PI*440*t)*(0.04+0.3*lt(${second}\\,0.06)):sample_rate=48000,` +
      `asetpts=PTS+${startS}/TB,aformat=channel_layouts=stereo[audio]`,
  ];
  return [
    ...["-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+warning", "-filter_complex_threads", "1"],
    ...["-copyts", "-protocol_whitelist", "pipe", "-probesize", "32", "-analyzeduration", "0"],
    ...["-f", "ivf", "-i", "pipe:0", "-filter_complex", graph.join(";")],
    ...["-map", "[video]", "-fps_mode", "passthrough", "-enc_time_base", `1:${FRAMES_PER_SECOND}`],
    ...["-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-profile:v", "main", "-threads:v", "2"],
    ...["-b:v", `${VIDEO_BPS}`, "-maxrate", "3000000", "-bufsize", "2500000", "-bf", "0"],
    // By time, not by count: a busy machine leaves frames out.
    ...[
      "-sc_threshold",
      "0",
      "-g",
      "65535",
      "-force_key_frames",
      `expr:isnan(prev_forced_t)+gte(t,prev_forced_t+${GOP_S})`,
    ],
    ...["-video_track_timescale", `${VIDEO_TIMESCALE}`, ...PIPE_OUTPUT, "pipe:3"],
    ...["-map", "[audio]", "-c:a", "aac", "-b:a", `${AUDIO_BPS}`, ...PIPE_OUTPUT, "pipe:4"],
  ];
}

/** Frame by frame; the first tfdt carries the true time. */
const PIPE_OUTPUT = [
  ...["-avoid_negative_ts", "disabled", "-use_editlist", "0", "-flush_packets", "1"],
  ...["-movflags", "+empty_moov+default_base_moof+frag_every_frame+frag_discont", "-f", "mp4"],
] as const;
