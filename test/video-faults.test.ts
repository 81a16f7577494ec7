// OUTAGE_SECONDS=30 npm test -- test/video-faults.test.ts: each server is away for as long.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Catalog } from "../src/catalog/catalog.ts";
import { parseVideoId } from "../src/core/ids.ts";
import { silentLogger } from "../src/core/logger.ts";
import { SHORT } from "./support/films.ts";
import {
  type Headwater,
  type Settings,
  soon,
  startHeadwater,
  startWorker,
  type TestStream,
} from "./support/headwater.ts";
import { TestLibrary } from "./support/libraries.ts";
import type { LoggedProcess, LogLine } from "./support/logged-process.ts";
import { PostgresServer } from "./support/postgres-server.ts";
import { publishWithFfmpeg, type RunningProgram } from "./support/publishers.ts";
import { readPresentation, rendition } from "./support/readers.ts";
import { RedisServer } from "./support/redis-server.ts";
import { type CrashableS3Server, makeBucket, startS3rver } from "./support/s3-server.ts";
import { sourceDirectory, writeSource } from "./support/source-files.ts";

const OUTAGE_SECONDS = Number(process.env.OUTAGE_SECONDS ?? 0);
const PATIENT = { timeout: 600_000 + 2_000 * OUTAGE_SECONDS };

const directory = await sourceDirectory();
const film = (seconds: number) =>
  writeSource(
    ...["-f", "lavfi", "-i", `testsrc2=s=426x240:r=25:d=${seconds}`, "-f", "lavfi", "-i", `sine=f=440:d=${seconds}`],
    ...["-c:v", "mpeg4", "-q:v", "5", "-c:a", "libmp3lame", join(directory, `${seconds}.avi`)],
  );
const FILM = await film(24);
const SHORT_FILM = await film(2);

/** An answer of the API as a client sees it. */
async function problemOf(answer: Response): Promise<readonly [number, string | null, unknown]> {
  const body = (await answer.json()) as { readonly code?: unknown };
  return [answer.status, answer.headers.get("content-type"), body.code];
}

const UNAVAILABLE = [503, "application/problem+json", "UNAVAILABLE"] as const;

