import type { Workplace } from "./workplace.ts";

/** One measurement that can be made alone. */
export interface Scenario {
  readonly name: string;
  readonly title: string;
  /** How long each of its measurements lasts unless somebody says otherwise. */
  readonly seconds: number;
  /** How many of what it multiplies are tried. */
  readonly counts: readonly number[];
  run(context: ScenarioContext): Promise<ScenarioResult>;
}

export interface ScenarioContext {
  readonly workplace: Workplace;
  readonly seconds: number;
  readonly counts: readonly number[];
  /** Tells the person who waits. */
  readonly say: (line: string) => void;
}

export interface Table {
  readonly caption?: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** What was hoped for, and what came. */
export interface Aim {
  readonly aim: string;
  readonly measured: string;
  readonly isMet: boolean;
}

export interface ScenarioResult {
  readonly aims: readonly Aim[];
  readonly tables: readonly Table[];
  /** Sentences on how it was measured, what was left out and why. */
  readonly notes: readonly string[];
  /** For machines: what the tables are made of. */
  readonly figures: unknown;
}
