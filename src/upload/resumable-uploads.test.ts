import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { ManualClock } from "../core/clock.ts";
import { DomainError } from "../core/errors.ts";
import { newVideoId, type VideoId } from "../core/ids.ts";
import { silentLogger } from "../core/logger.ts";
import type { FinishedUpload, TakenVideo } from "../library/library.ts";
import { FileObjectStore } from "../storage/files/file-object-store.ts";
import { MemoryObjectStore } from "../storage/memory/memory-object-store.ts";
import type { ObjectStore } from "../storage/object-store.ts";
import { ResumableUploads, type ResumableUploadsOptions } from "./resumable-uploads.ts";

const HOUR_MS = 3_600_000;

/** Uploads over a directory that outlives them, and a library that takes everything unless it is told otherwise. */
async function openUploads(t: TestContext, changes: Partial<ResumableUploadsOptions> = {}) {
  const root = await mkdtemp(join(tmpdir(), "headwater-uploads-"));
  t.after(() => rm(root, { recursive: true }));
  const clock = new ManualClock(Date.now());
  const store = await FileObjectStore.open({ directory: join(root, "objects"), clock });
  const taken: FinishedUpload[] = [];
  const refusals: DomainError[] = [];
  const options: ResumableUploadsOptions = {
    directory: join(root, "uploads"),
    store,
    intake: {
      newUpload: () => {
        const videoId = newVideoId();
        return { videoId, key: `videos/${videoId}/original` };
      },
      complete: async (upload) => {
        const refusal = refusals.shift();
        if (refusal) throw refusal;
        taken.push(upload);
        return {} as TakenVideo; // nobody here looks at it
      },
      abandon: async (key) => store.delete([key]),
    },
    sizeOfTaken: async (videoId) => (taken.some((upload) => upload.videoId === videoId) ? 10 : undefined),
    limits: { maxSizeBytes: 5_000_000, idleTimeoutMs: 60_000, timeLimitMs: HOUR_MS },
    maxCount: 2,
    lifetimeMs: HOUR_MS,
    clock,
    log: silentLogger,
    ...changes,
  };
  const open = async () => {
    const uploads = await ResumableUploads.open(options);
    t.after(() => uploads.close());
    return uploads;
  };
  return { open, uploads: await open(), clock, store, taken, refusals, directory: options.directory };
}

const film = (sizeBytes: number) => ({
  ...{ sizeBytes, fileName: "film.mp4", title: "A film", description: null },
  metadata: "filename ZmlsbS5tcDQ=",
});

async function* pieces(...list: readonly Uint8Array[]) {
  yield* list;
}

async function* brokenAfter(bytes: Uint8Array) {
  yield bytes;
  throw new DomainError("UPLOAD_INCOMPLETE", "the connection broke");
}

async function contentOf(store: ObjectStore, { key }: FinishedUpload): Promise<Buffer> {
  const object = await store.get(key);
  assert.ok(object);
  return Buffer.concat(await Array.fromAsync(object.body));
}

const offsetOf = async (uploads: ResumableUploads, videoId: VideoId) => (await uploads.find(videoId)).offsetBytes;

test("goes on where a connection broke, and where a server ended", async (t) => {
  const { open, uploads, store, taken, directory } = await openUploads(t);
  const bytes = randomBytes(3_000_000);
  const videoId = await uploads.create(film(bytes.byteLength));
  await assert.rejects(uploads.append(videoId, 0, brokenAfter(bytes.subarray(0, 1_100_000))), {
    code: "UPLOAD_INCOMPLETE",
  });
  assert.equal(await offsetOf(uploads, videoId), 1_100_000);
  await uploads.close();
  const next = await open();
  const { offsetBytes, sizeBytes, metadata } = await next.find(videoId);
  assert.deepEqual([offsetBytes, sizeBytes, metadata], [1_100_000, 3_000_000, "filename ZmlsbS5tcDQ="]);
  await next.append(videoId, 1_100_000, pieces(bytes.subarray(1_100_000, 2_000_000)));
  await next.append(videoId, 2_000_000, pieces(bytes.subarray(2_000_000)));
  const [upload, ...others] = taken;
  assert.ok(upload && others.length === 0);
  assert.deepEqual([upload.videoId, upload.fileName, upload.title], [videoId, "film.mp4", "A film"]);
  assert.ok(bytes.equals(await contentOf(store, upload)));
  assert.deepEqual(await readdir(directory), []);
});

test("copies the file where it cannot be moved", async (t) => {
  const memory = new MemoryObjectStore();
  const { uploads, taken, directory } = await openUploads(t, { store: memory });
  const bytes = randomBytes(100_000);
  const videoId = await uploads.create(film(bytes.byteLength));
  await uploads.append(videoId, 0, pieces(bytes));
  assert.ok(taken[0] && bytes.equals(await contentOf(memory, taken[0])));
  assert.deepEqual(await readdir(directory), []);
});

