import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import type { Readable } from "node:stream";

const MAX_OUTPUT_LINES = 5000;

/** How a process ended, and all that it wrote. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** One line of a process's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string; readonly level: string };

/** Starts a program that does not outlive this process, however this one ends. */
export function spawnBound(program: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  return spawn("/usr/bin/setpriv", ["--pdeathsig", "KILL", program, ...args], options);
}

/** Gathers what a process writes until it ends. */
export function untilEnd(child: ChildProcess): Promise<ProcessEnd> {
  const stdout = textOf(child.stdout);
  const stderr = textOf(child.stderr);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stdout: stdout(), stderr: stderr() }));
  });
}

/** What a stream has brought so far. Its own encoding is left alone: others may read bytes. */
function textOf(stream: Readable | null): () => string {
  const chunks: Buffer[] = [];
  stream?.on("data", (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString();
}

/** A process that logs a line of JSON at a time; `await using` ends it. */
export class LoggedProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #ended: Promise<ProcessEnd>;
  readonly #lines: string[] = [];
  readonly #log: LogLine[] = [];
  readonly #listeners = new Set<() => void>();
  #partialLine = "";

  /** `name`: as messages of failures call it. */
  constructor(child: ChildProcess, name: string) {
    this.#child = child;
    this.#name = name;
    this.#ended = untilEnd(child);
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (chunk: Buffer) => this.#take(chunk.toString()));
    child.on("close", () => this.#wake());
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Its log so far. */
  get log(): readonly LogLine[] {
    return this.#log;
  }

  /** Everything that it wrote, newest last, for a failure's message. */
  get output(): string {
    return this.#lines.slice(-60).join("\n");
  }

  /** Resolves with all that it has written, once that matches. */
  async untilSaid(words: RegExp, signal: AbortSignal): Promise<string> {
    await this.#until(() => words.test(this.#lines.join("\n")), `said ${words}`, signal);
    return this.#lines.join("\n");
  }

  /** Resolves with the first line of the log, from the start on, that `accept` takes. */
  async untilLogged(accept: (line: LogLine) => boolean, signal: AbortSignal): Promise<LogLine> {
    await this.#until(() => this.#log.some(accept), "logged it", signal);
    return this.#log.find(accept) ?? { msg: "", level: "" };
  }

  /** Sends a signal without waiting for what it does. */
  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves when it, and all that writes where it does, has ended. */
  ended(): Promise<ProcessEnd> {
    return this.#ended;
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<ProcessEnd> {
    this.kill(signal);
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("SIGKILL");
  }

  #take(text: string): void {
    const lines = (this.#partialLine + text).split("\n");
    this.#partialLine = lines.pop() ?? "";
    this.#lines.push(...lines);
    this.#lines.splice(0, this.#lines.length - MAX_OUTPUT_LINES);
    this.#log.push(...lines.flatMap(asLogLine));
    this.#wake();
  }

  #wake(): void {
    for (const listener of this.#listeners) listener();
  }

  #until(isThere: () => boolean, what: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (end: () => void) => {
        this.#listeners.delete(look);
        signal.removeEventListener("abort", look);
        end();
      };
      const look = () => {
        const hasEnded = this.#child.exitCode !== null || this.#child.signalCode !== null;
        if (isThere()) settle(resolve);
        else if (signal.aborted || hasEnded) {
          settle(() => reject(new Error(`${this.#name} has not ${what}:\n${this.output}`)));
        }
      };
      this.#listeners.add(look);
      signal.addEventListener("abort", look);
      look();
    });
  }
}

function asLogLine(line: string): LogLine[] {
  if (!line.startsWith("{")) return [];
  try {
    return [JSON.parse(line)];
  } catch {
    return []; // not the log's: a line of somebody else that begins with a brace
  }
}
