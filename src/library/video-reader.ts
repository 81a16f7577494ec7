import { setImmediate as nextTurn } from "node:timers/promises";
import type { VideoArtifactRecord, VideoRecord, VideoRenditionRecord } from "../catalog/video-record.ts";
import type { VideoRepository } from "../catalog/video-repository.ts";
import type { VideoId } from "../core/ids.ts";
import type { Logger } from "../core/logger.ts";
import type { StoredFile, StoredRendition, StoredText, StoredVideo } from "../packaging/stored-rendition.ts";
import { savedName } from "./artifacts/downloads.ts";
import { storyboardOf } from "./artifacts/storyboard.ts";
import { type ReadRendition, storedRendition } from "./rendition-json.ts";
import { readStoredVideo, writeStoredVideo } from "./stored-video-text.ts";
import { committedOf, isUnsettled, type PlannedRendition, readState, type VideoState } from "./video-records.ts";
import { isPlayable } from "./video-steps.ts";
import { textKey } from "./video-work.ts";

/** What was read of videos that are final, shared by the servers of one site; whoever has such a place implements it. */
export interface SharedVideos {
  /** Undefined for what is not there or cannot be had now; never rejects. */
  get(key: string): Promise<string | undefined>;
  put(key: string, text: string): void;
}

export interface VideoReaderOptions {
  readonly videos: Pick<VideoRepository, "get" | "renditions" | "committedChunks" | "chunks" | "artifacts">;
  readonly shared?: { readonly texts: SharedVideos; readonly log: Logger } | undefined;
}

/** A segment of a copy ends at a key frame, which may come so long after its target. */
const LATEST_KEY_FRAME_MS = 10_000;

/** To read so many takes some milliseconds. */
const CHUNKS_AT_ONCE = 50;

/** Videos as they can be shown, out of their records. */
export class VideoReader {
  readonly #options: VideoReaderOptions;
  /** How each rendition that was given out was read, so that only what is new has to be read again. */
  readonly #sources = new WeakMap<StoredRendition, ReadRendition>();

  constructor(options: VideoReaderOptions) {
    this.#options = options;
  }

  /** Undefined when there is no such video. `known` is given back as it is while nothing has changed. */
  async get(videoId: VideoId, known?: StoredVideo): Promise<StoredVideo | undefined> {
    const video = await this.#options.videos.get(videoId);
    if (!video || video.revision === known?.revision) return video && known;
    const { shared } = this.#options;
    return shared && isFinal(video) ? this.#share(video, known, shared) : this.#read(video, known);
  }

