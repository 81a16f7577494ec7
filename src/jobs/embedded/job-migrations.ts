import { type Kysely, sql } from "kysely";
import { type ColumnTypes, type MigrationList, tableOf } from "../../database/migrations.ts";

/** The queue's table, step by step. */
export const JOB_MIGRATIONS: MigrationList = {
  table: "job_migration",
  steps: { "0001-job": createJob, "0002-job-kind": findByKind },
};

async function createJob(db: Kysely<unknown>, types: ColumnTypes): Promise<void> {
  const { key, wholeNumber } = types;
  await tableOf(db, "job", types)
    .addColumn("job_id", key, (column) => column.primaryKey().notNull())
    .addColumn("kind", key, (column) => column.notNull())
    .addColumn("data", "text", (column) => column.notNull())
    .addColumn("state", key, (column) => column.notNull())
    .addColumn("priority", wholeNumber, (column) => column.notNull())
    .addColumn("run_at_ms", wholeNumber, (column) => column.notNull())
    .addColumn("attempt_count", wholeNumber, (column) => column.notNull())
    .addColumn("max_attempts", wholeNumber, (column) => column.notNull())
    .addColumn("back_off", "text", (column) => column.notNull())
    .addColumn("dedup_key", key, (column) => column.unique())
    .addColumn("progress", "text")
    .addColumn("result", "text")
    .addColumn("error", "text")
    .addColumn("attempt_id", key, (column) => column.unique())
    .addColumn("worker_id", key)
    .addColumn("lease_until_ms", wholeNumber)
    .addColumn("created_at_ms", wholeNumber, (column) => column.notNull())
    .addColumn("started_at_ms", wholeNumber)
    .addColumn("finished_at_ms", wholeNumber)
    .execute();
  // The databases take a partial index only for a query that says its condition literally.
  await db.schema
    .createIndex("job_next")
    .on("job")
    .columns(["priority", "run_at_ms", "job_id"])
    .where(sql<boolean>`state = 'waiting'`)
    .execute();
  await db.schema
    .createIndex("job_held")
    .on("job")
    .columns(["worker_id", "lease_until_ms"])
    .where(sql<boolean>`state = 'active'`)
    .execute();
  await db.schema
    .createIndex("job_ended")
    .on("job")
    .columns(["state", "finished_at_ms", "job_id"])
    .where(sql<boolean>`finished_at_ms is not null`)
    .execute();
}

/** Most workers look for kinds of which there are none, beside thousands that wait; and people ask for jobs of one kind. */
async function findByKind(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createIndex("job_next_of_kind")
    .on("job")
    .columns(["kind", "run_at_ms"])
    .where(sql<boolean>`state = 'waiting'`)
    .execute();
  await db.schema.createIndex("job_of_kind").on("job").columns(["kind", "job_id"]).execute();
}
