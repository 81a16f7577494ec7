import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const ADMIN_TOKEN = "test-admin-token";
const START_LIMIT_MS = 90_000;
/** Between two questions about a state that no event tells of. */
const ASK_EVERY_MS = 50;
const MAX_OUTPUT_LINES = 5000;

/** Settings by the names of their flags without dashes: `"live-reconnect-window": "2s"`. */
export type Settings = Readonly<Record<string, string>>;

export interface HeadwaterOptions {
  readonly settings?: Settings;
  /** A directory that outlives the server; else a fresh one that goes with it. */
  readonly dataDir?: string;
}

/** How a process ended, and all that it wrote. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** One line of the server's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string; readonly level: string };

export interface StreamBody {
  readonly stream_id: string;
  readonly status: string;
  readonly state: string;
  readonly viewers: number;
  readonly encoder: string | null;
  readonly latency_ms: number | null;
  readonly tracks: readonly TrackBody[];
  readonly renditions: readonly (TrackBody & { readonly id: string; readonly origin: string })[];
  readonly health: readonly { readonly code: string; readonly message: string }[];
}

export interface TrackBody {
  readonly kind: "video" | "audio";
  readonly codec: string;
  readonly width: number | null;
  readonly height: number | null;
  readonly frame_rate: number | null;
  readonly sample_rate_hz: number | null;
  readonly channel_count: number | null;
}

/** Starts a program that does not outlive this process, however this one ends. */
export function spawnBound(program: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  return spawn("/usr/bin/setpriv", ["--pdeathsig", "KILL", program, ...args], options);
}

