// KILL_ROUNDS=30 npm test -- test/video-faults-kills.test.ts: as many rounds; KILL_SEED makes them as they were.
import assert from "node:assert/strict";
import { readdir, readlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Catalog } from "../src/catalog/catalog.ts";
import type { VideoRepository } from "../src/catalog/video-repository.ts";
import { systemClock } from "../src/core/clock.ts";
import { silentLogger } from "../src/core/logger.ts";
import { cleanUp } from "../src/library/clean-up.ts";
import { VideoReader } from "../src/library/video-reader.ts";
import type { StoredVideo } from "../src/packaging/stored-rendition.ts";
import { FileObjectStore } from "../src/storage/files/file-object-store.ts";
import type { ObjectStore } from "../src/storage/object-store.ts";
import { keysOf } from "../src/storage/object-store-contract.ts";
import { S3ObjectStore } from "../src/storage/s3/s3-object-store.ts";
import { type Headwater, type Settings, soon, startHeadwater, startWorker } from "./support/headwater.ts";
import { TestLibrary } from "./support/libraries.ts";
import type { LoggedProcess } from "./support/logged-process.ts";
import { PostgresServer } from "./support/postgres-server.ts";
import { RedisServer } from "./support/redis-server.ts";
import { makeBucket, startS3rver } from "./support/s3-server.ts";
import { decodeErrors, frameTimes, readObject, sourceDirectory, writeSource } from "./support/source-files.ts";

const ROUNDS = Number(process.env.KILL_ROUNDS ?? 3);
const SEED = Number(process.env.KILL_SEED ?? Date.now() % 1_000_000);
/** Kills fall within so long after uploads have begun: from their first bytes to the last chunks. */
const LATEST_KILL_MS = 5_000;
const SECONDS = 9;

const SETTINGS: Settings = {
  "jobs-lease": "2s",
  "jobs-concurrency": "1",
  "video-segment-duration": "1s",
  "video-chunk-duration": "4s",
  "video-profiles": "240p",
  "video-preset": "ultrafast",
  // The preview is one more file of one more job, and half of all that ffmpeg would do here.
  "video-artifacts": "poster,pictures",
};

const directory = await sourceDirectory();
const film = (name: string, options: string) =>
  writeSource(
    ...["-f", "lavfi", "-i", `testsrc2=s=426x240:r=25:d=${SECONDS}`, "-f", "lavfi", "-i", `sine=f=440:d=${SECONDS}`],
    ...options.split(" "),
    join(directory, name),
  );
const FILMS = [
  await film("encoded.avi", "-c:v mpeg4 -q:v 5 -c:a libmp3lame"),
  await film(
    "copied.mp4",
    "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 20 -keyint_min 20 -sc_threshold 0 -c:a aac",
  ),
];

const FRAME_COUNTS = new Map(
  await Promise.all(FILMS.map(async (path) => [path, (await frameTimes(path)).length] as const)),
);

/** The same numbers from 0 to 1 for the same seed (mulberry32). */
function numbersOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const VICTIMS = ["server", "its worker", "another worker"] as const;
type Victim = (typeof VICTIMS)[number];

/** A server with its worker and another one on one data directory, which are killed and started again. */
class KilledSite implements AsyncDisposable {
  readonly dataDir: string;
  /** Videos that were acknowledged -> the film that they were made of. */
  readonly taken = new Map<string, string>();
  /** Videos whose end was acknowledged. */
  readonly deleted = new Set<string>();
  killCount = 0;
  readonly #settings: Settings;
  #server: Headwater | undefined;
  #worker: LoggedProcess | undefined;
  readonly #all: LoggedProcess[] = [];

  constructor(dataDir: string, settings: Settings) {
    this.dataDir = dataDir;
    this.#settings = { ...SETTINGS, ...settings };
  }

  get server(): Headwater {
    return this.#server ?? assert.fail("no server runs");
  }

  /** Starts what does not run. */
  async launch(): Promise<void> {
    if (!this.#server) {
      this.#server = await startHeadwater({ dataDir: this.dataDir, settings: this.#settings });
      this.#all.push(this.#server);
    }
    if (!this.#worker) {
      this.#worker = startWorker({ ...this.#settings, "data-dir": this.dataDir });
      this.#all.push(this.#worker);
    }
  }

  /** An upload that a kill cuts off was not acknowledged: whatever becomes of it is right. */
  async upload(path: string): Promise<void> {
    const videoId = await this.server.upload(path).catch(() => undefined);
    if (videoId !== undefined) this.taken.set(videoId, path);
  }

