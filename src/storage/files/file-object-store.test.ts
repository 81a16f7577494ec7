import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, rmdir, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { ManualClock } from "../../core/clock.ts";
import { bytesOf, describeObjectStore, got, keysOf } from "../object-store-contract.ts";
import { FileObjectStore } from "./file-object-store.ts";

async function openStore(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), "headwater-objects-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return { directory, store: await FileObjectStore.open({ directory }) };
}

describeObjectStore("files", { open: async (t) => (await openStore(t)).store });

test("files: are named by their keys", async (t) => {
  const { store, directory } = await openStore(t);
  await store.put("videos/a/source/original", Buffer.from("film"));
  assert.equal(store.localPath("videos/a/source/original"), join(directory, "videos/a/source/original"));
  assert.equal(await readFile(store.localPath("videos/a/source/original"), "utf8"), "film");
});

test("files: take a file over where it can be moved, and leave it where it cannot", async (t) => {
  const { store, directory } = await openStore(t);
  const path = join(directory, "..", `${basename(directory)}-film`);
  t.after(() => rm(path, { force: true }));
  await writeFile(path, "film");
  const longAgoS = Date.now() / 1000 - 7200;
  await utimes(path, longAgoS, longAgoS);
  assert.equal(await store.adopt("videos/a/original", path), true);
  assert.equal((await bytesOf(await got(store.get("videos/a/original")))).toString(), "film");
  assert.ok(Date.now() - ((await store.head("videos/a/original"))?.modifiedAtMs ?? 0) < 3_600_000);
  await assert.rejects(store.adopt("videos/b/original", path), { code: "UNAVAILABLE" });
  if (!(await isElsewhere("/dev/shm", directory))) return;
  const far = await mkdtemp("/dev/shm/headwater-objects-");
  t.after(() => rm(far, { recursive: true }));
  await writeFile(join(far, "film"), "film");
  assert.equal(await store.adopt("videos/c/original", join(far, "film")), false);
  assert.equal(await readFile(join(far, "film"), "utf8"), "film");
});

/** Whether these are directories of two file systems. */
async function isElsewhere(path: string, other: string): Promise<boolean> {
  const [one, two] = await Promise.all([path, other].map((each) => stat(each).catch(() => undefined)));
  return one !== undefined && two !== undefined && one.dev !== two.dev;
}

test("files: keep no directory that has become empty, and none that has not", async (t) => {
  const { store, directory } = await openStore(t);
  await store.put("videos/a/1/x", Buffer.from("x"));
  await store.put("videos/b/1/x", Buffer.from("x"));
  await store.delete(["videos/a/1/x"]);
  assert.deepEqual(await readdir(join(directory, "videos")), ["b"]);
  await store.delete(["videos/b/1/x"]);
  assert.deepEqual(await readdir(directory), ["~incoming"]);
});

test("files: lose nothing when directories are emptied and filled at the same time", async (t) => {
  const { store, directory } = await openStore(t);
  const other = await FileObjectStore.open({ directory });
  for (let round = 0; round < 40; round++) {
    await store.put("v/a/old", Buffer.from("x"));
    await Promise.all([
      store.delete(["v/a/old"]),
      other.put("v/a/new", Buffer.from("y")),
      store.put("v/b/c/new", Buffer.from("y")),
      other.delete(["v/b/c/none"]),
    ]);
    assert.deepEqual(await keysOf(store, ""), ["v/a/new", "v/b/c/new"]);
    await store.delete(["v/a/new", "v/b/c/new"]);
  }
});

test("files: put an object though the directory above its own comes and goes", async (t) => {
  const { store, directory } = await openStore(t);
  const above = join(directory, "v");
  let isDone = false;
  const comesAndGoes = async () => {
    while (!isDone) {
      await mkdir(above).catch(() => undefined);
      await rmdir(above).catch(() => undefined);
    }
  };
  const other = comesAndGoes();
  try {
    for (let round = 0; round < 100; round++) {
      await store.put("v/a/b/new", Buffer.from("x"));
      await store.delete(["v/a/b/new"]);
    }
  } finally {
    isDone = true;
    await other;
  }
});

test("files: read on to the end of an object that is replaced or deleted meanwhile", async (t) => {
  const { store } = await openStore(t);
  const bytes = randomBytes(2_000_000);
  await store.put("a/b", bytes);
  const [beforeReplaced, beforeDeleted] = [await got(store.get("a/b")), await got(store.get("a/b"))];
  await store.put("a/b", Buffer.from("new"));
  assert.ok(bytes.equals(await bytesOf(beforeReplaced)));
  await store.delete(["a/b"]);
  assert.ok(bytes.equals(await bytesOf(beforeDeleted)));
});

