import type { ChunkOutcome, NewChunk, VideoRepository } from "../../catalog/video-repository.ts";
import { DomainError, type ErrorCode } from "../../core/errors.ts";
import { newEpoch, newVideoId, type StreamId, type VideoId } from "../../core/ids.ts";
import type { JsonObject } from "../../core/json.ts";
import type { Logger } from "../../core/logger.ts";
import { SOURCE_AUDIO_ID } from "../../packaging/packager.ts";
import type { StoredRendition, StoredSegment } from "../../packaging/stored-rendition.ts";
import type { ObjectStore } from "../../storage/object-store.ts";
import type { RenditionInit } from "../make/contract.ts";
import type { RecordingSpec } from "../plan/video-plan.ts";
import { type ReadRendition, renditionInitJson, segmentKey, segmentsJson } from "../rendition-json.ts";
import type { RecordingPlan } from "./recording-plan.ts";
import { type PlacedSegment, RecordingTimeline } from "./recording-timeline.ts";
import type { Cell, Row } from "./row.ts";

/** The video was deleted, or somebody else has finished it: what is recorded is for nobody. */
export class RecordingGone extends Error {}

export interface RecordingOptions {
  readonly videos: Pick<
    VideoRepository,
    "create" | "setPlan" | "commitChunks" | "finishRendition" | "failRendition" | "setStatus"
  >;
  readonly store: Pick<ObjectStore, "put" | "delete">;
  /** Has the video's status follow from its records. */
  readonly advance: (videoId: VideoId) => Promise<void>;
  /** Has the stream play the video while it is not live. */
  readonly link: (streamId: StreamId, videoId: VideoId) => Promise<unknown>;
  readonly log: Logger;
}

/** What a new recording is to be. */
export interface NewRecording {
  readonly streamId: StreamId;
  readonly title: string;
  readonly startedAtMs: number;
  readonly segmentTargetMs: number;
  readonly targetDurationS: number;
}

/** A recording whose server ended in the middle of it. */
export interface BrokenRecording {
  readonly videoId: VideoId;
  readonly plan: RecordingPlan;
  readonly renditions: readonly ReadRendition[];
  /** Epochs of renditions that are in the records without a chunk, by their ids. */
  readonly emptyEpochs: ReadonlyMap<string, string>;
}

/** Players name one track of sound, and nobody says in which language it is. */
const SOUND = { language: null, label: "Audio" } as const;

/** How far the record of a recording has come: asked for, there or not, then there, then what its stream plays. */
type RecordStage = "none" | "asked" | "created" | "linked";

/** A row that is on its way to the store. */
interface PendingRow {
  readonly row: Row;
  readonly segments: ReadonlyMap<string, StoredSegment>;
  /** Where it ends in the video. */
  readonly endMs: number;
}

/** A rendition with what is stored and on its way to the record. */
interface Track {
  readonly renditionId: string;
  readonly epoch: string;
  readonly init: JsonObject;
  /** Of the chunk that is being filled. */
  chunkIndex: number;
  segments: StoredSegment[];
}

/**
 * One video that is being recorded: puts rows into the store, and publishes them a chunk of every rendition at a time. What
 * throws can be called again, and goes on where it was.
 */
export class Recording {
  readonly videoId: VideoId;
  readonly #options: RecordingOptions;
  readonly #timeline: RecordingTimeline;
  readonly #tracks = new Map<string, Track>();
  /** Stands in the keys of what this process puts. */
  readonly #attempt = newEpoch();
  #plan: RecordingPlan;
  readonly #title: string | null;
  #stage: RecordStage;
  /** What is to be told to the catalog before the next chunk can be. */
  #newRenditions: { readonly track: Track; readonly cell: Cell }[] = [];
  /** Epochs of renditions that are in the records and have nothing yet. */
  readonly #emptyEpochs = new Map<string, string>();
  #isPlanKept: boolean;
  #hasBegun: boolean;
  #pending: PendingRow | undefined;
  #storedMs: number;
  #publishedMs: number;

  static begin(options: RecordingOptions, { title, ...recording }: NewRecording): Recording {
    const plan = { road: "record" as const, ...recording, gaps: [] };
    return new Recording(options, newVideoId(), plan, new RecordingTimeline(), title);
  }

  /** Goes on behind what is in the records. */
  static resume(options: RecordingOptions, broken: BrokenRecording): Recording {
    const { videoId, plan, renditions, emptyEpochs } = broken;
    const stored = renditions.map(({ rendition }) => rendition);
    const timeline = RecordingTimeline.after(stored, plan.segmentTargetMs);
    const recording = new Recording(options, videoId, plan, timeline, null);
    recording.#stage = "linked";
    recording.#isPlanKept = true;
    for (const { rendition, chunkCount } of renditions) recording.#takeUp(rendition, chunkCount);
    for (const [renditionId, epoch] of emptyEpochs) recording.#emptyEpochs.set(renditionId, epoch);
    return recording;
  }

