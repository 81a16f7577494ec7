import { type ColumnDataType, type CreateTableBuilder, type Kysely, type RawBuilder, sql } from "kysely";
import { type Migration, Migrator } from "kysely/migration";
import { DomainError } from "../core/errors.ts";

/** What differs between the databases that one list of steps is run on. */
export interface ColumnTypes {
  /** Text that is compared and sorted byte by byte, alike everywhere: ids, states. */
  readonly key: ColumnDataType | RawBuilder<unknown>;
  /** Whole numbers up to 2^53: instants, sequence numbers. */
  readonly wholeNumber: ColumnDataType;
  /** Stands behind a table's definition. */
  readonly tableEnd: string;
}

/** One change of the tables; run once, in order of its name. */
export type MigrationStep = (db: Kysely<unknown>, types: ColumnTypes) => Promise<void>;

/** The changes of one room's tables. A step that was released is never edited: the next one mends it. */
export interface MigrationList {
  /** Where the database keeps which steps were run. */
  readonly table: string;
  /** By name; names sort as they stand. */
  readonly steps: Readonly<Record<string, MigrationStep>>;
}

/** STRICT refuses a text in a number's column, and knows only its own five type names. */
export const SQLITE_TYPES: ColumnTypes = { key: "text", wholeNumber: "integer", tableEnd: "strict" };

export const POSTGRES_TYPES: ColumnTypes = { key: sql`text collate "C"`, wholeNumber: "bigint", tableEnd: "" };

/** Begins the definition of a table. */
export function tableOf<Name extends string>(
  db: Kysely<unknown>,
  name: Name,
  { tableEnd }: ColumnTypes,
): CreateTableBuilder<Name> {
  return db.schema.createTable(name).modifyEnd(sql.raw(tableEnd));
}

/**
 * Runs the steps that are missing, all or none, in the transaction that `db` is; gives their names. Whoever calls it
 * keeps others from doing so at once.
 */
export async function runMigrations(
  db: Kysely<unknown>,
  { table, steps }: MigrationList,
  types: ColumnTypes,
): Promise<readonly string[]> {
  const migrations = Object.entries(steps).map(([name, step]): [string, Migration] => [
    name,
    { up: (transaction) => step(transaction, types) },
  ]);
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => Object.fromEntries(migrations) },
    migrationTableName: table,
    migrationLockTableName: `${table}_lock`,
  });
  const { error, results = [] } = await migrator.migrateToLatest();
  if (error) throw migrationProblem(error);
  return results.map((result) => result.migrationName);
}

function migrationProblem(error: unknown): unknown {
  const message = error instanceof Error ? error.message : "";
  // The only word by which Kysely tells steps that it does not know from those that failed.
  if (!message.startsWith("corrupted migrations")) return error;
  return new DomainError("UNAVAILABLE", `the database cannot be used, it may be of a newer Headwater: ${message}`, {
    cause: error,
  });
}
