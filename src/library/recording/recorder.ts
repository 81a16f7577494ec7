import { type Clock, pause } from "../../core/clock.ts";
import type { VideoId } from "../../core/ids.ts";
import type { Logger } from "../../core/logger.ts";
import { type Recording, RecordingGone } from "./recording.ts";
import { endMsOf, leadOf, type Row, sizeOf, startMsOf } from "./row.ts";

export interface RecorderOptions {
  /** The recording that goes on, or a new one that begins with this row. */
  readonly open: (row: Row) => Promise<Recording>;
  /** Rows that wait for the store may hold so much. */
  readonly maxBufferBytes: number;
  /** A recording that is longer goes on in a new one. */
  readonly maxDurationMs: number;
  readonly onStored: (byteCount: number) => void;
  readonly onLost: (durationMs: number) => void;
  /** Told of a recording whose end could not be put into the records: `finish` does it, and may be called until it succeeds. */
  readonly onUnfinished: (videoId: VideoId, finish: () => Promise<void>) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** So much media is published at a time, and what is there after as long: a crash loses no more. */
const PUBLISH_EVERY_MS = 6_000;
const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 5_000;
/** How long after its broadcast the rest of a recording is tried to be stored. */
const DRAIN_LIMIT_MS = 5 * 60_000;

interface Waiting {
  readonly row: Row;
  readonly byteCount: number;
  /** Media from before it that is lost. */
  readonly lostMs: number;
}

/** It was not stored in the time that there was. */
class GivenUp extends Error {}

/**
 * Records one broadcast. What the store does not take at once waits in memory, up to a bound; beyond it media are left out,
 * and the recording says so. The broadcast is never held up.
 */
export class Recorder {
  readonly #options: RecorderOptions;
  #queue: Waiting[] = [];
  #queuedBytes = 0;
  #lostMs = 0;
  #recording: Recording | undefined;
  #hasEnded = false;
  /** The video stays unfinished: who publishes next goes on with it. */
  #isLeft = false;
  #isOver = false;
  readonly #noTime = new AbortController();
  #wake: () => void = () => {};
  #done: Promise<void> | undefined;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Takes what comes until `end`; resolves when all of it is stored, or will not be. Never rejects. */
  run(): Promise<void> {
    this.#done ??= this.#run();
    return this.#done;
  }

  push(row: Row): void {
    if (this.#isOver || this.#hasEnded) return;
    const byteCount = sizeOf(row);
    const { maxBufferBytes } = this.#options;
    // Once it has run over it is given time, or there would be a hole at every other segment.
    const limitBytes = this.#lostMs > 0 ? maxBufferBytes / 2 : maxBufferBytes;
    if (this.#queuedBytes + byteCount > limitBytes && this.#queue.length > 0) {
      this.#lose(durationOf(row));
      return;
    }
    this.#queue.push({ row, byteCount, lostMs: this.#lostMs });
    this.#lostMs = 0;
    this.#queuedBytes += byteCount;
    this.#wake();
  }

  /** The broadcast is over. */
  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#limit(DRAIN_LIMIT_MS);
    this.#wake();
  }

  /** The server is about to end: however the broadcast does, the video stays unfinished. */
  leaveUnfinished(): void {
    this.#isLeft = true;
  }

  /** Stores what it can in `limitMs`, and lets go. */
  close(limitMs: number): Promise<void> {
    this.#hasEnded = true;
    this.#limit(limitMs);
    this.#wake();
    return this.run();
  }

  #limit(ms: number): void {
    this.#options.clock.after(ms, () => this.#noTime.abort(new GivenUp("no time is left")));
  }

