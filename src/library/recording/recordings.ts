import type { StreamRepository } from "../../catalog/stream-repository.ts";
import type { VideoRecord } from "../../catalog/video-record.ts";
import type { VideoRepository } from "../../catalog/video-repository.ts";
import { type Clock, pause } from "../../core/clock.ts";
import type { StreamId, VideoId } from "../../core/ids.ts";
import type { Logger } from "../../core/logger.ts";
import type { LivePresentation } from "../../packaging/presentation.ts";
import { type ReadRendition, storedRendition } from "../rendition-json.ts";
import { readPlan } from "../video-records.ts";
import { Recorder } from "./recorder.ts";
import { type BrokenRecording, NOTHING_STORED, Recording, type RecordingOptions } from "./recording.ts";
import { onAirAtMs, type Row } from "./row.ts";
import { RowGatherer } from "./row-gatherer.ts";

export interface RecordingsOptions extends Omit<RecordingOptions, "videos" | "link"> {
  readonly videos: RecordingOptions["videos"] & Pick<VideoRepository, "get" | "ids" | "renditions" | "chunks">;
  readonly streams: Pick<StreamRepository, "get" | "setVideo">;
  /** How long a publisher may be away, for streams that do not say otherwise. */
  readonly reconnectWindowMs: number;
  readonly maxBufferBytes: number;
  readonly maxDurationMs: number;
  readonly onStored: (byteCount: number) => void;
  readonly onLost: (durationMs: number) => void;
  readonly clock: Clock;
}

/** A broadcast that is to be recorded. */
export interface RecordedBroadcast {
  readonly streamId: StreamId;
  readonly title: string;
  readonly presentation: LivePresentation;
  /** Renditions that are on their way, listed already or not. */
  readonly expectedIds: () => Iterable<string>;
  /** Whether viewers are let in. */
  readonly isOpen: () => boolean;
}

/** A server that was away for longer has missed the publisher's return: what comes now is another broadcast. */
const RESUMED_WITHIN_MS = 10 * 60_000;
const CLOSE_LIMIT_MS = 1_000;
/** How often a recording is tried to be finished that the records did not take. */
const FINISH_EVERY_MS = 60_000;

interface Broken {
  readonly videoId: VideoId;
  cancel: () => void;
}

/** The recordings of this server: of broadcasts that are on air, and those that a server before it left unfinished. */
export class Recordings {
  readonly #options: RecordingsOptions;
  readonly #recorders = new Set<Recorder>();
  /** Unfinished ones that the next broadcast of the stream goes on with. */
  readonly #broken = new Map<StreamId, Broken>();
  readonly #finishing = new Set<Promise<void>>();
  readonly #leaving = new AbortController();

  constructor(options: RecordingsOptions) {
    this.#options = options;
  }

