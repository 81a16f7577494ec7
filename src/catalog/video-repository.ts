import {
  type Compilable,
  type Expression,
  type ExpressionBuilder,
  type Kysely,
  type SqlBool,
  sql,
  type Updateable,
} from "kysely";
import type { Clock } from "../core/clock.ts";
import { DomainError } from "../core/errors.ts";
import { parseVideoId, type VideoId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { Database, Tables } from "../database/database.ts";
import { isUniqueViolation } from "../database/violations.ts";
import { canonicalJson } from "./canonical-json.ts";
import { readCursor, writeCursor } from "./page-cursor.ts";
import type { CatalogSchema, VideoTable } from "./schema.ts";
import type {
  RenditionStatus,
  VideoArtifactRecord,
  VideoChunkRecord,
  VideoRecord,
  VideoRenditionRecord,
  VideoStatus,
} from "./video-record.ts";
import { toArtifactRecord, toChunkRecord, toRenditionRecord, toVideoId, toVideoRecord } from "./video-rows.ts";

/** What a new video starts from; it is `preparing`. */
export type NewVideo = Pick<VideoRecord, "videoId" | "title" | "description" | "source">;

/** What a new rendition starts from; it is `waiting`. */
export type NewRendition = Pick<
  VideoRenditionRecord,
  "renditionId" | "kind" | "origin" | "epoch" | "position" | "spec" | "chunkCount"
>;

/** What is to be made of a video, and what was found in it. */
export interface PlannedVideo {
  readonly videoId: VideoId;
  /** null for a recording. */
  readonly metadata: JsonObject | null;
  readonly plan: JsonObject;
  readonly durationMs: number | null;
  readonly renditions: readonly NewRendition[];
}

/** One rendition as it is made this time. */
export interface RenditionEpoch {
  readonly videoId: VideoId;
  readonly renditionId: string;
  readonly epoch: string;
}

export interface NewChunk extends RenditionEpoch {
  readonly index: number;
  /** Of this attempt alone: who commits it again is told that it is committed. */
  readonly keyPrefix: string;
  readonly segments: readonly JsonObject[];
  /** What the init segment says that belongs to them; null when there are none: that goes with any. */
  readonly init: JsonObject | null;
}

/** Which chunk of which rendition is there. */
export type CommittedChunk = Pick<VideoChunkRecord, "renditionId" | "epoch" | "index">;

/**
 * `taken`: another attempt committed this chunk. `mismatch`: the rendition's init segment is another one. `gone`: the
 * video, or this epoch of the rendition, is no more. Whoever hears one of these deletes what it wrote.
 */
export type ChunkOutcome = "committed" | "taken" | "mismatch" | "gone";

export type StatusChange =
  | { readonly status: "playable" | "ready" }
  | { readonly status: "errored"; readonly error: { readonly code: string; readonly message: string } };

/** What a new artifact says of itself. */
export type NewArtifact = Omit<VideoArtifactRecord, "videoId">;

/** Which chunks of a video: all that are not left out. */
export interface ChunkQuery {
  readonly renditionId?: string;
  readonly epoch?: string;
  readonly fromIndex?: number;
  /** The first so many of them. */
  readonly limit?: number;
}

/** Objects that no record names any more. */
export interface RemovedVideo {
  readonly sourceKey: string | null;
  readonly artifactKeys: readonly string[];
  /** Below which its segments lie. */
  readonly keyPrefixes: readonly string[];
}

export interface VideoPage {
  readonly videos: readonly VideoRecord[];
  /** Give it back to get the page behind this one; undefined on the last. */
  readonly nextCursor: string | undefined;
}

/** From where each status may be reached; it is never left for one that stands before it but by `reopen`. */
const REACHED_FROM = {
  playable: ["preparing"],
  ready: ["preparing", "playable"],
  errored: ["preparing", "playable"],
} as const satisfies Record<StatusChange["status"], readonly VideoStatus[]>;

const UNFINISHED: readonly VideoStatus[] = ["preparing", "playable"];
const ID_PAGE_COUNT = 1000;
/** Insert it, take its rendition up, ask whose it is. */
const QUERIES_PER_CHUNK = 3;

/**
 * Stored videos in the catalog, with their renditions, chunks and artifacts. Reads see every write that was awaited
 * before, in whatever process. Every change of any of them raises the video's revision; and as it does so first, by an
 * update that holds the video's row, changes of one video follow one another.
 */
export class VideoRepository {
  readonly #database: Database;
  readonly #reader: Kysely<CatalogSchema>;
  readonly #writer: Kysely<CatalogSchema>;
  readonly #clock: Clock;

  constructor({ database, clock, reader, writer }: Tables<CatalogSchema> & { database: Database; clock: Clock }) {
    this.#database = database;
    this.#reader = reader;
    this.#writer = writer;
    this.#clock = clock;
  }

  /** Throws VIDEO_CONFLICT when the id is taken. */
  async create({ videoId, title, description, source }: NewVideo): Promise<VideoRecord> {
    const nowMs = this.#nowMs();
    const row = await this.#writer
      .insertInto("video")
      .values({
        video_id: videoId,
        title,
        description,
        status: "preparing" satisfies VideoStatus,
        source_key: source?.key ?? null,
        source_file_name: source?.fileName ?? null,
        source_size_bytes: source?.sizeBytes ?? null,
        revision: 1,
        created_at_ms: nowMs,
        updated_at_ms: nowMs,
      })
      .onConflict((conflict) => conflict.column("video_id").doNothing())
      .returningAll()
      .executeTakeFirst();
    if (!row) throw new DomainError("VIDEO_CONFLICT", `a video with the id ${videoId} exists`);
    return toVideoRecord(row);
  }

  async get(videoId: VideoId): Promise<VideoRecord | undefined> {
    const row = await this.#reader.selectFrom("video").selectAll().where("video_id", "=", videoId).executeTakeFirst();
    return row && toVideoRecord(row);
  }

  /**
   * Newest first. Videos that come or go meanwhile neither repeat nor hide others on later pages. Throws
   * INVALID_REQUEST for a cursor that we did not make.
   */
  async list(page: { limit: number; cursor?: string; status?: VideoStatus }): Promise<VideoPage> {
    const { limit, cursor, status } = page;
    let query = this.#reader
      .selectFrom("video")
      .selectAll()
      .orderBy("created_at_ms", "desc")
      .orderBy("video_id", "desc");
    if (status !== undefined) query = query.where("status", "=", status);
    if (cursor !== undefined) {
      const { createdAtMs, id } = readCursor(cursor, parseVideoId);
      query = query.where((eb) => eb(eb.refTuple("created_at_ms", "video_id"), "<", eb.tuple(createdAtMs, id)));
    }
    const rows = await query.limit(limit + 1).execute();
    const videos = rows.slice(0, limit).map(toVideoRecord);
    const last = videos.at(-1);
    const isLast = rows.length <= limit || !last;
    return { videos, nextCursor: isLast ? undefined : writeCursor(last.createdAtMs, last.videoId) };
  }

  /** All ids, or those of videos that are still being made; page by page, in the order of the ids. */
  async *ids({ isUnfinished = false }: { isUnfinished?: boolean } = {}): AsyncGenerator<VideoId> {
    let query = this.#reader.selectFrom("video").select("video_id").orderBy("video_id").limit(ID_PAGE_COUNT);
    if (isUnfinished) query = query.where("status", "in", UNFINISHED);
    for (let last = ""; ; ) {
      const rows = await query.where("video_id", ">", last).execute();
      for (const row of rows) yield toVideoId(row.video_id);
      last = rows.at(-1)?.video_id ?? "";
      if (rows.length < ID_PAGE_COUNT) return;
    }
  }

  /** What is left out stays. */
  describe(
    videoId: VideoId,
    change: Partial<Pick<VideoRecord, "title" | "description">>,
  ): Promise<VideoRecord | undefined> {
    return this.#changed(videoId, change, []);
  }

  /**
   * Keeps what was found and planned. Renditions that are there already stay as they are, so a plan can be set again and
   * can grow; a `ready` video is `playable` again when something was added.
   */
  async setPlan({ videoId, metadata, plan, durationMs, renditions }: PlannedVideo): Promise<VideoRecord | undefined> {
    const found = {
      metadata: metadata && JSON.stringify(metadata),
      plan: JSON.stringify(plan),
      duration_ms: whole(durationMs),
    };
    const rows = renditions.map((rendition) => newRenditionRow(videoId, rendition, this.#nowMs()));
    const insertions = rows.map((row) =>
      this.#writer
        .insertInto("video_rendition")
        .values(row)
        .onConflict((conflict) => conflict.columns(["video_id", "rendition_id"]).doNothing()),
    );
    return this.#changed(videoId, found, [...insertions, this.#resumeWhenGrown(videoId)]);
  }

  async renditions(videoId: VideoId): Promise<readonly VideoRenditionRecord[]> {
    const rows = await this.#reader
      .selectFrom("video_rendition")
      .selectAll()
      .where("video_id", "=", videoId)
      .orderBy("position")
      .orderBy("rendition_id")
      .execute();
    return rows.map(toRenditionRecord);
  }

  /** By rendition, each one's in order. */
  async chunks(
    videoId: VideoId,
    { renditionId, epoch, fromIndex, limit }: ChunkQuery = {},
  ): Promise<readonly VideoChunkRecord[]> {
    let query = this.#reader.selectFrom("video_chunk").selectAll().where("video_id", "=", videoId);
    if (renditionId !== undefined) query = query.where("rendition_id", "=", renditionId);
    if (epoch !== undefined) query = query.where("epoch", "=", epoch);
    if (fromIndex !== undefined) query = query.where("chunk_index", ">=", fromIndex);
    if (limit !== undefined) query = query.limit(limit);
    const rows = await query.orderBy("rendition_id").orderBy("epoch").orderBy("chunk_index").execute();
    return rows.map(toChunkRecord);
  }

  /** As `chunks`, without what is in them: for whoever counts. With an `index`, only the one in that place of each rendition. */
  async committedChunks(
    videoId: VideoId,
    { index }: { readonly index?: number } = {},
  ): Promise<readonly CommittedChunk[]> {
    let query = this.#reader
      .selectFrom("video_chunk")
      .select(["rendition_id", "epoch", "chunk_index"])
      .where("video_id", "=", videoId);
    if (index !== undefined) query = query.where("chunk_index", "=", index);
    const rows = await query.orderBy("rendition_id").orderBy("epoch").orderBy("chunk_index").execute();
    return rows.map(({ rendition_id: renditionId, epoch, chunk_index: index }) => ({ renditionId, epoch, index }));
  }

  /** Below which the segments of its chunks lie. */
  async keyPrefixes(videoId: VideoId): Promise<readonly string[]> {
    return prefixesOf(await this.#keyPrefixesOf(videoId).execute());
  }

  /**
   * Publishes a chunk, unless another attempt has. The first one sets the rendition's init; the rendition is `working`
   * from then on. Who does not know how it ended may ask again with the same arguments.
   */
  async commitChunk(chunk: NewChunk): Promise<ChunkOutcome> {
    const results = await this.#database.transactIf(this.#touch(chunk.videoId), this.#chunkQueries(chunk));
    return outcomeOf(chunk, results?.[3]);
  }

  /** Publishes chunks of one video as one: who reads sees none of them or all. Gives what became of each, in their order. */
  async commitChunks(videoId: VideoId, chunks: readonly NewChunk[]): Promise<readonly ChunkOutcome[]> {
    const queries: readonly Compilable[] = chunks.flatMap((chunk) => this.#chunkQueries(chunk));
    const results = await this.#database.transactIf(this.#touch(videoId), queries);
    return chunks.map((chunk, place) => {
      // The guard's rows come first, then those of each chunk's queries, of which the last one tells.
      const told = results?.[1 + place * QUERIES_PER_CHUNK + QUERIES_PER_CHUNK - 1];
      return outcomeOf(chunk, told as readonly WhoseChunk[] | undefined);
    });
  }

  /**
   * Makes the rendition `ready` when all its chunks are there: `chunkCount` of them, or as many as the plan says.
   * `incomplete` when some are missing, `gone` when the video or this epoch is no more.
   */
  async finishRendition(
    rendition: RenditionEpoch & { chunkCount?: number },
  ): Promise<"finished" | "incomplete" | "gone"> {
    const { videoId, chunkCount } = rendition;
    const finish = this.#writer
      .updateTable("video_rendition")
      .set({ status: "ready", error: null, ...(chunkCount !== undefined && { chunk_count: chunkCount }) })
      .where((eb) => eb.and(keyOf(rendition)))
      .where((eb) => {
        const count = chunkCount === undefined ? eb.ref("chunk_count") : eb.val(chunkCount);
        const present = eb
          .selectFrom("video_chunk")
          .select((inner) => inner.fn.countAll<number>().as("count"))
          .where((eb) => eb.and(keyOf(rendition)))
          .where("chunk_index", "<", count);
        return eb(present, "=", count);
      });
    const results = await this.#database.transactIf(this.#touch(videoId), [finish, this.#renditionOf(rendition)]);
    const [found] = results?.[2] ?? [];
    if (!found) return "gone";
    return found.status === "ready" ? "finished" : "incomplete";
  }

  /** Says why a rendition cannot be made; false when it is `ready`, or this epoch of it is no more. */
  async failRendition(rendition: RenditionEpoch & { error: string }): Promise<boolean> {
    const fail = this.#writer
      .updateTable("video_rendition")
      .set({ status: "errored" satisfies RenditionStatus, error: rendition.error })
      .where((eb) => eb.and(keyOf(rendition)))
      .where("status", "!=", "ready" satisfies RenditionStatus)
      .returning("rendition_id");
    const results = await this.#database.transactIf(this.#touch(rendition.videoId), [fail]);
    return (results?.[1].length ?? 0) > 0;
  }

  /**
   * Lets a rendition be made anew, under `nextEpoch`: drops what there was of it, and the video is unfinished again. With
   * `spec`, something else is made in its place; `chunkCount` is left out where it is not known yet. Gives the prefixes
   * below which nothing is needed any more; undefined when `epoch` is no more.
   */
  async renewRendition(
    rendition: RenditionEpoch & { nextEpoch: string; spec?: JsonObject; chunkCount?: number | null },
  ): Promise<{ rendition: VideoRenditionRecord; keyPrefixes: readonly string[] } | undefined> {
    const { videoId, nextEpoch, spec, chunkCount = null } = rendition;
    const changed = {
      ...{ epoch: nextEpoch, status: "waiting" satisfies RenditionStatus, init: null, error: null },
      ...{ begun_at_ms: this.#nowMs(), chunk_count: chunkCount, ...(spec && { spec: JSON.stringify(spec) }) },
    };
    const drop = this.#writer
      .deleteFrom("video_chunk")
      .where((eb) => eb.and(keyOf(rendition)))
      .returning("key_prefix");
    const renew = this.#writer
      .updateTable("video_rendition")
      .set(changed)
      .where((eb) => eb.and(keyOf(rendition)))
      .returningAll();
    const isCurrent = (eb: ExpressionBuilder<CatalogSchema, "video">) =>
      eb.exists(
        eb
          .selectFrom("video_rendition")
          .select("rendition_id")
          .where((inner) => inner.and(keyOf({ ...rendition, epoch: nextEpoch }))),
      );
    const results = await this.#database.transactIf(this.#touch(videoId), [
      drop,
      renew,
      this.#reopen(videoId).where(isCurrent),
    ]);
    const [row] = results?.[2] ?? [];
    if (!row || !results) return undefined;
    return { rendition: toRenditionRecord(row), keyPrefixes: prefixesOf(results[1]) };
  }

  /**
   * Moves the video forward: `preparing`, `playable`, `ready`, or from the first two to `errored`. What would lead it
   * back or anywhere else does nothing, so late calls do no harm. Gives the video as it then is.
   */
  async setStatus(videoId: VideoId, change: StatusChange): Promise<VideoRecord | undefined> {
    const { status } = change;
    const nowMs = this.#nowMs();
    const row = await this.#writer
      .updateTable("video")
      .set((eb) => ({
        ...this.#touched(eb),
        status,
        error_code: change.status === "errored" ? change.error.code : null,
        error_message: change.status === "errored" ? change.error.message : null,
        ...(status !== "errored" && { playable_at_ms: eb.fn.coalesce("playable_at_ms", eb.val(nowMs)) }),
        ...(status === "ready" && { ready_at_ms: nowMs }),
      }))
      .where("video_id", "=", videoId)
      .where("status", "in", REACHED_FROM[status])
      .returningAll()
      .executeTakeFirst();
    return row ? toVideoRecord(row) : this.get(videoId);
  }

  /** Takes an `errored` or `ready` video up again: it is `playable` when it has a beginning, else `preparing`. */
  async reopen(videoId: VideoId): Promise<VideoRecord | undefined> {
    return this.#changed(videoId, {}, [this.#reopen(videoId)]);
  }

  /** Adds all of them, or none: false when the video is no more, or has something of one of these names. */
  async addArtifacts(videoId: VideoId, artifacts: readonly NewArtifact[]): Promise<boolean> {
    const rows = artifacts.map(({ name, key, contentType, sizeBytes, details }) => ({
      ...{ video_id: videoId, name, key, content_type: contentType, size_bytes: sizeBytes },
      details: details && JSON.stringify(details),
    }));
    const add = this.#writer.insertInto("video_artifact").values(rows);
    try {
      return (await this.#database.transactIf(this.#touch(videoId), [add])) !== undefined;
    } catch (error) {
      if (isUniqueViolation(error)) return false;
      throw error;
    }
  }

  /** Gives the key of the object that nothing names any more; undefined when there was nothing of this name. */
  async removeArtifact(videoId: VideoId, name: string): Promise<string | undefined> {
    const remove = this.#writer
      .deleteFrom("video_artifact")
      .where("video_id", "=", videoId)
      .where("name", "=", name)
      .returning("key");
    const results = await this.#database.transactIf(this.#touch(videoId), [remove]);
    return results?.[1][0]?.key;
  }

  /** By name. */
  async artifacts(videoId: VideoId): Promise<readonly VideoArtifactRecord[]> {
    const rows = await this.#reader
      .selectFrom("video_artifact")
      .selectAll()
      .where("video_id", "=", videoId)
      .orderBy("name")
      .execute();
    return rows.map(toArtifactRecord);
  }

  /** Deletes all records of the video, whatever its state; undefined when there were none. */
  async remove(videoId: VideoId): Promise<RemovedVideo | undefined> {
    const results = await this.#database.transactIf(this.#touch(videoId), [
      this.#writer.selectFrom("video_artifact").select("key").where("video_id", "=", videoId),
      this.#keyPrefixesOf(videoId, this.#writer),
      this.#writer.deleteFrom("video").where("video_id", "=", videoId).returning("source_key"),
    ]);
    if (!results) return undefined;
    const [, artifacts, chunks, [video]] = results;
    return {
      sourceKey: video?.source_key ?? null,
      artifactKeys: artifacts.map((artifact) => artifact.key),
      keyPrefixes: prefixesOf(chunks),
    };
  }

  #keyPrefixesOf(videoId: VideoId, tables = this.#reader) {
    return tables.selectFrom("video_chunk").select("key_prefix").distinct().where("video_id", "=", videoId);
  }

  #touch(videoId: VideoId, change: Updateable<VideoTable> = {}) {
    return this.#writer
      .updateTable("video")
      .set((eb) => ({ ...this.#touched(eb), ...change }))
      .where("video_id", "=", videoId)
      .returning("video_id");
  }

  #touched(eb: ExpressionBuilder<CatalogSchema, "video">) {
    return { revision: eb("revision", "+", 1), updated_at_ms: this.#nowMs() };
  }

  #chunkQueries(chunk: NewChunk) {
    const init = chunk.init && canonicalJson(chunk.init);
    return [this.#insertChunk(chunk, init), this.#takeUp(chunk, init), this.#whoseChunk(chunk)] as const;
  }

  #insertChunk(chunk: NewChunk, init: string | null) {
    // The types that PostgreSQL would not guess for a value that stands in a select.
    const columns = (eb: ExpressionBuilder<CatalogSchema, "video_rendition">) => [
      eb.ref("video_id").as("video_id"),
      eb.ref("rendition_id").as("rendition_id"),
      eb.ref("epoch").as("epoch"),
      eb.cast<number>(eb.val(chunk.index), "bigint").as("chunk_index"),
      eb.cast<string>(eb.val(chunk.keyPrefix), "text").as("key_prefix"),
      eb.cast<string>(eb.val(JSON.stringify(chunk.segments)), "text").as("segments"),
    ];
    return this.#writer
      .insertInto("video_chunk")
      .columns(["video_id", "rendition_id", "epoch", "chunk_index", "key_prefix", "segments"])
      .expression((eb) =>
        eb
          .selectFrom("video_rendition")
          .select(columns)
          .where((eb) => eb.and(keyOf(chunk)))
          .where((inner) => inner.or([inner("init", "is", null), inner("init", "=", init ?? inner.ref("init"))])),
      )
      .onConflict((conflict) => conflict.columns(["video_id", "rendition_id", "epoch", "chunk_index"]).doNothing());
  }

  #takeUp(chunk: NewChunk, init: string | null) {
    return this.#writer
      .updateTable("video_rendition")
      .set((eb) => ({
        init: init === null ? eb.ref("init") : eb.fn.coalesce("init", eb.val(init)),
        status: sql<string>`case when status = 'waiting' then 'working' else status end`,
      }))
      .where((eb) => eb.and(keyOf(chunk)))
      .where((eb) =>
        eb.exists(
          eb
            .selectFrom("video_chunk")
            .select("chunk_index")
            .where((eb) => eb.and(keyOf(chunk)))
            .where("chunk_index", "=", chunk.index)
            .where("key_prefix", "=", chunk.keyPrefix),
        ),
      );
  }

  #whoseChunk(chunk: NewChunk) {
    return this.#renditionOf(chunk).select((eb) =>
      eb
        .selectFrom("video_chunk")
        .select("key_prefix")
        .where((eb) => eb.and(keyOf(chunk)))
        .where("chunk_index", "=", chunk.index)
        .as("key_prefix"),
    );
  }

  #renditionOf(rendition: RenditionEpoch) {
    return this.#writer
      .selectFrom("video_rendition")
      .select("status")
      .where((eb) => eb.and(keyOf(rendition)));
  }

  #resumeWhenGrown(videoId: VideoId) {
    return this.#writer
      .updateTable("video")
      .set({ status: "playable" satisfies VideoStatus, ready_at_ms: null })
      .where("video_id", "=", videoId)
      .where("status", "=", "ready" satisfies VideoStatus)
      .where((eb) =>
        eb.exists(
          eb
            .selectFrom("video_rendition")
            .select("rendition_id")
            .where("video_id", "=", videoId)
            .where("status", "in", ["waiting", "working"] satisfies RenditionStatus[]),
        ),
      );
  }

  #reopen(videoId: VideoId) {
    return this.#writer
      .updateTable("video")
      .set((eb) => ({
        status: eb.case().when(hasBeginning(eb, videoId)).then("playable").else("preparing").end(),
        error_code: null,
        error_message: null,
        ready_at_ms: null,
      }))
      .where("video_id", "=", videoId)
      .where("status", "in", ["errored", "ready"] satisfies VideoStatus[]);
  }

  /** Changes the video, and then what `queries` change, as one. */
  async #changed(
    videoId: VideoId,
    change: Updateable<VideoTable>,
    queries: readonly Compilable[],
  ): Promise<VideoRecord | undefined> {
    const results = await this.#database.transactIf(this.#touch(videoId, change), queries);
    return results && this.get(videoId);
  }

  #nowMs(): number {
    return Math.floor(this.#clock.nowMs());
  }
}

