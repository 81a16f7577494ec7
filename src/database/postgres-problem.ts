import pg from "pg";
import { DomainError, type ErrorCode } from "../core/errors.ts";

// What an operator, or time, can do something about (postgresql.org/docs/current/errcodes-appendix.html): a whole class
// by its first two characters, or one code.
const OPERATOR_PROBLEMS: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  "08": ["UNAVAILABLE", "the connection to the database failed"],
  "0A": ["UNAVAILABLE", "the database is too old"],
  "22021": ["INVALID_REQUEST", "a text holds what the database cannot keep"],
  "25006": ["UNAVAILABLE", "the database is read-only"],
  "28": ["UNAVAILABLE", "the database refuses this user or password"],
  "3D": ["UNAVAILABLE", "the database server has no such database"],
  "40": ["UNAVAILABLE", "the database is too busy with others' work"],
  "42501": ["UNAVAILABLE", "the database user lacks a right"],
  "53": ["UNAVAILABLE", "the database server is out of room, memory or connections"],
  "55P03": ["UNAVAILABLE", "another process holds a lock of the database"],
  "57": ["UNAVAILABLE", "the database server is stopping, starting or too slow"],
  "58": ["UNAVAILABLE", "the disk of the database server failed"],
  XX001: ["UNAVAILABLE", "the database is damaged"],
  XX002: ["UNAVAILABLE", "the database is damaged"],
};

/** What pg-pool says when all connections were lent out for too long. */
const NO_CONNECTION_FREE = "timeout exceeded when trying to connect";

/** The SQLSTATE that PostgreSQL answered with; undefined when the fault lies on the way there. */
export function sqlStateOf(thrown: unknown): string | undefined {
  return thrown instanceof pg.DatabaseError ? thrown.code : undefined;
}

/** The error for callers; its cause keeps what PostgreSQL or the network said, and where. */
export function postgresProblem(thrown: unknown): DomainError {
  if (thrown instanceof DomainError) return thrown;
  const sqlState = sqlStateOf(thrown);
  const message = messageOf(thrown);
  if (message === NO_CONNECTION_FREE)
    return new DomainError("UNAVAILABLE", "the database is too far behind", { cause: thrown });
  if (sqlState === undefined)
    return new DomainError("UNAVAILABLE", `the database cannot be reached: ${message}`, { cause: thrown });
  const [code, sentence] = OPERATOR_PROBLEMS[sqlState] ??
    OPERATOR_PROBLEMS[sqlState.slice(0, 2)] ?? ["INTERNAL", "the database refused a statement"];
  return new DomainError(code, `${sentence}: ${message}`, { cause: thrown, details: { sqlState } });
}

/** Where a name leads to several addresses Node gathers their errors, and says nothing itself. */
function messageOf(thrown: unknown): string {
  if (thrown instanceof AggregateError && thrown.message === "") return thrown.errors.map(messageOf).join("; ");
  return thrown instanceof Error ? thrown.message : String(thrown);
}
