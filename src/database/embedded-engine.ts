import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  Kysely,
  SqliteAdapter,
  SqliteDialect,
  SqliteDriver,
} from "kysely";
import { DomainError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import type { Engine } from "./engine.ts";
import { SQLITE_TYPES } from "./migrations.ts";
import { asKyselyDatabase, openForReading, openForWriting, StatementRunner, translated } from "./sqlite.ts";
import type { Unit, UnitResult } from "./statement.ts";
import { unitDialect } from "./unit-dialect.ts";
import { Writer } from "./writer.ts";

const FILE_NAME = "catalog.sqlite";

/** A SQLite file, read on this thread and written by one of its own. */
export class EmbeddedEngine implements Engine {
  readonly kind = "sqlite";
  readonly types = SQLITE_TYPES;
  readonly reader: Dialect;
  readonly writer: Dialect;
  readonly #path: string;
  readonly #file: DatabaseSync;
  readonly #writer: Writer;

  static async open({ dataDir, log }: { dataDir: string; log: Logger }): Promise<EmbeddedEngine> {
    const path = join(dataDir, FILE_NAME);
    await makeFile(dataDir, path);
    const writer = await Writer.start({ path, log });
    return new EmbeddedEngine(path, writer);
  }

  private constructor(path: string, writer: Writer) {
    this.#path = path;
    this.#writer = writer;
    this.#file = openForReading(path);
    const runner = new StatementRunner(this.#file);
    const language = new EmbeddedDialect({ database: async () => asKyselyDatabase(this.#file) });
    this.reader = unitDialect(language, async (statement) => translated(() => runner.run(statement)));
    this.writer = unitDialect(language, async (statement) => {
      const [result] = (await writer.commit({ statements: [statement], isGuarded: false })) ?? [];
      return result ?? { rows: [], changedCount: undefined };
    });
  }

  commit(unit: Unit): Promise<UnitResult> {
    return this.#writer.commit(unit);
  }

  /** Its transaction takes the file's write lock before it looks, so a second process finds the first one's work. */
  async exclusively<Result>(run: (transaction: Kysely<unknown>) => Promise<Result>): Promise<Result> {
    const dialect = new EmbeddedDialect({ database: async () => asKyselyDatabase(openForWriting(this.#path)) });
    const db = new Kysely<unknown>({ dialect });
    try {
      return await db.transaction().execute(run);
    } finally {
      await db.destroy();
    }
  }

  async check(): Promise<void> {
    translated(() => this.#file.prepare("select count(*) from sqlite_schema").get());
    await this.#writer.check();
  }

  async close(): Promise<void> {
    if (this.#file.isOpen) this.#file.close();
    // Whoever closes the file last leaves nothing beside it, and only a writer can.
    await this.#writer.close();
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

/** Kysely's dialect, but for what SQLite can do and it does not count on. */
class EmbeddedDialect extends SqliteDialect {
  readonly #config: ConstructorParameters<typeof SqliteDriver>[0];

  constructor(config: ConstructorParameters<typeof SqliteDriver>[0]) {
    super(config);
    this.#config = config;
  }

  override createDriver(): SqliteDriver {
    return new ImmediateDriver(this.#config);
  }

  override createAdapter(): SqliteAdapter {
    return new EmbeddedAdapter();
  }
}

/** A transaction that reads first and then writes fails when another process has written in between. */
class ImmediateDriver extends SqliteDriver {
  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw("begin immediate"));
  }
}

class EmbeddedAdapter extends SqliteAdapter {
  /** A migration is whole or not there: SQLite takes table definitions into transactions. */
  override get supportsTransactionalDdl(): boolean {
    return true;
  }

  /** Else Kysely hands its one connection to one query at a time, and nothing could be committed together. */
  override get supportsMultipleConnections(): boolean {
    return true;
  }
}
