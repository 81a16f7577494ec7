import type { VideoArtifactRecord } from "../../catalog/video-record.ts";
import type { VideoRepository } from "../../catalog/video-repository.ts";
import type { Logger } from "../../core/logger.ts";
import type { Job, JobAttempt, JobHandler } from "../../jobs/job-queue.ts";
import type { MakeTools } from "../make/contract.ts";
import { mainVideo } from "../probe/source-media.ts";
import { VIDEO_JOB_DATA, VIDEO_JOB_SUBJECT } from "../video-jobs.ts";
import type { VideoState } from "../video-records.ts";
import type { VideoRoad } from "../video-road.ts";
import { sourceKeyOf, timedSource, withSource } from "../video-source.ts";
import { ArtifactPublisher, type MadeArtifact } from "./artifact-publisher.ts";
import { hasArtifact, isHeard, POSTER, PREVIEW, PREVIEW_IMAGE, STORYBOARD, thumbnailName } from "./artifact-steps.ts";
import { downloadDetails, downloadName, partsOfDownload, readDownload } from "./downloads.ts";
import { makeCover, makePoster, makeStoredPoster, type Poster } from "./poster.ts";
import { makeMovingPicture, makePreview, PREVIEW_SIDE } from "./preview.ts";
import { makeThumbnails, THUMBNAIL_SIDE } from "./stills.ts";
import { writeStoredMovie } from "./stored-movie.ts";
import { makeStoryboard } from "./storyboard.ts";
import { TILE_SIDE } from "./storyboard-plan.ts";
import { readWhole, wholePictures } from "./whole-renditions.ts";

export interface ArtifactWorkOptions {
  readonly videos: VideoRepository;
  readonly road: Pick<VideoRoad, "state">;
  readonly tools: MakeTools;
  readonly log: Logger;
}

/** One attempt at what a video lacks. */
interface ArtifactAttempt {
  readonly state: VideoState;
  readonly artifacts: readonly VideoArtifactRecord[];
  readonly publisher: ArtifactPublisher;
  readonly signal: AbortSignal;
  readonly job: Job;
  readonly report: JobAttempt["report"];
}

/** What workers make of a video beside its renditions. That it cannot be made is said in the job; the video stays as it is. */
export class ArtifactWork {
  readonly #options: ArtifactWorkOptions;
  readonly handlers: Readonly<Record<string, JobHandler>>;

  constructor(options: ArtifactWorkOptions) {
    this.#options = options;
    this.handlers = {
      "video.poster": this.#handler((attempt) => this.#poster(attempt)),
      "video.pictures": this.#handler((attempt) => this.#pictures(attempt)),
      "video.preview": this.#handler((attempt) => this.#preview(attempt)),
      "video.download": this.#handler((attempt) => this.#download(attempt)),
    };
  }

  #handler(work: (attempt: ArtifactAttempt) => Promise<void>): JobHandler {
    return async ({ job, attemptId, signal, report }: JobAttempt) => {
      const { videoId } = VIDEO_JOB_SUBJECT.parse(job.data);
      const { road, videos, tools, log } = this.#options;
      const state = await road.state(videoId);
      if (!state) return undefined;
      const publisher = new ArtifactPublisher({ videos, store: tools.store, log, videoId, attemptId, signal });
      await work({ state, artifacts: await videos.artifacts(videoId), publisher, signal, job, report });
      return undefined;
    };
  }

  async #poster({ state, artifacts, publisher, signal }: ArtifactAttempt): Promise<void> {
    if (hasArtifact(artifacts, POSTER)) return;
    const poster = await this.#posterOf(state, signal);
    if (poster) await publisher.publish([posterArtifact(poster)]);
  }

  /** Of the original; undefined where there is nothing to see. */
  async #posterOf(state: VideoState, signal: AbortSignal): Promise<Poster | undefined> {
    const { tools } = this.#options;
    const { media, plan, video: record } = state;
    const video = media && mainVideo(media);
    const cover = media?.pictures[0];
    if (!plan || (!cover && !video)) return undefined;
    return withSource(tools, sourceKeyOf(record), async (access) => {
      const source = timedSource(state, access);
      const { picture, durationMs } = plan;
      if (video && picture) return makePoster(tools, { source, video, picture, durationMs, signal });
      return cover && makeCover(tools, { source, streamIndex: cover.index, signal });
    });
  }

  async #pictures({ state, artifacts, publisher, signal }: ArtifactAttempt): Promise<void> {
    const { tools, videos } = this.#options;
    const large = await wholePictures(videos, state, THUMBNAIL_SIDE);
    if (large && !hasArtifact(artifacts, thumbnailName(0))) {
      const stills = await makeThumbnails(tools, large, signal);
      await publisher.publish(
        stills.map(({ jpeg, atMs, size }, place) => {
          return { ...jpegArtifact(thumbnailName(place), jpeg), details: { atMs, ...size } };
        }),
      );
    }
    // A recording has no original to make it of.
    if (large && !state.video.source && !hasArtifact(artifacts, POSTER)) {
      await publisher.publish([posterArtifact(await makeStoredPoster(tools, large, signal))]);
    }
    const small = await wholePictures(videos, state, TILE_SIDE);
    if (small && !hasArtifact(artifacts, STORYBOARD)) {
      await publisher.publish(await makeStoryboard(tools, small, signal));
    }
  }

  /** Made anew when one of its two forms is missing: the other costs little more. */
  async #preview({ state, artifacts, publisher, signal }: ArtifactAttempt): Promise<void> {
    const { tools, videos } = this.#options;
    const pictures = await wholePictures(videos, state, PREVIEW_SIDE);
    const isThere = hasArtifact(artifacts, PREVIEW) && hasArtifact(artifacts, PREVIEW_IMAGE);
    if (!pictures || isThere || !isHeard(state)) return;
    const [sound] = state.renditions.filter(({ record }) => record.renditionId === pictures.audioRenditionId);
    const heard = sound && (await readWhole(videos, sound.record));
    const preview = await makePreview(tools, { pictures, sound: heard, signal });
    const { mp4, durationMs } = preview;
    if (!hasArtifact(artifacts, PREVIEW)) {
      await publisher.publish([{ name: PREVIEW, contentType: "video/mp4", body: mp4, details: { durationMs } }]);
    }
    const image = await makeMovingPicture(tools, preview, signal);
    await publisher.publish([{ name: PREVIEW_IMAGE, contentType: "image/webp", body: image, details: null }]);
  }

  async #download({ state, artifacts, publisher, signal, job, report }: ArtifactAttempt): Promise<void> {
    const { tools, videos } = this.#options;
    const { renditionId, epoch } = VIDEO_JOB_DATA["video.download"].parse(job.data);
    const wanted = state.renditions.find(({ record }) => record.renditionId === renditionId && record.epoch === epoch);
    if (!wanted || hasArtifact(artifacts, downloadName(wanted.record))) return;
    const renditions = await readDownload(videos, partsOfDownload(state, wanted.record));
    const onProgress = (share: number) => report({ share });
    const body = writeStoredMovie({ store: tools.store, renditions, signal, onProgress });
    const contentType = wanted.record.kind === "audio" ? "audio/mp4" : "video/mp4";
    await publisher.publish([
      { name: downloadName(wanted.record), contentType, body, details: downloadDetails(wanted.record) },
    ]);
  }
}

function posterArtifact({ jpeg, size }: Poster): MadeArtifact {
  return { ...jpegArtifact(POSTER, jpeg), details: size ? { ...size } : null };
}

function jpegArtifact(name: string, jpeg: Uint8Array) {
  return { name, contentType: "image/jpeg", body: jpeg };
}
