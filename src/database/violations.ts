import { DomainError } from "../core/errors.ts";

// sqlite.org/rescode.html: SQLITE_CONSTRAINT_PRIMARYKEY, _UNIQUE, _FOREIGNKEY; PostgreSQL's SQLSTATEs.
const UNIQUE: readonly unknown[] = [1555, 2067, "23505"];
const FOREIGN_KEY: readonly unknown[] = [787, "23503"];

/** A row of this key is there already. */
export function isUniqueViolation(error: unknown): boolean {
  return isAnswer(error, UNIQUE);
}

/** The row that another one points at is not there. */
export function isForeignKeyViolation(error: unknown): boolean {
  return isAnswer(error, FOREIGN_KEY);
}

function isAnswer(error: unknown, codes: readonly unknown[]): boolean {
  if (!(error instanceof DomainError)) return false;
  const { resultCode, sqlState } = error.details;
  return codes.includes(resultCode ?? sqlState);
}
