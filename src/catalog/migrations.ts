import type { Kysely } from "kysely";
import { type ColumnTypes, type MigrationList, tableOf } from "../database/migrations.ts";

/** The catalog's tables. */
export const CATALOG_MIGRATIONS: MigrationList = {
  table: "kysely_migration",
  steps: {
    "0001-stream": createStream,
    "0002-video": createVideo,
    "0003-stream-video": addStreamVideo,
    "0004-rendition-begun": addRenditionBegun,
  },
};

async function createStream(db: Kysely<unknown>, types: ColumnTypes): Promise<void> {
  const { key, wholeNumber } = types;
  await tableOf(db, "stream", types)
    .addColumn("stream_id", key, (column) => column.primaryKey().notNull())
    .addColumn("name", "text")
    .addColumn("ingest_type", "text", (column) => column.notNull())
    .addColumn("status", key, (column) => column.notNull())
    .addColumn("key_hash", key, (column) => column.notNull().unique())
    .addColumn("key_hint", "text", (column) => column.notNull())
    .addColumn("settings", "text", (column) => column.notNull())
    .addColumn("created_at_ms", wholeNumber, (column) => column.notNull())
    .addColumn("updated_at_ms", wholeNumber, (column) => column.notNull())
    .addColumn("last_heartbeat_at_ms", wholeNumber)
    .addColumn("next_msn", wholeNumber, (column) => column.notNull())
    .addColumn("discontinuity_sequence", wholeNumber, (column) => column.notNull())
    .addColumn("broadcast_started_at_ms", wholeNumber)
    .addColumn("broadcast_ended_at_ms", wholeNumber)
    .addColumn("error", "text")
    .execute();
  await db.schema.createIndex("stream_newest").on("stream").columns(["created_at_ms", "stream_id"]).execute();
  await db.schema
    .createIndex("stream_newest_by_status")
    .on("stream")
    .columns(["status", "created_at_ms", "stream_id"])
    .execute();
}

async function createVideo(db: Kysely<unknown>, types: ColumnTypes): Promise<void> {
  const { key, wholeNumber } = types;
  await tableOf(db, "video", types)
    .addColumn("video_id", key, (column) => column.primaryKey().notNull())
    .addColumn("title", "text")
    .addColumn("description", "text")
    .addColumn("status", key, (column) => column.notNull())
    .addColumn("source_key", key)
    .addColumn("source_file_name", "text")
    .addColumn("source_size_bytes", wholeNumber)
    .addColumn("metadata", "text")
    .addColumn("plan", "text")
    .addColumn("duration_ms", wholeNumber)
    .addColumn("error_code", "text")
    .addColumn("error_message", "text")
    .addColumn("revision", wholeNumber, (column) => column.notNull())
    .addColumn("created_at_ms", wholeNumber, (column) => column.notNull())
    .addColumn("updated_at_ms", wholeNumber, (column) => column.notNull())
    .addColumn("playable_at_ms", wholeNumber)
    .addColumn("ready_at_ms", wholeNumber)
    .execute();
  await db.schema.createIndex("video_newest").on("video").columns(["created_at_ms", "video_id"]).execute();
  await db.schema
    .createIndex("video_newest_by_status")
    .on("video")
    .columns(["status", "created_at_ms", "video_id"])
    .execute();
  await createRenditions(db, types);
  await tableOf(db, "video_artifact", types)
    .addColumn("video_id", key, (column) => column.notNull().references("video.video_id").onDelete("cascade"))
    .addColumn("name", key, (column) => column.notNull())
    .addColumn("key", key, (column) => column.notNull())
    .addColumn("content_type", "text", (column) => column.notNull())
    .addColumn("size_bytes", wholeNumber, (column) => column.notNull())
    .addColumn("details", "text")
    .addPrimaryKeyConstraint("video_artifact_key", ["video_id", "name"])
    .execute();
}

async function createRenditions(db: Kysely<unknown>, types: ColumnTypes): Promise<void> {
  const { key, wholeNumber } = types;
  await tableOf(db, "video_rendition", types)
    .addColumn("video_id", key, (column) => column.notNull().references("video.video_id").onDelete("cascade"))
    .addColumn("rendition_id", key, (column) => column.notNull())
    .addColumn("kind", key, (column) => column.notNull())
    .addColumn("origin", key, (column) => column.notNull())
    .addColumn("epoch", key, (column) => column.notNull())
    .addColumn("status", key, (column) => column.notNull())
    .addColumn("position", wholeNumber, (column) => column.notNull())
    .addColumn("spec", "text", (column) => column.notNull())
    .addColumn("init", "text")
    .addColumn("chunk_count", wholeNumber)
    .addColumn("error", "text")
    .addPrimaryKeyConstraint("video_rendition_key", ["video_id", "rendition_id"])
    .execute();
  await tableOf(db, "video_chunk", types)
    .addColumn("video_id", key, (column) => column.notNull())
    .addColumn("rendition_id", key, (column) => column.notNull())
    .addColumn("epoch", key, (column) => column.notNull())
    .addColumn("chunk_index", wholeNumber, (column) => column.notNull())
    .addColumn("key_prefix", key, (column) => column.notNull())
    .addColumn("segments", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("video_chunk_key", ["video_id", "rendition_id", "epoch", "chunk_index"])
    .addForeignKeyConstraint(
      "video_chunk_rendition",
      ["video_id", "rendition_id"],
      "video_rendition",
      ["video_id", "rendition_id"],
      (constraint) => constraint.onDelete("cascade"),
    )
    .execute();
}

/** The stored video that a stream plays when it is not live: its recording, or what was uploaded for it. */
async function addStreamVideo(db: Kysely<unknown>, { key }: ColumnTypes): Promise<void> {
  await db.schema
    .alterTable("stream")
    .addColumn("video_id", key, (column) => column.references("video.video_id").onDelete("set null"))
    .execute();
  // A video that is deleted looks for the streams that point at it.
  await db.schema.createIndex("stream_by_video").on("stream").columns(["video_id"]).execute();
}

/** Since when a rendition is being made this time: the video may be years old. */
async function addRenditionBegun(db: Kysely<unknown>, { wholeNumber }: ColumnTypes): Promise<void> {
  await db.schema.alterTable("video_rendition").addColumn("begun_at_ms", wholeNumber).execute();
}
