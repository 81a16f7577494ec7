import type { Clock } from "../core/clock.ts";
import { Emitter } from "../core/emitter.ts";
import type { Logger } from "../core/logger.ts";
import type { LiveReader, Period, Unit } from "../live/unit.ts";
import type { Ticks } from "../media/timebase.ts";
import { BackOff } from "./back-off.ts";
import type { EncoderSettings } from "./encoder-arguments.ts";
import type { FfmpegExit, FfmpegProgram } from "./ffmpeg/process.ts";
import type { LadderPlan } from "./ladder.ts";
import { LadderRun } from "./ladder-run.ts";

/** Where rungs go. */
export interface RungSink {
  /**
   * Units of one rendition come in order, with decode times that rise strictly within a period. `unit.track` is one
   * object per ffmpeg run; times are on the source's timeline.
   */
  onRungUnit(renditionId: string, period: Period, unit: Unit): void;
  /** Nothing comes from these until `onRungUnit` names them again (never, for rungs that were shed). */
  onRungsLost(renditionIds: readonly string[], reason: string): void;
}

export interface LadderEvents {
  /** A period begins with these rungs: the planned ones without those that were shed. */
  plan: { readonly period: Period; readonly plan: LadderPlan };
  /** The encoder ended by itself and is started again at the next key frame after `retryInMs`. */
  crash: { readonly reason: string; readonly retryInMs: number };
  /** A rung was given up for the rest of the broadcast, because the machine cannot keep up. */
  shed: { readonly renditionId: string; readonly reason: string };
  /** An ffmpeg was started. */
  start: { readonly pid: number | undefined };
}

export interface LadderEncoderOptions {
  readonly program: FfmpegProgram;
  readonly settings: EncoderSettings;
  /** Which rungs a period gets. Nothing runs while it names none. */
  readonly plan: (period: Period) => LadderPlan;
  readonly sink: RungSink;
  readonly clock: Clock;
  readonly logger: Logger;
  /** So far behind real time, the top rung is shed. */
  readonly behindAfterMs?: number;
  /** Input that waits for the encoder. */
  readonly maxQueueBytes?: number;
}

/** What is to be known of a running ladder, for health and metrics. */
export interface LadderHealth {
  readonly isRunning: boolean;
  readonly behindMs: number;
  readonly shedRenditionIds: readonly string[];
  readonly crashCount: number;
  readonly droppedUnitCount: number;
}

const BEHIND_AFTER_MS = 10_000;
const MAX_QUEUE_BYTES = 16 * 1024 * 1024;
/** What an encoder still holds at the end of a period gets this long to come out: a machine that is busy is seconds behind. */
const DRAIN_LIMIT_MS = 4_000;
/** While more than these still end, none is started: a clock that jumps at every key frame starts them faster than that. */
const MAX_DRAINING_COUNT = 2;
const SAY_EVERY_MS = 1_000;

/**
 * The rungs of one broadcast: one ffmpeg for all of them per period, started anew when it crashes. Each step that fails
 * touches rungs only; the source goes its own way. Rungs that were shed do not come back within the broadcast: the
 * machine that failed once would fail again, and viewers would be moved up and down.
 */