test("takes no piece but the next", async (t) => {
  const { uploads } = await openUploads(t);
  const videoId = await uploads.create(film(10));
  await uploads.append(videoId, 0, pieces(Buffer.from("1234")));
  for (const offset of [0, 3, 5, 10]) {
    await assert.rejects(uploads.append(videoId, offset, pieces(Buffer.from("5"))), { code: "UPLOAD_CONFLICT" });
  }
  await assert.rejects(uploads.append(videoId, 4, pieces(Buffer.from("567"), Buffer.from("890 and more"))), {
    code: "INVALID_REQUEST",
  });
  await assert.rejects(uploads.append(newVideoId(), 0, pieces()), { code: "NOT_FOUND" });
});

test("lets a second connection take over from one that hangs", async (t) => {
  const { uploads, taken } = await openUploads(t);
  const videoId = await uploads.create(film(10));
  const hasBegun = Promise.withResolvers<void>();
  async function* hanging() {
    yield Buffer.from("123");
    hasBegun.resolve();
    await new Promise<never>(() => undefined);
  }
  const first = assert.rejects(uploads.append(videoId, 0, hanging()), { message: /another connection/ });
  await hasBegun.promise;
  const [offset] = await Promise.all([offsetOf(uploads, videoId), first]);
  assert.equal(offset, 3);
  await uploads.append(videoId, 3, pieces(Buffer.from("4567890")));
  assert.equal(taken.length, 1);
});

test("forgets what the library refuses", async (t) => {
  const { uploads, refusals, directory } = await openUploads(t);
  refusals.push(new DomainError("NOT_MEDIA", "it is a poem"));
  const videoId = await uploads.create(film(4));
  await assert.rejects(uploads.append(videoId, 0, pieces(Buffer.from("poem"))), { code: "NOT_MEDIA" });
  assert.deepEqual(await readdir(directory), []);
});

test("says the reason again to whoever lost it, for a last byte", async (t) => {
  const { uploads, refusals } = await openUploads(t);
  const ids: VideoId[] = [];
  for (const verse of ["to be", "or not", "to be?"]) {
    refusals.push(new DomainError("NOT_MEDIA", verse));
    const videoId = await uploads.create(film(6));
    ids.push(videoId);
    await assert.rejects(uploads.append(videoId, 0, pieces(Buffer.from("a poem"))), { message: verse });
  }
  const [oldest, second, newest] = ids;
  assert.ok(oldest && second && newest);
  assert.equal(await offsetOf(uploads, newest), 5);
  await assert.rejects(uploads.append(newest, 5, pieces(Buffer.from("m"))), { code: "NOT_MEDIA", message: "to be?" });
  await uploads.remove(newest);
  await assert.rejects(uploads.find(newest), { code: "NOT_FOUND" });
  // No more of them are kept than uploads may be unfinished.
  assert.equal(await offsetOf(uploads, second), 5);
  await assert.rejects(uploads.find(oldest), { code: "NOT_FOUND" });
});

