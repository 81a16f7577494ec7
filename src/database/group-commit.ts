import type { DatabaseSync } from "node:sqlite";
import { type SqliteProblem, StatementRunner, sqliteProblemOf } from "./sqlite.ts";
import type { Unit, UnitResult } from "./statement.ts";

export type Outcome = { readonly result: UnitResult } | { readonly problem: SqliteProblem };

/**
 * Runs many callers' units in one transaction, so that they share the one slow thing: the sync to disk. A unit that
 * fails undoes itself alone; a failed commit fails them all.
 */
export class GroupCommit {
  readonly #database: DatabaseSync;
  readonly #runner: StatementRunner;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#runner = new StatementRunner(database);
  }

  /** One outcome per unit, in order. Those that succeeded are on disk when this returns. */
  commit(units: readonly Unit[]): readonly Outcome[] {
    try {
      this.#database.exec("begin immediate");
      const outcomes = units.map((unit) => this.#attempt(unit));
      this.#database.exec("commit");
      return outcomes;
    } catch (thrown) {
      if (this.#database.isTransaction) this.#database.exec("rollback");
      const problem = sqliteProblemOf(thrown);
      return units.map(() => ({ problem }));
    }
  }

  #attempt(unit: Unit): Outcome {
    this.#database.exec("savepoint one");
    try {
      const result = this.#run(unit);
      this.#database.exec(result ? "release one" : "rollback to one; release one");
      return { result };
    } catch (thrown) {
      // On a full disk SQLite gives up the whole transaction, and with it what the others were told.
      if (!this.#database.isTransaction) throw thrown;
      this.#database.exec("rollback to one; release one");
      return { problem: sqliteProblemOf(thrown) };
    }
  }

  #run({ statements, isGuarded }: Unit): UnitResult {
    const results = [];
    for (const statement of statements) {
      const result = this.#runner.run(statement);
      if (isGuarded && results.length === 0 && result.rows.length === 0) return undefined;
      results.push(result);
    }
    return results;
  }
}
