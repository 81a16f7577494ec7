import type { ChildProcess, SpawnOptions } from "node:child_process";
import { openAsBlob } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { buildServer } from "../../setup/builds.mjs";
import { LoggedProcess, type ProcessEnd, spawnBound, untilEnd } from "./logged-process.ts";

/** As it runs everywhere; `npm test` has built it already. */
const MAIN = await buildServer();
const ADMIN_TOKEN = "test-admin-token";
const START_LIMIT_MS = 90_000;
/** Between two questions about a state that no event tells of. */
const ASK_EVERY_MS = 50;

/** Settings by the names of their flags without dashes: `"live-reconnect-window": "2s"`. */
export type Settings = Readonly<Record<string, string>>;

export interface HeadwaterOptions {
  readonly settings?: Settings;
  /** A directory that outlives the server; else a fresh one that goes with it. */
  readonly dataDir?: string;
  /** It leads a process group of its own, as a shell starts it. */
  readonly ownsGroup?: boolean;
}

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

export interface VideoBody {
  readonly video_id: string;
  readonly status: string;
  readonly error: { readonly code: string; readonly message: string } | null;
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

/** Headwater's command line with these settings on free ports, as `npm start` runs it. */
export function spawnHeadwater(
  settings: Settings,
  environment: NodeJS.ProcessEnv = {},
  { detached = false }: Pick<SpawnOptions, "detached"> = {},
): ChildProcess {
  const { program, args, options } = headwaterCommand(settings, environment);
  return spawnBound(program, args, { ...options, detached });
}

/** What `spawnHeadwater` runs, for whoever runs it in surroundings of its own. */
export function headwaterCommand(settings: Settings, environment: NodeJS.ProcessEnv = {}) {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("HEADWATER_"));
  const flags = Object.entries({ "http-port": "0", "rtmp-port": "0", host: "127.0.0.1", ...settings });
  const options: SpawnOptions = {
    cwd: tmpdir(),
    env: { ...Object.fromEntries(inherited), HEADWATER_ADMIN_TOKEN: ADMIN_TOKEN, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  };
  return {
    program: process.execPath,
    args: [MAIN, ...flags.flatMap(([name, value]) => [`--${name}`, value])],
    options,
  };
}

/** One of the command line's commands, to its end. */
export function runHeadwaterCommand(name: string, settings: Settings, ...more: string[]): Promise<ProcessEnd> {
  const flags = Object.entries(settings).flatMap(([flag, value]) => [`--${flag}`, value]);
  const options: SpawnOptions = { cwd: tmpdir(), stdio: ["ignore", "pipe", "pipe"] };
  return untilEnd(spawnBound(process.execPath, [MAIN, name, ...flags, ...more], options));
}

/** A worker of its own with these settings. */
export function startWorker(settings: Settings): LoggedProcess {
  const flags = Object.entries(settings).flatMap(([flag, value]) => [`--${flag}`, value]);
  const options: SpawnOptions = { cwd: tmpdir(), stdio: ["ignore", "pipe", "pipe"] };
  return new LoggedProcess(spawnBound(process.execPath, [MAIN, "worker", ...flags], options), "the worker");
}

/** A limit for what has to happen soon, even on a slow machine that is busy with other tests. */
export function soon(seconds = 90): AbortSignal {
  return AbortSignal.timeout(seconds * 1000);
}

/** Starts a server and waits for its banner. Throws with all that it wrote when it does not come. */
export async function startHeadwater(options: HeadwaterOptions = {}): Promise<Headwater> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), "headwater-")));
  const child = spawnHeadwater({ "data-dir": dataDir, ...options.settings }, {}, { detached: options.ownsGroup });
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
export class Headwater extends LoggedProcess {
  readonly adminToken = ADMIN_TOKEN;
  readonly dataDir: string;
  studioLink = "";
  /** Where encoders publish, without key. */
  rtmpUrl = "";
  readonly #ownsDataDir: boolean;

  constructor(child: ChildProcess, dataDir: string, ownsDataDir: boolean) {
    super(child, "the server");
    this.dataDir = dataDir;
    this.#ownsDataDir = ownsDataDir;
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

  async untilStarted(signal: AbortSignal): Promise<void> {
    const text = await this.untilSaid(/^ {2}Data /m, signal);
    this.studioLink = /Studio +(\S+)/.exec(text)?.[1] ?? "";
    this.rtmpUrl = /RTMP +(\S+)/.exec(text)?.[1]?.replace("localhost", "127.0.0.1") ?? "";
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

  /** Uploads a film as a form, and gives its video's id. Throws unless it was taken. */
  async upload(path: string): Promise<string> {
    const answer = await this.tryUpload(path);
    const body = (await answer.json()) as { readonly video_id?: string };
    if (answer.status !== 201 || body.video_id === undefined) throw new Error(JSON.stringify(body));
    return body.video_id;
  }

  async tryUpload(path: string): Promise<Response> {
    const body = new FormData();
    body.append("file", await openAsBlob(path), basename(path));
    const headers = { authorization: `Bearer ${this.adminToken}` };
    return this.get("/api/v1/upload", { method: "POST", headers, body });
  }

  /** Asks until the video is ready, or has failed: then throws why. */
  async untilReady(videoId: string, signal: AbortSignal): Promise<VideoBody> {
    for (;;) {
      const video = await this.ask<VideoBody>("GET", `/api/v1/videos/${videoId}`);
      if (video.status === "ready") return video;
      if (video.status === "errored" || signal.aborted) throw new Error(`${JSON.stringify(video)}\n${this.output}`);
      await delay(ASK_EVERY_MS);
    }
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

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    if (this.#ownsDataDir) await rm(this.dataDir, { recursive: true, force: true, maxRetries: 3 });
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

  /** Process ids of the encoders that its rungs have had, as they were started. */
  get encoderPids(): readonly number[] {
    return this.#server.log
      .filter(({ msg, streamId }) => msg === "ladder encoder started" && streamId === this.id)
      .map(({ pid }) => Number(pid));
  }

  /** Resolves with the process id of the encoder that was started as number `count`, from 1. */
  async untilEncoder(count: number, signal: AbortSignal): Promise<number> {
    await this.#server.untilLogged(() => this.encoderPids.length >= count, signal);
    return this.encoderPids[count - 1] ?? Number.NaN;
  }
}
