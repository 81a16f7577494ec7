import type { Clock } from "../core/clock.ts";
import type { Period, Track, Unit } from "../live/unit.ts";
import { writeChunk } from "../media/cmaf/chunk.ts";
import { writeInitSegment } from "../media/cmaf/init-segment.ts";
import { CmafReader, type ReadSample } from "../media/cmaf/reader.ts";
import type { CmafTrack } from "../media/cmaf/track.ts";
import { msToTicks, ticksToMs } from "../media/timebase.ts";
import { EncodeLag } from "./encode-lag.ts";
import { type EncoderSettings, type LadderOutput, ladderArguments, ladderOutputs } from "./encoder-arguments.ts";
import { type FfmpegExit, FfmpegProcess, type FfmpegProgram } from "./ffmpeg/process.ts";
import type { LadderPlan } from "./ladder.ts";

export interface LadderRunOptions {
  readonly period: Period;
  readonly plan: LadderPlan;
  readonly program: FfmpegProgram;
  readonly settings: EncoderSettings;
  readonly clock: Clock;
  /** Input that may wait for the encoder. */
  readonly maxQueueBytes: number;
  readonly onUnit: (renditionId: string, period: Period, unit: Unit) => void;
}

const VIDEO_TRACK_ID = 1;
const AUDIO_TRACK_ID = 2;
/**
 * By so much ffmpeg is told to decode a picture earlier than it was sent. In a period a picture may be shown before its
 * decode time (docs/adr/0001); ffmpeg's reader takes that as a cause to move all that follows. More than any reordering,
 * less than PRESENTATION_START_MS: no time becomes negative.
 */
const DECODE_LEAD_MS = 5_000;
/** Clock roundings of a resampler; far less than a unit. */
const AUDIO_START_TOLERANCE_MS = 1;

/** One ffmpeg over one stretch of a period: units of the source in, units of every rung out. Begins at a key frame. */
export class LadderRun {
  readonly outputs: readonly LadderOutput[];
  readonly startedAtMs: number;
  readonly exited: Promise<FfmpegExit>;
  readonly #options: LadderRunOptions;
  readonly #process: FfmpegProcess;
  readonly #lag: EncodeLag;
  readonly #audioLag: EncodeLag;
  readonly #feedsVideo: boolean;
  readonly #feedsAudio: boolean;
  #sequenceNumber = 0;
  #firstAudioMs: number | undefined;
  #isSkippingToKey: boolean;
  #droppedUnitCount = 0;
  #isDiscarded = false;
  #problem: string | undefined;

