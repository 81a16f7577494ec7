import type { DatabaseSync } from "node:sqlite";
import { type SqliteProblem, type StatementResult, StatementRunner, sqliteProblemOf } from "./sqlite.ts";

export interface Statement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

export type Outcome = { readonly result: StatementResult } | { readonly problem: SqliteProblem };

/**
 * Runs many callers' statements in one transaction, so that they share the one slow thing: the sync to disk. A
 * statement that fails undoes itself alone; a failed commit fails them all.
 */
export class GroupCommit {
  readonly #database: DatabaseSync;
  readonly #runner: StatementRunner;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#runner = new StatementRunner(database);
  }

  /** One outcome per statement, in order. Those that succeeded are on disk when this returns. */
  commit(statements: readonly Statement[]): readonly Outcome[] {
    try {
      this.#database.exec("begin immediate");
      const outcomes = statements.map((statement) => this.#attempt(statement));
      this.#database.exec("commit");
      return outcomes;
    } catch (thrown) {
      if (this.#database.isTransaction) this.#database.exec("rollback");
      const problem = sqliteProblemOf(thrown);
      return statements.map(() => ({ problem }));
    }
  }

  #attempt({ sql, parameters }: Statement): Outcome {
    this.#database.exec("savepoint one");
    try {
      const result = this.#runner.run(sql, parameters);
      this.#database.exec("release one");
      return { result };
    } catch (thrown) {
      // On a full disk SQLite gives up the whole transaction, and with it what the others were told.
      if (!this.#database.isTransaction) throw thrown;
      this.#database.exec("rollback to one; release one");
      return { problem: sqliteProblemOf(thrown) };
    }
  }
}