describe("on PostgreSQL, Redis and S3", () => {
  const running = new AsyncDisposableStack();
  let [postgres, redis, s3]: [PostgresServer?, RedisServer?, CrashableS3Server?] = [];
  let server: Headwater;
  let workers: readonly LoggedProcess[];
  let stream: TestStream;
  let publisher: RunningProgram;
  let databaseUrl = "";

  before(async () => {
    postgres = running.use(await PostgresServer.start());
    redis = running.use(await RedisServer.start());
    s3 = await startS3rver();
    running.defer(() => s3?.close());
    databaseUrl = await postgres.createDatabase();
    const settings: Settings = {
      "database-url": databaseUrl,
      "redis-url": redis.url,
      "storage-backend": "s3",
      "storage-endpoint": s3.endpoint,
      "storage-bucket": await makeBucket(s3),
      "storage-access-key-id": s3.credentials?.accessKeyId ?? "",
      "storage-secret-access-key": s3.credentials?.secretAccessKey ?? "",
      "jobs-worker": "false",
      "jobs-concurrency": "1",
      "jobs-lease": "5s",
      ...SHORT,
    };
    // As on machines of their own: a directory of its own for each.
    workers = [1, 2].map((n) => running.use(startWorker({ ...settings, "data-dir": join(directory, `machine-${n}`) })));
    server = running.use(await startHeadwater({ dataDir: join(directory, "machine-0"), settings }));
    stream = await server.createStream({ transcode: false });
    publisher = running.use(publishWithFfmpeg(stream.publishUrl));
    await stream.until("live", soon());
    for (const worker of workers) await worker.untilLogged(({ msg }) => msg === "worker started", soon());
  }, PATIENT);
  after(() => running.disposeAsync());

  async function newestSegment(): Promise<number> {
    const { segments } = rendition(await readPresentation(stream.hlsUrl), "source");
    return segments.at(-1)?.msn ?? Number.NaN;
  }

  /** Viewers get more of the stream that was on air before. */
  async function untilLiveGoesOn(signal = soon()): Promise<void> {
    const first = await newestSegment();
    while ((await newestSegment()) < first + 2) {
      signal.throwIfAborted();
      await delay(100);
    }
  }

  async function untilReadiness(status: number, signal = soon()): Promise<void> {
    for (;;) {
      const answer = await server.get("/readyz");
      if (answer.status === status) return;
      if (signal.aborted) throw new Error(`/readyz answers ${answer.status}: ${await answer.text()}\n${server.output}`);
      await delay(100);
    }
  }

  const ask = (method: string, path: string) =>
    server.get(path, { method, headers: { authorization: `Bearer ${server.adminToken}` } });

  /** An upload is refused as long as nobody could keep it. */
  async function untilRefused(): Promise<undefined> {
    assert.deepEqual(await problemOf(await server.tryUpload(SHORT_FILM)), UNAVAILABLE);
  }

  /** No process has ended, and each says so. */
  async function checkRunning(): Promise<void> {
    assert.equal((await server.get("/healthz")).status, 200);
    for (const worker of workers) process.kill(worker.pid, 0);
    assert.equal((await stream.now()).state, "live");
  }

  test("two workers on machines of their own make one video together", PATIENT, async (t) => {
    const videoId = await server.upload(FILM);
    await server.untilReady(videoId, soon(400));
    const catalog = await Catalog.open({ dataDir: await TestLibrary.directory(t), databaseUrl, log: silentLogger });
    t.after(() => catalog.close());
    const id = parseVideoId(videoId);
    assert.ok(id);
    const chunks = await catalog.videos.chunks(id, { renditionId: "240p" });
    assert.deepEqual(
      chunks.map(({ index }) => index),
      [...chunks.keys()],
    );
    // The name of an attempt begins with its number and its worker; what a video opens with has workers of its own.
    const makers = new Set(chunks.slice(1).map(({ keyPrefix }) => /\/\d+-([0-9a-f-]{36})/.exec(keyPrefix)?.[1]));
    assert.equal(makers.size, 2, [...makers].join());
  });

  const outages = [
    {
      what: "PostgreSQL",
      crash: () => postgres?.crash(),
      launch: () => postgres?.launch(),
      isRefused: () => ask("GET", "/api/v1/videos"),
    },
    {
      what: "Redis",
      crash: () => redis?.kill(),
      launch: () => redis?.start(),
      isRefused: () => ask("GET", "/api/v1/jobs"),
    },
    { what: "S3", crash: () => s3?.crash(), launch: () => s3?.launch(), isRefused: () => server.tryUpload(FILM) },
  ];
  for (const { what, crash, launch, isRefused } of outages) {
    test(`${what} goes away in the middle of the work, which goes on when it is back`, PATIENT, async () => {
      const videoId = await server.upload(FILM);
      const counts = workers.map(({ log }) => log.length);
      while ((await server.ask<{ progress: number }>("GET", `/api/v1/videos/${videoId}`)).progress === 0)
        await delay(20);
      await crash();
      await Promise.any(
        workers.map((worker, index) => {
          const isNew = (line: LogLine) => worker.log.indexOf(line) >= (counts[index] ?? 0);
          return worker.untilLogged((line) => isNew(line) && ["warn", "error"].includes(line.level), soon());
        }),
      );
      await untilReadiness(503);
      assert.deepEqual(await problemOf(await isRefused()), UNAVAILABLE);
      // Records and media are there: what is only to be asked of the queue is made up for.
      const meanwhile = what === "Redis" ? await server.upload(SHORT_FILM) : await untilRefused();
      await untilLiveGoesOn();
      await delay(OUTAGE_SECONDS * 1000);
      await launch();
      await untilReadiness(200);
      await server.untilReady(videoId, soon(400));
      await server.untilReady(meanwhile ?? (await server.upload(SHORT_FILM)), soon(400));
      await untilLiveGoesOn();
      await checkRunning();
    });
  }

  test("all of them end in order after that", PATIENT, async () => {
    await publisher.stop();
    for (const each of [server, ...workers]) {
      const { code, stdout, stderr } = await each.stop();
      assert.equal(code, 0, stderr);
      assert.doesNotMatch(stdout + stderr, /unhandled|uncaught/i);
    }
  });
});
