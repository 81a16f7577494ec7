import assert from "node:assert/strict";
import { type ChildProcess, execFile } from "node:child_process";
import { mkdir, open, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { SHORT } from "./support/films.ts";
import { Headwater, headwaterCommand, type Settings, soon } from "./support/headwater.ts";
import { TestLibrary } from "./support/libraries.ts";
import { spawnBound } from "./support/logged-process.ts";
import { sourceDirectory, writeSource } from "./support/source-files.ts";

const PATIENT = { timeout: 600_000 };
const DISK_MIB = 64;
const MIB = 1024 * 1024;

const directory = await sourceDirectory();
const film = (name: string, ...options: string[]) =>
  writeSource("-f", "lavfi", "-i", "testsrc2=s=640x360:r=25:d=12", ...options, join(directory, name));
/** Some 4 MiB. */
const LARGE_FILM = await film("large.avi", "-c:v", "mjpeg", "-q:v", "3");
const FILM = await film("film.avi", "-c:v", "mpeg4", "-q:v", "5");

/** Makes a name space in which nobody else sees what is mounted: as root, else as root of a user's own. */
const NAMESPACES: readonly (readonly string[])[] = [["--mount"], ["--user", "--map-root-user", "--mount"]];

async function findNamespace(): Promise<readonly string[]> {
  const refusals: string[] = [];
  for (const flags of NAMESPACES) {
    try {
      await promisify(execFile)("unshare", [...flags, "mount", "-t", "tmpfs", "none", directory]);
      return flags;
    } catch (error) {
      refusals.push(`unshare ${flags.join(" ")}: ${error}`);
    }
  }
  // Not left out: a full disk is what every site meets one day.
  throw new Error(`this machine lets no test have a disk of its own, full or not:\n${refusals.join("\n")}`);
}

/** A server of which a directory is a disk of its own, which can be filled. */
class FullDisk {
  readonly server: Headwater;
  readonly #filler: string;

  static async start(t: TestContext, whatFills: "everything" | "media", settings: Settings): Promise<FullDisk> {
    const dataDir = await TestLibrary.directory(t);
    const place = whatFills === "media" ? join(dataDir, "objects") : dataDir;
    await mkdir(place, { recursive: true });
    const flags = await findNamespace();
    const mount = `mount -t tmpfs -o size=${DISK_MIB}m none "$0" && exec setpriv --pdeathsig KILL "$@"`;
    const { program, args, options } = headwaterCommand({ "data-dir": dataDir, ...settings });
    const child = spawnBound("unshare", [...flags, "sh", "-c", mount, place, program, ...args], options);
    const server = new Headwater(child, dataDir, false);
    t.after(() => server[Symbol.asyncDispose]());
    await server.untilStarted(soon());
    return new FullDisk(server, child, place);
  }

  private constructor(server: Headwater, { pid }: ChildProcess, place: string) {
    this.server = server;
    this.#filler = join(`/proc/${pid}/root`, place, "filler");
  }

  /** Leaves this much. */
  async fill(freeBytes: number): Promise<void> {
    const file = await open(this.#filler, "w");
    try {
      for (const pieceBytes of [MIB, 4096]) await writeUntilFull(file, Buffer.alloc(pieceBytes, 1));
      const { size } = await file.stat();
      await file.truncate(Math.max(0, size - freeBytes));
    } finally {
      await file.close();
    }
  }

  async makeRoom(): Promise<void> {
    await rm(this.#filler);
  }
}

async function writeUntilFull(file: Awaited<ReturnType<typeof open>>, bytes: Buffer): Promise<void> {
  for (;;) {
    try {
      await file.write(bytes);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOSPC") return;
      throw error;
    }
  }
}

interface Problem {
  readonly code: string;
  readonly detail: string;
}

test(
  "a full disk refuses an upload with a clear word, leaves nothing of it, and takes it again later",
  PATIENT,
  async (t) => {
    const disk = await FullDisk.start(t, "everything", SHORT);
    const { server } = disk;
    assert.ok((await stat(LARGE_FILM)).size > 3 * MIB);
    await disk.fill(2 * MIB);
    const refused = await server.tryUpload(LARGE_FILM);
    const { code, detail } = (await refused.json()) as Problem;
    assert.deepEqual([refused.status, code, detail], [507, "STORAGE_FULL", "The disk that holds the media is full"]);
    assert.equal(refused.headers.get("content-type"), "application/problem+json");
    assert.deepEqual(await server.ask<object>("GET", "/api/v1/videos"), { videos: [], next_cursor: null });
    const left = await server.tryUpload(LARGE_FILM);
    assert.equal(left.status, 507, "what came of the first one is gone, but it is still too much");
    await disk.makeRoom();
    await server.untilReady(await server.upload(LARGE_FILM), soon(400));
  },
);

test(
  "a disk for media that fills up while a video is made only holds that up until there is room",
  PATIENT,
  async (t) => {
    const disk = await FullDisk.start(t, "media", SHORT);
    const { server } = disk;
    const videoId = await server.upload(FILM);
    await disk.fill(0);
    await server.untilLogged(({ msg, code }) => msg === "job attempt failed" && code === "STORAGE_FULL", soon());
    const refused = await server.tryUpload(FILM);
    assert.deepEqual([refused.status, ((await refused.json()) as Problem).code], [507, "STORAGE_FULL"]);
    const { status } = await server.ask<{ status: string }>("GET", `/api/v1/videos/${videoId}`);
    assert.ok(status === "preparing" || status === "playable", status);
    await disk.makeRoom();
    await server.untilReady(videoId, soon(400));
    assert.equal((await server.stop()).code, 0);
  },
);

test("a disk for everything that fills up stops neither server nor worker", PATIENT, async (t) => {
  const disk = await FullDisk.start(t, "everything", SHORT);
  const { server } = disk;
  const videoId = await server.upload(FILM);
  await disk.fill(0);
  await server.untilLogged(({ err }) => /\bfull\b/.test(JSON.stringify(err) ?? ""), soon());
  assert.equal((await server.get("/healthz")).status, 200);
  const refused = await server.tryUpload(FILM);
  assert.ok([503, 507].includes(refused.status), `${refused.status}`);
  assert.match(((await refused.json()) as Problem).detail, /\bfull\b/);
  await server.ask("GET", `/api/v1/videos/${videoId}`);
  await disk.makeRoom();
  await server.untilReady(videoId, soon(400));
  await server.untilReady(await server.upload(FILM), soon(400));
  assert.equal((await server.stop()).code, 0);
});
