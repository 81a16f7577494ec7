import { type Expression, type Kysely, type Selectable, sql, type Updateable } from "kysely";
import type { Clock } from "../core/clock.ts";
import { DomainError } from "../core/errors.ts";
import { parseStreamId, parseVideoId, type StreamId, type VideoId } from "../core/ids.ts";
import type { Tables } from "../database/database.ts";
import { isForeignKeyViolation } from "../database/violations.ts";
import { readCursor, writeCursor } from "./page-cursor.ts";
import type { CatalogSchema, StreamTable } from "./schema.ts";
import {
  INGEST_TYPES,
  type IngestType,
  STREAM_STATUSES,
  type StreamRecord,
  type StreamSettings,
  type StreamStatus,
  streamSettings,
} from "./stream-record.ts";

/** What a new stream starts from; it is `pending` and has used no numbers. */
export interface NewStream {
  readonly streamId: StreamId;
  readonly name: string | null;
  readonly ingestType: IngestType;
  readonly keyHash: string;
  readonly keyHint: string;
  readonly settings: StreamSettings;
}

export interface StreamPage {
  readonly streams: readonly StreamRecord[];
  /** Give it back to get the page behind this one; undefined on the last. */
  readonly nextCursor: string | undefined;
}

/** What a broadcast changes beside its stream's status; what is left out stays, but `error` goes. */
export interface StatusChange {
  readonly error?: string;
  readonly broadcastStartedAtMs?: number | null;
  readonly broadcastEndedAtMs?: number | null;
}

/**
 * Streams in the catalog. Reads see every write that was awaited before. Whatever changes a stream resolves with the
 * stream as it then is, or with undefined when there is none of this id.
 */
export class StreamRepository {
  readonly #reader: Kysely<CatalogSchema>;
  readonly #writer: Kysely<CatalogSchema>;
  readonly #clock: Clock;

  constructor(options: Tables<CatalogSchema> & { clock: Clock }) {
    this.#reader = options.reader;
    this.#writer = options.writer;
    this.#clock = options.clock;
  }

  /** Throws STREAM_EXISTS when the id is taken. */
  async create(stream: NewStream): Promise<StreamRecord> {
    const row = await this.#writer
      .insertInto("stream")
      .values({ ...newRow(stream), created_at_ms: this.#nowMs(), updated_at_ms: this.#nowMs() })
      .onConflict((conflict) => conflict.column("stream_id").doNothing())
      .returningAll()
      .executeTakeFirst();
    if (!row) throw new DomainError("STREAM_EXISTS", `a stream with the id ${stream.streamId} exists`);
    return toRecord(row);
  }

  async get(streamId: StreamId): Promise<StreamRecord | undefined> {
    const row = await this.#reader
      .selectFrom("stream")
      .selectAll()
      .where("stream_id", "=", streamId)
      .executeTakeFirst();
    return row && toRecord(row);
  }

  async findByKeyHash(keyHash: string): Promise<StreamRecord | undefined> {
    const row = await this.#reader.selectFrom("stream").selectAll().where("key_hash", "=", keyHash).executeTakeFirst();
    return row && toRecord(row);
  }

  /**
   * Newest first. Streams that come or go meanwhile neither repeat nor hide others on later pages. Throws
   * INVALID_REQUEST for a cursor that we did not make.
   */
  async list(page: { limit: number; cursor?: string; status?: StreamStatus }): Promise<StreamPage> {
    const { limit, cursor, status } = page;
    let query = this.#reader
      .selectFrom("stream")
      .selectAll()
      .orderBy("created_at_ms", "desc")
      .orderBy("stream_id", "desc");
    if (status !== undefined) query = query.where("status", "=", status);
    if (cursor !== undefined) {
      const { createdAtMs, id: streamId } = readCursor(cursor, parseStreamId);
      query = query.where((eb) => eb(eb.refTuple("created_at_ms", "stream_id"), "<", eb.tuple(createdAtMs, streamId)));
    }
    const rows = await query.limit(limit + 1).execute();
    const streams = rows.slice(0, limit).map(toRecord);
    const last = streams.at(-1);
    return {
      streams,
      nextCursor: rows.length > limit && last ? writeCursor(last.createdAtMs, last.streamId) : undefined,
    };
  }

  updateStatus(streamId: StreamId, status: StreamStatus, change: StatusChange = {}): Promise<StreamRecord | undefined> {
    return this.#update(streamId, {
      status,
      error: change.error ?? null,
      ...(change.broadcastStartedAtMs !== undefined && { broadcast_started_at_ms: whole(change.broadcastStartedAtMs) }),
      ...(change.broadcastEndedAtMs !== undefined && { broadcast_ended_at_ms: whole(change.broadcastEndedAtMs) }),
    });
  }

