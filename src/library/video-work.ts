import type { VideoChunkRecord } from "../catalog/video-record.ts";
import type { VideoRepository } from "../catalog/video-repository.ts";
import type { VideoId } from "../core/ids.ts";
import type { Logger } from "../core/logger.ts";
import { failureOf } from "../jobs/job-failure.ts";
import type { JobAttempt, JobHandler } from "../jobs/job-queue.ts";
import { VIDEO_TIMESCALE } from "../media/timebase.ts";
import { ChunkPublisher, NoLongerWanted } from "./chunk-publisher.ts";
import { chunkCoreCount, type EncodeCores, openingCoreCount } from "./encode-cores.ts";
import { makeAudio } from "./make/audio.ts";
import type { MadeChunk, MakeProgress, MakeTools, RepackageOutcome, SegmentRule } from "./make/contract.ts";
import { repackage } from "./make/repackage.ts";
import { makeText } from "./make/text.ts";
import { makeVideoChunk } from "./make/video-chunk.ts";
import { type ChunkRange, chunkRange, type RenditionSpec } from "./plan/video-plan.ts";
import { readSegments } from "./rendition-json.ts";
import { encodeSoundInstead, fallBackToEncoding } from "./video-fallback.ts";
import { type JobTarget, VIDEO_JOB_DATA, type VideoJobData, type VideoJobKind } from "./video-jobs.ts";
import { prepareVideo, type VideoPreparationOptions } from "./video-preparation.ts";
import { isUnsettled, type PlannedRendition, type VideoState, videoCopyOf } from "./video-records.ts";
import type { VideoRoad } from "./video-road.ts";
import { sourceKeyOf, timedSource, withSource } from "./video-source.ts";
import { lackingChunkCount, rungsAstray, rungsLacking } from "./video-steps.ts";

/** Behind live encodes, which step back by 5, and before whatever else is made of stored media: seven times a chunk's share. */
const OPENING_NICENESS = 10;
/** Behind everything. */
const CHUNK_NICENESS = 19;

export interface VideoWorkOptions extends VideoPreparationOptions {
  readonly videos: VideoRepository;
  readonly road: VideoRoad;
  readonly tools: MakeTools;
  readonly cores: EncodeCores;
  readonly log: Logger;
}

type Work<Kind extends VideoJobKind> = (
  data: VideoJobData<Kind>,
  attempt: JobAttempt,
  state: VideoState,
) => Promise<void>;

/** What workers do: each kind of job reads the records, makes what they lack, and publishes it. */
export class VideoWork {
  readonly #options: VideoWorkOptions;
  readonly handlers: Readonly<Record<string, JobHandler>>;
  /** Chunks that are being encoded here, of whatever video. */
  #encodeCount = 0;

  constructor(options: VideoWorkOptions) {
    this.#options = options;
    this.handlers = {
      "video.prepare": this.#handler("video.prepare", (...given) => this.#prepare(...given)),
      "video.repackage": this.#handler("video.repackage", (...given) => this.#repackage(...given)),
      "video.opening": this.#handler("video.opening", (...given) => this.#open(...given)),
      "video.encode": this.#handler("video.encode", (...given) => this.#encode(...given)),
      "video.audio": this.#handler("video.audio", (...given) => this.#audio(...given)),
      "video.text": this.#handler("video.text", (...given) => this.#text(...given)),
    };
  }