  constructor(options: LadderRunOptions) {
    const { period, plan, program, settings, clock } = options;
    this.#options = options;
    this.outputs = ladderOutputs(plan);
    this.startedAtMs = clock.monotonicMs();
    this.#feedsVideo = period.video !== undefined && plan.video.length > 0;
    this.#feedsAudio = period.audio !== undefined && plan.audio.length > 0;
    this.#isSkippingToKey = this.#feedsVideo;
    const idsOf = (kind: string) => this.outputs.filter((o) => o.kind === kind).map((o) => o.renditionId);
    this.#lag = new EncodeLag(idsOf("video"));
    this.#audioLag = new EncodeLag(idsOf("audio"));
    const input = {
      video: this.#feedsVideo ? period.video?.format : undefined,
      audio: this.#feedsAudio ? period.audio?.format : undefined,
    };
    this.#process = new FfmpegProcess({
      program,
      arguments: ladderArguments(plan, input, settings),
      inputCount: 1,
      outputCount: this.outputs.length,
      clock,
    });
    this.exited = this.#process.exited.then((exit) =>
      this.#problem === undefined ? exit : { ...exit, reason: this.#problem },
    );
    this.#send(writeInitSegment(this.#inputTracks()));
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Video that never reached the encoder, because it came before the first key frame. */
  get droppedUnitCount(): number {
    return this.#droppedUnitCount;
  }

  /** More waits for it than may: whoever feeds it has to give it up. */
  get isFull(): boolean {
    return (this.#process.inputs[0]?.writableLength ?? 0) > this.#options.maxQueueBytes;
  }

  /** How far its slowest output is behind what it was fed, in wall time. */
  behindMs(): number {
    return (this.#feedsVideo ? this.#lag : this.#audioLag).behindMs(this.#options.clock.monotonicMs());
  }

  /** From here on its output is read. Before, it waits in the pipes: the run of the period before comes first. */
  open(): void {
    this.outputs.forEach((output, index) => {
      this.#read(output, index);
    });
  }

  write(unit: Unit): void {
    const { kind } = unit.track.format;
    if (!(kind === "video" ? this.#feedsVideo : this.#feedsAudio)) return;
    if (kind === "video" && this.#isSkipped(unit)) return;
    const startMs = ticksToMs(unit.dts + unit.cts, unit.track.timescale);
    if (kind === "audio") this.#firstAudioMs ??= startMs;
    const lag = kind === "video" ? this.#lag : this.#audioLag;
    lag.feed(startMs, this.#options.clock.monotonicMs(), unit.arrivedAtMs);
    const leadTicks = kind === "video" ? msToTicks(DECODE_LEAD_MS, unit.track.timescale) : 0;
    this.#sequenceNumber += 1;
    this.#send(
      writeChunk({
        sequenceNumber: this.#sequenceNumber,
        trackId: kind === "video" ? VIDEO_TRACK_ID : AUDIO_TRACK_ID,
        baseDecodeTime: unit.dts - leadTicks,
        samples: [{ ...unit, cts: unit.cts + leadTicks }],
        isSegmentStart: false,
      }).bytes,
    );
  }

  /** No more input: what is inside comes out, for at most `limitMs`; then it is stopped. */
  finish(limitMs: number): Promise<FfmpegExit> {
    void this.#process.finish(limitMs);
    return this.exited;
  }

  /** Stops it at once; nothing more comes out. */
  discard(): Promise<FfmpegExit> {
    this.#isDiscarded = true;
    this.open();
    this.#process.kill();
    return this.exited;
  }

  #inputTracks(): readonly CmafTrack[] {
    const { video, audio } = this.#options.period;
    return [
      ...(video && this.#feedsVideo ? [{ trackId: VIDEO_TRACK_ID, ...video }] : []),
      ...(audio && this.#feedsAudio ? [{ trackId: AUDIO_TRACK_ID, ...audio }] : []),
    ];
  }

  #isSkipped(unit: Unit): boolean {
    if (unit.isKey) this.#isSkippingToKey = false;
    if (this.#isSkippingToKey) this.#droppedUnitCount += 1;
    return this.#isSkippingToKey;
  }

  #send(bytes: Uint8Array): void {
    const input = this.#process.inputs[0];
    if (input?.writable) input.write(bytes);
  }

  #read(output: LadderOutput, pipeIndex: number): void {
    const reader = new CmafReader();
    let track: Track | undefined;
    this.#process.read(pipeIndex, (bytes) => {
      if (this.#isDiscarded) return;
      try {
        for (const event of reader.push(bytes)) {
          if (event.kind === "init") track = this.#trackOf(event.tracks[0]);
          else if (track) this.#deliver(output, track, event);
        }
      } catch (error) {
        this.#problem = `output ${output.renditionId}: ${error instanceof Error ? error.message : error}`;
        void this.discard();
      }
    });
  }

  /**
   * The frame rate is the source's: an encoder that is told times in 1/90000 s writes that as its rate.
   */
  #trackOf(read: CmafTrack | undefined): Track | undefined {
    if (!read) return undefined;
    const { timescale, format } = read;
    const frameRate = this.#options.period.video?.format.frameRate;
    return { timescale, format: format.kind === "video" ? { ...format, frameRate } : format };
  }

  #deliver({ renditionId, kind }: LadderOutput, track: Track, sample: ReadSample): void {
    const startMs = ticksToMs(sample.dts + sample.cts, track.timescale);
    // What an audio encoder puts before the first sample that it was given: priming, which nobody is to hear.
    if (kind === "audio" && startMs < (this.#firstAudioMs ?? 0) - AUDIO_START_TOLERANCE_MS) return;
    const lag = kind === "video" ? this.#lag : this.#audioLag;
    const arrivedAtMs = lag.takeOut(renditionId, startMs) ?? this.#options.clock.nowMs();
    const { dts, cts, isKey, data } = sample;
    const duration = Math.max(1, sample.duration);
    this.#options.onUnit(renditionId, this.#options.period, { track, dts, cts, duration, isKey, data, arrivedAtMs });
  }
}
