import type { Dialect, Kysely } from "kysely";
import type { ColumnTypes } from "./migrations.ts";
import type { Unit, UnitResult } from "./statement.ts";

/** The two databases that Headwater knows. */
export type EngineKind = "sqlite" | "postgres";

/** What a database has to be able to do to stand below `Database`. Faults that pass are UNAVAILABLE. */
export interface Engine {
  readonly kind: EngineKind;
  /** Sees all that was committed before, by whatever process. */
  readonly reader: Dialect;
  /** Each statement is a unit of its own. */
  readonly writer: Dialect;
  /** Resolves when the unit is on disk. */
  commit(unit: Unit): Promise<UnitResult>;
  /** How its tables are defined. */
  readonly types: ColumnTypes;
  /**
   * Runs `run` in one transaction, which is undone when it throws; meanwhile no other process is in here, and on SQLite
   * none writes.
   */
  exclusively<Result>(run: (transaction: Kysely<unknown>) => Promise<Result>): Promise<Result>;
  /** Resolves when it can be read and written; throws why not. */
  check(): Promise<void>;
  /** Commits what was handed in and lets go of everything. */
  close(): Promise<void>;
}
