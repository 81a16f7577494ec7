import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import type { Writer } from "./writer.ts";

/** Kysely over a `Writer`: every query is one unit of work, committed with whatever else is under way. */
export function writerDialect(writer: Writer): Dialect {
  return {
    createDriver: () => new WriterDriver(writer),
    createAdapter: () => new ConcurrentSqliteAdapter(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

/** Without this Kysely hands out its one connection to one query at a time, and nothing could be committed together. */
class ConcurrentSqliteAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true;
  }
}

class WriterDriver implements Driver {
  readonly #connection: WriterConnection;

  constructor(writer: Writer) {
    this.#connection = new WriterConnection(writer);
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#connection;
  }

  // A transaction that awaits its caller would hold up all other writers for as long as the caller likes.
  async beginTransaction(): Promise<void> {
    throw new Error("catalog writes are single statements; there are no transactions to begin");
  }

  async commitTransaction(): Promise<void> {}
  async rollbackTransaction(): Promise<void> {}
  async init(): Promise<void> {}
  async releaseConnection(): Promise<void> {}
  async destroy(): Promise<void> {}
}

class WriterConnection implements DatabaseConnection {
  readonly #writer: Writer;

  constructor(writer: Writer) {
    this.#writer = writer;
  }

  async executeQuery<Row>({ sql, parameters }: CompiledQuery): Promise<QueryResult<Row>> {
    const { rows, changedCount } = await this.#writer.run({ sql, parameters });
    // Kysely's compiler made the statement and knows its rows' type.
    const typed = rows as Row[];
    return changedCount === undefined ? { rows: typed } : { rows: typed, numAffectedRows: BigInt(changedCount) };
  }

  // biome-ignore lint/correctness/useYield: the interface wants a generator, and there is nothing to stream from a write
  async *streamQuery(): AsyncGenerator<never> {
    throw new Error("writes are not streamed");
  }
}
