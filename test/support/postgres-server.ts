import { type ChildProcess, execFile } from "node:child_process";
import { chown, glob, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import pg from "pg";
import { spawnBound, untilEnd } from "./logged-process.ts";

const run = promisify(execFile);
const USER = "headwater";
const READY = "database system is ready to accept connections";
/** What a server for tests needs not have: it is made anew each time. */
const SETTINGS = {
  listen_addresses: "",
  shared_buffers: "16MB",
  max_connections: "60",
  fsync: "off",
  autovacuum: "off",
  deadlock_timeout: "20ms",
};

/** A PostgreSQL of our own, which listens on a socket file in a fresh directory. */
export class PostgresServer implements AsyncDisposable {
  readonly #directory: string;
  readonly #programs: string;
  readonly #owner: Owner;
  #process: { child: ChildProcess; ended: Promise<unknown> } | undefined;
  #databaseCount = 0;

  static async start(): Promise<PostgresServer> {
    const owner = await findOwner();
    const directory = await mkdtemp(join(tmpdir(), "headwater-pg-"));
    const server = new PostgresServer(directory, await findPrograms(), owner);
    try {
      if (owner.uid !== undefined) await chown(directory, owner.uid, owner.gid ?? owner.uid);
      await server.#initialize();
      await server.launch();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(directory: string, programs: string, owner: Owner) {
    this.#directory = directory;
    this.#programs = programs;
    this.#owner = owner;
  }

  /** The URL of a new, empty database. */
  async createDatabase(): Promise<string> {
    const name = `test_${++this.#databaseCount}`;
    const client = new pg.Client(this.#urlOf("postgres"));
    await client.connect();
    try {
      await client.query(`create database ${name} template template0`);
    } finally {
      await client.end();
    }
    return this.#urlOf(name);
  }

  /** Starts the server again. */
  async launch(): Promise<void> {
    const settings = Object.entries({ ...SETTINGS, unix_socket_directories: this.#directory });
    const child = this.#spawn(
      "postgres",
      settings.flatMap(([name, value]) => ["-c", `${name}=${value}`]),
    );
    this.#process = { child, ended: untilEnd(child) };
    const lines: string[] = [];
    if (!child.stderr) throw new Error("the server has no standard error");
    for await (const line of createInterface({ input: child.stderr })) {
      lines.push(line);
      if (line.includes(READY)) break;
    }
    // What it says from here on would fill the pipe if nobody read it.
    child.stderr.resume();
    if (!lines.at(-1)?.includes(READY)) throw new Error(`PostgreSQL has not started:\n${lines.join("\n")}`);
  }

  /** Ends the server as a crash does: connections are cut, what was not committed is gone. */
  async crash(): Promise<void> {
    this.#process?.child.kill("SIGQUIT");
    await this.#process?.ended;
    this.#process = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.crash();
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #initialize(): Promise<void> {
    const options = ["-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync"];
    const { code, stderr } = await untilEnd(this.#spawn("initdb", options));
    if (code !== 0) throw new Error(`initdb failed:\n${stderr}`);
  }

  #spawn(program: string, args: readonly string[]): ChildProcess {
    return spawnBound(join(this.#programs, program), ["-D", join(this.#directory, "data"), ...args], {
      ...this.#owner,
      cwd: this.#directory,
      env: { ...process.env, LC_ALL: "C" },
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  #urlOf(database: string): string {
    return `postgres://${USER}@localhost/${database}?host=${encodeURIComponent(this.#directory)}`;
  }
}

/** Whom the server runs as: it refuses to be root. */
interface Owner {
  readonly uid?: number;
  readonly gid?: number;
}

async function findOwner(): Promise<Owner> {
  if (process.getuid?.() !== 0) return {};
  const [uid, gid] = await Promise.all(["-u", "-g"].map(async (flag) => (await run("id", [flag, "postgres"])).stdout));
  return { uid: Number(uid), gid: Number(gid) };
}

/** Debian keeps the server's programs beside each other, by version, and not in PATH. */
async function findPrograms(): Promise<string> {
  const found = await Array.fromAsync(glob("/usr/{lib/postgresql/*,local,local/pgsql}/bin/initdb"));
  const [newest] = found.sort((a, b) => b.localeCompare(a, "en", { numeric: true }));
  if (newest === undefined) throw new Error("PostgreSQL is not installed: initdb was not found");
  return join(newest, "..");
}
