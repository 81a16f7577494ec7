import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdir, mkdtemp, rm } from "node:fs/promises";
import { createConnection, createServer } from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Until a program must have ended after it was asked to. */
const END_LIMIT_MS = 12_000;
const OUTPUT_LIMIT = 64 * 1024;
const MEMORY = "/dev/shm";

/** Where what is measured runs: with this core all to itself when the machine has two. */
export const SERVER_CORE = 0;
/** Where the load comes from. */
export const LOAD_CORE = availableParallelism() > 1 ? 1 : 0;

export interface WorkplaceOptions {
  readonly isProfiled: boolean;
  readonly signal: AbortSignal;
}

/** A program that runs, with the last that it wrote. */
export interface RunningProgram {
  readonly pid: number;
  readonly child: ChildProcess;
  /** The newest output of both kinds. */
  output(): string;
  /** Asks it to end and waits until it has. */
  end(): Promise<void>;
}

/** A directory and the programs of one scenario; nothing of either is left when it is disposed of. */
export class Workplace implements AsyncDisposable {
  readonly directory: string;
  readonly isProfiled: boolean;
  readonly signal: AbortSignal;
  readonly #programs = new Set<RunningProgram>();
  readonly #memoryDirectories: string[] = [];
  readonly #kill = () => {
    for (const { child } of this.#programs) child.kill("SIGKILL");
  };
  readonly #endAll = () => Promise.all([...this.#programs].map((program) => program.end()));
  #directoryCount = 0;

  private constructor(directory: string, { isProfiled, signal }: WorkplaceOptions) {
    this.directory = directory;
    this.isProfiled = isProfiled;
    this.signal = signal;
    // Who waits for a program hears of its end: nothing need be interrupted beside it.
    signal.addEventListener("abort", this.#endAll);
    process.on("exit", this.#kill);
  }

  static async open(options: WorkplaceOptions): Promise<Workplace> {
    return new Workplace(await mkdtemp(join(tmpdir(), "headwater-bench-")), options);
  }

  /** A new directory below the workplace's. */
  async makeDirectory(name: string): Promise<string> {
    this.#directoryCount += 1;
    const path = join(this.directory, `${this.#directoryCount}-${name}`);
    await mkdir(path);
    return path;
  }

  /** A new directory in memory where the system has such, so that no disk is measured. */
  async makeMemoryDirectory(): Promise<string> {
    const hasMemory = await access(MEMORY).then(
      () => true,
      () => false,
    );
    if (!hasMemory) return this.makeDirectory("memory");
    const path = await mkdtemp(join(MEMORY, "headwater-bench-"));
    this.#memoryDirectories.push(path);
    return path;
  }

  /** Runs a program until `end` or the end of the workplace; on one core when `core` says which. Throws after an abort. */
  run(command: readonly string[], options: SpawnOptions & { readonly core?: number } = {}): RunningProgram {
    this.signal.throwIfAborted();
    const { core, ...spawnOptions } = options;
    const [program = "", ...args] = core === undefined ? command : ["taskset", "-c", `${core}`, ...command];
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], ...spawnOptions });
    let output = "";
    const note = (text: Buffer | string) => {
      output = `${output}${text}`.slice(-OUTPUT_LIMIT);
    };
    child.stdout?.on("data", note);
    child.stderr?.on("data", note);
    child.on("error", (error) => note(`${error}`));
    let ending: Promise<void> | undefined;
    const program_: RunningProgram = {
      pid: child.pid ?? 0,
      child,
      output: () => output,
      end: () => {
        ending ??= endProgram(child).then(() => void this.#programs.delete(program_));
        return ending;
      },
    };
    this.#programs.add(program_);
    return program_;
  }

  /** Waits; rejects when the person at the keyboard has had enough. */
  wait(ms: number): Promise<void> {
    return sleep(ms, undefined, { signal: this.signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#endAll();
    this.signal.removeEventListener("abort", this.#endAll);
    process.off("exit", this.#kill);
    const directories = [this.directory, ...this.#memoryDirectories];
    await Promise.all(directories.map((path) => rm(path, { recursive: true, force: true })));
  }
}

async function endProgram(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  const force = setTimeout(() => child.kill("SIGKILL"), END_LIMIT_MS);
  await ended;
  clearTimeout(force);
}

/** A port that was free a moment ago, for peers that cannot choose one themselves. */
export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** Waits until somebody accepts connections on a port. Rejects when `program` ends before that. */
export async function waitForPort(port: number, program: RunningProgram, everyMs = 5): Promise<void> {
  while (!(await accepts(port))) {
    if (program.child.exitCode !== null) throw new Error(`it ended before it listened:\n${program.output()}`);
    await sleep(everyMs);
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
