import type { Kysely } from "kysely";
import { type ColumnTypes, type MigrationList, tableOf } from "../database/migrations.ts";

/** The catalog's tables. */
export const CATALOG_MIGRATIONS: MigrationList = {
  table: "kysely_migration",
  steps: {
    "0001-stream": createStream,
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
