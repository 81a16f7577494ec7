import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { spawnBound } from "./logged-process.ts";

/** A Redis of a test's own, on a free port, which keeps its data through `kill` and `start`. */
export class RedisServer implements AsyncDisposable {
  readonly url: string;
  readonly #port: number;
  readonly #directory: string;
  #child: ChildProcess | undefined;

  static async start(): Promise<RedisServer> {
    const directory = await mkdtemp(join(tmpdir(), "headwater-redis-"));
    const server = new RedisServer(await freePort(), directory);
    await server.start();
    return server;
  }

  private constructor(port: number, directory: string) {
    this.#port = port;
    this.#directory = directory;
    this.url = `redis://127.0.0.1:${port}`;
  }

  /** Resolves when it takes connections. */
  async start(): Promise<void> {
    const listen = ["--port", `${this.#port}`, "--bind", "127.0.0.1"];
    const keep = ["--dir", this.#directory, "--appendonly", "yes", "--save", "", "--daemonize", "no"];
    const child = spawnBound("/usr/bin/redis-server", [...listen, ...keep], { stdio: ["ignore", "pipe", "inherit"] });
    this.#child = child;
    const lines: string[] = [];
    if (!child.stdout) throw new Error("redis-server has no output");
    for await (const line of createInterface({ input: child.stdout })) {
      lines.push(line);
      if (line.includes("Ready to accept connections")) {
        child.stdout.resume();
        return;
      }
    }
    throw new Error(`redis-server did not start:\n${lines.join("\n")}`);
  }

  /** Ends it as a power cut would, but for the disk. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  server.close();
  await once(server, "close");
  return address.port;
}
