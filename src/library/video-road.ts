import type { VideoRepository } from "../catalog/video-repository.ts";
import { newEpoch, type VideoId } from "../core/ids.ts";
import type { JobQueue, NewJob } from "../jobs/job-queue.ts";
import type { ArtifactKind } from "./artifacts/artifact-kind.ts";
import { missingArtifactJobs } from "./artifacts/artifact-steps.ts";
import { encodeJob } from "./video-jobs.ts";
import { chunkCountAtStart, readState, type VideoState } from "./video-records.ts";
import { dueStatus, type Failure, missingJobs, rungsAstray, rungsLacking, wholeRungs } from "./video-steps.ts";

export interface VideoRoadOptions {
  readonly videos: Pick<
    VideoRepository,
    | "get"
    | "renditions"
    | "committedChunks"
    | "artifacts"
    | "finishRendition"
    | "failRendition"
    | "renewRendition"
    | "setStatus"
  >;
  readonly jobs: Pick<JobQueue, "add">;
  /** What is made beside renditions. */
  readonly artifacts: readonly ArtifactKind[];
}

/** Jobs that are added at once: a long video has a thousand. */
const ADDED_AT_ONCE = 32;

/**
 * Moves videos along. What is to be done next is read from the records each time, so whatever is called twice, late or not
 * at all does no harm: the next call puts it right.
 */
export class VideoRoad {
  readonly #options: VideoRoadOptions;

  constructor(options: VideoRoadOptions) {
    this.#options = options;
  }

  /** Undefined when there is no such video. */
  state(videoId: VideoId): Promise<VideoState | undefined> {
    return this.#read(videoId, {});
  }

  /** As `state`, knowing of chunks only whether each rendition has its first one. */
  beginning(videoId: VideoId): Promise<VideoState | undefined> {
    return this.#read(videoId, { index: 0 });
  }

  async #read(videoId: VideoId, chunks: { readonly index?: number }): Promise<VideoState | undefined> {
    const { videos } = this.#options;
    // In this order: who sees the epoch of a new plan sees that plan too.
    const renditions = await videos.renditions(videoId);
    const [video, committed] = await Promise.all([videos.get(videoId), videos.committedChunks(videoId, chunks)]);
    return video && readState(video, renditions, committed);
  }

  /** Adds the jobs that are missing, and settles what is done. */
  async advance(videoId: VideoId): Promise<void> {
    const state = await this.#withoutAstray(videoId);
    if (!state) return;
    await this.#add(missingJobs(state));
    await this.#settle(state);
    await this.#addArtifacts(state);
  }

  /** What was made of rungs that have gone astray is dropped: its chunks and those to come would overlap, or leave holes. */
  async #withoutAstray(videoId: VideoId): Promise<VideoState | undefined> {
    const { videos } = this.#options;
    const state = await this.state(videoId);
    const astray = state ? rungsAstray(state) : [];
    if (!state || astray.length === 0) return state;
    for (const { record, spec } of astray) {
      await videos.renewRendition({ ...record, nextEpoch: newEpoch(), chunkCount: chunkCountAtStart(state, spec) });
    }
    return this.state(videoId);
  }

  /** Says of the video, and of its renditions, how far they have come. `failure`: why, should it have come to nothing. */
  async settle(videoId: VideoId, failure?: Failure): Promise<void> {
    const state = await this.state(videoId);
    if (state) await this.#settle(state, failure);
  }

  /** A copy of the source has a new chunk: rungs that go along with it can be encoded that far. */
  async addChunk(videoId: VideoId, index: number): Promise<void> {
    const state = await this.state(videoId);
    const targets = state ? rungsLacking(state, index).map(({ record }) => record) : [];
    if (targets.length > 0) await this.#add([encodeJob(videoId, index, targets)]);
  }

  async #settle(state: VideoState, failure?: Failure): Promise<void> {
    const { videos } = this.#options;
    const { videoId } = state.video;
    const whole = wholeRungs(state);
    for (const { record, chunkCount } of whole) await videos.finishRendition({ ...record, chunkCount });
    const settled = whole.length > 0 ? await this.state(videoId) : state;
    const due = settled && dueStatus(settled, failure);
    if (!due || due.status === settled.video.status) return;
    if (due.status !== "errored") await this.#addArtifacts(settled);
    await videos.setStatus(videoId, due);
  }

  async #addArtifacts(state: VideoState): Promise<void> {
    const { videos, artifacts } = this.#options;
    if (artifacts.length === 0) return;
    await this.#add(missingArtifactJobs(state, await videos.artifacts(state.video.videoId), artifacts));
  }

  async #add(jobs: readonly NewJob[]): Promise<void> {
    for (let first = 0; first < jobs.length; first += ADDED_AT_ONCE) {
      await Promise.all(jobs.slice(first, first + ADDED_AT_ONCE).map((job) => this.#options.jobs.add(job)));
    }
  }
}
