import type { CompiledQuery, DatabaseConnection, Dialect, Driver, QueryResult } from "kysely";
import type { Statement, StatementResult } from "./statement.ts";

/** Runs one statement, committed before it resolves. */
export type RunStatement = (statement: Statement) => Promise<StatementResult>;

/** Kysely in the words of one database, each of whose queries is a unit of its own that `run` takes. */
export function unitDialect(language: Omit<Dialect, "createDriver">, run: RunStatement): Dialect {
  return {
    createDriver: () => new UnitDriver(run),
    createAdapter: () => language.createAdapter(),
    createIntrospector: (db) => language.createIntrospector(db),
    createQueryCompiler: () => language.createQueryCompiler(),
  };
}

class UnitDriver implements Driver {
  readonly #connection: UnitConnection;

  constructor(run: RunStatement) {
    this.#connection = new UnitConnection(run);
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#connection;
  }

  // A transaction that awaits its caller would hold up all other writers for as long as the caller likes.
  async beginTransaction(): Promise<void> {
    throw new Error("there are no transactions to begin here: Database.transact takes statements as one unit");
  }

  async commitTransaction(): Promise<void> {}
  async rollbackTransaction(): Promise<void> {}
  async init(): Promise<void> {}
  async releaseConnection(): Promise<void> {}
  async destroy(): Promise<void> {}
}

class UnitConnection implements DatabaseConnection {
  readonly #run: RunStatement;

  constructor(run: RunStatement) {
    this.#run = run;
  }

  async executeQuery<Row>({ sql, parameters }: CompiledQuery): Promise<QueryResult<Row>> {
    const { rows, changedCount } = await this.#run({ sql, parameters });
    // Kysely's compiler made the statement and knows its rows' type.
    const typed = rows as Row[];
    return changedCount === undefined ? { rows: typed } : { rows: typed, numAffectedRows: BigInt(changedCount) };
  }

  // biome-ignore lint/correctness/useYield: the interface wants a generator, and nothing of ours asks for one
  async *streamQuery(): AsyncGenerator<never> {
    throw new Error("rows are not streamed; ask for them page by page");
  }
}
