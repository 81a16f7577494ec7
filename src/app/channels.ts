import type { BruteForceGuard } from "../access/brute-force.ts";
import { hashStreamKey } from "../access/stream-keys.ts";
import type { LiveRendition, LiveStatus, LiveTrack, RunningStreams } from "../api/running-streams.ts";
import type { StreamRecord } from "../catalog/stream-record.ts";
import type { StreamRepository } from "../catalog/stream-repository.ts";
import type { Clock } from "../core/clock.ts";
import { DomainError } from "../core/errors.ts";
import type { StreamId } from "../core/ids.ts";
import type { Logger } from "../core/logger.ts";
import type { LivePresentations, ManifestFormat } from "../delivery/live-presentations.ts";
import type { Publication, PublishGate, PublishRequest } from "../live/publication.ts";
import type { MediaFormat } from "../media/format.ts";
import { SOURCE_VIDEO_ID } from "../packaging/packager.ts";
import type { LivePresentation, Rendition } from "../packaging/presentation.ts";
import type { Run } from "./run.ts";

/** Viewers of a stream that was deleted still get the end of their playlist for so long. */
const DELETED_RETENTION_MS = 30_000;
/** After its longest wait between two requests, a player's request takes so long to come. */
const FAREWELL_SLACK_MS = 500;

export interface ChannelsOptions {
  readonly streams: Pick<StreamRepository, "get" | "findByKeyHash" | "updateStatus">;
  readonly guard: BruteForceGuard;
  readonly createRun: (record: StreamRecord, log: Logger) => Run;
  /** Publishes the built-in picture until the publication ends. */
  readonly runPattern: (publication: Publication, log: Logger) => Promise<void>;
  readonly takeStill: (streamId: StreamId, presentation: LivePresentation) => Promise<Uint8Array | undefined>;
  readonly viewerCount: (streamId: StreamId) => number;
  /** Told of every attempt to publish: `granted`, or the code of the error. */
  readonly onPublish: (protocol: string, outcome: string) => void;
  readonly maxConcurrentStreams: number;
  readonly endedRetentionMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * The streams that are on air, by id: who may publish to them, what viewers see of them, and what the API is told. The
 * catalog has the records; here is only what runs.
 */
export class Channels implements PublishGate, LivePresentations, RunningStreams {
  readonly #options: ChannelsOptions;
  /** Broadcasts that are on air or wait for their publisher. */
  readonly #live = new Map<StreamId, Run>();
  /** The last broadcast of a stream, as long as it can still be played. */
  readonly #ended = new Map<StreamId, EndedRun>();
  /** Broadcasts that are over and still bring out what they have in hand: for viewers they are live until their playlists end. */
  readonly #draining = new Map<StreamId, Run>();
  readonly #finishing = new Set<Promise<void>>();
  readonly #patterns = new Map<StreamId, Promise<void>>();
  #isClosing = false;

  constructor(options: ChannelsOptions) {
    this.#options = options;
  }

  async open(request: PublishRequest): Promise<Publication> {
    const { onPublish } = this.#options;
    try {
      const publication = await this.#grant(request);
      onPublish(request.protocol, "granted");
      return publication;
    } catch (error) {
      onPublish(request.protocol, error instanceof DomainError ? error.code : "INTERNAL");
      throw error;
    }
  }

  async #grant(request: PublishRequest): Promise<Publication> {
    const { guard, streams } = this.#options;
    this.#refuseBlocked(request.remoteAddress);
    const record = await streams.findByKeyHash(hashStreamKey(request.streamKey));
    if (!record) {
      guard.recordFailure(request.remoteAddress);
      throw new DomainError("STREAM_KEY_UNKNOWN", "The stream key is unknown; copy it from the studio again");
    }
    return this.#claim(record, request);
  }

