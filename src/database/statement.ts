/** SQL as a query compiler made it. */
export interface Statement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

/** Rows of a statement that gives some, and the number of rows it changed where the database tells. */
export interface StatementResult {
  readonly rows: unknown[];
  readonly changedCount: number | undefined;
}

/** Statements that are committed together or not at all. */
export interface Unit {
  readonly statements: readonly Statement[];
  /** When the first statement gives no row, the others are left out and nothing is committed. */
  readonly isGuarded: boolean;
}

/** One result per statement, in order; undefined when the guard gave no row. */
export type UnitResult = readonly StatementResult[] | undefined;