  private constructor(
    options: RecordingOptions,
    videoId: VideoId,
    plan: RecordingPlan,
    timeline: RecordingTimeline,
    title: string | null,
  ) {
    this.#options = options;
    this.videoId = videoId;
    this.#plan = plan;
    this.#timeline = timeline;
    this.#title = title;
    this.#stage = "none";
    this.#isPlanKept = false;
    this.#hasBegun = timeline.rowCount > 0;
    this.#storedMs = timeline.endMs;
    this.#publishedMs = timeline.endMs;
  }

  /** How much is stored, published or not. */
  get durationMs(): number {
    return this.#storedMs;
  }

  /** What is in the store and in no record yet, in ms of media. */
  get unpublishedMs(): number {
    return this.#storedMs - this.#publishedMs;
  }

  /** Something of it can be watched. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** Says that `durationMs` of the broadcast are missing here. */
  addGap(durationMs: number): void {
    const { gaps } = this.#plan;
    const atMs = Math.round(this.durationMs);
    const last = gaps.at(-1);
    const lostMs = Math.round(durationMs);
    const isSame = last?.atMs === atMs;
    const gap = { atMs, durationMs: isSame ? last.durationMs + lostMs : lostMs };
    this.#plan = { ...this.#plan, gaps: [...(isSame ? gaps.slice(0, -1) : gaps), gap] };
    this.#isPlanKept = false;
  }