  async #run(): Promise<void> {
    try {
      await this.#record();
      await this.#close();
    } catch (error) {
      await this.#abandon(error);
    } finally {
      this.#isOver = true;
      this.#queue = [];
      this.#queuedBytes = 0;
    }
  }

  async #record(): Promise<void> {
    for (;;) {
      const [next] = this.#queue;
      if (next) {
        await this.#store(next);
        this.#queue.shift();
        this.#queuedBytes -= next.byteCount;
      } else if (this.#hasEnded) return;
      else await this.#rest();
    }
  }

  /** Until there is something to do; what is not published by then is. */
  async #rest(): Promise<void> {
    const isIdle = await new Promise<boolean>((resolve) => {
      const cancel = this.#options.clock.after(PUBLISH_EVERY_MS, () => resolve(true));
      this.#wake = () => {
        cancel();
        resolve(false);
      };
    });
    const recording = this.#recording;
    if (isIdle && recording) await this.#persist(() => recording.publish());
  }

  async #store({ row, lostMs, byteCount }: Waiting): Promise<void> {
    const recording = await this.#recordingFor(row);
    if (lostMs > 0) recording.addGap(lostMs);
    await this.#persist(() => recording.add(row, lostMs > 0, this.#noTime.signal));
    this.#options.onStored(byteCount);
    if (recording.hasBegun && recording.unpublishedMs < PUBLISH_EVERY_MS) return;
    await this.#persist(() => recording.publish());
  }

  async #recordingFor(row: Row): Promise<Recording> {
    const current = this.#recording;
    if (current && current.durationMs + durationOf(row) > this.#options.maxDurationMs && current.hasBegun) {
      await this.#finish(current);
      this.#recording = undefined;
    }
    this.#recording ??= await this.#persist(() => this.#options.open(row));
    return this.#recording;
  }

  async #close(): Promise<void> {
    const recording = this.#recording;
    if (!recording) return;
    if (this.#lostMs > 0) recording.addGap(this.#lostMs);
    if (this.#isLeft) await this.#persist(() => recording.publish());
    else await this.#finish(recording);
  }

  async #finish(recording: Recording): Promise<void> {
    const { log } = this.#options;
    await this.#persist(() => recording.publish());
    await this.#persist(() => recording.finish());
    log.info({ videoId: recording.videoId, durationMs: Math.round(recording.durationMs) }, "recording ended");
  }

  /** Does it again until it is done: a store or a catalog that is away comes back. */
  async #persist<Result>(action: () => Promise<Result>): Promise<Result> {
    const { signal } = this.#noTime;
    for (let retryInMs = FIRST_RETRY_MS; ; retryInMs = Math.min(retryInMs * 2, LONGEST_RETRY_MS)) {
      try {
        return await action();
      } catch (error) {
        if (error instanceof RecordingGone) throw error;
        if (signal.aborted) throw new GivenUp("it was tried to the last", { cause: error });
        if (retryInMs === FIRST_RETRY_MS) this.#options.log.warn({ err: error }, "the recording waits for the store");
        await pause(this.#options.clock, retryInMs, signal);
      }
    }
  }

  /** It ends here. Should the records not take that now, they have to later. */
  async #abandon(error: unknown): Promise<void> {
    const recording = this.#recording;
    if (!(error instanceof RecordingGone)) this.#loseQueue(error);
    if (!recording) return;
    const { videoId } = recording;
    const putInOrder = () => this.#putInOrder(recording);
    try {
      await (error instanceof RecordingGone ? this.#discard(recording, error) : putInOrder());
    } catch (err) {
      this.#options.log.warn({ videoId, err }, "a recording could not be put in order");
      if (!this.#isLeft) this.#options.onUnfinished(videoId, putInOrder);
    }
  }

  #loseQueue(err: unknown): void {
    const { log, onLost } = this.#options;
    const lostMs = this.#queue.reduce((sum, { row, lostMs: before }) => sum + durationOf(row) + before, this.#lostMs);
    log.error({ videoId: this.#recording?.videoId, lostMs, err }, "the end of a recording could not be stored");
    onLost(lostMs);
    if (lostMs > 0) this.#recording?.addGap(lostMs);
  }

  /** What is stored is published and whole. */
  async #putInOrder(recording: Recording): Promise<void> {
    try {
      await recording.publish();
      if (!this.#isLeft) await recording.finish();
      await recording.dropRow();
    } catch (error) {
      if (!(error instanceof RecordingGone)) throw error;
      await this.#discard(recording, error);
    }
  }

  #discard(recording: Recording, { message: reason }: RecordingGone): Promise<void> {
    this.#options.log.info({ videoId: recording.videoId, reason }, "recording stopped");
    return recording.discard();
  }

  #lose(durationMs: number): void {
    if (this.#lostMs === 0) {
      const { videoId } = this.#recording ?? {};
      this.#options.log.error(
        { videoId, queuedBytes: this.#queuedBytes },
        "the store is too slow: media are not recorded",
      );
    }
    this.#lostMs += durationMs;
    this.#options.onLost(durationMs);
  }
}

function durationOf(row: Row): number {
  const lead = leadOf(row);
  return lead ? endMsOf(lead) - startMsOf(lead) : 0;
}