/** Headwater's command line with these settings on free ports, as `npm start` runs it. */
export function spawnHeadwater(settings: Settings, environment: NodeJS.ProcessEnv = {}): ChildProcess {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("HEADWATER_"));
  const flags = Object.entries({ "http-port": "0", "rtmp-port": "0", host: "127.0.0.1", ...settings });
  return spawnBound(process.execPath, [MAIN, ...flags.flatMap(([name, value]) => [`--${name}`, value])], {
    cwd: tmpdir(),
    env: { ...Object.fromEntries(inherited), HEADWATER_ADMIN_TOKEN: ADMIN_TOKEN, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** One of the command line's commands, to its end. */
export function runHeadwaterCommand(name: string, settings: Settings): Promise<ProcessEnd> {
  const flags = Object.entries(settings).flatMap(([flag, value]) => [`--${flag}`, value]);
  const options: SpawnOptions = { cwd: tmpdir(), stdio: ["ignore", "pipe", "pipe"] };
  return untilEnd(spawnBound(process.execPath, [MAIN, name, ...flags], options));
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

/** A limit for what has to happen soon, even on a slow machine that is busy with other tests. */
export function soon(seconds = 90): AbortSignal {
  return AbortSignal.timeout(seconds * 1000);
}

/** Starts a server and waits for its banner. Throws with all that it wrote when it does not come. */
export async function startHeadwater(options: HeadwaterOptions = {}): Promise<Headwater> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), "headwater-")));
  const child = spawnHeadwater({ "data-dir": dataDir, ...options.settings });
  const server = new Headwater(child, dataDir, options.dataDir === undefined);
  try {
    await server.untilStarted(AbortSignal.timeout(START_LIMIT_MS));
    return server;
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

/** A server in a process of its own. */
export class Headwater implements AsyncDisposable {
  readonly adminToken = ADMIN_TOKEN;
  readonly dataDir: string;
  studioLink = "";
  /** Where encoders publish, without key. */
  rtmpUrl = "";
  readonly #child: ChildProcess;
  readonly #ownsDataDir: boolean;
  readonly #ended: Promise<ProcessEnd>;
  readonly #lines: string[] = [];
  readonly #log: LogLine[] = [];
  readonly #listeners = new Set<() => void>();
  #partialLine = "";

  constructor(child: ChildProcess, dataDir: string, ownsDataDir: boolean) {
    this.#child = child;
    this.dataDir = dataDir;
    this.#ownsDataDir = ownsDataDir;
    this.#ended = untilEnd(child);
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (chunk: Buffer) => this.#take(chunk.toString()));
    child.on("close", () => this.#wake());
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** `http://127.0.0.1:port` */
  get httpUrl(): string {
    return `http://127.0.0.1:${this.httpPort}`;
  }

  get httpPort(): number {
    return Number(new URL(this.studioLink).port);
  }

  get rtmpPort(): number {
    return Number(new URL(this.rtmpUrl).port);
  }

  /** The server's log so far. */
  get log(): readonly LogLine[] {
    return this.#log;
  }

  /** Everything that the server wrote, newest last, for a failure's message. */
  get output(): string {
    return this.#lines.slice(-60).join("\n");
  }

  async untilStarted(signal: AbortSignal): Promise<void> {
    await this.#until(() => /^ {2}Data /m.test(this.#lines.join("\n")), "started", signal);
    const text = this.#lines.join("\n");
    this.studioLink = /Studio +(\S+)/.exec(text)?.[1] ?? "";
    this.rtmpUrl = /RTMP +(\S+)/.exec(text)?.[1]?.replace("localhost", "127.0.0.1") ?? "";
  }

  /** Resolves with the first line of the log, from the start on, that `accept` takes. */
  async untilLogged(accept: (line: LogLine) => boolean, signal: AbortSignal): Promise<LogLine> {
    await this.#until(() => this.#log.some(accept), "logged it", signal);
    return this.#log.find(accept) ?? { msg: "", level: "" };
  }

  get(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(new URL(path, this.httpUrl), init);
  }

  /** Asks the API as its administrator. Throws unless the answer is a success. */
  async ask<Body>(method: string, path: string, body?: object): Promise<Body> {
    const headers = { authorization: `Bearer ${this.adminToken}`, "content-type": "application/json" };
    const answer = await this.get(path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${text}`);
    return text === "" ? (undefined as Body) : JSON.parse(text);
  }

  async createStream(body: object = {}): Promise<TestStream> {
    const created = await this.ask<StreamBody & { stream_key: string }>("POST", "/api/v1/streams", body);
    return new TestStream(this, created.stream_id, created.stream_key);
  }

  /** A stream that an earlier server on this data directory made. */
  existingStream(streamId: string, key: string): TestStream {
    return new TestStream(this, streamId, key);
  }

  stream(streamId: string): Promise<StreamBody> {
    return this.ask<StreamBody>("GET", `/api/v1/streams/${streamId}`);
  }

  /** Asks until `accept` takes what the stream is. Throws with the last answer and the log when it never does. */
  async untilStream(
    streamId: string,
    accept: (stream: StreamBody) => boolean,
    signal: AbortSignal,
  ): Promise<StreamBody> {
    for (;;) {
      const stream = await this.stream(streamId);
      if (accept(stream)) return stream;
      if (signal.aborted) throw new Error(`the stream stayed ${JSON.stringify(stream)}\n${this.output}`);
      await delay(ASK_EVERY_MS);
    }
  }

  untilState(streamId: string, state: string, signal: AbortSignal): Promise<StreamBody> {
    return this.untilStream(streamId, (stream) => stream.state === state, signal);
  }

  /** Sends a signal without waiting for what it does. */
  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  ended(): Promise<ProcessEnd> {
    return this.#ended;
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<ProcessEnd> {
    this.kill(signal);
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("SIGKILL");
    if (this.#ownsDataDir) await rm(this.dataDir, { recursive: true, force: true, maxRetries: 3 });
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
          settle(() => reject(new Error(`the server has not ${what}:\n${this.output}`)));
        }
      };
      this.#listeners.add(look);
      signal.addEventListener("abort", look);
      look();
    });
  }
}

/** A stream that a test made, with its addresses. */
export class TestStream {
  readonly id: string;
  readonly key: string;
  readonly #server: Headwater;

  constructor(server: Headwater, id: string, key: string) {
    this.#server = server;
    this.id = id;
    this.key = key;
  }

  /** What encoders publish to. */
  get publishUrl(): string {
    return `${this.#server.rtmpUrl}/${this.key}`;
  }

  get hlsUrl(): string {
    return `${this.#server.httpUrl}/streams/${this.id}/master.m3u8`;
  }

  get dashUrl(): string {
    return `${this.#server.httpUrl}/streams/${this.id}/manifest.mpd`;
  }

  get watchUrl(): string {
    return `${this.#server.httpUrl}/watch/${this.id}`;
  }

  now(): Promise<StreamBody> {
    return this.#server.stream(this.id);
  }

  until(state: string, signal: AbortSignal): Promise<StreamBody> {
    return this.#server.untilState(this.id, state, signal);
  }

  untilIt(accept: (stream: StreamBody) => boolean, signal: AbortSignal): Promise<StreamBody> {
    return this.#server.untilStream(this.id, accept, signal);
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