export class LadderEncoder implements LiveReader {
  readonly events = new Emitter<LadderEvents>();
  readonly #options: LadderEncoderOptions;
  readonly #behindAfterMs: number;
  readonly #shed = new Set<string>();
  /** First decode time that a rendition may go on with, in its own ticks. */
  readonly #nextDts = new Map<string, Ticks>();
  #backOff = new BackOff();
  #period: Period | undefined;
  #plan: LadderPlan = { video: [], audio: [] };
  #run: LadderRun | undefined;
  /** Everything that was started before the current run has come out. */
  #drained: Promise<unknown> = Promise.resolve();
  #drainingCount = 0;
  #cancelRestart: () => void = () => undefined;
  #crashCount = 0;
  #droppedUnitCount = 0;
  #saidDroppedCount = 0;
  #saidAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: LadderEncoderOptions) {
    this.#options = options;
    this.#behindAfterMs = options.behindAfterMs ?? BEHIND_AFTER_MS;
  }

  /** What the current period was planned to have, without what was shed. */
  get plan(): LadderPlan {
    return this.#plan;
  }

  get health(): LadderHealth {
    return {
      isRunning: this.#run !== undefined,
      behindMs: this.#run?.behindMs() ?? 0,
      shedRenditionIds: [...this.#shed],
      crashCount: this.#crashCount,
      droppedUnitCount: this.#droppedUnitCount + (this.#run?.droppedUnitCount ?? 0),
    };
  }

  /** The old period's encoder is given time to finish; the new one starts at once, its output waits for the old. */
  onPeriod(period: Period): void {
    this.#retire();
    this.#period = period;
    this.#backOff = new BackOff();
    this.#plan = this.#without(this.#shed, this.#options.plan(period));
    this.events.emit("plan", { period, plan: this.#plan });
    this.#start();
  }

  onUnit(unit: Unit): void {
    const run = this.#run;
    if (!run) return;
    run.write(unit);
    this.#sayDrops(run);
    if (run.isFull) this.#fallBehind(run, "the encoder's queue is full");
    else if (run.behindMs() > this.#behindAfterMs) {
      this.#fallBehind(run, `the encoder is ${(run.behindMs() / 1000).toFixed(1)} s behind real time`);
    }
  }

  onInterrupted(): void {
    this.#retire();
    this.#period = undefined;
  }

  onEnd(): void {
    this.onInterrupted();
  }

  /** Ends the input. Resolves when everything has come out and no process is left. */
  async close(): Promise<void> {
    this.onInterrupted();
    await this.#drained;
  }

  #start(): void {
    const period = this.#period;
    const renditionIds = [...this.#plan.video, ...this.#plan.audio].map(({ id }) => id);
    if (!period || renditionIds.length === 0) return;
    if (this.#drainingCount > MAX_DRAINING_COUNT) {
      this.#options.sink.onRungsLost(renditionIds, "the encoders of earlier periods have not ended");
      void this.#drained.then(() => period === this.#period && this.#start());
      return;
    }
    const { program, settings, clock, maxQueueBytes = MAX_QUEUE_BYTES } = this.#options;
    const run = new LadderRun({
      ...{ period, plan: this.#plan, program, settings, clock, maxQueueBytes },
      onUnit: (renditionId, of, unit) => this.#pass(renditionId, of, unit),
    });
    this.#run = run;
    void this.#drained.then(() => run.open());
    void run.exited.then((exit) => this.#onExit(run, exit));
    this.#options.logger.info({ pid: run.pid, rungs: run.outputs.map((o) => o.renditionId) }, "ladder encoder started");
    this.events.emit("start", { pid: run.pid });
  }

  /** Lets the current run finish what it holds; it is ours no more. */
  #retire(): void {
    this.#cancelRestart();
    const run = this.#release();
    if (run) this.#drain(run);
    this.#nextDts.clear();
  }

  #drain(run: LadderRun): void {
    this.#drainingCount += 1;
    const finished = run.finish(DRAIN_LIMIT_MS).finally(() => {
      this.#drainingCount -= 1;
    });
    this.#drained = Promise.all([this.#drained, finished]);
  }

  #release(): LadderRun | undefined {
    const run = this.#run;
    this.#droppedUnitCount += run?.droppedUnitCount ?? 0;
    this.#run = undefined;
    return run;
  }

  #pass(renditionId: string, period: Period, unit: Unit): void {
    // A run that follows a crash may begin within what the one before had made.
    if (period === this.#period && unit.dts < (this.#nextDts.get(renditionId) ?? unit.dts)) return;
    if (period === this.#period) this.#nextDts.set(renditionId, unit.dts + unit.duration);
    this.#options.sink.onRungUnit(renditionId, period, unit);
  }

  #onExit(run: LadderRun, exit: FfmpegExit): void {
    const { reason, code, signal } = exit;
    if (run !== this.#run) {
      this.#options.logger.info({ pid: run.pid, code, signal }, "ladder encoder ended");
      return;
    }
    this.#release();
    this.#crashCount += 1;
    const retryInMs = this.#backOff.after(this.#options.clock.monotonicMs() - run.startedAtMs);
    this.#options.logger.warn(
      { pid: run.pid, reason, retryInMs, lastLines: exit.lastLines },
      "ladder encoder ended by itself",
    );
    this.#cancelRestart = this.#options.clock.after(retryInMs, () => this.#start());
    this.#lose(run, reason);
    this.events.emit("crash", { reason, retryInMs });
  }

  #lose(run: LadderRun, reason: string): void {
    const renditionIds = run.outputs.map((output) => output.renditionId);
    this.#options.sink.onRungsLost(renditionIds, reason);
  }

  /**
   * What it is behind with is thrown away, since the live edge is what counts; the rest of the ladder starts again at
   * the next key frame without its top rung. Audio alone costs next to nothing: then the machine stood still, and all
   * that helps is to start afresh.
   */
  #fallBehind(run: LadderRun, reason: string): void {
    this.#release();
    this.#drained = Promise.all([this.#drained, run.discard()]);
    const top = this.#plan.video[0]?.id;
    this.#options.logger.warn({ pid: run.pid, shed: top, reason }, "ladder encoder fell behind");
    if (top === undefined) this.#lose(run, reason);
    else this.#shedRung(top, reason);
    this.#start();
  }

  #shedRung(renditionId: string, reason: string): void {
    this.#shed.add(renditionId);
    this.#plan = this.#without(this.#shed, this.#plan);
    this.#options.sink.onRungsLost([renditionId], reason);
    this.events.emit("shed", { renditionId, reason });
  }

  #without(shed: ReadonlySet<string>, plan: LadderPlan): LadderPlan {
    return { ...plan, video: plan.video.filter((rung) => !shed.has(rung.id)) };
  }

  #sayDrops(run: LadderRun): void {
    const droppedUnitCount = this.#droppedUnitCount + run.droppedUnitCount;
    const nowMs = this.#options.clock.monotonicMs();
    if (droppedUnitCount === this.#saidDroppedCount || nowMs < this.#saidAtMs + SAY_EVERY_MS) return;
    this.#options.logger.warn({ units: droppedUnitCount - this.#saidDroppedCount }, "ladder encoder dropped units");
    this.#saidDroppedCount = droppedUnitCount;
    this.#saidAtMs = nowMs;
  }
}
