import type { VideoRecord, VideoRenditionRecord } from "../catalog/video-record.ts";
import type { VideoRepository } from "../catalog/video-repository.ts";
import { type Clock, pause } from "../core/clock.ts";
import { DomainError, type ErrorCode } from "../core/errors.ts";
import { newEpoch, newVideoId, type VideoId } from "../core/ids.ts";
import type { Logger } from "../core/logger.ts";
import type { QualityName } from "../encode/ladder.ts";
import type { JobHandler, JobQueue } from "../jobs/job-queue.ts";
import type { ArtifactKind } from "./artifacts/artifact-kind.ts";
import { ArtifactWork } from "./artifacts/artifact-work.ts";
import { Downloads } from "./artifacts/downloads.ts";
import { type CleanUpRequest, cleanUp, deletePrefix, type Leftover, prefixOf } from "./clean-up.ts";
import type { EncodeCores } from "./encode-cores.ts";
import { planVideo } from "./plan/planner.ts";
import type { VideoEncodeSpec } from "./plan/video-plan.ts";
import { checkLimits } from "./probe/source-limits.ts";
import { type UploadMetadata, uploadMetadata } from "./probe/source-media.ts";
import type { RecordingPlan } from "./recording/recording-plan.ts";
import { deleteJob, prepareJob, VIDEO_JOB_DATA, VIDEO_JOB_SUBJECT } from "./video-jobs.ts";
import { newRendition, type VideoPreparationOptions } from "./video-preparation.ts";
import { factsOf, progressOf, type RenditionFacts, type VideoProgress } from "./video-progress.ts";
import {
  chunkCountAtStart,
  isUnsettled,
  type PlannedRendition,
  readPlan,
  readState,
  soundBeside,
  type VideoState,
} from "./video-records.ts";
import { VideoRoad } from "./video-road.ts";
import { probeObject, withSource } from "./video-source.ts";
import { isPlayable } from "./video-steps.ts";
import { VideoWork } from "./video-work.ts";

export interface LibraryOptions extends VideoPreparationOptions {
  readonly videos: VideoRepository;
  readonly jobs: JobQueue;
  readonly cores: EncodeCores;
  /** What is made of every video beside its renditions. */
  readonly artifacts: readonly ArtifactKind[];
  /** Told of each video that is taken in. */
  readonly onTaken?: (() => void) | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly cleanUpIntervalMs: number;
  /** How long a video that could not be made at all stays. */
  readonly failedRetentionMs: number;
}

/** An original that lies in the store, under the key that `newUpload` gave. */
export interface FinishedUpload {
  readonly videoId: VideoId;
  readonly key: string;
  /** As its owner named it. */
  readonly fileName: string;
  readonly title: string | null;
  readonly description: string | null;
}

export interface TakenVideo {
  readonly video: VideoRecord;
  readonly metadata: UploadMetadata;
}

/** What somebody asks to be made of a video. */
export interface WantedRenditions {
  /** Undefined: all that the source has pixels for. */
  readonly profiles: readonly QualityName[] | undefined;
}

/** Something that is done again and again. */
interface Round {
  readonly everyMs: number;
  readonly run: () => Promise<unknown>;
  dueAtMs: number;
}

/** How often work is looked for that nobody does, since a crash or a queue has lost it. */
const SWEEP_EVERY_MS = 60_000;
/** The same after a fault: what was away may be back. */
const LOOK_EVERY_MS = 5_000;
/** Failed jobs that are looked through for workers that died. */
const MOST_FAILED_JOBS = 1_000;
const JOB_PAGE_COUNT = 100;
/** Why an original will never do. What limits refused may pass: they are settings. */
const UNREADABLE: ReadonlySet<string> = new Set<ErrorCode>(["NOT_MEDIA", "UNSUPPORTED_CONTAINER", "MEDIA_DAMAGED"]);

