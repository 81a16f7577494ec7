import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import type { SqliteDatabase, SqliteStatement } from "kysely";
import { DomainError, type ErrorCode } from "../core/errors.ts";
import type { Statement, StatementResult } from "./statement.ts";

const BUSY_TIMEOUT_MS = 5_000;
/**
 * A writer that finds the file locked looks again every 100 ms; between the commits of a process that has much to write
 * it is free for a few per cent of the time.
 */
const WRITER_BUSY_TIMEOUT_MS = 20_000;
/** Kysely's texts for our queries number some hundred. */
const STATEMENT_CACHE_COUNT = 300;

/** Opens the file for reading and writing; what is committed survives a power cut. */
export function openForWriting(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: WRITER_BUSY_TIMEOUT_MS });
  database.exec("pragma journal_mode = wal; pragma synchronous = full;");
  return database;
}

/** Opens a file that `openForWriting` has opened. */
export function openForReading(path: string): DatabaseSync {
  return new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
}

/** Prepares each text once and runs it with its parameters. */
export class StatementRunner {
  readonly #database: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  run({ sql, parameters }: Statement): StatementResult {
    const statement = this.#prepare(sql);
    // SQLite itself refuses what it cannot bind.
    const values = parameters as readonly SQLInputValue[];
    if (statement.columns().length > 0) return { rows: statement.all(...values), changedCount: undefined };
    return { rows: [], changedCount: Number(statement.run(...values).changes) };
  }

  #prepare(sql: string): StatementSync {
    const statement = this.#prepared.get(sql) ?? this.#database.prepare(sql);
    const [oldest] = this.#prepared.keys();
    if (this.#prepared.size >= STATEMENT_CACHE_COUNT && oldest !== undefined) this.#prepared.delete(oldest);
    this.#prepared.set(sql, statement);
    return statement;
  }
}

/** A connection of this thread in the form that Kysely's own SQLite dialect takes; its errors are DomainErrors. */
export function asKyselyDatabase(database: DatabaseSync): SqliteDatabase {
  return {
    close: () => database.close(),
    prepare: (sql) => translated(() => asKyselyStatement(database.prepare(sql))),
  };
}

function asKyselyStatement(statement: StatementSync): SqliteStatement {
  const values = (parameters: readonly unknown[]) => parameters as readonly SQLInputValue[];
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => translated(() => statement.all(...values(parameters))),
    run: (parameters) => translated(() => statement.run(...values(parameters))),
    iterate: (parameters) => statement.iterate(...values(parameters)),
  };
}

/** Runs `run`; what SQLite throws in it becomes a DomainError. */
export function translated<Result>(run: () => Result): Result {
  try {
    return run();
  } catch (thrown) {
    throw toDomainError(sqliteProblemOf(thrown));
  }
}

/** What SQLite found wrong, in a form that crosses threads. */
export interface SqliteProblem {
  readonly message: string;
  readonly stack: string | undefined;
  /** SQLite's extended result code; undefined when something else went wrong. */
  readonly resultCode: number | undefined;
}

export function sqliteProblemOf(thrown: unknown): SqliteProblem {
  const { message, stack } = thrown instanceof Error ? thrown : new Error(String(thrown));
  const code = thrown instanceof Error && "errcode" in thrown ? thrown.errcode : undefined;
  return { message, stack, resultCode: typeof code === "number" ? code : undefined };
}

// The primary result codes that an operator can do something about (sqlite.org/rescode.html).
const OPERATOR_PROBLEMS: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  5: ["UNAVAILABLE", "another process holds the lock of the database"],
  8: ["DATA_DIR_UNWRITABLE", "the database is read-only"],
  10: ["UNAVAILABLE", "the disk that holds the database failed"],
  11: ["UNAVAILABLE", "the database is damaged"],
  13: ["UNAVAILABLE", "the disk that holds the database is full"],
  14: ["DATA_DIR_UNWRITABLE", "the database cannot be opened"],
  26: ["UNAVAILABLE", "the file in the database's place is not a database"],
};

/** The error for callers; its cause keeps what SQLite said, and where. */
export function toDomainError({ message, stack, resultCode }: SqliteProblem): DomainError {
  const cause = new Error(message);
  if (stack !== undefined) cause.stack = stack;
  const [code, sentence] = OPERATOR_PROBLEMS[(resultCode ?? 0) & 0xff] ?? [
    "INTERNAL",
    "the database refused a statement",
  ];
  return new DomainError(code, `${sentence}: ${message}`, { cause, details: { resultCode } });
}
