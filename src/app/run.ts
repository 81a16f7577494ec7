import type { StreamSettings } from "../catalog/stream-record.ts";
import type { Clock } from "../core/clock.ts";
import type { Emitter } from "../core/emitter.ts";
import type { DomainError } from "../core/errors.ts";
import { newEpoch } from "../core/ids.ts";
import type { Logger } from "../core/logger.ts";
import type { EncoderSettings } from "../encode/encoder-arguments.ts";
import type { FfmpegProgram } from "../encode/ffmpeg/process.ts";
import { type LadderPlan, type LadderRung, planLadder } from "../encode/ladder.ts";
import { LadderEncoder, type LadderEvents } from "../encode/ladder-encoder.ts";
import { Broadcast, type BroadcastState } from "../live/broadcast.ts";
import { StreamHealth } from "../live/health.ts";
import type { Period } from "../live/unit.ts";
import { unitSampleCount } from "../media/codecs/unit-samples.ts";
import { ticksToMs } from "../media/timebase.ts";
import { Packager, type RungDescription, SOURCE_AUDIO_ID, SOURCE_VIDEO_ID } from "../packaging/packager.ts";
import type { LivePresentation, PackagingOptions } from "../packaging/presentation.ts";

/** How long the first viewers wait for the ladder while the source alone could be played. */
const LADDER_PATIENCE_MS = 5000;
/** Timers may fire so much before their time. */
const TIMER_SLACK_MS = 1;
/** Media sequence numbers are reserved so many at a time, and again when few are left. */
const RESERVED_COUNT = 64;
const RESERVE_BELOW_COUNT = 16;

export interface RunOptions {
  readonly settings: StreamSettings;
  readonly packaging: PackagingOptions;
  readonly reconnectWindowMs: number;
  readonly staleTakeoverMs: number;
  readonly behindAfterMs: number;
  readonly maxBitrateBps: number;
  readonly ladder: readonly LadderRung[];
  readonly encoder: EncoderSettings;
  /** Undefined when nothing may be encoded. */
  readonly program: FfmpegProgram | undefined;
  /** Where the numbers of the broadcast before end. */
  readonly nextMsn: number;
  readonly discontinuitySequence: number;
  /** Marks numbers as used before they are. */
  readonly reserve: (numbers: { nextMsn: number; discontinuitySequence: number }) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** One broadcast on its way to viewers: its packager, its ladder, and its health, joined. */
export class Run {
  readonly broadcast: Broadcast;
  readonly packager: Packager;
  readonly health: StreamHealth;
  readonly #options: RunOptions;
  readonly #ladder: LadderEncoder | undefined;
  #plan: LadderPlan = { video: [], audio: [] };
  #startedAtMs: number | undefined;
  #patienceEndsMs: number | undefined;
  #isOpen = false;
  #reservedMsn = 0;
  #cancelGap: () => void = () => {};
  #ended: Promise<void> | undefined;