  find(streamId: string, format?: ManifestFormat): LivePresentation | undefined {
    // Whatever stands in the path is looked up as it is: what is no id is no key.
    const id = streamId as StreamId;
    return presentationOf(this.#live.get(id), format) ?? presentationOf(this.#ended.get(id)?.run, format);
  }

  explainAbsence(streamId: string, format?: ManifestFormat): DomainError {
    const run = this.#live.get(streamId as StreamId);
    if (run && format && !run.offers(format)) {
      return new DomainError("NOT_FOUND", `Stream ${streamId} is not offered as ${format.toUpperCase()}`);
    }
    return new DomainError("STREAM_NOT_LIVE", `No stream ${streamId} is live`);
  }

  status(streamId: StreamId): LiveStatus | undefined {
    const run = this.#live.get(streamId) ?? this.#draining.get(streamId);
    const startedAtMs = run?.startedAtMs;
    if (!run || startedAtMs === undefined) return undefined;
    run.noteEncoder();
    const { publisher, state } = run.broadcast;
    return {
      state: state === "reconnecting" ? state : run.presentation ? "live" : "starting",
      startedAtMs,
      ingest: publisher && {
        protocol: publisher.protocol,
        address: publisher.remoteAddress,
        encoder: publisher.encoder,
      },
      bitrateBps: run.health.figures()?.bitrateBps,
      tracks: describeTracks(run),
      renditions: run.packager.renditions.map(describeRendition),
      viewerCount: this.#options.viewerCount(streamId),
      latencyMs: run.latencyMs(),
      health: run.health.sentences(),
    };
  }

  ids(): Iterable<StreamId> {
    return [...this.#live.keys()];
  }

  async stop(streamId: StreamId, reason: string): Promise<void> {
    await this.#live.get(streamId)?.end(new DomainError("STREAM_NOT_LIVE", reason));
    await this.#patterns.get(streamId);
  }

  async startPattern(streamId: StreamId): Promise<void> {
    const record = await this.#options.streams.get(streamId);
    if (!record) throw new DomainError("STREAM_NOT_FOUND");
    const request = { protocol: "pattern", streamKey: "", remoteAddress: "built-in", encoder: "test picture" } as const;
    const publication = this.#claim(record, request);
    const log = this.#options.log.child({ streamId });
    const done = this.#runPattern(publication, log).then(() => {
      if (this.#patterns.get(streamId) === done) this.#patterns.delete(streamId);
    });
    this.#patterns.set(streamId, done);
  }

  async #runPattern(publication: Publication, log: Logger): Promise<void> {
    try {
      await this.#options.runPattern(publication, log);
    } catch (error) {
      log.error({ err: error }, "the test picture failed");
      publication.close("the test picture failed");
    }
  }

