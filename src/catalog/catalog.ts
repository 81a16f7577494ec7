import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { Kysely, SqliteAdapter, SqliteDialect } from "kysely";
import { Migrator } from "kysely/migration";
import { type Clock, systemClock } from "../core/clock.ts";
import { DomainError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import {
  asKyselyDatabase,
  openForReading,
  openForWriting,
  sqliteProblemOf,
  toDomainError,
} from "../database/sqlite.ts";
import { Writer } from "../database/writer.ts";
import { writerDialect } from "../database/writer-dialect.ts";
import { migrationsFor, SQLITE } from "./migrations.ts";
import type { CatalogSchema } from "./schema.ts";
import { StreamRepository } from "./stream-repository.ts";

const FILE_NAME = "catalog.sqlite";

export interface CatalogOptions {
  /** Made when it is missing. */
  readonly dataDir: string;
  readonly log: Logger;
  readonly clock?: Clock;
}

/** The persistent records of one Headwater: a SQLite file, read on this thread and written by one of its own. */
export class Catalog {
  readonly streams: StreamRepository;
  readonly #reader: Kysely<CatalogSchema>;
  readonly #thread: Writer;

  /**
   * Opens the file, brings its tables up to date and starts its writer. Throws DATA_DIR_UNWRITABLE, or UNAVAILABLE when
   * what lies there cannot be used.
   */
  static async open({ dataDir, log, clock = systemClock }: CatalogOptions): Promise<Catalog> {
    const path = join(dataDir, FILE_NAME);
    await makeFile(dataDir, path);
    await migrate(path, log);
    const thread = await Writer.start({ path, log });
    return new Catalog({ reader: openKysely(() => openForReading(path)), thread, clock });
  }

  private constructor(options: { reader: Kysely<CatalogSchema>; thread: Writer; clock: Clock }) {
    const { reader, thread, clock } = options;
    this.#reader = reader;
    this.#thread = thread;
    this.streams = new StreamRepository({ reader, writer: new Kysely({ dialect: writerDialect(thread) }), clock });
  }

  /** Resolves when it can be read and its writer answers; throws why not. */
  async check(): Promise<void> {
    await this.streams.list({ limit: 1 });
    await this.#thread.check();
  }

  /** Commits what was handed in and closes the file. */
  async close(): Promise<void> {
    // Kysely hands a statement on some microtasks after it was called for.
    await setImmediate();
    await this.#reader.destroy();
    await this.#thread.close();
  }
}

async function makeFile(dataDir: string, path: string): Promise<void> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    const file = await open(path, "a", 0o600);
    await file.close();
  } catch (problem) {
    const code = problem instanceof Error && "code" in problem ? problem.code : problem;
    throw new DomainError("DATA_DIR_UNWRITABLE", `${dataDir} cannot be written (${code})`, { cause: problem });
  }
}

async function migrate(path: string, log: Logger): Promise<void> {
  const db = openKysely(() => openForWriting(path));
  try {
    const { error, results = [] } = await new Migrator({ db, provider: migrationsFor(SQLITE) }).migrateToLatest();
    if (error) throw migrationProblem(path, error);
    if (results.length > 0) log.info({ steps: results.map((step) => step.migrationName) }, "catalog migrated");
  } finally {
    await db.destroy();
  }
}

function migrationProblem(path: string, error: unknown): DomainError {
  if (error instanceof DomainError) return error;
  const problem = sqliteProblemOf(error);
  if (problem.resultCode !== undefined) return toDomainError(problem);
  return new DomainError("UNAVAILABLE", `${path} cannot be used, it may be of a newer Headwater: ${problem.message}`, {
    cause: error,
  });
}

/** SQLite takes table definitions into transactions, which Kysely does not count on: a migration is whole or not there. */
class TransactionalSqliteDialect extends SqliteDialect {
  override createAdapter(): SqliteAdapter {
    return new TransactionalSqliteAdapter();
  }
}

class TransactionalSqliteAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

function openKysely(connect: () => ReturnType<typeof openForReading>): Kysely<CatalogSchema> {
  return new Kysely({ dialect: new TransactionalSqliteDialect({ database: async () => asKyselyDatabase(connect()) }) });
}
