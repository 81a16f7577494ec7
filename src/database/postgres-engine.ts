import { setTimeout } from "node:timers/promises";
import {
  type Dialect,
  Kysely,
  PostgresAdapter,
  PostgresDialect,
  PostgresIntrospector,
  PostgresQueryCompiler,
  sql,
} from "kysely";
import pg from "pg";
import { DomainError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import type { Engine } from "./engine.ts";
import { POSTGRES_TYPES } from "./migrations.ts";
import { postgresProblem, sqlStateOf } from "./postgres-problem.ts";
import type { Statement, StatementResult, Unit, UnitResult } from "./statement.ts";
import { unitDialect } from "./unit-dialect.ts";

const DEFAULT_CONNECTION_COUNT = 10;
/** Callers that may wait for a connection. */
const MAX_WAITING_COUNT = 10_000;
const CONNECT_LIMIT_MS = 5_000;
/** For the server, which then ends the statement. */
const STATEMENT_LIMIT_MS = 10_000;
/** For us, when the server does not even say that. */
const ANSWER_LIMIT_MS = 12_000;
/** A process that vanished in the middle of a unit holds its locks so long at most. */
const IDLE_TRANSACTION_LIMIT_MS = 10_000;
/** Units that PostgreSQL gave up for another's sake are tried so often. */
const MAX_ATTEMPT_COUNT = 6;
const RETRY_DELAY_MS = 10;
/** Any number: whoever sets a Headwater up takes this lock. */
const EXCLUSIVE_LOCK = 4_871_337_190;
const LOCK_LIMIT_MS = 60_000;

const INT8 = 20;
const NUMERIC = 1700;

/** What is above 2^53 never goes in; sums of int8 are numeric. */
const TYPES: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: "text" | "binary") =>
    oid === INT8 || oid === NUMERIC ? Number : pg.types.getTypeParser(oid, format),
};

export interface PostgresOptions {
  readonly url: string;
  readonly maxConnectionCount?: number | undefined;
  readonly log: Logger;
}

