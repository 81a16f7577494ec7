import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { VideoId } from "../src/core/ids.ts";
import { type Headwater, type Settings, soon, startHeadwater, startWorker } from "./support/headwater.ts";
import { TestLibrary } from "./support/libraries.ts";
import type { LoggedProcess } from "./support/logged-process.ts";
import { PostgresServer } from "./support/postgres-server.ts";
import { sourceDirectory, writeSource } from "./support/source-files.ts";

const directory = await sourceDirectory();
const PATIENT = { timeout: 600_000 };
/** So slow that some job is under way for as long as a test takes. */
const SLOW: Settings = { "video-preset": "medium", "video-profiles": "360p,240p", "jobs-concurrency": "1" };

const film = (name: string, seconds: number) =>
  writeSource(
    ...["-f", "lavfi", "-i", `testsrc2=s=640x360:r=25:d=${seconds}`, "-f", "lavfi", "-i", `sine=f=440:d=${seconds}`],
    ...["-c:v", "mpeg4", "-q:v", "6", "-c:a", "libmp3lame", join(directory, name)],
  );
const LONG_FILM = await film("long.avi", 60);
const SHORT_FILM = await film("short.avi", 3);

/** A data directory with a video in it that nobody has begun to make. */
async function withVideo(t: TestContext, path: string): Promise<{ opened: TestLibrary; videoId: VideoId }> {
  const opened = await TestLibrary.open(t, { limits: { maxDurationMs: 120_000 } });
  const { video } = await opened.upload(path);
  return { opened, videoId: video.videoId };
}

/** Resolves with the pid of the `count`-th worker that the server has started, once that takes jobs. */
async function untilWorker(server: Headwater, count = 1): Promise<number> {
  for (;;) {
    const started = server.log.filter(({ msg }) => msg === "worker started");
    const pid = server.log.filter(({ msg }) => msg === "worker process started").at(count - 1)?.pid;
    if (started.length >= count && typeof pid === "number") return pid;
    const seen = server.log.length;
    await server.untilLogged((line) => server.log.indexOf(line) >= seen, soon());
  }
}

/** Resolves when an encode is under way; no event of another process tells of it. */
async function untilEncoding({ jobs }: TestLibrary): Promise<void> {
  while ((await jobs.list({ state: "active", kind: "video.encode", limit: 1 })).jobs.length === 0) await delay(20);
}

/** What was in hand waits as if nobody had begun it. */
async function checkGivenBack({ jobs }: TestLibrary): Promise<void> {
  const { active, waiting } = await jobs.counts();
  assert.equal(active, 0);
  assert.ok(waiting > 0);
  const all = (await jobs.list({ state: "waiting", limit: 100 })).jobs;
  assert.deepEqual(new Set(all.map(({ attemptCount }) => attemptCount)), new Set([0]));
}

const logged = ({ log }: LoggedProcess, message: string) => log.some(({ msg }) => msg === message);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test("a server starts a worker when there is work, and ends it with itself", PATIENT, async (t) => {
  const { opened, videoId } = await withVideo(t, SHORT_FILM);
  const worker = opened.work();
  await opened.until(videoId, "ready");
  await worker.close();
  await using server = await startHeadwater({ dataDir: opened.dataDir });
  await server.ask("GET", `/api/v1/videos/${videoId}`);
  assert.equal(logged(server, "worker process started"), false, "nothing was to be done");
  await server.ask("POST", `/api/v1/videos/${videoId}/renditions/240p/retry`);
  const pid = await untilWorker(server);
  await opened.until(videoId, "ready", "errored");
  assert.equal((await opened.catalog.videos.get(videoId))?.status, "ready");
  const { code } = await server.stop();
  assert.equal(code, 0);
  assert.equal(isAlive(pid), false);
  assert.ok(logged(server, "worker closed"));
});

