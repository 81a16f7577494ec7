import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import type { VideoId } from "../src/core/ids.ts";
import { TestLibrary } from "./support/libraries.ts";
import { probeFile, readObject, sourceDirectory, writeSource } from "./support/source-files.ts";

const execute = promisify(execFile);
const directory = await sourceDirectory();
const PATIENT = { timeout: 300_000 };

/** Black, and then pictures with a tone; `options` are those of its encoding. */
function film(name: string, { seconds = 6, blackSeconds = 2, size = "640x360", options = "" } = {}): Promise<string> {
  const shown = `testsrc2=s=${size}:r=10:d=${seconds - blackSeconds}`;
  const black = `color=c=black:s=${size}:r=10:d=${blackSeconds}`;
  const encoding = options || "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 20 -keyint_min 20 -sc_threshold 0";
  return writeSource(
    ...["-filter_complex", `${black}[b];${shown}[s];[b][s]concat,format=yuv420p[v];sine=f=440:d=${seconds}[a]`],
    ...["-map", "[v]", "-map", "[a]", "-c:a", "aac", ...encoding.split(" ")],
    join(directory, name),
  );
}

/** An artifact of a video as a file of the test. */
async function artifactFile(opened: TestLibrary, videoId: VideoId, name: string): Promise<string> {
  const record = (await opened.catalog.videos.artifacts(videoId)).find((artifact) => artifact.name === name);
  assert.ok(record, `there is no ${name}`);
  const bytes = await readObject(opened.store, record.key);
  assert.equal(bytes.length, record.sizeBytes);
  const path = join(directory, `${videoId}-${name.replaceAll("/", "-")}`);
  await writeFile(path, bytes);
  return path;
}

async function sizeOf(path: string): Promise<[unknown, unknown]> {
  const { streams } = await probeFile(path, "-show_streams");
  return [streams?.[0]?.width, streams?.[0]?.height];
}

/** The colour of a picture's pixels inside a box of these shares of its size, as red, green and blue. */
async function colourAt(path: string, x: number, y: number): Promise<number[]> {
  const filter = `crop=iw/20:ih/20:iw*${x}:ih*${y},scale=1:1:flags=area,format=rgb24`;
  const { stdout } = await execute("ffmpeg", ["-v", "error", "-i", path, "-vf", filter, "-f", "rawvideo", "-"], {
    encoding: "buffer",
  });
  return [...stdout];
}

async function brightnessOf(path: string): Promise<number> {
  const filter = ["-vf", "scale=1:1:flags=area,format=gray", "-f", "rawvideo", "-"];
  const { stdout } = await execute("ffmpeg", ["-v", "error", "-i", path, ...filter], { encoding: "buffer" });
  return stdout[0] ?? 0;
}

/** Takes a file in, and waits until all is made. */
async function madeOf(opened: TestLibrary, path: string): Promise<VideoId> {
  const { video } = await opened.upload(path);
  opened.work();
  const settled = await opened.until(video.videoId, "ready", "errored");
  assert.equal(settled.status, "ready", JSON.stringify(settled.error));
  await opened.untilIdle();
  return video.videoId;
}

async function checkNoOrphans(opened: TestLibrary): Promise<void> {
  assert.deepEqual(await opened.library.cleanUp({ isDryRun: true, olderThanMs: -1 }), []);
}

test("makes a poster of a picture that is not black", PATIENT, async (t) => {
  const opened = await TestLibrary.open(t, { makesArtifacts: true });
  const videoId = await madeOf(opened, await film("dark.mp4"));
  const poster = await artifactFile(opened, videoId, "poster.jpg");
  assert.deepEqual(await sizeOf(poster), [640, 360]);
  assert.ok((await brightnessOf(poster)) > 60);
  await checkNoOrphans(opened);
});

test("finds the poster of a long film among its key frames", PATIENT, async (t) => {
  const options = "-c:v mpeg4 -q:v 8 -g 15";
  const source = await film("long.mkv", { seconds: 62, blackSeconds: 20, size: "160x90", options });
  const opened = await TestLibrary.open(t, { makesArtifacts: true, limits: { maxDurationMs: 100_000 } });
  const videoId = await madeOf(opened, source);
  const poster = await artifactFile(opened, videoId, "poster.jpg");
  assert.ok((await brightnessOf(poster)) > 60);
});