test("files: refuse a key on whose way another object stands", async (t) => {
  const { store } = await openStore(t);
  await store.put("a/b", Buffer.from("x"));
  const code = { code: "INVALID_REQUEST" };
  await assert.rejects(store.put("a/b/c", Buffer.from("y")), code);
  await assert.rejects(store.put("a", Buffer.from("y")), code);
  assert.deepEqual(await keysOf(store, ""), ["a/b"]);
});

test("files: clear what a crash has left behind, but nothing that is being put", async (t) => {
  const { directory } = await openStore(t);
  const clock = new ManualClock(Date.now());
  const store = await FileObjectStore.open({ directory, clock });
  const leftover = join(directory, "~incoming", "of-a-crash");
  await writeFile(leftover, "half of a film");
  const [hourMs, longAgoS] = [3_600_000, clock.nowMs() / 1000 - 7200];
  await utimes(leftover, longAgoS, longAgoS);
  const [gate, begun] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  async function* slowly() {
    yield randomBytes(2_000_000);
    begun.resolve();
    await gate.promise;
  }
  const putting = store.put("a/b", slowly());
  await begun.promise;
  assert.deepEqual(await store.removeLeftovers(hourMs, { isDryRun: true }), ["~incoming/of-a-crash"]);
  assert.deepEqual(await store.removeLeftovers(hourMs), ["~incoming/of-a-crash"]);
  assert.deepEqual(await store.removeLeftovers(hourMs), []);
  gate.resolve();
  assert.equal((await putting)?.sizeBytes, 2_000_000);
  assert.deepEqual(await readdir(join(directory, "~incoming")), []);
});

const PUT_UNTIL_KILLED = `
  import { FileObjectStore } from ${JSON.stringify(join(import.meta.dirname, "file-object-store.ts"))};
  const store = await FileObjectStore.open({ directory: process.argv[1] });
  const bytes = Buffer.alloc(3_000_000, 7);
  async function* source() { for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000); }
  for (let i = 0; ; i++) {
    await store.put("videos/" + (i % 5) + "/" + i, source());
    process.stdout.write("videos/" + (i % 5) + "/" + i + "\\n");
  }
`;

test("files: have every object that was acknowledged, and none in part, after the process is killed", async (t) => {
  const { store, directory } = await openStore(t);
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", PUT_UNTIL_KILLED, directory], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  let said = "";
  for await (const text of child.stdout.setEncoding("utf8")) {
    said += text;
    if (said.split("\n").length > 8) child.kill("SIGKILL");
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  const acknowledged = said.split("\n").slice(0, -1);
  assert.ok(acknowledged.length >= 7);
  for (const key of acknowledged) assert.equal((await store.head(key))?.sizeBytes, 3_000_000, key);
  for await (const { key, sizeBytes } of store.list("")) assert.equal(sizeBytes, 3_000_000, key);
});

const FILL_A_SMALL_DISK = `
  import assert from "node:assert/strict";
  import { readdir } from "node:fs/promises";
  import { FileObjectStore } from ${JSON.stringify(join(import.meta.dirname, "file-object-store.ts"))};
  const directory = process.argv[1] + "/objects";
  const store = await FileObjectStore.open({ directory });
  await store.put("a/old", Buffer.alloc(500_000));
  async function* large() { for (let i = 0; i < 40; i++) yield Buffer.alloc(100_000); }
  for (const body of [large(), Buffer.alloc(4_000_000)]) {
    await assert.rejects(store.put("a/new", body), { code: "STORAGE_FULL" });
    assert.equal(await store.head("a/new"), undefined);
    assert.deepEqual(await readdir(directory + "/~incoming"), []);
  }
  assert.equal((await store.head("a/old")).sizeBytes, 500_000);
  await store.delete(["a/old"]);
  assert.ok(await store.put("a/new", Buffer.alloc(1_500_000)));
  process.stdout.write("recovered");
`;

/** A name space of its own, where anybody may mount: some systems do not let them. */
const UNSHARE = ["--mount", "--map-root-user", "sh", "-c"];
const run = promisify(execFile);
const canMount = await run("unshare", [...UNSHARE, "mount -t tmpfs tmpfs /mnt"]).then(
  () => true,
  () => false,
);

test("files: say when the disk is full, leave nothing of it, and go on when there is room again", {
  skip: canMount ? false : "this machine lets nobody mount a small disk",
}, async (t) => {
  const { directory } = await openStore(t);
  const script = 'mount -t tmpfs -o size=2m tmpfs "$1" && exec "$2" --input-type=module-typescript -e "$3" "$1"';
  const { stdout } = await run("unshare", [...UNSHARE, script, "sh", directory, process.execPath, FILL_A_SMALL_DISK]);
  assert.equal(stdout, "recovered");
});