  async remove(videoId: string): Promise<void> {
    this.taken.delete(videoId);
    const isDeleted = await this.server.ask("DELETE", `/api/v1/videos/${videoId}`).then(
      () => true,
      () => false,
    );
    if (isDeleted) this.deleted.add(videoId);
  }

  kill(victims: readonly Victim[]): void {
    const workerPid = this.server.log.findLast(({ msg }) => msg === "worker process started")?.pid;
    const hasEnded = this.server.log.findLast(({ msg }) => msg.startsWith("worker process "))?.msg.includes("ended");
    if (victims.includes("its worker") && typeof workerPid === "number" && !hasEnded) this.#end(workerPid);
    if (victims.includes("another worker")) {
      this.#end(this.#worker?.pid ?? 0);
      this.#worker = undefined;
    }
    if (victims.includes("server")) {
      this.#end(this.server.pid);
      this.#server = undefined;
    }
  }

  #end(pid: number): void {
    try {
      process.kill(pid, "SIGKILL");
      this.killCount += 1;
    } catch (error) {
      // A server's worker may have gone in this instant.
      if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
    }
  }

  /** Resolves with all videos once they are ready, and nothing is to be done any more. */
  async untilIdle(signal: AbortSignal): Promise<readonly string[]> {
    const path = "/api/v1/videos?limit=100";
    const { videos } = await this.server.ask<{ videos: { video_id: string }[] }>("GET", path);
    for (const { video_id: videoId } of videos) await this.server.untilReady(videoId, signal);
    for (const state of ["waiting", "delayed", "active"]) {
      while ((await this.server.ask<{ jobs: object[] }>("GET", `/api/v1/jobs?state=${state}`)).jobs.length > 0) {
        signal.throwIfAborted();
        await delay(100);
      }
    }
    return videos.map(({ video_id: videoId }) => videoId);
  }

  /** Ends all in order. */
  async close(): Promise<void> {
    // Before it is there, a signal ends it as it ends any program.
    await this.#worker?.untilLogged(({ msg }) => msg === "worker started", soon());
    for (const each of [this.#server, this.#worker])
      assert.equal((await each?.stop())?.code, 0, each?.output ?? "it does not run");
    // The output of what was killed ends with the last that wrote to it: nothing is left running.
    for (const each of this.#all) {
      const { stdout, stderr } = await each.ended();
      assert.doesNotMatch(stdout + stderr, /holds the lock of the database/);
    }
    // What ffmpeg a killed worker had ends with its pipes; it runs in the data directory.
    while ((await pidsIn(this.dataDir)).length > 0) await delay(50);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.#all) await each[Symbol.asyncDispose]();
  }
}

/** The processes whose working directory this is. */
async function pidsIn(directoryPath: string): Promise<readonly string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const places = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => "")));
  return pids.filter((_pid, index) => places[index] === directoryPath);
}

/** Every object that the records of a video name. */
function namedKeys({ renditions, texts, files }: StoredVideo, videoId: string): string[] {
  const segments = renditions.flatMap((rendition) => rendition.segments.map(({ key }) => key));
  const others = [...texts, ...files.values()].map(({ key }) => key);
  return [`videos/${videoId}/original`, ...segments, ...others];
}

/** Its segments follow each other from 0 to the film's end, and decode to all of its frames. */
async function checkWhole(store: ObjectStore, video: StoredVideo, source: string): Promise<void> {
  for (const { id, kind, segments, timescale, isComplete, initBytes } of video.renditions) {
    assert.ok(isComplete, id);
    const endOf = segments.reduce((at, { start, duration }) => (start === at ? at + duration : Number.NaN), 0);
    assert.ok(Math.abs(endOf / timescale - SECONDS) < 0.1, `${id} lasts ${endOf / timescale} s, or has a hole`);
    if (kind !== "video") continue;
    const pieces = await Promise.all(segments.map(({ key }) => readObject(store, key)));
    const path = join(directory, "whole.mp4");
    await writeFile(path, Buffer.concat([initBytes, ...pieces]));
    assert.equal(await decodeErrors(path), "", id);
    assert.equal((await frameTimes(path)).length, FRAME_COUNTS.get(source), id);
  }
}

/** Where a site keeps what it has, and how the test looks into it. */
interface Place extends AsyncDisposable {
  readonly settings: Settings;
  readonly videos: VideoRepository;
  readonly store: ObjectStore;
}

