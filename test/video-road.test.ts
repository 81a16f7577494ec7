import assert from "node:assert/strict";
import { readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { VideoRecord } from "../src/catalog/video-record.ts";
import { systemClock } from "../src/core/clock.ts";
import { DomainError } from "../src/core/errors.ts";
import type { VideoId } from "../src/core/ids.ts";
import type { JobHandler } from "../src/jobs/job-queue.ts";
import { prepareJob } from "../src/library/video-jobs.ts";
import { VideoReader } from "../src/library/video-reader.ts";
import type { StoredRendition, StoredVideo } from "../src/packaging/stored-rendition.ts";
import { TestLibrary } from "./support/libraries.ts";
import { decodeErrors, frameTimes, sourceDirectory, writeSource } from "./support/source-files.ts";

const directory = await sourceDirectory();
const PATIENT = { timeout: 300_000 };
const SECONDS = 7;
/** Of a film whose only closed group would be too long for a segment. */
const LONGER_THAN_A_GROUP = 12;

/** A film of test pictures and a tone, with these options for its encoding. */
function film(
  name: string,
  options: string,
  { size = "640x360", seconds = SECONDS, audio = true } = {},
): Promise<string> {
  const tone = audio ? ["-f", "lavfi", "-i", `sine=f=440:d=${seconds}`] : [];
  const picture = ["-f", "lavfi", "-i", `testsrc2=s=${size}:r=25:d=${seconds}`];
  return writeSource(...picture, ...tone, ...options.split(" "), join(directory, name));
}

const SHORT_GOPS = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 20 -keyint_min 20 -sc_threshold 0 -bf 2";
const NOT_COPIED = "-c:v mpeg4 -q:v 4 -c:a libmp3lame";

async function shown(opened: TestLibrary, { videoId }: VideoRecord): Promise<StoredVideo> {
  const reader = new VideoReader({ videos: opened.catalog.videos });
  const video = await reader.get(videoId);
  assert.ok(video);
  return video;
}

/** A rendition as one file. */
async function joined(opened: TestLibrary, rendition: StoredRendition, name: string): Promise<string> {
  const pieces = await Promise.all(
    rendition.segments.map(async ({ key }) => {
      const object = await opened.store.get(key);
      assert.ok(object, key);
      return Buffer.concat(await Array.fromAsync(object.body));
    }),
  );
  const path = join(directory, name);
  await writeFile(path, Buffer.concat([rendition.initBytes, ...pieces]));
  return path;
}

/** Every rendition decodes without complaint, has the source's frames, and its segments follow each other from 0. */
async function checkWhole(opened: TestLibrary, video: StoredVideo, source: string, label: string): Promise<void> {
  const frameCount = (await frameTimes(source)).length;
  for (const rendition of video.renditions) {
    const { id, kind, segments, timescale, isComplete } = rendition;
    assert.ok(isComplete, id);
    let at = 0;
    for (const { start, duration } of segments) {
      assert.equal(start, at, `${label} ${id}: a hole`);
      at += duration;
    }
    assert.ok(
      Math.abs(at / timescale - (video.durationMs ?? 0) / 1000) < 0.1,
      `${label} ${id} lasts ${at / timescale} s`,
    );
    if (kind !== "video") continue;
    const path = await joined(opened, rendition, `${label}-${id}.mp4`);
    assert.equal(await decodeErrors(path), "", `${label} ${id}`);
    assert.equal((await frameTimes(path)).length, frameCount, `${label} ${id}`);
  }
}

const idsOf = (video: StoredVideo) => video.renditions.map(({ id }) => id);

/** Nothing lies in the store but what records name. */
async function checkNoOrphans(opened: TestLibrary): Promise<void> {
  await opened.untilIdle();
  assert.deepEqual(await opened.library.cleanUp({ isDryRun: true, olderThanMs: -1 }), []);
}

/** Aborts the worker when it has begun this many jobs of the kind; resolves when it has. */
function workUntil(opened: TestLibrary, kind: string, count: number): Promise<void> {
  const handler = opened.library.handlers[kind];
  assert.ok(handler);
  let begun = 0;
  return new Promise((resolve) => {
    const worker = opened.work(1, {
      [kind]: async (attempt) => {
        begun += 1;
        if (begun === count) void worker.close().then(resolve);
        return handler(attempt);
      },
    });
  });
}

const startsOf = (video: StoredVideo, id: string) =>
  video.renditions.find((rendition) => rendition.id === id)?.segments.map(({ start }) => start);

/** Kept as it came in segments of 1.6 s, where a plan would have some of 1 s. */
const LONG_GOPS = `${SHORT_GOPS.replaceAll(" 20", " 40")} -b:v 400k -maxrate 500k -bufsize 500k -c:a aac`;

/** Has no room for the source's picture once a rung beside it has begun. */
function refuseRestOfSource({ store, catalog }: TestLibrary, videoId: VideoId): void {
  const put = store.put.bind(store);
  let count = 0;
  store.put = async (key, ...rest) => {
    if (!key.includes("/source/") || count++ < 2) return put(key, ...rest);
    const isBegun = async () =>
      (await catalog.videos.committedChunks(videoId)).some(({ renditionId }) => renditionId === "240p");
    while (!(await isBegun())) await new Promise<void>((resolve) => systemClock.after(20, resolve));
    throw new DomainError("STORAGE_FULL");
  };
}

/** Of each ffmpeg that this process has running: how far it steps back, and how many threads decode in it. */
async function encodersRunning(): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const running = await Promise.all(
    pids.map(async (pid) => {
      try {
        const facts = await readFile(`/proc/${pid}/stat`, "latin1");
        const [, parent, ...rest] = facts.slice(facts.lastIndexOf(")") + 2).split(" ");
        const words = (await readFile(`/proc/${pid}/cmdline`, "latin1")).split("\0");
        if (Number(parent) !== process.pid || !words.includes("libx264")) return [];
        return [`${words[words.indexOf("-threads:v") + 1]} at ${rest[14]}`];
      } catch {
        // It ended meanwhile.
        return [];
      }
    }),
  );
  return running.flat();
}

