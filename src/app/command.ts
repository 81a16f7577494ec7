import type { Logger } from "../core/logger.ts";
import type { Config } from "./settings.ts";

/** What is done once, in place of a server. */
export interface Command {
  run(options: CommandOptions): Promise<void>;
  /** It knows `--dry-run`. */
  readonly canRunDry?: boolean;
}

export interface CommandOptions {
  readonly config: Config;
  readonly log: Logger;
  /** Only says what it would do. */
  readonly isDryRun: boolean;
  /** Tells the person at the keyboard, a line at a time. */
  readonly say: (line: string) => void;
}