async function embeddedPlace(dataDir: string): Promise<Place> {
  await using opening = new AsyncDisposableStack();
  const catalog = await Catalog.open({ dataDir, log: silentLogger });
  opening.defer(() => catalog.close());
  const store = await FileObjectStore.open({ directory: join(dataDir, "objects") });
  const opened = opening.move();
  return { settings: {}, videos: catalog.videos, store, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

async function servedPlace(dataDir: string): Promise<Place> {
  await using opening = new AsyncDisposableStack();
  const postgres = opening.use(await PostgresServer.start());
  const redis = opening.use(await RedisServer.start());
  const s3 = await startS3rver();
  opening.defer(() => s3.close());
  const [databaseUrl, bucket] = [await postgres.createDatabase(), await makeBucket(s3)];
  const catalog = await Catalog.open({ dataDir, databaseUrl, log: silentLogger });
  opening.defer(() => catalog.close());
  const store = new S3ObjectStore({ ...s3, bucket, log: silentLogger });
  opening.defer(() => store.close());
  const settings: Settings = {
    "database-url": databaseUrl,
    "redis-url": redis.url,
    "storage-backend": "s3",
    "storage-endpoint": s3.endpoint,
    "storage-bucket": bucket,
    "storage-access-key-id": s3.credentials?.accessKeyId ?? "",
    "storage-secret-access-key": s3.credentials?.secretAccessKey ?? "",
  };
  const opened = opening.move();
  return { settings, videos: catalog.videos, store, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** Kills at random, so many rounds; then lets all be made, and looks at what is there. */
async function killAndCheck(t: TestContext, rounds: number, makePlace: (dataDir: string) => Promise<Place>) {
  const next = numbersOf(SEED);
  const pick = <Item>(items: readonly Item[]) => items[Math.floor(next() * items.length)] ?? assert.fail("nothing");
  const dataDir = await TestLibrary.directory(t);
  await using place = await makePlace(dataDir);
  await using site = new KilledSite(dataDir, place.settings);
  for (let round = 1; round <= rounds; round++) {
    await site.launch();
    const uploads = [site.upload(pick(FILMS)), ...(next() < 0.5 ? [site.upload(pick(FILMS))] : [])];
    const doomed = next() < 0.2 ? [...site.taken.keys()].at(-1) : undefined;
    await delay(next() * LATEST_KILL_MS);
    const removal = doomed === undefined ? undefined : site.remove(doomed);
    const victims = next() < 0.25 ? VICTIMS : [pick(VICTIMS)];
    t.diagnostic(`round ${round}: kill ${victims.join(", ")}; ${site.taken.size} videos so far`);
    site.kill(victims);
    await Promise.all([...uploads, removal]);
  }
  await site.launch();
  const made = await site.untilIdle(soon(300 + rounds * 30));
  await site.close();
  for (const videoId of site.taken.keys()) assert.ok(made.includes(videoId), `${videoId} was taken and is lost`);
  for (const videoId of site.deleted) assert.ok(!made.includes(videoId), `${videoId} was deleted and is there`);
  await checkStore(place, site);
  t.diagnostic(`${site.killCount} processes killed, ${site.taken.size} videos acknowledged, ${made.length} made`);
}

async function checkStore({ videos, store }: Place, { taken }: KilledSite): Promise<void> {
  const removeVideo = () => assert.fail("none has failed");
  const options = { videos, store, clock: systemClock, failedRetentionMs: 0, removeVideo };
  // All that lies around has to go: what is named has to be left.
  await Array.fromAsync(cleanUp(options, { olderThanMs: -60_000 }));
  const reader = new VideoReader({ videos });
  const named: string[] = [];
  for await (const videoId of videos.ids()) {
    const video = await reader.get(videoId);
    assert.ok(video?.isFinal && video.isPlayable, videoId);
    named.push(...namedKeys(video, videoId));
    const source = taken.get(videoId);
    if (source !== undefined) await checkWhole(store, video, source);
  }
  assert.deepEqual(await keysOf(store, ""), named.sort(), "just what is named is there, each object once");
  assert.deepEqual(await store.removeLeftovers(-60_000), []);
}

const limitOf = (rounds: number) => ({ timeout: 600_000 + rounds * 60_000 });
const SENTENCE = "nothing acknowledged is lost, nothing is left over";

test(`${ROUNDS} rounds of kill -9, seed ${SEED}: ${SENTENCE}`, limitOf(ROUNDS), (t) =>
  killAndCheck(t, ROUNDS, embeddedPlace),
);

test(`the same on PostgreSQL, Redis and S3, seed ${SEED}: ${SENTENCE}`, limitOf(ROUNDS), (t) =>
  killAndCheck(t, Math.max(1, ROUNDS - 1), servedPlace),
);