/** A PostgreSQL database, over a pool that connects anew after the server was away. */
export class PostgresEngine implements Engine {
  readonly kind = "postgres";
  readonly types = POSTGRES_TYPES;
  readonly reader: Dialect;
  readonly writer: Dialect;
  readonly #options: PostgresOptions;
  readonly #pool: pg.Pool;
  readonly #underWay = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  static async open(options: PostgresOptions): Promise<PostgresEngine> {
    const engine = new PostgresEngine(options);
    try {
      await engine.check();
      return engine;
    } catch (error) {
      await engine.close();
      throw error;
    }
  }

  private constructor(options: PostgresOptions) {
    this.#options = options;
    this.#pool = openPool(options.log, {
      connectionString: options.url,
      max: options.maxConnectionCount ?? DEFAULT_CONNECTION_COUNT,
      statement_timeout: STATEMENT_LIMIT_MS,
      query_timeout: ANSWER_LIMIT_MS,
      idle_in_transaction_session_timeout: IDLE_TRANSACTION_LIMIT_MS,
    });
    const dialect = unitDialect(LANGUAGE, (statement) => this.#lend((client) => run(client, statement)));
    this.reader = dialect;
    this.writer = dialect;
  }

  async commit(unit: Unit): Promise<UnitResult> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#lend((client) => transact(client, unit));
      } catch (error) {
        if (attempt === MAX_ATTEMPT_COUNT || !isGivenUp(error)) throw error;
        // By chance, or those that met would meet again.
        await setTimeout(Math.random() * RETRY_DELAY_MS * 2 ** attempt);
      }
    }
  }

  /** The lock that its transaction holds keeps other processes out. */
  async exclusively<Result>(run: (transaction: Kysely<unknown>) => Promise<Result>): Promise<Result> {
    const pool = openPool(this.#options.log, { connectionString: this.#options.url, max: 1 });
    const db = new Kysely<unknown>({ dialect: new ExclusiveDialect({ pool }) });
    try {
      return await db.transaction().execute(async (transaction) => {
        await sql`select set_config('lock_timeout', ${String(LOCK_LIMIT_MS)}, true)`.execute(transaction);
        await sql`select pg_advisory_xact_lock(${sql.lit(EXCLUSIVE_LOCK)})`.execute(transaction);
        return run(transaction);
      });
    } catch (error) {
      throw postgresProblem(error);
    } finally {
      await db.destroy();
    }
  }

  async check(): Promise<void> {
    await this.#lend((client) => run(client, { sql: "select 1", parameters: [] }));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    // Whoever waits for a connection would wait for ever once the pool ends.
    await Promise.allSettled(this.#underWay);
    await this.#pool.end();
  }

  async #lend<Result>(use: (client: pg.PoolClient) => Promise<Result>): Promise<Result> {
    if (this.#closing) throw new DomainError("UNAVAILABLE", "the database is closed");
    if (this.#pool.waitingCount >= MAX_WAITING_COUNT)
      throw new DomainError("UNAVAILABLE", "the database is too far behind");
    const lending = lend(this.#pool, use);
    this.#underWay.add(lending);
    try {
      return await lending;
    } catch (error) {
      throw postgresProblem(error);
    } finally {
      this.#underWay.delete(lending);
    }
  }
}

/** Both kinds of error event end the process when nobody listens: idle clients' by the pool, lent clients' their own. */
function openPool(log: Logger, config: pg.PoolConfig): pg.Pool {
  const pool = new pg.Pool({
    types: TYPES,
    connectionTimeoutMillis: CONNECT_LIMIT_MS,
    keepAlive: true,
    application_name: "headwater",
    ...config,
  });
  pool.on("error", (error) => log.warn({ err: error }, "lost a connection to the database"));
  pool.on("connect", (client) =>
    client.on("error", (error) => log.debug({ err: error }, "database connection failed")),
  );
  return pool;
}

async function lend<Result>(pool: pg.Pool, use: (client: pg.PoolClient) => Promise<Result>): Promise<Result> {
  const client = await pool.connect();
  let isUsable = true;
  try {
    return await use(client);
  } catch (error) {
    // An answer that did not come may still come, and would be taken for the next statement's.
    isUsable = sqlStateOf(error) !== undefined;
    throw error;
  } finally {
    client.release(!isUsable);
  }
}

async function transact(client: pg.PoolClient, { statements, isGuarded }: Unit): Promise<UnitResult> {
  await client.query("begin");
  try {
    const results: StatementResult[] = [];
    for (const statement of statements) {
      const result = await run(client, statement);
      if (isGuarded && results.length === 0 && result.rows.length === 0) {
        await client.query("rollback");
        return undefined;
      }
      results.push(result);
    }
    await client.query("commit");
    return results;
  } catch (error) {
    if (sqlStateOf(error) !== undefined) await client.query("rollback");
    throw error;
  }
}

async function run(client: pg.PoolClient, { sql: text, parameters }: Statement): Promise<StatementResult> {
  const { rows, rowCount } = await client.query(text, [...parameters]);
  return { rows, changedCount: rowCount ?? undefined };
}

/** Serialization failures and deadlocks: nothing was done, and the other one is through by now. */
function isGivenUp(error: unknown): boolean {
  return error instanceof DomainError && ["40001", "40P01"].includes(String(error.details.sqlState));
}

const LANGUAGE: Omit<Dialect, "createDriver"> = {
  createAdapter: () => new PostgresAdapter(),
  createIntrospector: (db) => new PostgresIntrospector(db),
  createQueryCompiler: () => new PostgresQueryCompiler(),
};

class ExclusiveDialect extends PostgresDialect {
  override createAdapter(): PostgresAdapter {
    return new ExclusiveAdapter();
  }
}

/** Kysely's Migrator would take a lock of the session, which stays when a step fails; ours is there already. */
class ExclusiveAdapter extends PostgresAdapter {
  override async acquireMigrationLock(): Promise<void> {}
  override async releaseMigrationLock(): Promise<void> {}
}
