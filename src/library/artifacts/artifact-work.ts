import type { VideoRepository } from "../../catalog/video-repository.ts";
import type { VideoId } from "../../core/ids.ts";
import type { Logger } from "../../core/logger.ts";
import type { JobAttempt, JobHandler } from "../../jobs/job-queue.ts";
import type { MakeTools } from "../make/contract.ts";
import { mainVideo } from "../source-media.ts";
import { VIDEO_JOB_DATA } from "../video-jobs.ts";
import type { VideoState } from "../video-records.ts";
import type { VideoRoad } from "../video-road.ts";
import { sourceKeyOf, timedSource, withSource } from "../video-source.ts";
import { ArtifactPublisher } from "./artifact-publisher.ts";
import { hasArtifact, POSTER } from "./artifact-steps.ts";
import { makeCover, makePoster } from "./poster.ts";

export interface ArtifactWorkOptions {
  readonly videos: VideoRepository;
  readonly road: Pick<VideoRoad, "state">;
  readonly tools: MakeTools;
  readonly log: Logger;
}

/** What workers make of a video beside its renditions. That it cannot be made is said in the job; the video stays as it is. */
export class ArtifactWork {
  readonly #options: ArtifactWorkOptions;
  readonly handlers: Readonly<Record<string, JobHandler>>;

  constructor(options: ArtifactWorkOptions) {
    this.#options = options;
    this.handlers = {
      "video.poster": (attempt) => this.#poster(attempt),
    };
  }

  async #poster(attempt: JobAttempt): Promise<undefined> {
    const { road, videos } = this.#options;
    const { videoId } = VIDEO_JOB_DATA["video.poster"].parse(attempt.job.data);
    const state = await road.state(videoId);
    if (!state?.video.source || hasArtifact(await videos.artifacts(videoId), POSTER)) return;
    const poster = await this.#picture(state, attempt.signal);
    if (!poster) return;
    const { jpeg, details } = poster;
    const made = { name: POSTER, contentType: "image/jpeg", body: jpeg, details };
    await this.#publisher(attempt, videoId).publish([made]);
  }

  #publisher({ attemptId, signal }: JobAttempt, videoId: VideoId): ArtifactPublisher {
    const { videos, tools, log } = this.#options;
    return new ArtifactPublisher({ videos, store: tools.store, log, videoId, attemptId, signal });
  }

  /** Undefined where there is nothing to see. */
  async #picture(state: VideoState, signal: AbortSignal) {
    const { tools } = this.#options;
    const { media, plan, video: record } = state;
    const video = media && mainVideo(media);
    const cover = media?.pictures[0];
    if (!plan || (!cover && !video)) return undefined;
    return withSource(tools, sourceKeyOf(record), async (access) => {
      const source = timedSource(state, access);
      if (video && plan.picture) {
        const { picture, durationMs } = plan;
        const { jpeg, width, height } = await makePoster(tools, { source, video, picture, durationMs, signal });
        return { jpeg, details: { width, height } };
      }
      return cover && { jpeg: await makeCover(tools, { source, streamIndex: cover.index, signal }), details: null };
    });
  }
}