  get counts(): { readonly recordingCount: number; readonly queuedBytes: number } {
    const queued = [...this.#recorders].map(({ queuedBytes }) => queuedBytes);
    return { recordingCount: queued.length, queuedBytes: queued.reduce((sum, bytes) => sum + bytes, 0) };
  }

  /** Takes up what a server before this one left: it waits for its publisher for a while, and is finished then. */
  async start(): Promise<void> {
    const { videos } = this.#options;
    for await (const videoId of videos.ids({ isUnfinished: true })) {
      const video = await videos.get(videoId);
      if (video && video.source === null) await this.#takeUp(video);
    }
  }

  /** Records a broadcast from now to its end. */
  follow(broadcast: RecordedBroadcast): void {
    const { streamId, presentation, expectedIds, isOpen } = broadcast;
    const { maxBufferBytes, maxDurationMs, onStored, onLost, clock } = this.#options;
    const log = this.#options.log.child({ streamId });
    const recorder = new Recorder({
      ...{ maxBufferBytes, maxDurationMs, onStored, onLost, clock, log },
      onUnfinished: (videoId, finish) => this.#finish(videoId, finish),
      open: (row) => this.#open(broadcast, row, log),
    });
    const gatherer = new RowGatherer({
      ...{ presentation, expectedIds, isOpen },
      onRow: (row) => recorder.push(row),
      onEnd: () => recorder.end(),
    });
    this.#recorders.add(recorder);
    void recorder.run().then(() => {
      gatherer.close();
      this.#recorders.delete(recorder);
    });
  }

  /** The server is about to end: recordings stay unfinished from here on, so that the next one goes on with them. */
  leave(): void {
    this.#leaving.abort();
    for (const { cancel } of this.#broken.values()) cancel();
    for (const recorder of this.#recorders) recorder.leaveUnfinished();
  }

  /** Stores what is at hand. */
  async close(): Promise<void> {
    this.leave();
    await Promise.all([...this.#recorders].map((recorder) => recorder.close(CLOSE_LIMIT_MS)));
    await Promise.all(this.#finishing);
  }

  async #takeUp(video: VideoRecord): Promise<void> {
    const { clock, streams, reconnectWindowMs } = this.#options;
    const { videoId } = video;
    const streamId = readPlan(video).recording?.streamId;
    const stream = streamId && (await streams.get(streamId));
    const isRecent = clock.nowMs() - video.updatedAtMs < RESUMED_WITHIN_MS;
    if (!stream || !isRecent || this.#broken.has(stream.streamId)) {
      this.#finish(videoId);
      return;
    }
    this.#await(stream.streamId, videoId, stream.settings.reconnectWindowMs ?? reconnectWindowMs);
  }

  /** It is finished as it is when nobody goes on with it for so long. */
  #await(streamId: StreamId, videoId: VideoId, limitMs: number): void {
    const finish = () => {
      this.#broken.delete(streamId);
      this.#finish(videoId);
    };
    this.#broken.set(streamId, { videoId, cancel: this.#options.clock.after(limitMs, finish) });
  }

  #finish(videoId: VideoId, finish = () => this.#finishNow(videoId)): void {
    const finished = this.#untilDone(videoId, finish).finally(() => this.#finishing.delete(finished));
    this.#finishing.add(finished);
  }

  /** Should the server end before, the next one does it. */
  async #untilDone(videoId: VideoId, finish: () => Promise<void>): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#leaving;
    while (!signal.aborted) {
      try {
        await finish();
        return;
      } catch (err) {
        log.warn({ videoId, err }, "a recording could not be finished now; that is tried again");
      }
      await pause(clock, FINISH_EVERY_MS, signal);
    }
  }

  async #finishNow(videoId: VideoId): Promise<void> {
    const broken = await this.#read(videoId);
    if (!broken) return;
    const recording = Recording.resume(this.#recordingOptions(this.#options.log), broken);
    await recording.finish();
    this.#options.log.info({ videoId, durationMs: Math.round(recording.durationMs) }, "interrupted recording ended");
  }

  async #open({ streamId, title, presentation }: RecordedBroadcast, row: Row, log: Logger): Promise<Recording> {
    const options = this.#recordingOptions(log);
    const broken = await this.#brokenOf(streamId);
    if (broken) {
      log.info({ videoId: broken.videoId }, "recording goes on");
      return Recording.resume(options, broken);
    }
    const { segmentTargetMs } = presentation.options;
    const { targetDurationS } = presentation;
    return Recording.begin(options, { streamId, title, startedAtMs: onAirAtMs(row), segmentTargetMs, targetDurationS });
  }

  /** What the stream's broadcast goes on with, which nobody else finishes then. */
  async #brokenOf(streamId: StreamId): Promise<BrokenRecording | undefined> {
    const unfinished = this.#broken.get(streamId);
    if (!unfinished) return undefined;
    const { videoId, cancel } = unfinished;
    cancel();
    try {
      const broken = await this.#read(videoId);
      this.#broken.delete(streamId);
      return broken;
    } catch (error) {
      // Whoever asked may give up, and the publisher never come back.
      this.#await(streamId, videoId, FINISH_EVERY_MS);
      throw error;
    }
  }

  #recordingOptions(log: Logger): RecordingOptions {
    const { videos, store, advance, streams } = this.#options;
    return { videos, store, advance, log, link: (streamId, videoId) => streams.setVideo(streamId, videoId) };
  }

  /** Undefined when it is finished, or gone. */
  async #read(videoId: VideoId): Promise<BrokenRecording | undefined> {
    const { videos } = this.#options;
    const video = await videos.get(videoId);
    if (!video || video.status === "ready" || video.status === "errored") return undefined;
    const plan = readPlan(video).recording;
    if (!plan) {
      await videos.setStatus(videoId, NOTHING_STORED);
      return undefined;
    }
    const renditions: ReadRendition[] = [];
    const emptyEpochs = new Map<string, string>();
    for (const record of await videos.renditions(videoId)) {
      const { renditionId, epoch } = record;
      const read = storedRendition(record, await videos.chunks(videoId, { renditionId }));
      if (read && read.chunkCount > 0) renditions.push(read);
      else emptyEpochs.set(renditionId, epoch);
    }
    return { videoId, plan, renditions, emptyEpochs };
  }
}