  #handler<Kind extends VideoJobKind>(kind: Kind, work: Work<Kind>): JobHandler {
    return async (attempt) => {
      const data = VIDEO_JOB_DATA[kind].parse(attempt.job.data) as VideoJobData<Kind>;
      const { videoId } = data;
      const { road, log } = this.#options;
      const state = await road.state(videoId);
      if (!state) return undefined;
      try {
        await work(data, attempt, state);
      } catch (error) {
        if (!(error instanceof NoLongerWanted)) {
          await this.#fail(data, attempt, error);
          throw error;
        }
        log.info({ videoId, kind }, "what was being made is no longer wanted");
        await road.advance(videoId);
      }
      return undefined;
    };
  }

  /** A last attempt that fails is said where people look for it. */
  async #fail(data: VideoJobData<VideoJobKind>, { job, signal }: JobAttempt, error: unknown): Promise<void> {
    const { code, message, isFinal } = failureOf(error);
    if (signal.aborted || (!isFinal && job.attemptCount < job.maxAttempts)) return;
    await this.giveUp(data.videoId, "targets" in data ? data.targets : [], { code, message });
  }

  /** Says that renditions cannot be made, or the video itself when there are none of it yet. */
  async giveUp(
    videoId: VideoId,
    targets: readonly JobTarget[],
    failure: { readonly code: string; readonly message: string },
  ): Promise<void> {
    const { videos, road, log } = this.#options;
    const state = await road.state(videoId);
    if (!state) return;
    const unsettled = unsettledOf(state, targets);
    if (!state.plan && targets.length === 0) await videos.setStatus(videoId, { status: "errored", error: failure });
    else if (unsettled.length === 0) return;
    const renditionIds = unsettled.map(({ record }) => record.renditionId);
    log.warn({ videoId, renditionIds, ...failure }, "a job of a video failed for good");
    for (const { record } of unsettled) await videos.failRendition({ ...record, error: failure.message });
    await road.settle(videoId, failure);
    // Rungs that went along with a copy go on without it.
    if (unsettled.some(({ spec }) => spec.kind === "video" && spec.method === "copy")) await road.advance(videoId);
  }

  async #prepare(_data: unknown, { signal }: JobAttempt, { video, plan }: VideoState): Promise<void> {
    if (!plan && video.status === "preparing") {
      await prepareVideo(this.#options, video.videoId, sourceKeyOf(video), signal);
    }
    await this.#options.road.advance(video.videoId);
  }

  async #repackage(data: VideoJobData<"video.repackage">, attempt: JobAttempt, state: VideoState): Promise<void> {
    const { tools, road } = this.#options;
    const { videoId } = data;
    const { plan } = state;
    const copies = unsettledOf(state, data.targets).filter(({ spec }) => spec.method === "copy");
    if (!plan || copies.length === 0) return;
    const picture = copies.find(({ spec }) => spec.kind === "video");
    // A plan without the copy: somebody died on the way to encoding everything.
    if (picture && plan.road === "encode") return this.#fallBack(state, picture, "its key frames do not allow it");
    const publisher = this.#publisher(attempt, videoId, copies);
    const onChunk = async (chunk: MadeChunk) => {
      await publisher.publish(chunk);
      if (chunk.index === 0) await road.settle(videoId);
      if (chunk.renditionId === picture?.record.renditionId) await road.addChunk(videoId, chunk.index);
    };
    const outcomes = await withSource(tools, sourceKeyOf(state.video), (access) =>
      repackage(tools, {
        source: timedSource(state, access),
        tracks: copies.map(({ record, spec }) => ({
          ...publisher.target(record),
          kind: spec.kind === "video" ? ("video" as const) : ("audio" as const),
          streamIndex: spec.streamIndex,
        })),
        grid: plan,
        onChunk,
        signal: attempt.signal,
      }),
    );
    for (const outcome of outcomes) await this.#endCopy(state, copies, outcome);
    await road.advance(videoId);
  }

  async #endCopy(state: VideoState, copies: readonly PlannedRendition[], outcome: RepackageOutcome): Promise<void> {
    const { videos, log } = this.#options;
    const { videoId } = state.video;
    const copy = copies.find(({ record }) => record.renditionId === outcome.renditionId);
    if (!copy) return;
    if (outcome.kind === "made") {
      await videos.finishRendition({ ...copy.record, chunkCount: outcome.chunkCount });
      return;
    }
    const { renditionId, reason, message } = outcome;
    log.info({ videoId, renditionId, reason }, "a track cannot be kept as it came and is encoded");
    if (copy.spec.kind === "video") await this.#fallBack(state, copy, message);
    else await encodeSoundInstead(videos, copy);
  }

  async #fallBack(state: VideoState, copy: PlannedRendition, message: string): Promise<void> {
    const { videos, planning, road } = this.#options;
    await fallBackToEncoding(videos, state, copy, message, planning);
    await road.advance(state.video.videoId);
  }

  #open(data: VideoJobData<"video.opening">, attempt: JobAttempt, state: VideoState): Promise<void> {
    const { tools, cores } = this.#options;
    const program = { ...tools.program, niceness: OPENING_NICENESS };
    const allCores = { ...tools, program, coreCount: openingCoreCount(cores) };
    return this.#makeChunk(allCores, { ...data, index: 0 }, attempt, state);
  }

  async #encode(data: VideoJobData<"video.encode">, attempt: JobAttempt, state: VideoState): Promise<void> {
    const { tools, cores } = this.#options;
    const program = { ...tools.program, niceness: CHUNK_NICENESS };
    this.#encodeCount += 1;
    try {
      const coreCount = chunkCoreCount(cores, Math.max(this.#encodeCount, lackingChunkCount(state)));
      await this.#makeChunk({ ...tools, program, coreCount }, data, attempt, state);
    } finally {
      this.#encodeCount -= 1;
    }
  }

  async #makeChunk(
    tools: MakeTools,
    data: VideoJobData<"video.encode">,
    attempt: JobAttempt,
    state: VideoState,
  ): Promise<void> {
    const { road } = this.#options;
    const { videoId, index } = data;
    const { plan, media } = state;
    const targets = rungsLacking(state, index).filter(({ record }) => isNamed(record, data.targets));
    // What is lacking instead, after a change on the way, has jobs of its own; to look for all of them each time is much.
    if (targets.length === 0) return rungsAstray(state).length > 0 ? road.advance(videoId) : road.settle(videoId);
    const video = media?.video.find((stream) => stream.index === targets[0]?.spec.streamIndex);
    const borders = await this.#bordersOf(state, index);
    if (!plan?.picture || !video || !borders) return;
    const { picture } = plan;
    const publisher = this.#publisher(attempt, videoId, targets);
    if (borders.rule.kind === "at" && borders.rule.starts.length === 0) {
      const nothing = { index, segments: [], init: undefined, isLast: false };
      await publishAll(
        targets.map(({ record }) => ({ ...publisher.target(record), ...nothing })),
        publisher,
      );
      return road.settle(videoId);
    }
    const made = await withSource(tools, sourceKeyOf(state.video), (access) =>
      makeVideoChunk(tools, {
        ...{ source: timedSource(state, access), video, picture, index, ...borders },
        targets: targets.map(({ record, spec }) => ({ ...publisher.target(record), spec })),
        signal: attempt.signal,
        onProgress: reporter(attempt),
      }),
    );
    await publishAll(made, publisher);
    await road.settle(videoId);
  }

  /** Where a chunk and its segments begin; undefined while a copy that they follow is not there yet. */
  async #bordersOf(state: VideoState, index: number): Promise<{ range: ChunkRange; rule: SegmentRule } | undefined> {
    const { plan, video } = state;
    const copy = videoCopyOf(state)?.record;
    if (!plan) return undefined;
    if (!copy) return { range: chunkRange(plan, index), rule: { kind: "every", targetMs: plan.segmentTargetMs } };
    const { renditionId, epoch, status, chunkCount } = copy;
    const chunks = (await this.#options.videos.chunks(video.videoId, { renditionId })).filter((c) => c.epoch === epoch);
    const isLast = status === "ready" && chunkCount !== null && index >= chunkCount - 1;
    return copiedBorders(chunks, index, isLast);
  }

  async #audio(data: VideoJobData<"video.audio">, attempt: JobAttempt, state: VideoState): Promise<void> {
    const { videos, tools, road } = this.#options;
    const { videoId, streamIndex } = data;
    const { plan, media } = state;
    const audio = media?.audio.find(({ index }) => index === streamIndex);
    const forms = unsettledOf(state, data.targets);
    if (!plan || !audio || forms.length === 0) return;
    const publisher = this.#publisher(attempt, videoId, forms);
    const onChunk = async (chunk: MadeChunk) => {
      await publisher.publish(chunk);
      if (chunk.index === 0) await road.settle(videoId);
    };
    const outcomes = await withSource(tools, sourceKeyOf(state.video), (access) =>
      makeAudio(tools, {
        ...{ source: timedSource(state, access), audio, grid: plan, onChunk, signal: attempt.signal },
        targets: forms.flatMap(({ record, spec }) => {
          return spec.kind === "audio" && spec.method === "encode" ? [{ ...publisher.target(record), spec }] : [];
        }),
        onProgress: reporter(attempt),
      }),
    );
    for (const { renditionId, chunkCount } of outcomes) {
      const form = forms.find(({ record }) => record.renditionId === renditionId);
      if (form) await videos.finishRendition({ ...form.record, chunkCount });
    }
    await road.settle(videoId);
  }

  async #text(data: VideoJobData<"video.text">, attempt: JobAttempt, state: VideoState): Promise<void> {
    const { videos, tools, road } = this.#options;
    const { signal } = attempt;
    const { videoId } = data;
    const [target] = unsettledOf(state, data.targets);
    const text = state.media?.text.find(({ index }) => index === target?.spec.streamIndex);
    if (!target || !text) return;
    const { record } = target;
    const bytes = await withSource(tools, sourceKeyOf(state.video), (access) =>
      makeText(tools, { source: timedSource(state, access), text, signal }),
    );
    const { keyPrefix } = this.#publisher(attempt, videoId, [target]).target(record);
    await tools.store.put(textKey(keyPrefix), bytes, { contentType: "text/vtt", signal });
    const chunk = { index: 0, keyPrefix, segments: [{ bytes: bytes.byteLength }], init: null };
    const outcome = await videos.commitChunk({ ...record, ...chunk });
    if (outcome !== "committed") await tools.store.delete([textKey(keyPrefix)]);
    await videos.finishRendition({ ...record, chunkCount: 1 });
    await road.settle(videoId);
  }

  #publisher({ attemptId }: JobAttempt, videoId: VideoId, made: readonly PlannedRendition[]): ChunkPublisher {
    const { videos, tools, log } = this.#options;
    const targets = made.map(({ record }) => record);
    return new ChunkPublisher({ videos, store: tools.store, log, videoId, attemptId, targets });
  }
}