test("lets nobody wait, or begin anew, while a video is made", async (t) => {
  const memory = new MemoryObjectStore();
  const [hasBegun, mayGoOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const put: ObjectStore["put"] = async (...parameters) => {
    hasBegun.resolve();
    await mayGoOn.promise;
    return memory.put(...parameters);
  };
  const { uploads, taken } = await openUploads(t, { store: { put } });
  const videoId = await uploads.create(film(10));
  const sent = uploads.append(videoId, 0, pieces(Buffer.from("1234567890")));
  await hasBegun.promise;
  const busy = { code: "UNAVAILABLE", message: /a video is being made of it/ };
  await assert.rejects(uploads.find(videoId), busy);
  await assert.rejects(uploads.append(videoId, 0, pieces(Buffer.from("1"))), busy);
  await assert.rejects(uploads.remove(videoId), busy);
  mayGoOn.resolve();
  assert.equal((await sent).offsetBytes, 10);
  assert.equal(await offsetOf(uploads, videoId), 10);
  assert.equal(taken.length, 1);
});

test("makes a video later of what could not become one at once", async (t) => {
  const { open, uploads, refusals, taken } = await openUploads(t);
  const outage = new DomainError("UNAVAILABLE", "no catalog");
  refusals.push(outage, outage);
  const videoId = await uploads.create(film(10));
  await assert.rejects(uploads.append(videoId, 0, pieces(Buffer.from("1234567890"))), { code: "UNAVAILABLE" });
  await assert.rejects(uploads.find(videoId), { code: "UNAVAILABLE" });
  await uploads.close();
  assert.equal(refusals.length, 0, "whoever asked had it tried again");
  const next = await open();
  const asked = await Promise.allSettled([next.find(videoId), next.find(videoId)]);
  assert.deepEqual(
    asked.map(({ status }) => status),
    ["rejected", "rejected"],
  );
  await next.close();
  const { offsetBytes, sizeBytes, expiresAtMs } = await (await open()).find(videoId);
  assert.deepEqual([offsetBytes, sizeBytes, expiresAtMs], [10, 10, undefined]);
  assert.equal(taken.length, 1);
});

test("keeps what has stopped for its time, and no longer", async (t) => {
  const { open, uploads, clock, directory } = await openUploads(t);
  const [stopped, going] = [await uploads.create(film(10)), await uploads.create(film(10))];
  clock.advance(HOUR_MS - 1);
  await uploads.append(going, 0, pieces(Buffer.from("1")));
  clock.advance(1);
  assert.equal(await uploads.removeExpired(), 1);
  await assert.rejects(uploads.find(stopped), { code: "NOT_FOUND" });
  assert.equal(await offsetOf(uploads, going), 1);
  await uploads.close();
  // A server that starts much later clears them too, and what nobody knows.
  await writeFile(join(directory, "stray.part"), "x");
  await writeFile(join(directory, `${newVideoId()}.json`), '{"version":1,"key":');
  clock.advance(2 * HOUR_MS);
  await open();
  assert.deepEqual(await readdir(directory), []);
});

test("refuses what is too large, empty, or one too many", async (t) => {
  const { uploads, directory } = await openUploads(t);
  await assert.rejects(uploads.create(film(5_000_001)), { code: "UPLOAD_TOO_LARGE" });
  await assert.rejects(uploads.create(film(0)), { code: "NOT_MEDIA" });
  const first = await uploads.create(film(1));
  await uploads.create(film(1));
  await assert.rejects(uploads.create(film(1)), { code: "LIMIT_REACHED", message: /2 uploads are unfinished/ });
  await uploads.remove(first);
  await uploads.create(film(1));
  assert.equal((await readdir(directory)).length, 4);
  const { uploads: vast } = await openUploads(t, {
    limits: { maxSizeBytes: Number.MAX_SAFE_INTEGER, idleTimeoutMs: 1, timeLimitMs: 1 },
  });
  await assert.rejects(vast.create(film(2 ** 52)), { code: "STORAGE_FULL" });
});

/** A name space of its own, where anybody may mount: some systems do not let them. */
const UNSHARE = ["--mount", "--map-root-user", "sh", "-c"];
const run = promisify(execFile);
const canMount = await run("unshare", [...UNSHARE, "mount -t tmpfs tmpfs /mnt"]).then(
  () => true,
  () => false,
);

const FILL_A_SMALL_DISK = `
  import assert from "node:assert/strict";
  import { PartialFiles } from ${JSON.stringify(join(import.meta.dirname, "partial-files.ts"))};
  import { newVideoId } from ${JSON.stringify(join(import.meta.dirname, "../core/ids.ts"))};
  const files = new PartialFiles(process.argv[1]);
  const record = { key: "a", sizeBytes: 1_500_000, fileName: "a", title: null, description: null, metadata: "" };
  const [first, second] = [newVideoId(), newVideoId()];
  await files.create(first, record);
  await files.create(second, record);
  async function* film(sizeBytes) { for (let at = 0; at < sizeBytes; at += 100_000) yield Buffer.alloc(100_000, at / 100_000); }
  await files.append(first, 0, film(1_500_000), () => {});
  let offset = 0;
  const told = (bytes) => { offset = bytes; };
  await assert.rejects(files.append(second, 0, film(1_500_000), told), { code: "STORAGE_FULL" });
  await assert.rejects(files.create(newVideoId(), record), { code: "STORAGE_FULL" });
  const [left] = (await files.readAll()).filter(({ videoId }) => videoId === second);
  assert.ok(left.offsetBytes >= offset && left.offsetBytes < 1_500_000);
  await files.remove(first);
  await files.append(second, left.offsetBytes, film(1_500_000 - left.offsetBytes), told);
  assert.ok(offset >= 1_500_000);
  process.stdout.write("recovered");
`;

test("says when the disk is full, keeps what came, and goes on when there is room again", {
  skip: canMount ? false : "this machine lets nobody mount a small disk",
}, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "headwater-disk-"));
  t.after(() => rm(directory, { recursive: true }));
  const node = [process.execPath, "--input-type=module-typescript", "-e", FILL_A_SMALL_DISK];
  const script = 'disk=$1; shift; mount -t tmpfs -o size=2m tmpfs "$disk" && exec "$@" "$disk"';
  const { stdout } = await run("unshare", [...UNSHARE, script, "sh", directory, ...node]);
  assert.equal(stdout, "recovered");
});