  constructor(options: RunOptions) {
    const { clock, log, packaging } = options;
    this.#options = options;
    this.broadcast = new Broadcast({
      clock,
      log,
      reconnectWindowMs: options.reconnectWindowMs,
      staleTakeoverMs: options.staleTakeoverMs,
      sampleCount: unitSampleCount,
    });
    this.packager = new Packager({
      epoch: newEpoch(),
      packaging,
      firstMsn: options.nextMsn,
      firstDiscontinuitySequence: options.discontinuitySequence,
    });
    this.health = new StreamHealth({
      clock,
      segmentDurationMs: packaging.segmentTargetMs,
      partDurationMs: packaging.isLowLatency ? packaging.partTargetMs : undefined,
      maxBitrateBps: options.maxBitrateBps,
    });
    this.#ladder = options.program && options.settings.transcode ? this.#createLadder(options.program) : undefined;
    for (const reader of [this.packager, this.#ladder, this.health]) if (reader) this.broadcast.addReader(reader);
    this.broadcast.events.on("state", (state) => this.#onState(state));
    this.broadcast.events.on("jump", (jumpMs) => this.health.note({ kind: "timestamp_jump", jumpMs }));
    this.broadcast.events.on("refused", ({ remoteAddress }) =>
      this.health.note({ kind: "publisher_refused", remoteAddress }),
    );
    this.packager.events.on("advance", () => this.#reserve());
  }

  /** What viewers see; undefined until it can be played with the ladder beside it, or has waited long enough for that. */
  get presentation(): LivePresentation | undefined {
    this.#isOpen ||= this.packager.isPlayable && (this.#isLadderListed() || this.#isOutOfPatience());
    return this.#isOpen ? this.packager : undefined;
  }

  /** Whether the stream's owner wants it in this format; media belong to both. */
  offers(format: "hls" | "dash" | undefined): boolean {
    const { enableHls, enableDash } = this.#options.settings;
    return format === undefined || (format === "hls" ? enableHls : enableDash);
  }

  /** Wall clock of the first media; undefined before. */
  get startedAtMs(): number | undefined {
    return this.#startedAtMs;
  }

  /** Renditions that are there or on their way: the publisher's own, and what is encoded of them now. */
  get expectedIds(): readonly string[] {
    const { period } = this.broadcast;
    const { video, audio } = this.#ladder?.plan ?? { video: [], audio: [] };
    return [
      ...(period?.video ? [SOURCE_VIDEO_ID] : []),
      ...(period?.audio ? [SOURCE_AUDIO_ID] : []),
      ...[...video, ...audio].map(({ id }) => id),
    ];
  }

  /** What happens to the ladder's encoder; undefined when nothing is encoded. */
  get encoderEvents(): Emitter<LadderEvents> | undefined {
    return this.#ladder?.events;
  }

  get encoderCount(): number {
    return this.#ladder?.health.isRunning ? 1 : 0;
  }

  /** How far its encoder is behind what came in; 0 while none runs. */
  get encoderBehindMs(): number {
    return this.#ladder?.health.behindMs ?? 0;
  }

  /** From the encoder to the eye of a player that keeps the distance we ask for, as of now. */
  latencyMs(): number | undefined {
    const { period } = this.broadcast;
    const lead = this.packager.renditions[0];
    const segment = lead?.segments.at(-1);
    if (!period || !lead || !segment) return undefined;
    const { isLowLatency } = this.packager.options;
    const holdBackMs = 3 * (isLowLatency ? this.packager.partTargetMs : this.packager.targetDurationS * 1000);
    const edgeMs = period.wallZeroMs + ticksToMs(segment.start + segment.duration, lead.timescale);
    return Math.max(0, this.#options.clock.nowMs() - edgeMs) + holdBackMs;
  }

  /** What the encoder has to say goes to the health of the stream; called when somebody looks. */
  noteEncoder(): void {
    if (this.#ladder) this.health.note({ kind: "encoder_behind", behindMs: this.#behindMs(this.#ladder) });
  }

  /** Ends the broadcast and waits until all playlists have ended and no encoder is left. */
  end(reason: DomainError): Promise<void> {
    this.broadcast.end(reason);
    return this.#ended ?? Promise.resolve();
  }

  /** A second's delay is how a ladder works; what counts is what it cannot make up for. */
  #behindMs(ladder: LadderEncoder): number {
    const { behindMs } = ladder.health;
    return behindMs > this.#options.behindAfterMs / 2 ? behindMs : 0;
  }

  #createLadder(program: FfmpegProgram): LadderEncoder {
    const { settings, clock, log } = this.#options;
    const ladder = new LadderEncoder({
      program,
      settings: { ...this.#options.encoder, isLowLatency: this.#options.packaging.isLowLatency },
      plan: (period) => this.#planFor(period),
      sink: {
        onRungUnit: (renditionId, period, unit) => {
          const rung = this.#describe(renditionId, unit.track.format.kind);
          this.packager.writeRung(rung, period, unit);
        },
        onRungsLost: (renditionIds) => this.packager.loseRungs(renditionIds),
      },
      clock,
      logger: log,
      behindAfterMs: this.#options.behindAfterMs,
    });
    ladder.events.on("plan", ({ plan }) => {
      this.#plan = plan;
      this.#dropUnplanned(plan);
    });
    ladder.events.on("crash", () => this.health.note({ kind: "encoder_restarted" }));
    ladder.events.on("shed", ({ renditionId }) => {
      this.packager.dropRungs([renditionId]);
      this.health.note({ kind: "rungs_shed", renditions: ladder.health.shedRenditionIds });
    });
    log.debug({ qualities: settings.qualities }, "ladder planned");
    return ladder;
  }

  #planFor(period: Period): LadderPlan {
    const { settings, ladder } = this.#options;
    const source = {
      video: period.video?.format,
      audio: period.audio?.format,
      sourceBitrate: { videoBps: period.video?.sourceBps, audioBps: period.audio?.sourceBps },
    };
    const choice = { transcode: settings.transcode, rungs: ladder };
    return planLadder(source, settings.qualities ? { ...choice, qualities: settings.qualities } : choice);
  }

  #describe(id: string, kind: "video" | "audio"): RungDescription {
    return { id, kind, audioRenditionId: this.#plan.video.find((rung) => rung.id === id)?.audioRenditionId };
  }

  /** A source that came back smaller has fewer rungs: those that are over must not stand still in the playlist. */
  #dropUnplanned(plan: LadderPlan): void {
    const planned = new Set([...plan.video, ...plan.audio].map((rung) => rung.id));
    const over = this.packager.renditions.filter(({ id, origin }) => origin === "rung" && !planned.has(id));
    if (over.length > 0) this.packager.dropRungs(over.map(({ id }) => id));
  }

  #isLadderListed(): boolean {
    const listed = new Set(this.packager.renditions.map(({ id }) => id));
    return [...this.#plan.video, ...this.#plan.audio].every(({ id }) => listed.has(id));
  }

  #isOutOfPatience(): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    this.#patienceEndsMs ??= nowMs + LADDER_PATIENCE_MS;
    return nowMs >= this.#patienceEndsMs;
  }

  #onState(state: BroadcastState): void {
    this.#cancelGap();
    if (state === "live") this.#startedAtMs ??= this.#options.clock.nowMs();
    if (state === "reconnecting") this.#bridgeAbsence();
    if (state === "ended") this.#ended = this.#finish();
  }

  /** While the publisher is away: rungs are completed as they drain, and each target duration passes as a gap. */
  #bridgeAbsence(): void {
    void this.#ladder?.close().then(() => {
      if (this.broadcast.state === "reconnecting") this.packager.closeRungs();
    });
    this.#scheduleGap();
  }

  #scheduleGap(): void {
    const { clock, packaging } = this.#options;
    const { gapDueMs = Number.POSITIVE_INFINITY } = this.packager;
    const { segmentTargetMs } = packaging;
    // Not a moment early: players that wait for the playlist give up soon. Media far behind or ahead of the wall clock
    // are no reason to hurry, or to wait for ever.
    const delayMs = clamp(
      Math.ceil(gapDueMs - clock.nowMs()) + TIMER_SLACK_MS,
      segmentTargetMs / 2,
      2 * segmentTargetMs,
    );
    this.#cancelGap = clock.after(delayMs, () => {
      if ((this.packager.gapDueMs ?? 0) <= clock.nowMs()) this.#passGap();
      this.#scheduleGap();
    });
  }

  /** Media of an encoder that has returned, and is waited for until all of it is there, cannot take that time any more. */
  #passGap(): void {
    const endMs = this.packager.passGap();
    if (endMs !== undefined) this.broadcast.passTime(endMs);
  }

  async #finish(): Promise<void> {
    await this.#ladder?.close();
    this.packager.finish();
  }

  #reserve(): void {
    const { nextMsn, nextDiscontinuitySequence } = this.packager;
    if (nextMsn + RESERVE_BELOW_COUNT < this.#reservedMsn) return;
    this.#reservedMsn = nextMsn + RESERVED_COUNT;
    this.#options.reserve({ nextMsn: this.#reservedMsn, discontinuitySequence: nextDiscontinuitySequence });
  }
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}