  /** From here on only the key of this hash publishes. */
  setKeyHash(streamId: StreamId, key: { keyHash: string; keyHint: string }): Promise<StreamRecord | undefined> {
    return this.#update(streamId, { key_hash: key.keyHash, key_hint: key.keyHint });
  }

  /** What is played in the stream's place while it is not live. Throws VIDEO_NOT_FOUND when there is no such video. */
  async setVideo(streamId: StreamId, videoId: VideoId | null): Promise<StreamRecord | undefined> {
    try {
      return await this.#update(streamId, { video_id: videoId });
    } catch (error) {
      if (!isForeignKeyViolation(error)) throw error;
      throw new DomainError("VIDEO_NOT_FOUND", `there is no video with the id ${videoId}`, { cause: error });
    }
  }

  /** The owner says that the stream is still wanted. */
  heartbeat(streamId: StreamId): Promise<StreamRecord | undefined> {
    return this.#update(streamId, { last_heartbeat_at_ms: this.#nowMs() });
  }

  /**
   * Marks all numbers below these as used, before they are: a restart goes on above them. Marks never go back, so late
   * calls do no harm.
   */
  async reserveNumbers(
    streamId: StreamId,
    { nextMsn, discontinuitySequence }: { nextMsn: number; discontinuitySequence: number },
  ): Promise<StreamRecord | undefined> {
    const row = await this.#writer
      .updateTable("stream")
      .set((eb) => ({
        next_msn: atLeast(eb.ref("next_msn"), nextMsn),
        discontinuity_sequence: atLeast(eb.ref("discontinuity_sequence"), discontinuitySequence),
      }))
      .where("stream_id", "=", streamId)
      .returningAll()
      .executeTakeFirst();
    return row && toRecord(row);
  }

  /** Deletes the stream for good; false when there was none. */
  async remove(streamId: StreamId): Promise<boolean> {
    const { numDeletedRows } = await this.#writer
      .deleteFrom("stream")
      .where("stream_id", "=", streamId)
      .executeTakeFirstOrThrow();
    return numDeletedRows > 0n;
  }

  /** At start nothing is on air: what a crash left `live` or `processing` waits for its publisher. Gives their count. */
  async resetRunning(): Promise<number> {
    const { numUpdatedRows } = await this.#writer
      .updateTable("stream")
      .set({ status: "pending", updated_at_ms: this.#nowMs() })
      .where("status", "in", ["live", "processing"])
      .executeTakeFirstOrThrow();
    return Number(numUpdatedRows);
  }

  async #update(streamId: StreamId, change: Updateable<StreamTable>): Promise<StreamRecord | undefined> {
    const row = await this.#writer
      .updateTable("stream")
      .set({ ...change, updated_at_ms: this.#nowMs() })
      .where("stream_id", "=", streamId)
      .returningAll()
      .executeTakeFirst();
    return row && toRecord(row);
  }

  #nowMs(): number {
    return Math.floor(this.#clock.nowMs());
  }
}

function whole(ms: number | null): number | null {
  return ms === null ? null : Math.floor(ms);
}

/** The greater of a column and a number, in words that both SQLite and PostgreSQL have. */
function atLeast(column: Expression<number>, floor: number) {
  return sql<number>`case when ${column} > ${floor} then ${column} else ${floor} end`;
}

function newRow(stream: NewStream) {
  return {
    stream_id: stream.streamId,
    name: stream.name,
    ingest_type: stream.ingestType,
    status: "pending" satisfies StreamStatus,
    key_hash: stream.keyHash,
    key_hint: stream.keyHint,
    settings: JSON.stringify(stream.settings),
    next_msn: 1,
    discontinuity_sequence: 0,
  };
}

function toRecord(row: Selectable<StreamTable>): StreamRecord {
  return {
    streamId: known(parseStreamId(row.stream_id), row, "stream_id"),
    name: row.name,
    ingestType: known(
      INGEST_TYPES.find((type) => type === row.ingest_type),
      row,
      "ingest_type",
    ),
    status: known(
      STREAM_STATUSES.find((status) => status === row.status),
      row,
      "status",
    ),
    keyHash: row.key_hash,
    keyHint: row.key_hint,
    settings: streamSettings.parse(JSON.parse(row.settings)),
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
    lastHeartbeatAtMs: row.last_heartbeat_at_ms,
    nextMsn: row.next_msn,
    discontinuitySequence: row.discontinuity_sequence,
    broadcastStartedAtMs: row.broadcast_started_at_ms,
    broadcastEndedAtMs: row.broadcast_ended_at_ms,
    error: row.error,
    videoId: row.video_id === null ? null : known(parseVideoId(row.video_id), row, "video_id"),
  };
}

function known<Value>(value: Value | undefined, row: Selectable<StreamTable>, column: keyof StreamTable): Value {
  if (value !== undefined) return value;
  throw new DomainError("INTERNAL", `stream ${row.stream_id}: the catalog holds an unknown ${column} ${row[column]}`);
}
