import type { Dialect } from "kysely";
import type { MigrationList } from "./migrations.ts";
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
  /** The names of the steps that were missing and were run; no other process runs any meanwhile. */
  migrate(list: MigrationList): Promise<readonly string[]>;
  /** Resolves when it can be read and written; throws why not. */
  check(): Promise<void>;
  /** Commits what was handed in and lets go of everything. */
  close(): Promise<void>;
}