test("what a video opens with has all cores and goes before its chunks, which have a core each", PATIENT, async (t) => {
  const source = await film("opened.avi", NOT_COPIED);
  const opened = await TestLibrary.open(t);
  const { video } = await opened.upload(source);
  opened.work();
  const seen = new Set<string>();
  const isUnderWay = async () => {
    const status = (await opened.catalog.videos.get(video.videoId))?.status;
    return status === "preparing" || status === "playable";
  };
  while (await isUnderWay()) {
    for (const encoder of await encodersRunning()) seen.add(encoder);
    await delay(10);
  }
  assert.ok(seen.has("2 at 10") && seen.has("1 at 19"), [...seen].join());
  assert.equal(seen.has("1 at 10"), false);
});

describe("a video on its road", { concurrency: 2 }, () => {
  test("keeps H.264 as it came, and makes rungs with its borders", PATIENT, async (t) => {
    // So little that a rung of the same size would gain nothing.
    const source = await film("copied.mp4", `${SHORT_GOPS} -b:v 400k -maxrate 500k -bufsize 500k -c:a aac`);
    const opened = await TestLibrary.open(t);
    opened.work();
    const { video, metadata } = await opened.upload(source);
    assert.deepEqual([metadata.format, metadata.width, metadata.codec], ["mp4", 640, "h264"]);
    const ready = await opened.until(video.videoId, "ready", "errored");
    assert.deepEqual([ready.status, ready.error], ["ready", null]);
    const stored = await shown(opened, ready);
    assert.deepEqual([stored.isPlayable, stored.isFinal], [true, true]);
    assert.deepEqual(idsOf(stored), ["source", "240p", "audio_source"]);
    await checkWhole(opened, stored, source, "copied");
    assert.deepEqual(startsOf(stored, "240p"), startsOf(stored, "source"));
    await checkNoOrphans(opened);
  });

  test("encodes what players do not know, playable before it is whole", PATIENT, async (t) => {
    const source = await film("encoded.avi", NOT_COPIED);
    const opened = await TestLibrary.open(t);
    const { video } = await opened.upload(source);
    opened.work(1);
    const playable = await opened.until(video.videoId, "playable", "ready", "errored");
    assert.notEqual(playable.status, "errored", JSON.stringify(playable.error));
    const growing = await shown(opened, playable);
    assert.ok(growing.isPlayable);
    const ready = await opened.until(video.videoId, "ready", "errored");
    assert.equal(ready.status, "ready");
    const stored = await shown(opened, ready);
    assert.deepEqual(idsOf(stored), ["360p", "240p", "audio_aac_48"]);
    await checkWhole(opened, stored, source, "encoded");
    const progress = await opened.library.progress(video.videoId);
    assert.deepEqual([progress.share, progress.remainingMs], [1, undefined]);
    await checkNoOrphans(opened);
  });

  test("encodes H.264 whose groups of pictures cannot be cut, and says why", PATIENT, async (t) => {
    const source = await film(
      "open.mp4",
      `-c:v libx264 -preset ultrafast -pix_fmt yuv420p -x264-params open-gop=1:keyint=20:bframes=3 -c:a aac`,
      { seconds: LONGER_THAN_A_GROUP },
    );
    const opened = await TestLibrary.open(t);
    opened.work();
    const { video } = await opened.upload(source);
    const ready = await opened.until(video.videoId, "ready", "errored");
    assert.equal(ready.status, "ready");
    const renditions = await opened.catalog.videos.renditions(video.videoId);
    const copy = renditions.find(({ renditionId }) => renditionId === "source");
    if (copy?.status === "errored") {
      assert.match(copy.error ?? "", /not kept as it came/);
      const stored = await shown(opened, ready);
      assert.deepEqual(idsOf(stored).sort(), ["240p", "360p", "audio_source"]);
      await checkWhole(opened, stored, source, "open");
    } else assert.fail("the open groups were not noticed");
  });

  test("refuses what is no video, and leaves nothing behind", PATIENT, async (t) => {
    const opened = await TestLibrary.open(t);
    const cut = await film("cut.mp4", `${SHORT_GOPS} -c:a aac`, { seconds: 2 });
    await truncate(cut, Math.floor((await stat(cut)).size / 2));
    const playlist = join(directory, "playlist.mp4");
    await writeFile(playlist, "#EXTM3U\n#EXTINF:2,\n/etc/hostname\n");
    await assert.rejects(opened.upload(cut), { code: "MEDIA_DAMAGED" });
    await assert.rejects(opened.upload(playlist), { code: "NOT_MEDIA", message: /an HLS playlist/ });
    assert.deepEqual(await opened.keys(), []);
    assert.equal((await opened.jobs.counts()).waiting, 0);
  });

  test("keeps sound alone, and every track of sound and text", PATIENT, async (t) => {
    const words = join(directory, "words.srt");
    await writeFile(words, "1\n00:00:01,000 --> 00:00:02,000\nHello there\n");
    const tracks = join(directory, "tracks.mkv");
    const inputs = [
      "-f",
      "lavfi",
      "-i",
      `sine=f=440:d=${SECONDS}`,
      "-f",
      "lavfi",
      "-i",
      `sine=f=880:d=${SECONDS}`,
      "-i",
      words,
    ];
    const names = [
      "-metadata:s:a:0",
      "language=eng",
      "-metadata:s:a:1",
      "language=fre",
      "-metadata:s:s:0",
      "language=eng",
    ];
    await writeSource(
      ...inputs,
      "-map",
      "0",
      "-map",
      "1",
      "-map",
      "2",
      ...names,
      "-c:a",
      "flac",
      "-c:s",
      "subrip",
      tracks,
    );
    const opened = await TestLibrary.open(t);
    opened.work();
    const { video } = await opened.upload(tracks);
    const ready = await opened.until(video.videoId, "ready", "errored");
    assert.equal(ready.status, "ready", JSON.stringify(ready.error));
    const stored = await shown(opened, ready);
    assert.ok(stored.isPlayable);
    assert.deepEqual(
      stored.renditions.map(({ kind }) => kind).filter((kind) => kind !== "audio"),
      [],
    );
    assert.deepEqual(
      [...new Set(stored.renditions.map(({ language, label }) => `${language} ${label}`))],
      ["en English", "fr French"],
    );
    const [text] = stored.texts;
    assert.deepEqual([text?.id, text?.language], ["text_en", "en"]);
    const object = await opened.store.get(text?.key ?? "");
    assert.ok(object);
    const vtt = Buffer.concat(await Array.fromAsync(object.body));
    assert.equal(vtt.length, text?.sizeBytes);
    assert.match(vtt.toString(), /^WEBVTT[\s\S]*00:01\.000 --> 00:00:02\.000\nHello there/);
    await checkNoOrphans(opened);
  });

  test("goes on where it was when workers end in the middle", PATIENT, async (t) => {
    const source = await film("resumed.avi", NOT_COPIED);
    const opened = await TestLibrary.open(t);
    const { video } = await opened.upload(source);
    await workUntil(opened, "video.encode", 1);
    await workUntil(opened, "video.encode", 1);
    opened.work();
    const ready = await opened.until(video.videoId, "ready", "errored");
    assert.equal(ready.status, "ready");
    await checkWhole(opened, await shown(opened, ready), source, "resumed");
    await checkNoOrphans(opened);
  });

  test("makes the jobs anew when the queue has lost them", PATIENT, async (t) => {
    const source = await film("swept.avi", NOT_COPIED, { audio: true });
    const opened = await TestLibrary.open(t);
    const { video } = await opened.upload(source);
    for (const { jobId } of (await opened.jobs.list({ limit: 100 })).jobs) await opened.jobs.cancel(jobId);
    opened.work();
    await opened.library.sweep();
    const ready = await opened.until(video.videoId, "ready", "errored");
    assert.equal(ready.status, "ready");
  });

  test("deletes a video in any state, with everything that was made of it", PATIENT, async (t) => {
    const source = await film("deleted.avi", NOT_COPIED);
    const opened = await TestLibrary.open(t);
    const preparing = (await opened.upload(source)).video;
    assert.equal(await opened.library.remove(preparing.videoId), true);
    const half = (await opened.upload(source)).video;
    opened.work(1);
    await opened.until(half.videoId, "playable", "ready");
    assert.equal(await opened.library.remove(half.videoId), true);
    const whole = (await opened.upload(source)).video;
    await opened.until(whole.videoId, "ready");
    assert.equal(await opened.library.remove(whole.videoId), true);
    assert.equal(await opened.library.remove(whole.videoId), false);
    await opened.untilIdle();
    assert.deepEqual(await opened.keys(), []);
    assert.deepEqual((await opened.catalog.videos.list({ limit: 10 })).videos, []);
  });

  test("stops making a video, and goes on when asked to", PATIENT, async (t) => {
    const source = await film("stopped.avi", NOT_COPIED);
    const opened = await TestLibrary.open(t);
    const { video } = await opened.upload(source);
    await workUntil(opened, "video.encode", 1);
    await opened.library.cancel(video.videoId);
    const stopped = await opened.until(video.videoId, "errored", "ready");
    assert.deepEqual([stopped.status, stopped.error?.code], ["errored", "VIDEO_CANCELLED"]);
    await assert.rejects(opened.library.cancel(video.videoId), { code: "VIDEO_CONFLICT" });
    const asked: (string | undefined)[] = [];
    const add = opened.jobs.add.bind(opened.jobs);
    opened.jobs.add = (job) => {
      asked.push(job.dedupKey);
      return add(job);
    };
    await opened.library.transcode(video.videoId, { profiles: undefined });
    opened.work();
    const ready = await opened.until(video.videoId, "ready");
    await checkWhole(opened, await shown(opened, ready), source, "stopped");
    assert.deepEqual(asked, [...new Set(asked)], "jobs from before find nothing to do, and ask for nothing again");
  });

  test("begins a rung anew when the source that it was stopped beside is kept after all", PATIENT, async (t) => {
    const source = await film("astray.mp4", LONG_GOPS);
    const opened = await TestLibrary.open(t);
    const { videoId } = (await opened.upload(source)).video;
    await workUntil(opened, "video.repackage", 1);
    await opened.library.cancel(videoId);
    await opened.library.retryRendition(videoId, "240p");
    await workUntil(opened, "video.encode", 1);
    assert.deepEqual(
      (await opened.catalog.videos.committedChunks(videoId)).map(({ renditionId, index }) => [renditionId, index]),
      [["240p", 0]],
    );
    await opened.library.retryRendition(videoId, "source");
    await opened.library.retryRendition(videoId, "audio_source");
    opened.work();
    const stored = await shown(opened, await opened.until(videoId, "ready"));
    assert.deepEqual(idsOf(stored), ["source", "240p", "audio_source"]);
    await checkWhole(opened, stored, source, "astray");
    assert.deepEqual(startsOf(stored, "240p"), startsOf(stored, "source"));
  });

  test("begins a rung anew when the source beside it is given up in the middle", PATIENT, async (t) => {
    const source = await film("alone.mp4", LONG_GOPS);
    const opened = await TestLibrary.open(t);
    const { videoId } = (await opened.upload(source)).video;
    refuseRestOfSource(opened, videoId);
    const repackage = opened.library.handlers["video.repackage"];
    assert.ok(repackage);
    const lastAttempt: JobHandler = ({ job, ...attempt }) =>
      repackage({ ...attempt, job: { ...job, attemptCount: job.maxAttempts } });
    opened.work(2, { "video.repackage": lastAttempt });
    const stored = await shown(opened, await opened.until(videoId, "ready", "errored"));
    const [copy] = await opened.catalog.videos.renditions(videoId);
    assert.deepEqual([copy?.renditionId, copy?.status], ["source", "errored"]);
    assert.ok(idsOf(stored).includes("240p"), idsOf(stored).join());
    const rungs = stored.renditions.filter(({ id }) => id === "240p");
    await checkWhole(opened, { ...stored, renditions: rungs }, source, "alone");
  });

  test("makes more of a video that is ready, and one rendition anew", PATIENT, async (t) => {
    const source = await film("more.avi", NOT_COPIED, { size: "864x480" });
    const opened = await TestLibrary.open(t, { planning: { profiles: ["240p"] } });
    opened.work();
    const { video } = await opened.upload(source);
    await opened.until(video.videoId, "ready");
    const jobId = await opened.library.transcode(video.videoId, { profiles: ["480p", "2160p"] });
    assert.equal((await opened.jobs.get(jobId))?.data.videoId, video.videoId);
    await opened.untilIdle();
    const more = await opened.until(video.videoId, "ready");
    const before = await shown(opened, more);
    assert.ok(idsOf(before).includes("480p"), idsOf(before).join());
    await opened.library.retryRendition(video.videoId, "240p");
    const again = await opened.until(video.videoId, "ready");
    const after = await shown(opened, again);
    const epochOf = (stored: StoredVideo, id: string) => stored.renditions.find((each) => each.id === id)?.epoch;
    assert.notEqual(epochOf(after, "240p"), epochOf(before, "240p"));
    assert.equal(epochOf(after, "480p"), epochOf(before, "480p"));
    await checkWhole(opened, after, source, "more");
    await assert.rejects(opened.library.retryRendition(video.videoId, "99p"), { code: "NOT_FOUND" });
  });

  test("makes a video after all that was stopped, or lost its workers, before it had a plan", PATIENT, async (t) => {
    const source = await film("unplanned.avi", NOT_COPIED, { seconds: 2, audio: false });
    const opened = await TestLibrary.open(t, { planning: { profiles: ["240p"] } });
    const { videoId } = (await opened.upload(source)).video;
    await opened.library.cancel(videoId);
    assert.equal((await opened.until(videoId, "errored")).error?.code, "VIDEO_CANCELLED");
    const jobId = await opened.library.transcode(videoId, { profiles: undefined });
    assert.equal((await opened.until(videoId, "preparing")).error, null);

    await opened.jobs.cancel(jobId);
    await opened.jobs.add({ ...prepareJob(videoId), maxAttempts: 1 });
    const lost = opened.work(1, { "video.prepare": () => Promise.reject(new DomainError("WORKER_LOST")) });
    await opened.untilIdle();
    await lost.close();
    await opened.library.sweep();
    assert.equal((await opened.until(videoId, "errored")).error?.code, "WORKER_LOST");
    await opened.library.transcode(videoId, { profiles: undefined });
    await opened.library.sweep();
    assert.equal((await opened.catalog.videos.get(videoId))?.status, "preparing", "it failed before that");

    opened.work();
    await checkWhole(opened, await shown(opened, await opened.until(videoId, "ready", "errored")), source, "unplanned");
  });

  test("tries again what limits refused, but no file that cannot be read", PATIENT, async (t) => {
    const source = await film("refused.avi", NOT_COPIED, { seconds: 2 });
    const opened = await TestLibrary.open(t);
    const fail = async (code: string) => {
      const { videoId } = (await opened.upload(source)).video;
      await opened.catalog.videos.setStatus(videoId, { status: "errored", error: { code, message: "so it is" } });
      return opened.library.transcode(videoId, { profiles: undefined });
    };
    await assert.rejects(fail("MEDIA_DAMAGED"), { code: "VIDEO_CONFLICT", message: /so it is/ });
    await assert.rejects(fail("NOT_MEDIA"), { code: "VIDEO_CONFLICT" });
    await fail("DURATION_EXCEEDED");
  });

  test("says why nothing could be made, and clears it away when it is old", PATIENT, async (t) => {
    const source = await film("lost.avi", NOT_COPIED, { seconds: 2 });
    const opened = await TestLibrary.open(t);
    const { video } = await opened.upload(source);
    await opened.store.delete([video.source?.key ?? ""]);
    opened.work();
    const failed = await opened.until(video.videoId, "errored", "ready");
    assert.deepEqual([failed.status, failed.error?.code], ["errored", "NOT_FOUND"]);
    await opened.store.put("videos/none/720p/e/a/0/1.m4s", new Uint8Array(3));
    const dry = await opened.library.cleanUp({ isDryRun: true, olderThanMs: -1 });
    assert.deepEqual(
      dry.map(({ what, name }) => [what, name]),
      [["object", "videos/none/720p/e/a/0/1.m4s"]],
    );
    await opened.library.cleanUp({ olderThanMs: -1 });
    assert.deepEqual(await opened.keys(), []);
  });

  test("lets two workers do the same work without anybody seeing it", PATIENT, async (t: TestContext) => {
    const source = await film("twice.mp4", `${SHORT_GOPS} -c:a libmp3lame`);
    const first = await TestLibrary.open(t);
    const { video } = await first.upload(source);
    const repeating = Object.fromEntries(
      Object.entries(first.library.handlers).map(([kind, handler]) => [
        kind,
        async (attempt: Parameters<typeof handler>[0]) => {
          const twin = { ...attempt, attemptId: `${attempt.attemptId}-twin` };
          const [result] = await Promise.all([handler(attempt), handler(twin)]);
          return result;
        },
      ]),
    );
    first.work(2, repeating);
    const ready = await first.until(video.videoId, "ready", "errored");
    assert.equal(ready.status, "ready", JSON.stringify(ready.error));
    await checkWhole(first, await shown(first, ready), source, "twice");
    await checkNoOrphans(first);
  });
});