  async #share(
    video: VideoRecord,
    known: StoredVideo | undefined,
    { texts, log }: NonNullable<VideoReaderOptions["shared"]>,
  ): Promise<StoredVideo> {
    const key = `${video.videoId}:${video.revision}`;
    const found = await texts.get(key);
    try {
      if (found !== undefined) return readStoredVideo(found);
    } catch (err) {
      log.warn({ err, key }, "what is shared of a video cannot be read, and is passed over");
    }
    const read = await this.#read(video, known);
    // What changed while it was read is of no one revision.
    const isSame = (await this.#options.videos.get(video.videoId))?.revision === video.revision;
    if (isSame) texts.put(key, writeStoredVideo(read));
    return read;
  }

  async #read(video: VideoRecord, known: StoredVideo | undefined): Promise<StoredVideo> {
    const { videos } = this.#options;
    const { videoId } = video;
    const records = await videos.renditions(videoId);
    const [committed, artifacts] = await Promise.all([videos.committedChunks(videoId), videos.artifacts(videoId)]);
    const state = readState(video, records, committed);
    const renditions = await this.#renditions(state, known);
    return {
      revision: video.revision,
      updatedAtMs: video.updatedAtMs,
      isPlayable: isPlayable(state),
      isFinal: isFinal(video),
      durationMs: video.durationMs ?? undefined,
      ...targetsOf(state, renditions),
      renditions,
      texts: await this.#texts(state),
      storyboard: storyboardOf(artifacts),
      files: new Map(artifacts.map((artifact) => [artifact.name, fileOf(video, artifact)])),
    };
  }

  async #renditions(state: VideoState, known: StoredVideo | undefined): Promise<readonly StoredRendition[]> {
    const shown: StoredRendition[] = [];
    for (const { record } of state.renditions.filter((rendition) => isShown(rendition, state))) {
      const before = known?.renditions.find(({ id, epoch }) => id === record.renditionId && epoch === record.epoch);
      const rendition = before?.isComplete ? before : await this.#rendition(state, record, before);
      if (rendition) shown.push(rendition);
    }
    return shown;
  }

  async #rendition(
    { video, renditions }: VideoState,
    record: VideoRenditionRecord,
    known: StoredRendition | undefined,
  ): Promise<StoredRendition | undefined> {
    const { status } = record;
    const read = await this.#readOn(video.videoId, record, known && this.#sources.get(known));
    if (!read) return undefined;
    const hasSound = renditions.some((other) => other.record.renditionId === read.rendition.audioRenditionId);
    const rendition: StoredRendition = {
      ...read.rendition,
      audioRenditionId: hasSound ? read.rendition.audioRenditionId : undefined,
      // What was given up on the way has no more to come.
      isComplete: read.rendition.isComplete || status === "errored",
    };
    this.#sources.set(rendition, { rendition, chunkCount: read.chunkCount });
    return rendition;
  }

  /** What has come behind `before`, or all. A film of hours is read bit by bit: live media goes out meanwhile. */
  async #readOn(
    videoId: VideoId,
    record: VideoRenditionRecord,
    before: ReadRendition | undefined,
  ): Promise<ReadRendition | undefined> {
    const { renditionId, epoch } = record;
    let read = before;
    for (;;) {
      const fromIndex = read?.chunkCount ?? 0;
      const chunks = await this.#options.videos.chunks(videoId, {
        renditionId,
        epoch,
        fromIndex,
        limit: CHUNKS_AT_ONCE,
      });
      read = storedRendition(record, chunks, read);
      if (!read || read.chunkCount < fromIndex + CHUNKS_AT_ONCE) return read;
      await nextTurn();
    }
  }

  async #texts({ video, renditions }: VideoState): Promise<readonly StoredText[]> {
    const ready = renditions.filter(({ record, spec }) => spec.kind === "text" && record.status === "ready");
    const texts = await Promise.all(ready.map((rendition) => this.#text(video.videoId, rendition)));
    return texts.filter((text) => text !== undefined);
  }

  async #text(videoId: VideoId, { record, spec }: PlannedRendition): Promise<StoredText | undefined> {
    const { renditionId, epoch } = record;
    if (spec.kind !== "text") return undefined;
    const chunks = await this.#options.videos.chunks(videoId, { renditionId });
    const chunk = chunks.find((each) => each.epoch === epoch);
    if (!chunk) return undefined;
    const { language, label, isForced } = spec;
    const sizeBytes = Number(chunk.segments[0]?.bytes ?? 0);
    return { id: renditionId, epoch, language, label, isForced, key: textKey(chunk.keyPrefix), sizeBytes };
  }
}

/** What failed may be tried again any time: nobody may keep for a day what is there of it. */
function isFinal({ status }: VideoRecord): boolean {
  return status === "ready";
}

function fileOf(video: VideoRecord, { name, key, contentType, sizeBytes }: VideoArtifactRecord): StoredFile {
  return { key, contentType, sizeBytes, downloadName: savedName(video, name) };
}

/** A rendition that was given up is shown as far as it goes only while there is nothing better of its kind. */
function isShown({ record, spec }: PlannedRendition, state: VideoState): boolean {
  if (spec.kind === "text" || committedOf(state, record).size === 0) return false;
  if (record.status !== "errored") return true;
  return !state.renditions.some((other) => {
    const isBetter =
      other.record.status === "ready" || (isUnsettled(other.record) && committedOf(state, other.record).has(0));
    return other.spec.kind === spec.kind && isBetter;
  });
}

function targetsOf({ plan, recording }: VideoState, renditions: readonly StoredRendition[]) {
  if (recording) return { segmentTargetMs: recording.segmentTargetMs, targetDurationS: recording.targetDurationS };
  const segmentTargetMs = plan?.segmentTargetMs ?? LATEST_KEY_FRAME_MS;
  const latestMs = plan?.road === "repackage" ? LATEST_KEY_FRAME_MS : 0;
  // A picture that stands for long makes a segment longer than was planned.
  const longestS = renditions.reduce((longest, { segments, timescale }) => {
    return segments.reduce((most, { duration }) => Math.max(most, Math.round(duration / timescale)), longest);
  }, 1);
  return { segmentTargetMs, targetDurationS: Math.max(Math.ceil((segmentTargetMs + latestMs) / 1000), longestS) };
}