  /** Puts a row into the store. Throws what the store throws, or RecordingGone; may then be called again with the same row. */
  async add(row: Row, isAfterLoss: boolean, signal: AbortSignal): Promise<void> {
    await this.#begin();
    if (this.#pending?.row !== row) this.#pending = this.#place(row, isAfterLoss);
    const { segments, endMs } = this.#pending;
    const outcomes = await Promise.allSettled(
      [...segments].map(([id, segment]) => this.#put(id, segment, row, signal)),
    );
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    for (const [id, segment] of segments) this.#tracks.get(id)?.segments.push(segment);
    this.#storedMs = endMs;
    this.#pending = undefined;
  }

  /** Publishes what is in the store. */
  async publish(): Promise<void> {
    if (this.unpublishedMs > 0) await this.#commit();
    if (this.#hasBegun || this.#publishedMs === 0) return;
    await this.#options.advance(this.videoId);
    this.#hasBegun = true;
  }

  async #commit(): Promise<void> {
    await this.#keepPlan(null);
    const chunks = [...this.#tracks.values()].map((track) => this.#chunkOf(track));
    const outcomes = await this.#options.videos.commitChunks(this.videoId, chunks);
    this.#check(outcomes);
    for (const track of this.#tracks.values()) {
      track.chunkIndex += 1;
      track.segments = [];
    }
    this.#publishedMs = this.#storedMs;
  }

  /** Nothing more will come: the video is whole with what is published. */
  async finish(): Promise<void> {
    const { videos, advance } = this.#options;
    if (!this.#hasBegun) {
      if (this.#stage !== "none") await videos.setStatus(this.videoId, NOTHING_STORED);
      return;
    }
    this.#isPlanKept = false;
    await this.#keepPlan(Math.round(this.#publishedMs));
    for (const { renditionId, epoch, chunkIndex: chunkCount } of this.#tracks.values()) {
      await videos.finishRendition({ videoId: this.videoId, renditionId, epoch, chunkCount });
    }
    for (const [renditionId, epoch] of this.#emptyEpochs) {
      await videos.failRendition({ videoId: this.videoId, renditionId, epoch, error: "Nothing of it was recorded." });
    }
    await advance(this.videoId);
  }

  /** Deletes what is in the store and will never be in a record. */
  async discard(): Promise<void> {
    const stored = [...this.#tracks.values()].flatMap(({ segments }) => segments);
    const keys = [...stored, ...(this.#pending?.segments.values() ?? [])].map(({ key }) => key);
    if (keys.length > 0) await this.#options.store.delete(keys);
  }

  /** The row that was being put is lost. */
  async dropRow(): Promise<void> {
    const keys = [...(this.#pending?.segments.values() ?? [])].map(({ key }) => key);
    this.#pending = undefined;
    if (keys.length > 0) await this.#options.store.delete(keys);
  }

  /** The record that people see, as soon as there is something to record. */
  async #begin(): Promise<void> {
    if (this.#stage === "linked") return;
    if (this.#stage !== "created") await this.#create();
    await this.#keepPlan(null);
    await this.#link();
  }

  async #create(): Promise<void> {
    const { videos, log } = this.#options;
    const { videoId } = this;
    this.#stage = "asked";
    try {
      await videos.create({ videoId, title: this.#title, description: null, source: null });
    } catch (error) {
      // Nobody else has this id: it was created, and the answer was lost.
      if (!hasCode(error, "VIDEO_CONFLICT")) throw error;
    }
    this.#stage = "created";
    log.info({ videoId }, "recording began");
  }

  async #link(): Promise<void> {
    try {
      await this.#options.link(this.#plan.streamId, this.videoId);
    } catch (error) {
      if (!hasCode(error, "VIDEO_NOT_FOUND")) throw error;
      throw new RecordingGone("the video was deleted", { cause: error });
    }
    this.#stage = "linked";
  }

  /** Gives each segment its place in the video and in the store. */
  #place(row: Row, isAfterLoss: boolean): PendingRow {
    for (const [id, cell] of row.cells) if (!this.#tracks.has(id)) this.#addTrack(id, cell);
    const { before, segments, endMs } = this.#timeline.place(row, isAfterLoss);
    const keyed = [...this.#tracks.values()].flatMap((track) => {
      for (const gap of before.get(track.renditionId) ?? []) track.segments.push(this.#keyed(track, gap));
      const segment = segments.get(track.renditionId);
      return segment ? [[track.renditionId, this.#keyed(track, segment)] as const] : [];
    });
    return { row, segments: new Map(keyed), endMs };
  }

  #keyed(track: Track, segment: PlacedSegment): StoredSegment {
    return { ...segment, key: segmentKey(this.#keyPrefix(track), track.segments.length) };
  }

  async #put(renditionId: string, { key }: StoredSegment, { cells }: Row, signal: AbortSignal): Promise<void> {
    const cell = cells.get(renditionId);
    if (!cell) return;
    const bytes = Buffer.concat(cell.segment.parts.map((part) => part.bytes));
    await this.#options.store.put(key, bytes, { contentType: `${cell.rendition.kind}/mp4`, signal });
  }

  #keyPrefix({ renditionId, epoch, chunkIndex }: Track): string {
    return `videos/${this.videoId}/${renditionId}/${epoch}/${this.#attempt}/${chunkIndex}/`;
  }

  #addTrack(renditionId: string, cell: Cell): void {
    const track: Track = {
      renditionId,
      epoch: this.#emptyEpochs.get(renditionId) ?? newEpoch(),
      init: headerJson(cell.segment.init),
      chunkIndex: 0,
      segments: [],
    };
    this.#tracks.set(renditionId, track);
    this.#emptyEpochs.delete(renditionId);
    this.#newRenditions.push({ track, cell });
    this.#isPlanKept = false;
  }

  #takeUp({ id: renditionId, epoch, format, timescale, initBytes: bytes }: StoredRendition, chunkIndex: number): void {
    const init = headerJson({ format, timescale, bytes });
    this.#tracks.set(renditionId, { renditionId, epoch, init, chunkIndex, segments: [] });
  }

  #chunkOf(track: Track): NewChunk {
    const { renditionId, epoch, chunkIndex: index, segments, init } = track;
    const keyPrefix = this.#keyPrefix(track);
    return {
      videoId: this.videoId,
      renditionId,
      epoch,
      index,
      keyPrefix,
      segments: segmentsJson(segments),
      init,
    };
  }

  #check(outcomes: readonly ChunkOutcome[]): void {
    if (outcomes.every((outcome) => outcome === "committed")) return;
    throw new RecordingGone(`the video cannot be recorded any more: ${[...new Set(outcomes)].join(", ")}`);
  }

  async #keepPlan(durationMs: number | null): Promise<void> {
    if (this.#isPlanKept && this.#newRenditions.length === 0) return;
    const firstPlace = this.#tracks.size - this.#newRenditions.length;
    const added = this.#newRenditions.map(({ track, cell }, place) => ({
      ...{ renditionId: track.renditionId, epoch: track.epoch, chunkCount: null, position: firstPlace + place },
      ...{ kind: cell.rendition.kind, origin: cell.rendition.origin },
      spec: specOf(cell),
    }));
    const plan = { ...this.#plan };
    const kept = await this.#options.videos.setPlan({
      ...{ videoId: this.videoId, metadata: null, plan, durationMs, renditions: added },
    });
    if (!kept) throw new RecordingGone("the video was deleted");
    this.#newRenditions = [];
    this.#isPlanKept = true;
  }
}

function hasCode(error: unknown, code: ErrorCode): boolean {
  return error instanceof DomainError && error.code === code;
}

/** What a recording comes to of which nothing was stored. */
export const NOTHING_STORED = {
  status: "errored",
  error: { code: "UNAVAILABLE", message: "Nothing of the broadcast could be stored." },
} as const;

/** The clock of a recording's media is its periods' affair. */
function headerJson({ format, timescale, bytes }: Omit<RenditionInit, "leadTicks">): JsonObject {
  return renditionInitJson({ format, timescale, bytes, leadTicks: 0 });
}

function specOf({ rendition: { id, kind, origin, audioRenditionId } }: Cell): RecordingSpec {
  if (kind === "audio") return { kind, method: "record", id, ...SOUND };
  const beside = origin === "source" ? SOURCE_AUDIO_ID : (audioRenditionId ?? null);
  return { kind, method: "record", id, audioRenditionId: beside };
}