interface WhoseChunk {
  readonly key_prefix: string | null;
}

function outcomeOf(chunk: NewChunk, told: readonly WhoseChunk[] | undefined): ChunkOutcome {
  const [found] = told ?? [];
  if (!found) return "gone";
  if (found.key_prefix === null) return "mismatch";
  return found.key_prefix === chunk.keyPrefix ? "committed" : "taken";
}

function keyOf({ videoId, renditionId, epoch }: RenditionEpoch) {
  return { video_id: videoId, rendition_id: renditionId, epoch };
}

function newRenditionRow(videoId: VideoId, rendition: NewRendition, begunAtMs: number) {
  return {
    video_id: videoId,
    rendition_id: rendition.renditionId,
    kind: rendition.kind,
    origin: rendition.origin,
    epoch: rendition.epoch,
    status: "waiting" satisfies RenditionStatus,
    position: rendition.position,
    spec: JSON.stringify(rendition.spec),
    chunk_count: rendition.chunkCount,
    begun_at_ms: begunAtMs,
  };
}

/** A picture to begin with, or a sound where there are no pictures. */
function hasBeginning(eb: ExpressionBuilder<CatalogSchema, "video">, videoId: VideoId): Expression<SqlBool> {
  const pictures = eb
    .selectFrom("video_rendition")
    .select("rendition_id")
    .where("video_id", "=", videoId)
    .where("kind", "=", "video" satisfies VideoRenditionRecord["kind"]);
  return eb.exists(
    eb
      .selectFrom("video_chunk")
      .select("chunk_index")
      .where("video_id", "=", videoId)
      .where("chunk_index", "=", 0)
      .where((inner) => inner.or([inner("rendition_id", "in", pictures), inner.not(inner.exists(pictures))])),
  );
}

function prefixesOf(chunks: readonly { readonly key_prefix: string }[]): readonly string[] {
  return [...new Set(chunks.map((chunk) => chunk.key_prefix))];
}

function whole(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms);
}
