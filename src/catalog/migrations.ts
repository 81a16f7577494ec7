import { type ColumnDataType, type CreateTableBuilder, type Kysely, sql } from "kysely";
import type { Migration, MigrationProvider } from "kysely/migration";

/** What differs between the databases that the one list of migrations is run on. */
export interface Dialect {
  /** Whole numbers up to 2^53: instants, sequence numbers. */
  readonly wholeNumber: ColumnDataType;
  /** Stands behind a table's definition. */
  readonly tableEnd: string;
}

/** STRICT refuses a text in a number's column, and knows only its own five type names. */
export const SQLITE: Dialect = { wholeNumber: "integer", tableEnd: "strict" };

type Step = (db: Kysely<unknown>, dialect: Dialect) => Promise<void>;

// Names sort as they stand. A step that has been released is never edited: the next one mends it.
const STEPS: Readonly<Record<string, Step>> = {
  "0001-stream": createStream,
};

/** The steps for one database, as Kysely's Migrator takes them. */
export function migrationsFor(dialect: Dialect): MigrationProvider {
  const entries = Object.entries(STEPS).map(([name, step]): [string, Migration] => [
    name,
    { up: (db) => step(db, dialect) },
  ]);
  return { getMigrations: async () => Object.fromEntries(entries) };
}

function tableOf<Name extends string>(
  db: Kysely<unknown>,
  name: Name,
  { tableEnd }: Dialect,
): CreateTableBuilder<Name> {
  return db.schema.createTable(name).modifyEnd(sql.raw(tableEnd));
}

async function createStream(db: Kysely<unknown>, dialect: Dialect): Promise<void> {
  const { wholeNumber } = dialect;
  await tableOf(db, "stream", dialect)
    .addColumn("stream_id", "text", (column) => column.primaryKey().notNull())
    .addColumn("name", "text")
    .addColumn("ingest_type", "text", (column) => column.notNull())
    .addColumn("status", "text", (column) => column.notNull())
    .addColumn("key_hash", "text", (column) => column.notNull().unique())
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
