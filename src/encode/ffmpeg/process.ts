import { type ChildProcess, spawn } from "node:child_process";
import { setPriority } from "node:os";
import type { Readable, Writable } from "node:stream";
import type { Clock } from "../../core/clock.ts";

/** Which program runs, and in what surroundings; the same for every child. */
export interface FfmpegProgram {
  /** Absolute path. */
  readonly path: string;
  /** All that the child sees: nothing of ours leaks in. Hardware drivers may want `LIBVA_DRIVER_NAME` and the like. */
  readonly environment: Readonly<Record<string, string>>;
  /** Where it runs; it writes nothing there. */
  readonly workDir: string;
  /** How far it steps back behind this process, so that passthrough and delivery win over encodes. */
  readonly niceness: number;
}

export interface FfmpegStart {
  readonly program: FfmpegProgram;
  readonly arguments: readonly string[];
  /** Pipes that it reads: 0 first, then from 3 up. */
  readonly inputCount: number;
  /** Pipes that it writes: the numbers after the inputs'. */
  readonly outputCount: number;
  readonly clock: Clock;
}

/** How a child ended. */
export interface FfmpegExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** One line for people: the last error it printed, else its code or signal. */
  readonly reason: string;
  /** The last lines of its log, oldest first. */
  readonly lastLines: readonly string[];
}

const LOG_LINES = 20;
const LOG_LINE_LENGTH = 400;
const TERMINATE_TO_KILL_MS = 1_000;

/**
 * One running ffmpeg. It shares nothing with us but pipes: when this process dies, by whatever signal, its inputs end and
 * its outputs break, and it leaves by itself. It is gone
 * only when every output has been read.
 */
export class FfmpegProcess {
  readonly inputs: readonly Writable[];
  /** Resolves once it is gone and everything it wrote has been read. Never rejects. */
  readonly exited: Promise<FfmpegExit>;
  readonly #outputs: readonly Readable[];
  readonly #child: ChildProcess;
  readonly #clock: Clock;
  readonly #log = new LogTail();
  #hasExited = false;

  constructor({ program, arguments: args, inputCount, outputCount, clock }: FfmpegStart) {
    const extraPipes = new Array<"pipe">(inputCount - 1 + outputCount).fill("pipe");
    this.#clock = clock;
    this.#child = spawn(program.path, [...args], {
      cwd: program.workDir,
      env: { ...program.environment },
      stdio: ["pipe", "ignore", "pipe", ...extraPipes],
    });
    this.exited = this.#watch();
    // Without a file descriptor to spare there are no pipes; `exited` tells.
    const pipes = (this.#child.stdio ?? []) as unknown as [] | [Writable, null, Readable, ...Writable[]];
    const [input, , log, ...extras] = pipes;
    this.inputs = input ? [input, ...extras.slice(0, inputCount - 1)] : [];
    this.#outputs = extras.slice(inputCount - 1) as unknown as Readable[];
    // A pipe that breaks means that the child is gone, which `exited` tells with its reason.
    for (const pipe of [...this.inputs, ...this.#outputs, log]) pipe?.on("error", () => undefined);
    // Without a listener Node throws away what is left in a pipe once the child has exited.
    for (const output of this.#outputs) output.on("readable", holdBack);
    log?.setEncoding("utf8").on("data", (text: string) => this.#log.push(text));
    this.#stepBack(program.niceness);
  }

  /** Undefined when it could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  get hasExited(): boolean {
    return this.#hasExited;
  }

  /** Hands out what output `index` carries, from its first byte; until then it waits in the pipe, and ffmpeg with it. */
  read(index: number, take: (bytes: Uint8Array) => void): void {
    this.#outputs[index]?.on("data", take).off("readable", holdBack);
  }

  /** What output `index` carries, piece by piece. ffmpeg waits for whoever reads it; who leaves the loop breaks the pipe. */
  async *pieces(index: number): AsyncGenerator<Uint8Array, void, undefined> {
    const output = this.#outputs[index];
    if (output) yield* output.off("readable", holdBack) as AsyncIterable<Uint8Array>;
  }

  /** Ends the inputs and gives it `graceMs` to finish; then SIGTERM, a second later SIGKILL. Resolves with `exited`. */
  async finish(graceMs: number): Promise<FfmpegExit> {
    for (const input of this.inputs) input.end();
    const cancel = this.#clock.after(graceMs, () => this.terminate());
    const exit = await this.exited;
    cancel();
    return exit;
  }

  /** SIGTERM, a second later SIGKILL. */
  terminate(): void {
    if (this.#hasExited) return;
    this.#child.kill("SIGTERM");
    const cancel = this.#clock.after(TERMINATE_TO_KILL_MS, () => this.kill());
    void this.exited.then(cancel);
  }

  kill(): void {
    if (!this.#hasExited) this.#child.kill("SIGKILL");
  }

  #watch(): Promise<FfmpegExit> {
    return new Promise((resolve) => {
      const end = (code: number | null, signal: NodeJS.Signals | null, problem?: string) => {
        this.#hasExited = true;
        const lastLines = this.#log.lines;
        resolve({ code, signal, lastLines, reason: problem ?? exitReason(code, signal, lastLines) });
      };
      this.#child.on("error", (error) => {
        if (this.#child.pid === undefined) end(null, null, error.message);
      });
      this.#child.once("close", end);
    });
  }

  #stepBack(niceness: number): void {
    if (this.#child.pid === undefined) return;
    try {
      setPriority(this.#child.pid, niceness);
    } catch {
      // It has already gone (`exited` says so), or the platform has no priorities: it runs all the same.
    }
  }
}

function holdBack(): void {}

function exitReason(code: number | null, signal: NodeJS.Signals | null, lines: readonly string[]): string {
  const lastError = lines.findLast((line) => /\[(error|fatal|panic)\]/.test(line));
  const how = signal ? `ffmpeg was ended by ${signal}` : `ffmpeg ended with code ${code}`;
  return lastError ? `${how}: ${lastError}` : how;
}

/** The newest lines of a log, however long it grows. */
class LogTail {
  readonly #lines: string[] = [];
  #partial = "";

  push(text: string): void {
    const pieces = (this.#partial + text).split(/\r?\n|\r/);
    this.#partial = (pieces.pop() ?? "").slice(0, LOG_LINE_LENGTH);
    for (const piece of pieces.slice(-LOG_LINES)) {
      if (piece !== "") this.#lines.push(piece.slice(0, LOG_LINE_LENGTH));
    }
    this.#lines.splice(0, Math.max(0, this.#lines.length - LOG_LINES));
  }

  get lines(): readonly string[] {
    return this.#partial === "" ? [...this.#lines] : [...this.#lines, this.#partial];
  }
}
