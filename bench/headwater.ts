import { once } from "node:events";
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { type IncomingMessage, request } from "node:http";
import { basename, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { buildServer } from "../setup/builds.mjs";
import { readHotSpots } from "./cpu-profile.ts";
import type { RunningProgram, Workplace } from "./workplace.ts";

const ROOT = join(import.meta.dirname, "..");
const MAIN = await buildServer();
const SOURCE = join(ROOT, "src", "main.ts");
/** Where `npm start` has it too. */
const COMPILE_CACHE_DIR = join(ROOT, ".cache", "node");
/** As `npm start` has it (setup/start.mjs). */
const NODE = [process.execPath, "--max-semi-space-size=4"] as const;
const ADMIN_TOKEN = "bench-admin-token-0123456789";
const START_LIMIT_MS = 20_000;

export interface HeadwaterOptions {
  readonly workplace: Workplace;
  /** Settings as flags; ports, host, data directory and token are chosen here. */
  readonly flags?: readonly string[];
  readonly core?: number;
  /** Of an earlier run, when this one is to find its data. */
  readonly dataDir?: string;
  /** Where Node keeps compiled code; in the checkout otherwise, as with `npm start`. */
  readonly compileCacheDir?: string;
}

export interface StreamKey {
  readonly streamId: string;
  readonly streamKey: string;
}

export interface FinishedUpload {
  readonly videoId: string;
  readonly lastByteAtMs: number;
  readonly answeredAtMs: number;
}

/** A Headwater of its own in a process of its own, and what one asks of it. */
export class Headwater {
  readonly program: RunningProgram;
  readonly origin: string;
  readonly rtmpPort: number;
  readonly dataDir: string;
  /** From the start of the process until it said where its studio is. */
  readonly readyMs: number;
  readonly #profileDir: string | undefined;

  private constructor(
    fields: Pick<Headwater, "program" | "origin" | "rtmpPort" | "dataDir" | "readyMs">,
    profileDir?: string,
  ) {
    this.program = fields.program;
    this.origin = fields.origin;
    this.rtmpPort = fields.rtmpPort;
    this.dataDir = fields.dataDir;
    this.readyMs = fields.readyMs;
    this.#profileDir = profileDir;
  }

  /** Starts it and waits until it is ready. */
  static async start({ workplace, flags = [], core, ...rest }: HeadwaterOptions): Promise<Headwater> {
    const dataDir = rest.dataDir ?? (await workplace.makeDirectory("data"));
    const profileDir = workplace.isProfiled ? await workplace.makeDirectory("profile") : undefined;
    const profiling = profileDir ? ["--cpu-prof", "--cpu-prof-dir", profileDir] : [];
    // A profile names files; those of the build are a few for all.
    const main = profileDir ? SOURCE : MAIN;
    const command = [...NODE, ...profiling, main, "--data-dir", dataDir, "--host", "127.0.0.1"];
    const ports = ["--http-port", "0", "--rtmp-port", "0", "--log-level", "warn"];
    const startMs = performance.now();
    const program = workplace.run([...command, ...ports, ...flags], {
      ...(core === undefined ? {} : { core }),
      env: {
        ...process.env,
        HEADWATER_ADMIN_TOKEN: ADMIN_TOKEN,
        NODE_COMPILE_CACHE: rest.compileCacheDir ?? COMPILE_CACHE_DIR,
      },
    });
    const banner = await waitForBanner(program);
    return new Headwater({ program, dataDir, readyMs: performance.now() - startMs, ...banner }, profileDir);
  }

  /** Starts a worker on the data of a server; resolves when it takes jobs. */
  static async startWorker(options: HeadwaterOptions & { readonly dataDir: string }): Promise<RunningProgram> {
    const { workplace, dataDir, flags = [], core } = options;
    const command = [...NODE, MAIN, "worker", "--data-dir", dataDir, "--log-level", "info", ...flags];
    const env = { ...process.env, NODE_COMPILE_CACHE: options.compileCacheDir ?? COMPILE_CACHE_DIR };
    const program = workplace.run(command, { env, ...(core !== undefined && { core }) });
    const signal = AbortSignal.timeout(START_LIMIT_MS);
    while (!program.output().includes("worker started")) {
      if (program.child.exitCode !== null || signal.aborted) {
        throw new Error(`the worker did not start:\n${program.output()}`);
      }
      await sleep(10);
    }
    return program;
  }

  get pid(): number {
    return this.program.pid;
  }

  /** Asks the API; rejects unless it answers with success. */
  async ask(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${this.origin}${path}`, {
      method,
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, ...(body ? { "content-type": "application/json" } : {}) },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  }

  /** A new stream that can be published to. */
  async createStream(settings: object = {}): Promise<StreamKey> {
    const created = (await this.ask("POST", "/api/v1/streams", settings)) as { stream_id: string; stream_key?: string };
    return { streamId: created.stream_id, streamKey: created.stream_key ?? "" };
  }

  /** Sends a file as a form does; resolves when the server has answered. Instants are those of `performance.now()`. */
  async upload(path: string): Promise<FinishedUpload> {
    const boundary = "headwater-bench";
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${basename(path)}"\r\nContent-Type: application/octet-stream\r\n\r\n`;
    const tail = `\r\n--${boundary}--\r\n`;
    const { size: sizeBytes } = await stat(path);
    const outgoing = request(`${this.origin}/api/v1/upload`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${ADMIN_TOKEN}`,
        "content-type": `multipart/form-data; boundary=${boundary}`,
        "content-length": sizeBytes + head.length + tail.length,
      },
    });
    const answer = once(outgoing, "response") as Promise<[IncomingMessage]>;
    outgoing.write(head);
    await pipeline(createReadStream(path), outgoing, { end: false });
    outgoing.end(tail);
    const lastByteAtMs = performance.now();
    const [response] = await answer;
    const text = Buffer.concat(await Array.fromAsync(response)).toString();
    if (response.statusCode !== 201) throw new Error(`the upload was answered ${response.statusCode}: ${text}`);
    const { video_id: videoId } = JSON.parse(text) as { video_id: string };
    return { videoId, lastByteAtMs, answeredAtMs: performance.now() };
  }

  /** Sends a file by tus, in one piece; resolves when the server has answered. */
  async uploadResumably(path: string): Promise<void> {
    const { size: sizeBytes } = await stat(path);
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, "tus-resumable": "1.0.0" };
    const created = await fetch(`${this.origin}/api/v1/uploads`, {
      method: "POST",
      headers: { ...headers, "upload-length": String(sizeBytes) },
    });
    const location = created.headers.get("location");
    if (location === null) throw new Error(`the upload was answered ${created.status}: ${await created.text()}`);
    const piece = {
      "upload-offset": "0",
      "content-type": "application/offset+octet-stream",
      "content-length": sizeBytes,
    };
    const outgoing = request(this.origin + location, { method: "PATCH", headers: { ...headers, ...piece } });
    const answer = once(outgoing, "response") as Promise<[IncomingMessage]>;
    await pipeline(createReadStream(path), outgoing);
    const [response] = await answer;
    const text = Buffer.concat(await Array.fromAsync(response)).toString();
    if (response.statusCode !== 204) throw new Error(`the last piece was answered ${response.statusCode}: ${text}`);
  }

  /** When the video was seen in one of these states, by `performance.now()`. Throws when it cannot be made. */
  async untilVideo(videoId: string, states: readonly string[], everyMs: number): Promise<number> {
    for (;;) {
      const video = (await this.ask("GET", `/api/v1/videos/${videoId}`)) as { status: string; error: unknown };
      if (states.includes(video.status)) return performance.now();
      if (video.status === "errored") throw new Error(`the video failed: ${JSON.stringify(video.error)}`);
      await sleep(everyMs);
    }
  }

  /** Address of a multivariant playlist, once it can be played. */
  async playableUrl(streamId: string, signal: AbortSignal): Promise<string> {
    const url = `${this.origin}/streams/${streamId}/master.m3u8`;
    for (;;) {
      const response = await fetch(url, { signal });
      await response.arrayBuffer();
      if (response.ok) return url;
      await sleep(100, undefined, { signal });
    }
  }

  /** The values of metrics as /metrics writes their names, labels and all. One scrape: each resets what is of its time. */
  async metrics<Name extends string>(...names: readonly Name[]): Promise<Readonly<Record<Name, number>>> {
    const response = await fetch(`${this.origin}/metrics`, { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } });
    const lines = (await response.text()).split("\n");
    const readValue = (name: string) =>
      Number(lines.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1));
    // One entry for each name.
    return Object.fromEntries(names.map((name) => [name, readValue(name)])) as Record<Name, number>;
  }

  /** Ends it. Resolves with where its time went when it was profiled. */
  async end(): Promise<readonly string[]> {
    await this.program.end();
    if (!this.#profileDir) return [];
    // One file for each thread; the fifth field is the thread's id, 0 for the first.
    const files = (await readdir(this.#profileDir)).filter((name) => name.split(".")[4] === "0");
    const spots = await Promise.all(files.map((name) => readHotSpots(join(this.#profileDir ?? "", name))));
    return spots.flat();
  }
}

async function waitForBanner(program: RunningProgram): Promise<{ origin: string; rtmpPort: number }> {
  const signal = AbortSignal.timeout(START_LIMIT_MS);
  for (;;) {
    const [, origin, rtmpPort] =
      /Studio\s+(http:\/\/[^/\s]+)[\s\S]*RTMP\s+rtmp:\/\/[^:\s]+:(\d+)/.exec(program.output()) ?? [];
    if (origin && rtmpPort) return { origin, rtmpPort: Number(rtmpPort) };
    if (program.child.exitCode !== null || signal.aborted)
      throw new Error(`Headwater did not start:\n${program.output()}`);
    await sleep(1);
  }
}