test("a worker that is killed is started again, and the video is made", PATIENT, async (t) => {
  const { opened, videoId } = await withVideo(t, SHORT_FILM);
  await using server = await startHeadwater({ dataDir: opened.dataDir, settings: { "jobs-lease": "2s" } });
  for (const [index, retryInMs] of [500, 1_000].entries()) {
    process.kill(await untilWorker(server, index + 1), "SIGKILL");
    const isRestart = (line: object) => "retryInMs" in line && line.retryInMs === retryInMs;
    const { msg, reason } = await server.untilLogged(isRestart, soon());
    assert.deepEqual([msg, reason], ["worker process ended by itself", "SIGKILL"]);
  }
  await untilWorker(server, 3);
  await opened.until(videoId, "ready", "errored");
  assert.equal((await opened.catalog.videos.get(videoId))?.status, "ready");
});

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  test(`${signal} of the server ends its worker, which gives back what it had in hand`, PATIENT, async (t) => {
    const { opened } = await withVideo(t, LONG_FILM);
    await using server = await startHeadwater({ dataDir: opened.dataDir, settings: SLOW });
    await untilWorker(server);
    await untilEncoding(opened);
    // Its output ends when the last of both has ended.
    const { code } = await server.stop(signal);
    assert.equal(code, signal === "SIGTERM" ? 0 : null);
    assert.ok(logged(server, "worker closed"));
    await checkGivenBack(opened);
  });
}

test("Ctrl-C, which reaches both, is one orderly end", PATIENT, async (t) => {
  const { opened } = await withVideo(t, LONG_FILM);
  await using server = await startHeadwater({ dataDir: opened.dataDir, settings: SLOW, ownsGroup: true });
  await untilWorker(server);
  await untilEncoding(opened);
  process.kill(-server.pid, "SIGINT");
  const { code } = await server.ended();
  assert.equal(code, 0);
  assert.ok(logged(server, "worker closed") && logged(server, "closed"));
  await checkGivenBack(opened);
});

test("a worker of its own makes videos, and gives them back at SIGTERM", PATIENT, async (t) => {
  const { opened, videoId } = await withVideo(t, LONG_FILM);
  const settings = { ...SLOW, "data-dir": opened.dataDir };
  {
    await using worker = startWorker(settings);
    await untilEncoding(opened);
    const { code, stderr } = await worker.stop();
    assert.equal(code, 0, stderr);
    await checkGivenBack(opened);
  }
  await opened.library.remove(videoId);
  const { video } = await opened.upload(SHORT_FILM);
  await using worker = startWorker(settings);
  await opened.until(video.videoId, "ready", "errored");
  assert.equal((await opened.catalog.videos.get(video.videoId))?.status, "ready", worker.output);
});

test("a worker of its own waits for a PostgreSQL that went away", PATIENT, async (t) => {
  await using postgres = await PostgresServer.start();
  const settings = { "data-dir": await TestLibrary.directory(t), "database-url": await postgres.createDatabase() };
  await using worker = startWorker(settings);
  await worker.untilLogged(({ msg }) => msg === "worker started", soon());
  await postgres.crash();
  // Both of its loops, for what is light and what is not.
  const untilBoth = async (message: string) => {
    const isLogged = () => worker.log.filter(({ msg }) => msg === message).length >= 2;
    await worker.untilLogged(isLogged, soon());
  };
  await untilBoth("the table of jobs does not answer");
  await postgres.launch();
  await untilBoth("the table of jobs answers again");
  assert.equal((await worker.stop()).code, 0);
});

test("a worker says in one line what keeps it from starting", PATIENT, async (t) => {
  const dataDir = await TestLibrary.directory(t);
  const refused = async (settings: Settings, sentence: RegExp) => {
    await using worker = startWorker({ "data-dir": dataDir, ...settings });
    const { code, stderr } = await worker.ended();
    assert.equal(code, 1);
    assert.match(stderr, sentence);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
  };
  await refused({ "storage-backend": "memory" }, /^headwater: storage\.backend = memory: no other process/);
  await refused({ "transcode-ffmpeg-path": "/nowhere/ffmpeg" }, /^headwater: \/nowhere\/ffmpeg was not found/);
  await refused({ "redis-url": "redis://127.0.0.1:1" }, /^headwater: the job queue does not answer/);
});

test("a server that keeps videos in memory makes them itself", PATIENT, async (t) => {
  const dataDir = await TestLibrary.directory(t);
  await using server = await startHeadwater({ dataDir, settings: { "storage-backend": "memory" } });
  const answer = await server.get("/readyz");
  assert.equal(answer.status, 200);
  assert.equal(logged(server, "worker process started"), false);
});
