import { Worker } from "node:worker_threads";
import { DomainError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import type { Outcome } from "./group-commit.ts";
import { sqliteProblemOf, toDomainError } from "./sqlite.ts";
import type { Unit, UnitResult } from "./statement.ts";
import type { WriterMessage } from "./writer-thread.ts";

const MAX_QUEUED_COUNT = 10_000;
const MAX_BATCH_COUNT = 500;

interface Waiting {
  readonly unit: Unit;
  /** Undefined when the thread is gone before it answered. */
  readonly settle: (outcome: Outcome | undefined) => void;
}

/**
 * All writes of this process go through its one thread: units that come while a batch is being committed make up the
 * next one. A commit waits for the disk, which would hold up every stream if it happened on the main thread.
 */
export class Writer {
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  readonly #queue: Waiting[] = [];
  #inFlight: readonly Waiting[] = [];
  #gone: DomainError | undefined;
  #drained: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  /** Resolves when the thread has opened the file; throws why it cannot. */
  static async start(options: { path: string; log: Logger }): Promise<Writer> {
    const writer = new Writer(options);
    await writer.check();
    return writer;
  }

  private constructor({ path, log }: { path: string; log: Logger }) {
    this.#worker = new Worker(new URL("./writer-thread.ts", import.meta.url), {
      workerData: { path },
      // The process's own flags (--test, --eval, --inspect) are not meant for it.
      execArgv: [],
    });
    this.#worker.on("message", (outcomes: readonly Outcome[]) => this.#settle(outcomes));
    this.#worker.on("error", (problem) => {
      log.error({ err: problem }, "database writer failed");
      this.#lose(writerProblem(problem));
    });
    this.#exited = new Promise((resolve) => {
      this.#worker.on("exit", () => {
        this.#lose(new DomainError("UNAVAILABLE", "the database is closed"));
        resolve();
      });
    });
  }

  /** Resolves when `unit` is on disk. Throws UNAVAILABLE when closed, too far behind, or the disk is full. */
  async commit(unit: Unit): Promise<UnitResult> {
    if (this.#gone) throw this.#gone;
    if (this.#closing) throw new DomainError("UNAVAILABLE", "the database is closing");
    if (this.#queue.length >= MAX_QUEUED_COUNT) throw new DomainError("UNAVAILABLE", "the database is too far behind");
    const outcome = await new Promise<Outcome | undefined>((settle) => {
      this.#queue.push({ unit, settle });
      this.#send();
    });
    if (!outcome) throw this.#gone;
    if ("result" in outcome) return outcome.result;
    // Made here rather than where the answer came in, so that its stack leads to the caller.
    throw toDomainError(outcome.problem);
  }

  /** Resolves when the thread answers. */
  async check(): Promise<void> {
    await this.commit({ statements: [{ sql: "select 1", parameters: [] }], isGuarded: false });
  }

  /** Commits what is queued, then ends the thread. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#inFlight.length > 0) await new Promise<void>((resolve) => (this.#drained = resolve));
    this.#worker.postMessage({ close: true } satisfies WriterMessage);
    await this.#exited;
  }

  #send(): void {
    if (this.#inFlight.length > 0) return;
    this.#inFlight = this.#queue.splice(0, MAX_BATCH_COUNT);
    if (this.#inFlight.length === 0) {
      this.#drained?.();
      return;
    }
    const units = this.#inFlight.map((waiting) => waiting.unit);
    this.#worker.postMessage({ units } satisfies WriterMessage);
  }

  #settle(outcomes: readonly Outcome[]): void {
    const settled = this.#inFlight;
    this.#inFlight = [];
    this.#send();
    for (const [index, outcome] of outcomes.entries()) settled[index]?.settle(outcome);
  }

  #lose(reason: DomainError): void {
    this.#gone ??= reason;
    for (const { settle } of [...this.#inFlight, ...this.#queue.splice(0)]) settle(undefined);
    this.#inFlight = [];
    this.#drained?.();
  }
}

function writerProblem(thrown: unknown): DomainError {
  const problem = sqliteProblemOf(thrown);
  if (problem.resultCode !== undefined) return toDomainError(problem);
  return new DomainError("UNAVAILABLE", `the database's writer failed: ${problem.message}`, { cause: thrown });
}
