import { setImmediate } from "node:timers/promises";
import { type Compilable, type InferResult, Kysely } from "kysely";
import type { Logger } from "../core/logger.ts";
import { EmbeddedEngine } from "./embedded-engine.ts";
import type { Engine, EngineKind } from "./engine.ts";
import { type MigrationList, runMigrations } from "./migrations.ts";

type RowsOf<Queries extends readonly Compilable[]> = { readonly [Index in keyof Queries]: InferResult<Queries[Index]> };

/** Tables to query, in one room's types. */
export interface Tables<Schema> {
  /** For selects: sees every write that was awaited before, in whatever process. */
  readonly reader: Kysely<Schema>;
  /** For single statements, each on disk when it resolves; `Database.transact` takes several. */
  readonly writer: Kysely<Schema>;
}

export interface DatabaseOptions {
  /** Holds the embedded database; made when it is missing. Not looked at when there is a `url`. */
  readonly dataDir: string;
  /** Of a PostgreSQL database. */
  readonly url?: string | undefined;
  /** Connections to PostgreSQL at once, from this process. */
  readonly maxConnectionCount?: number;
  readonly log: Logger;
}

/**
 * The engine below the catalog and the job queue: a SQLite file, or PostgreSQL. Several processes may have the same one
 * open. Its errors are DomainErrors; UNAVAILABLE ones pass: the database works again when what stood in the way is gone.
 */
export class Database implements AsyncDisposable {
  readonly kind: EngineKind;
  readonly #engine: Engine;
  readonly #log: Logger;
  readonly #reader: Kysely<unknown>;
  readonly #writer: Kysely<unknown>;

  /** Throws DATA_DIR_UNWRITABLE, or UNAVAILABLE when what is there cannot be used or reached. */
  static async open({ dataDir, url, maxConnectionCount, log }: DatabaseOptions): Promise<Database> {
    if (url === undefined) return new Database(await EmbeddedEngine.open({ dataDir, log }), log);
    // Who has no PostgreSQL needs no client of it in memory.
    const { PostgresEngine } = await import("./postgres-engine.ts");
    return new Database(await PostgresEngine.open({ url, maxConnectionCount, log }), log);
  }

  private constructor(engine: Engine, log: Logger) {
    this.#engine = engine;
    this.#log = log;
    this.kind = engine.kind;
    this.#reader = new Kysely({ dialect: engine.reader });
    this.#writer = new Kysely({ dialect: engine.writer });
  }

  /** The tables of one room, in the types of its schema, as its migrations made them. */
  tables<Schema>(): Tables<Schema> {
    return { reader: this.#reader as Kysely<Schema>, writer: this.#writer as Kysely<Schema> };
  }

  /**
   * Commits all queries or none, in order, as one unit; gives the rows of each. No query waits for the caller, so none
   * can be made of another's rows: say it in SQL.
   */
  async transact<const Queries extends readonly Compilable[]>(queries: Queries): Promise<RowsOf<Queries>> {
    const results = await this.#engine.commit({ statements: compile(queries), isGuarded: false });
    // One result per statement, and Kysely's compiler knows the type of each one's rows.
    return (results ?? []).map((result) => result.rows) as RowsOf<Queries>;
  }

  /** As `transact`, but when `guard` gives no row nothing is done, and the answer is undefined. */
  async transactIf<const Queries extends readonly Compilable[], Guard extends Compilable>(
    guard: Guard,
    queries: Queries,
  ): Promise<readonly [InferResult<Guard>, ...RowsOf<Queries>] | undefined> {
    const results = await this.#engine.commit({ statements: compile([guard, ...queries]), isGuarded: true });
    return results?.map((result) => result.rows) as readonly [InferResult<Guard>, ...RowsOf<Queries>] | undefined;
  }

  /** Brings a room's tables up to date; gives the names of the steps that it took. Processes may call it at once. */
  async migrate(list: MigrationList): Promise<readonly string[]> {
    const steps = await this.exclusively((transaction) => runMigrations(transaction, list, this.#engine.types));
    if (steps.length > 0) this.#log.info({ steps }, "database migrated");
    return steps;
  }

  /**
   * For setting up, with nobody served meanwhile: runs `run` in one transaction, which is undone when it throws. No other
   * process comes in here before it ends.
   */
  exclusively<Result>(run: (transaction: Kysely<unknown>) => Promise<Result>): Promise<Result> {
    return this.#engine.exclusively(run);
  }

  /** Resolves when it can be read and written; throws why not. */
  check(): Promise<void> {
    return this.#engine.check();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Commits what was handed in and lets go of everything. */
  async close(): Promise<void> {
    // Kysely hands a statement on some microtasks after it was called for.
    await setImmediate();
    await this.#engine.close();
  }
}

function compile(queries: readonly Compilable[]) {
  return queries.map((query) => {
    const { sql, parameters } = query.compile();
    return { sql, parameters };
  });
}