test("makes posters upright, in square pixels and the right colours", PATIENT, async (t) => {
  // Left red, right blue; turned by 90 degrees to the left, and every pixel twice as wide as high.
  const bars = "color=c=red:s=160x180:r=10:d=2[l];color=c=blue:s=160x180:r=10:d=2[r];[l][r]hstack";
  const lying = await writeSource(
    ...["-filter_complex", `${bars},noise=alls=40:allf=t,setsar=2,scale=out_color_matrix=bt709,format=yuv420p[v]`],
    ...["-map", "[v]", "-c:v", "libx264", "-preset", "ultrafast"],
    ...["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", join(directory, "lying.mp4")],
  );
  const turn = ["-c", "copy", "-metadata:s:v:0", "rotate=90"];
  const source = await writeSource("-i", lying, ...turn, join(directory, "turned.mp4"));
  const opened = await TestLibrary.open(t, { makesArtifacts: true });
  const poster = await artifactFile(opened, await madeOf(opened, source), "poster.jpg");
  assert.deepEqual(await sizeOf(poster), [180, 640]);
  const [top, bottom] = [await colourAt(poster, 0.5, 0.1), await colourAt(poster, 0.5, 0.9)];
  const near = (seen: number[], wanted: number[]) => seen.every((value, i) => Math.abs(value - (wanted[i] ?? 0)) < 40);
  assert.ok(near(top, [0, 0, 255]) && near(bottom, [255, 0, 0]), `${top} above ${bottom}`);
});

test("takes the cover of sound alone, and makes nothing where there is none", PATIENT, async (t) => {
  const cover = await writeSource(
    "-f",
    "lavfi",
    "-i",
    "testsrc2=s=300x300",
    "-frames:v",
    "1",
    join(directory, "c.jpg"),
  );
  const tone = ["-f", "lavfi", "-i", "sine=f=440:d=3"];
  const song = ["-map", "0:a", "-map", "1:v", "-c:a", "aac", "-c:v", "copy", "-disposition:v:0", "attached_pic"];
  const covered = await writeSource(...tone, "-i", cover, ...song, join(directory, "covered.mp4"));
  const plain = await writeSource(...tone, "-c:a", "aac", join(directory, "plain.mp4"));
  const opened = await TestLibrary.open(t, { makesArtifacts: true });
  const poster = await artifactFile(opened, await madeOf(opened, covered), "poster.jpg");
  assert.deepEqual(await sizeOf(poster), [300, 300]);
  const plainId = await madeOf(opened, plain);
  assert.deepEqual(await opened.catalog.videos.artifacts(plainId), []);
  await checkNoOrphans(opened);
});

test(
  "keeps one poster of two that are made at once, and none of a video that is deleted meanwhile",
  PATIENT,
  async (t) => {
    const source = await film("twice.mp4");
    const opened = await TestLibrary.open(t, { makesArtifacts: true });
    const { video } = await opened.upload(source);
    const poster = opened.library.handlers["video.poster"];
    assert.ok(poster);
    opened.work(2, {
      "video.poster": async (attempt) => {
        await Promise.all([poster(attempt), poster({ ...attempt, attemptId: `${attempt.attemptId}-twin` })]);
        return undefined;
      },
    });
    await opened.until(video.videoId, "ready");
    await opened.untilIdle();
    assert.equal((await opened.catalog.videos.artifacts(video.videoId)).length, 1);
    await checkNoOrphans(opened);
    await opened.library.remove(video.videoId);
    await opened.untilIdle();
    assert.deepEqual(await opened.keys(), []);
  },
);

test("says in the job what cannot be made, and keeps the video", PATIENT, async (t) => {
  const opened = await TestLibrary.open(t, { makesArtifacts: true });
  const { video } = await opened.upload(await film("kept.mp4"));
  const poster = opened.library.handlers["video.poster"];
  assert.ok(poster);
  opened.work(2, {
    "video.poster": async (attempt) => {
      await opened.store.delete([video.source?.key ?? ""]);
      return poster(attempt);
    },
  });
  await opened.untilIdle();
  const { jobs } = await opened.jobs.list({ state: "failed", kind: "video.poster", limit: 10 });
  assert.deepEqual([...new Set(jobs.map(({ error }) => error?.code))], ["NOT_FOUND"]);
  assert.equal((await opened.catalog.videos.get(video.videoId))?.status, "ready");
  await checkNoOrphans(opened);
});
