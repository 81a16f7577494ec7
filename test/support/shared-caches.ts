import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { untilEnd } from "./logged-process.ts";

/** Debian keeps servers where only root looks. */
const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;
const START_LIMIT_MS = 90_000;

/** A cache that stands in front of an origin. */
export interface CacheProgram {
  readonly name: string;
  readonly start: (originUrl: string) => Promise<SharedCache>;
}

export interface CacheAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** nginx and Varnish as `deploy/` configures them, but for addresses and places. */
export const CACHE_PROGRAMS: readonly CacheProgram[] = [
  { name: "nginx", start: startNginx },
  { name: "Varnish", start: startVarnish },
];

async function startNginx(originUrl: string): Promise<SharedCache> {
  const directory = await mkdtemp(join(tmpdir(), "headwater-nginx-"));
  const site = await deployed("nginx/headwater.conf", {
    "/var/cache/nginx/headwater": join(directory, "cache"),
    "server 127.0.0.1:8080;": `server ${new URL(originUrl).host};`,
    "listen 80;": `listen unix:${socketIn(directory)}; listen unix:${http2SocketIn(directory)} http2;`,
  });
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const lines = [
    process.getuid?.() === 0 ? "user root;" : "",
    "daemon off; worker_processes 1; error_log stderr notice;",
    `pid ${join(directory, "nginx.pid")};`,
    "events { worker_connections 2048; }",
    "http { access_log off;",
    ...temporary.map((name) => `${name}_temp_path ${join(directory, name)};`),
    site,
    "}",
  ];
  const file = join(directory, "nginx.conf");
  await writeFile(file, lines.join("\n"));
  const child = startServer("nginx", ["-e", "stderr", "-p", directory, "-c", file]);
  return SharedCache.of(child, directory, /start worker process \d/);
}

async function startVarnish(originUrl: string): Promise<SharedCache> {
  const directory = await mkdtemp(join(tmpdir(), "headwater-varnish-"));
  const file = join(directory, "headwater.vcl");
  const { hostname, port } = new URL(originUrl);
  const vcl = await deployed("varnish/headwater.vcl", {
    '.host = "127.0.0.1";': `.host = "${hostname}";`,
    '.port = "8080";': `.port = "${port}";`,
  });
  await writeFile(file, vcl);
  await mkdir(join(directory, "work"));
  const places = ["-n", join(directory, "work"), "-a", socketIn(directory), "-f", file, "-s", "malloc,128m"];
  const child = startServer("varnishd", ["-F", "-j", "none", ...places]);
  return SharedCache.of(child, directory, /said Child starts/);
}

function startServer(program: string, args: readonly string[]): ChildProcess {
  return spawn(program, args, { env: { ...process.env, PATH } });
}

/** A file of `deploy/` with some texts, each of which stands in it once, replaced. */
async function deployed(path: string, replacements: Readonly<Record<string, string>>): Promise<string> {
  let text = await readFile(new URL(`../../deploy/${path}`, import.meta.url), "utf8");
  for (const [from, to] of Object.entries(replacements)) {
    const pieces = text.split(from);
    if (pieces.length !== 2) throw new Error(`deploy/${path} has "${from}" ${pieces.length - 1} times`);
    text = pieces.join(to);
  }
  return text;
}

function socketIn(directory: string): string {
  return join(directory, "socket");
}

function http2SocketIn(directory: string): string {
  return join(directory, "http2-socket");
}

/** A running cache, which listens on a socket file: no port can be taken by somebody else. */
export class SharedCache implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #directory: string;
  readonly #agent = new Agent({ keepAlive: true });

  private constructor(child: ChildProcess, directory: string) {
    this.#child = child;
    this.#directory = directory;
  }

  /** Resolves when the program has written `sign` on its standard error. Throws with all of that when it does not. */
  static async of(child: ChildProcess, directory: string, sign: RegExp): Promise<SharedCache> {
    const cache = new SharedCache(child, directory);
    const timer = setTimeout(() => child.kill("SIGKILL"), START_LIMIT_MS);
    const started = new Promise<void>((resolve) => {
      let text = "";
      child.stderr?.on("data", (chunk: Buffer) => {
        text = (text + chunk).slice(-10_000);
        if (sign.test(text)) resolve();
      });
    });
    const failed = untilEnd(child).then(({ stderr }) => {
      throw new Error(`the cache has not started:\n${stderr}`);
    });
    failed.catch(() => undefined); // once it has started, its end is what the test wants
    try {
      await Promise.race([started, failed]);
      return cache;
    } catch (error) {
      await cache[Symbol.asyncDispose]();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Asks for a path and reads the answer to its end. */
  async ask(path: string, headers: Readonly<Record<string, string>> = {}, method = "GET"): Promise<CacheAnswer> {
    const answer = await this.open(path, headers, method);
    return { status: answer.statusCode ?? 0, headers: answer.headers, body: await buffer(answer) };
  }

  /** Asks for a path; the body of the answer is still to be read. */
  open(path: string, headers: Readonly<Record<string, string>> = {}, method = "GET"): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const socketPath = socketIn(this.#directory);
      const req = request({
        socketPath,
        path,
        method,
        headers: { host: "tv.example", ...headers },
        agent: this.#agent,
      });
      req.on("response", resolve);
      req.on("error", reject);
      req.end();
    });
  }

  /** A connection by HTTP/2, without TLS; of nginx alone. */
  connectHttp2(): ClientHttp2Session {
    return connectHttp2("http://tv.example", { createConnection: () => connect(http2SocketIn(this.#directory)) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy();
    const ended = untilEnd(this.#child);
    if (this.#child.exitCode === null && this.#child.signalCode === null && this.#child.kill("SIGTERM")) await ended;
    await rm(this.#directory, { recursive: true, force: true, maxRetries: 3 });
  }
}