/** Stored videos: takes them in, has them made, and lets them go. Any number of processes may have one over the same records. */
export class Library {
  readonly #options: LibraryOptions;
  readonly #road: VideoRoad;
  readonly #work: VideoWork;
  readonly #artifacts: ArtifactWork;
  readonly #downloads: Downloads;
  readonly #sweeps: Round;
  readonly #cleanUps: Round;
  readonly #closing = new AbortController();
  #rounds: Promise<unknown> = Promise.resolve();

  constructor(options: LibraryOptions) {
    this.#options = options;
    this.#road = new VideoRoad(options);
    this.#work = new VideoWork({ ...options, road: this.#road });
    this.#artifacts = new ArtifactWork({ ...options, road: this.#road });
    this.#downloads = new Downloads({ ...options, road: this.#road, store: options.tools.store });
    this.#sweeps = { everyMs: SWEEP_EVERY_MS, dueAtMs: Number.NEGATIVE_INFINITY, run: () => this.sweep() };
    this.#cleanUps = {
      everyMs: options.cleanUpIntervalMs,
      dueAtMs: Number.NEGATIVE_INFINITY,
      run: () => this.cleanUp(),
    };
  }

  get downloads(): Downloads {
    return this.#downloads;
  }

  /** What a worker does for videos, by kind of job. */
  get handlers(): Readonly<Record<string, JobHandler>> {
    return {
      ...this.#work.handlers,
      ...this.#artifacts.handlers,
      "video.delete": (attempt) => this.#deleteObjects(attempt),
    };
  }

  /** Takes interrupted work up again, and clears the store, now and then. */
  start(): void {
    // A clean-up walks through the whole store: lost work does not wait for it.
    this.#rounds = Promise.all([this.#keepDoing(this.#sweeps), this.#keepDoing(this.#cleanUps)]);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#rounds;
  }

  async #keepDoing(round: Round): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await this.#doWhenDue(round);
      await pause(clock, LOOK_EVERY_MS, signal);
    }
  }

  /** It stays due where queue, store or database are away. */
  async #doWhenDue(round: Round): Promise<void> {
    const { clock, log } = this.#options;
    const nowMs = clock.monotonicMs();
    if (nowMs < round.dueAtMs) return;
    round.dueAtMs = nowMs + round.everyMs;
    try {
      await round.run();
    } catch (error) {
      if (isAway(error)) round.dueAtMs = nowMs;
      log.warn({ err: error }, "videos could not be looked through now; that is tried again");
    }
  }

  /** Where a new original is to be put. Nothing of it is kept until it is `complete`. */
  newUpload(): { readonly videoId: VideoId; readonly key: string } {
    const videoId = newVideoId();
    return { videoId, key: `${prefixOf(videoId)}original` };
  }

  /**
   * Takes an original in: from here on it is a video, and is being made. What we do not take is deleted, and the reason
   * thrown: NOT_MEDIA, UNSUPPORTED_CONTAINER, UNSUPPORTED_CODEC, MEDIA_DAMAGED, DURATION_EXCEEDED, PICTURE_TOO_LARGE.
   */
  async complete(upload: FinishedUpload): Promise<TakenVideo> {
    const { videos, jobs, tools } = this.#options;
    const { key, fileName, videoId, title, description } = upload;
    try {
      const media = await withSource(tools, key, (access) => probeObject(tools, key, access, this.#options.ffprobe));
      checkLimits(media, this.#options.limits);
      const source = { key, fileName, sizeBytes: media.sizeBytes };
      const video = await videos.create({ videoId, title, description, source });
      this.#options.onTaken?.();
      // It is a video now, whatever the queue does.
      await this.#unlessAway(videoId, () => jobs.add(prepareJob(videoId)));
      return { video, metadata: uploadMetadata(media) };
    } catch (error) {
      if (error instanceof DomainError && error.category === "invalid") await this.abandon(key);
      throw error;
    }
  }

  /** What the records call for is done later where queue or store are away. */
  async #unlessAway(videoId: VideoId, step: () => Promise<unknown>): Promise<void> {
    try {
      await step();
    } catch (error) {
      if (!isAway(error)) throw error;
      this.#options.log.warn(
        { videoId, err: error },
        "what a video needs cannot be asked for now; that is tried again",
      );
      this.#sweeps.dueAtMs = this.#options.clock.monotonicMs();
    }
  }

  /** Deletes an original that is not going to be complete. */
  async abandon(key: string): Promise<void> {
    await this.#options.tools.store.delete([key]);
  }

  factsOf(rendition: VideoRenditionRecord): RenditionFacts | undefined {
    return factsOf(rendition);
  }

  /** Undefined for what was uploaded. */
  recordingOf(video: VideoRecord): RecordingPlan | undefined {
    return readPlan(video).recording;
  }

  /** Throws VIDEO_NOT_FOUND. */
  async progress(videoId: VideoId): Promise<VideoProgress> {
    const { videos, clock } = this.#options;
    const renditions = await videos.renditions(videoId);
    // Of what is settled no chunk has to be counted, and most videos are: pages ask for many at once.
    const video = renditions.some(isUnsettled) ? undefined : await videos.get(videoId);
    return progressOf(video ? readState(video, renditions, []) : await this.#stateOf(videoId), clock);
  }

  /** Whether its beginning is there, whatever has become of the rest. Throws VIDEO_NOT_FOUND. */
  async isPlayable(videoId: VideoId): Promise<boolean> {
    return isPlayable(await this.#known(this.#road.beginning(videoId), videoId));
  }

  /**
   * Has made what is wanted and not there; gives the id of the job that people can follow. What failed or was stopped
   * before there was a plan begins anew. Throws VIDEO_NOT_FOUND, and VIDEO_CONFLICT for a video that has no original, or
   * one that cannot be read.
   */
  async transcode(videoId: VideoId, { profiles }: WantedRenditions): Promise<string> {
    const { videos, jobs } = this.#options;
    const state = await this.#stateOf(videoId);
    const { video } = state;
    if (!video.source) throw new DomainError("VIDEO_CONFLICT", "a recording has no original to make more of");
    if (!state.plan && video.error && UNREADABLE.has(video.error.code)) {
      throw new DomainError("VIDEO_CONFLICT", `nothing can be made of the video: ${video.error.message}`);
    }
    if (!state.plan) await videos.reopen(videoId);
    await this.#addRungs(state, profiles);
    for (const { record, spec } of state.renditions) {
      const isWanted = profiles === undefined || profiles.some((profile) => profile === record.renditionId);
      if (isWanted && this.#canRenew(state, record)) await this.#renew(state, { record, spec });
    }
    if ((await videos.renditions(videoId)).some(isUnsettled)) await videos.reopen(videoId);
    return jobs.add(prepareJob(videoId));
  }

  async #addRungs(state: VideoState, profiles: readonly QualityName[] | undefined) {
    const { video, media, plan, renditions } = state;
    if (!media || !plan) return;
    const { planning, videos } = this.#options;
    const wanted = { ...planning, ...(profiles && { profiles }), isAskedFor: profiles !== undefined };
    const copiesVideo = plan.road === "repackage";
    const added = planVideo(media, { ...wanted, copiesVideo, zeroTicks: plan.zeroTicks })
      .renditions.filter((spec): spec is VideoEncodeSpec => spec.kind === "video" && spec.method === "encode")
      .filter(({ id }) => !renditions.some(({ record }) => record.renditionId === id))
      .map((spec) => ({ ...spec, audioRenditionId: soundBeside(spec, renditions) }));
    if (added.length === 0) return;
    await videos.setPlan({
      videoId: video.videoId,
      metadata: media,
      plan: { ...plan, renditions: [...plan.renditions, ...added] },
      durationMs: plan.durationMs,
      renditions: added.map((spec, index) => {
        return newRendition(spec, renditions.length + index, chunkCountAtStart(state, spec));
      }),
    });
  }

  /** What was given up can be tried again, but for a copy that the source does not allow. */
  #canRenew({ plan }: VideoState, { status, origin, kind }: VideoRenditionRecord): boolean {
    const isImpossible = kind === "video" && origin === "source" && plan?.road === "encode";
    return status === "errored" && !isImpossible;
  }

  /** Makes one rendition anew. Throws NOT_FOUND when there is none of this id, VIDEO_CONFLICT when it cannot be made now. */
  async retryRendition(videoId: VideoId, renditionId: string): Promise<void> {
    const state = await this.#stateOf(videoId);
    const rendition = state.renditions.find(({ record }) => record.renditionId === renditionId);
    if (!rendition) throw new DomainError("NOT_FOUND", `the video has no rendition ${renditionId}`);
    const { record } = rendition;
    if (isUnsettled(record)) throw new DomainError("VIDEO_CONFLICT", "the rendition is being made");
    if (!state.video.source) throw new DomainError("VIDEO_CONFLICT", "a recording has no original to make it of");
    if (record.status === "errored" && !this.#canRenew(state, record)) {
      throw new DomainError("VIDEO_CONFLICT", record.error ?? "the source does not allow it");
    }
    await this.#renew(state, rendition);
    await this.#road.advance(videoId);
  }

  async #renew(state: VideoState, { record, spec }: PlannedRendition): Promise<void> {
    const chunkCount = chunkCountAtStart(state, spec);
    await this.#options.videos.renewRendition({ ...record, nextEpoch: newEpoch(), chunkCount });
  }

  /** Takes what is due from the video's records as they stand: its status, and the jobs that it lacks. */
  advance(videoId: VideoId): Promise<void> {
    return this.#road.advance(videoId);
  }

  /** Makes no more of it; what is whole stays. Throws VIDEO_NOT_FOUND, and VIDEO_CONFLICT when nothing is under way. */
  async cancel(videoId: VideoId): Promise<void> {
    const { videos } = this.#options;
    const { video, plan, recording, renditions } = await this.#stateOf(videoId);
    if (recording) throw new DomainError("VIDEO_CONFLICT", "a recording ends with its broadcast");
    if (video.status === "ready" || video.status === "errored") {
      throw new DomainError("VIDEO_CONFLICT", `the video is ${video.status}; nothing is being made`);
    }
    const failure = { code: "VIDEO_CANCELLED", message: "Its owner stopped it." };
    const unsettled = renditions.map(({ record }) => record).filter(isUnsettled);
    for (const record of unsettled) await videos.failRendition({ ...record, error: failure.message });
    if (!plan) await videos.setStatus(videoId, { status: "errored", error: failure });
    await this.#cancelJobs(videoId);
    await this.#road.settle(videoId, failure);
  }

  /** Deletes a video in any state, with all that was made of it; false when there is none. */
  async remove(videoId: VideoId): Promise<boolean> {
    const { videos, jobs } = this.#options;
    const removed = await videos.remove(videoId);
    if (!removed) return false;
    // It is gone; what cannot be deleted now is found by the next clean-up.
    await this.#unlessAway(videoId, async () => {
      await this.#cancelJobs(videoId);
      await jobs.add(deleteJob(videoId, [...removed.artifactKeys, ...(removed.sourceKey ? [removed.sourceKey] : [])]));
    });
    return true;
  }

  /** Those that wait find nothing to do when their turn comes. */
  async #cancelJobs(videoId: VideoId): Promise<void> {
    const { jobs } = this.#options;
    for (let cursor: string | undefined; ; ) {
      const page = await jobs.list({ state: "active", limit: JOB_PAGE_COUNT, ...(cursor !== undefined && { cursor }) });
      for (const { jobId, data } of page.jobs) if (data.videoId === videoId) await jobs.cancel(jobId);
      cursor = page.nextCursor;
      if (cursor === undefined) return;
    }
  }

  #deleteObjects: JobHandler = async ({ job }) => {
    const { store } = this.#options.tools;
    const { videoId, keys } = VIDEO_JOB_DATA["video.delete"].parse(job.data);
    // A job can come twice, and ids are never given twice: what has records now is not what was deleted.
    if (await this.#options.videos.get(videoId)) return undefined;
    await store.delete(keys);
    return { deletedCount: (await deletePrefix(store, prefixOf(videoId))) + keys.length };
  };

  /** Takes up whatever is unfinished and has no job: what a crash or a lost queue left behind. */
  async sweep(): Promise<void> {
    const { videos, log } = this.#options;
    let isFirst = true;
    for await (const videoId of videos.ids({ isUnfinished: true })) {
      if (isFirst) await this.#giveUpLost();
      isFirst = false;
      if (this.#closing.signal.aborted) return;
      try {
        await this.#road.advance(videoId);
      } catch (error) {
        if (isAway(error)) this.#sweeps.dueAtMs = this.#options.clock.monotonicMs();
        log.warn({ videoId, err: error }, "a video cannot go on now; that is tried again");
      }
    }
  }

  /** A job whose worker died each time has told nobody. */
  async #giveUpLost(): Promise<void> {
    const { jobs } = this.#options;
    let cursor: string | undefined;
    for (let count = 0; count < MOST_FAILED_JOBS; count += JOB_PAGE_COUNT) {
      const page = await jobs.list({ state: "failed", limit: JOB_PAGE_COUNT, ...(cursor !== undefined && { cursor }) });
      for (const { kind, data, error, finishedAtMs } of page.jobs) {
        if (error?.code !== "WORKER_LOST" || !(kind in VIDEO_JOB_DATA)) continue;
        const { videoId, targets } = VIDEO_JOB_SUBJECT.parse(data);
        const isOfVideo = kind === "video.prepare" && !(await this.#hasChangedSince(videoId, finishedAtMs ?? 0));
        if (targets.length > 0 || isOfVideo) await this.#work.giveUp(videoId, targets, error);
      }
      cursor = page.nextCursor;
      if (cursor === undefined) return;
    }
  }

  /** It may have been taken up again. Where its owner only wrote another title, it is tried once more. */
  async #hasChangedSince(videoId: VideoId, instantMs: number): Promise<boolean> {
    const video = await this.#options.videos.get(videoId);
    return video !== undefined && video.updatedAtMs > instantMs;
  }

  /** Does what `cleanUp` of clean-up.ts says, and gives all of it; what there was until then when the library closes. */
  async cleanUp(request: Omit<CleanUpRequest, "signal"> = {}): Promise<readonly Leftover[]> {
    const { tools, log } = this.#options;
    const { signal } = this.#closing;
    const removeVideo = (videoId: VideoId) => this.remove(videoId);
    const options = { ...this.#options, store: tools.store, removeVideo };
    const found: Leftover[] = [];
    try {
      for await (const leftover of cleanUp(options, { ...request, signal })) found.push(leftover);
    } catch (error) {
      if (!signal.aborted || error !== signal.reason) throw error;
    }
    if (found.length > 0 && !request.isDryRun) log.info({ count: found.length }, "cleared what nothing names any more");
    return found;
  }

  #stateOf(videoId: VideoId): Promise<VideoState> {
    return this.#known(this.#road.state(videoId), videoId);
  }

  async #known(read: Promise<VideoState | undefined>, videoId: VideoId): Promise<VideoState> {
    const state = await read;
    if (!state) throw new DomainError("VIDEO_NOT_FOUND", `no video has the id ${videoId}`);
    return state;
  }
}

/** Queue, store or database do not answer: that passes. */
function isAway(error: unknown): boolean {
  return error instanceof DomainError && error.category === "unavailable";
}