  async still(streamId: StreamId): Promise<Uint8Array | undefined> {
    const presentation = presentationOf(this.#live.get(streamId), undefined);
    return presentation && this.#options.takeStill(streamId, presentation);
  }

  /** For metrics: broadcasts that are on air, the ffmpeg processes that run for them, and who watches. */
  counts(): { liveCount: number; encoderCount: number; viewerCount: number } {
    const live = [...this.#live];
    return {
      liveCount: live.length,
      encoderCount: live.reduce((sum, [, run]) => sum + run.encoderCount, this.#patterns.size),
      viewerCount: live.reduce((sum, [streamId]) => sum + this.#options.viewerCount(streamId), 0),
    };
  }

  /** How far the encoder of a broadcast is behind that is furthest behind. */
  get encoderBehindMs(): number {
    return Math.max(0, ...[...this.#live.values()].map((run) => run.encoderBehindMs));
  }

  /**
   * How long a player of what is on air may go without asking: one that reloads its playlist plainly, once each target
   * duration. 0 when nobody watches.
   */
  get longestSilenceMs(): number {
    const watched = [...this.#live].filter(
      ([streamId, run]) => run.presentation && this.#options.viewerCount(streamId) > 0,
    );
    const targetsMs = watched.map(([, run]) => run.packager.targetDurationS * 1000 + FAREWELL_SLACK_MS);
    return Math.max(0, ...targetsMs);
  }

  /** Ends every broadcast; nobody can publish any more. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await Promise.all([...this.#live.keys()].map((streamId) => this.stop(streamId, "The server is shutting down")));
    await Promise.all(this.#finishing);
    for (const { cancelForgetting } of this.#ended.values()) cancelForgetting();
  }

  #refuseBlocked(address: string): void {
    const blockedForMs = this.#options.guard.blockedForMs(address);
    if (blockedForMs <= 0) return;
    const message = `Too many wrong stream keys; try again in ${Math.ceil(blockedForMs / 1000)} s`;
    throw new DomainError("ADDRESS_BLOCKED", message);
  }

  #claim(record: StreamRecord, request: PublishRequest): Publication {
    if (this.#isClosing) throw new DomainError("UNAVAILABLE", "The server is shutting down");
    const run = this.#live.get(record.streamId) ?? this.#begin(record);
    return run.broadcast.claim(request);
  }

  #begin(record: StreamRecord): Run {
    const { maxConcurrentStreams, createRun, log } = this.#options;
    if (this.#live.size >= maxConcurrentStreams) {
      throw new DomainError("LIMIT_REACHED", `No more than ${maxConcurrentStreams} streams may be live at once`);
    }
    const { streamId } = record;
    const run = createRun(advance(record, this.#ended.get(streamId)?.run), log.child({ streamId }));
    run.broadcast.events.on("state", (state) => {
      if (state === "live") this.#note(streamId, "live", { broadcastStartedAtMs: run.startedAtMs ?? null });
      if (state === "ended") this.#retire(streamId, run);
    });
    this.#live.set(streamId, run);
    return run;
  }

  /** An ended broadcast can be played for a while; then the stream waits for its next one. */
  #retire(streamId: StreamId, run: Run): void {
    this.#live.delete(streamId);
    const finished = this.#awaitFinish(run);
    if (run.startedAtMs === undefined) return;
    // Timers hold their broadcast, and that its media.
    this.#ended.get(streamId)?.cancelForgetting();
    this.#ended.set(streamId, { run, cancelForgetting: this.#scheduleForgetting(streamId, run) });
    this.#draining.set(streamId, run);
    const broadcastEndedAtMs = this.#options.clock.nowMs();
    void finished.then(() => this.#settle(streamId, run, broadcastEndedAtMs));
  }

  /** The playlists of a broadcast have ended, and so has its state. */
  #settle(streamId: StreamId, run: Run, broadcastEndedAtMs: number): void {
    if (this.#draining.get(streamId) === run) this.#draining.delete(streamId);
    const isFollowed = this.#live.get(streamId)?.startedAtMs !== undefined;
    // What our own end interrupts stays `live` in the catalog: the next start takes it up.
    if (!this.#isClosing && !isFollowed) this.#note(streamId, "ready", { broadcastEndedAtMs });
  }

  #awaitFinish(run: Run): Promise<void> {
    const finished = run.end(new DomainError("STREAM_NOT_LIVE")).finally(() => this.#finishing.delete(finished));
    this.#finishing.add(finished);
    return finished;
  }

  #scheduleForgetting(streamId: StreamId, run: Run): () => void {
    const { clock, endedRetentionMs } = this.#options;
    const cancelEarly = clock.after(DELETED_RETENTION_MS, () => void this.#forgetIfDeleted(streamId, run));
    const cancelLate = clock.after(endedRetentionMs, () => this.#forget(streamId, run));
    return () => {
      cancelEarly();
      cancelLate();
    };
  }

  async #forgetIfDeleted(streamId: StreamId, run: Run): Promise<void> {
    try {
      if (!(await this.#options.streams.get(streamId))) this.#forget(streamId, run);
    } catch (error) {
      this.#options.log.error({ streamId, err: error }, "whether a stream was deleted cannot be read");
    }
  }

  #forget(streamId: StreamId, run: Run): void {
    const ended = this.#ended.get(streamId);
    if (ended?.run !== run) return;
    ended.cancelForgetting();
    this.#ended.delete(streamId);
    if (!this.#live.has(streamId) && !this.#isClosing) this.#note(streamId, "pending", {});
  }

  /** The catalog follows what happens; a broadcast never waits for it. */
  #note(streamId: StreamId, ...change: ParametersAfterFirst<StreamRepository["updateStatus"]>): void {
    this.#options.streams.updateStatus(streamId, ...change).catch((error: unknown) => {
      this.#options.log.error({ streamId, err: error }, "the catalog did not take a stream's status");
    });
  }
}

/** A broadcast that is over and can still be played. */
interface EndedRun {
  readonly run: Run;
  readonly cancelForgetting: () => void;
}

function presentationOf(run: Run | undefined, format: ManifestFormat | undefined): LivePresentation | undefined {
  return run?.offers(format) ? run.presentation : undefined;
}

type ParametersAfterFirst<F> = F extends (first: never, ...rest: infer Rest) => unknown ? Rest : never;

/** Where the next broadcast's numbers begin: above the catalog's marks and above what the last one here has used. */
function advance(record: StreamRecord, before: Run | undefined): StreamRecord {
  if (!before) return record;
  const { nextMsn, nextDiscontinuitySequence } = before.packager;
  return {
    ...record,
    nextMsn: Math.max(record.nextMsn, nextMsn),
    discontinuitySequence: Math.max(record.discontinuitySequence, nextDiscontinuitySequence),
  };
}

function describeTracks(run: Run): LiveTrack[] {
  const { period } = run.broadcast;
  const figures = run.health.figures();
  return [period?.video, period?.audio].flatMap((track) =>
    track
      ? [
          {
            ...describeFormat(track.format),
            bitrateBps: figures?.[track.format.kind]?.bitrateBps,
            frameRate: frameRateOf(run, track.format),
          },
        ]
      : [],
  );
}

function frameRateOf(run: Run, format: MediaFormat): number | undefined {
  return format.kind === "video"
    ? run.packager.renditions.find(({ id }) => id === SOURCE_VIDEO_ID)?.frameRate
    : undefined;
}

function describeRendition(rendition: Rendition): LiveRendition {
  const { averageBps, peakBps } = rendition.bitrate;
  return {
    ...describeFormat(rendition.format),
    id: rendition.id,
    origin: rendition.origin,
    frameRate: rendition.frameRate,
    averageBps,
    peakBps,
  };
}

function describeFormat(format: MediaFormat) {
  return format.kind === "video"
    ? { kind: "video" as const, codec: format.codecString, width: format.width, height: format.height }
    : {
        kind: "audio" as const,
        codec: format.codecString,
        sampleRateHz: format.sampleRateHz,
        channelCount: format.channelCount,
      };
}