/** Where the words of a text rendition are. */
export function textKey(keyPrefix: string): string {
  return `${keyPrefix}1.vtt`;
}

type MadeRendition = PlannedRendition & { readonly spec: RenditionSpec };

/** Those that a job was told to make and that still are to be made, as that epoch. */
function unsettledOf({ renditions }: VideoState, targets: readonly JobTarget[]): readonly MadeRendition[] {
  return renditions.filter((rendition): rendition is MadeRendition => {
    const { record, spec } = rendition;
    return isNamed(record, targets) && isUnsettled(record) && spec.method !== "record";
  });
}

function isNamed({ renditionId, epoch }: PlannedRendition["record"], targets: readonly JobTarget[]): boolean {
  return targets.some((target) => target.renditionId === renditionId && target.epoch === epoch);
}

function reporter({ report }: JobAttempt): (progress: MakeProgress) => void {
  return ({ reachedMs, speed }) => report({ reachedMs, speed });
}

/** Each for itself: that one comes second does not keep the others from being published. */
async function publishAll(made: readonly MadeChunk[], publisher: ChunkPublisher): Promise<void> {
  const outcomes = await Promise.allSettled(made.map((chunk) => publisher.publish(chunk)));
  const failed = outcomes.filter((outcome) => outcome.status === "rejected").map(({ reason }) => reason);
  const grave = failed.find((reason) => !(reason instanceof NoLongerWanted)) ?? failed[0];
  if (grave) throw grave;
}

const TICKS_PER_MS = VIDEO_TIMESCALE / 1000;

/** The borders of a chunk of the copied picture; it may hold no picture. */
function copiedBorders(
  chunks: readonly VideoChunkRecord[],
  index: number,
  isLast: boolean,
): { range: ChunkRange; rule: SegmentRule } | undefined {
  const chunk = chunks.find((each) => each.index === index);
  if (!chunk) return undefined;
  const segments = readSegments(chunk);
  const last = segments.at(-1);
  const startTicks = segments[0]?.start ?? 0;
  const endTicks = last ? last.start + last.duration : 0;
  return {
    range: { startMs: startTicks / TICKS_PER_MS, endMs: isLast ? undefined : endTicks / TICKS_PER_MS },
    rule: { kind: "at", starts: segments.map(({ start }) => start) },
  };
}
