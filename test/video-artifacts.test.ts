import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import type { VideoId } from "../src/core/ids.ts";
import { ShownVideo } from "../src/delivery/shown-video.ts";
import type { JobHandler } from "../src/jobs/job-queue.ts";
import { ARTIFACT_KINDS } from "../src/library/artifacts/artifact-kind.ts";
import { makeStoredPoster } from "../src/library/artifacts/poster.ts";
import { thumbnailsOf } from "../src/library/artifacts/stills.ts";
import { wholePictures } from "../src/library/artifacts/whole-renditions.ts";
import { VideoReader } from "../src/library/video-reader.ts";
import { readState } from "../src/library/video-records.ts";
import type { StoredRendition, StoredVideo } from "../src/packaging/stored-rendition.ts";
import { TestLibrary } from "./support/libraries.ts";
import {
  decodeErrors,
  frameTimes,
  makeTools,
  probeFile,
  readObject,
  sourceDirectory,
  writeSource,
} from "./support/source-files.ts";

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
  const args = ["-v", "error", "-i", path, "-vf", filter, "-frames:v", "1", "-f", "rawvideo", "-"];
  const { stdout } = await execute("ffmpeg", args, { encoding: "buffer" });
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

/** Grey that gets lighter by `perSecond` of 255 each second; a key frame every two seconds. */
function dawn(
  name: string,
  { seconds, perSecond, size = "192x108" }: { seconds: number; perSecond: number; size?: string },
) {
  const grey = `nullsrc=s=${size}:r=5:d=${seconds},geq=lum='16+${(perSecond * 219) / 255}*T':cb=128:cr=128`;
  const encoding = "-c:v libx264 -preset ultrafast -crf 18 -pix_fmt yuv420p -g 10 -keyint_min 10 -sc_threshold 0";
  return writeSource("-f", "lavfi", "-i", grey, ...encoding.split(" "), join(directory, name));
}

interface Cue {
  readonly startS: number;
  readonly endS: number;
  readonly image: string;
  readonly box: readonly [number, number, number, number];
}

const CUE = /([\d:.]+) --> ([\d:.]+)\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)/g;

function cuesOf(vtt: string): Cue[] {
  const seconds = (text = "") => text.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
  return [...vtt.matchAll(CUE)].map(([, start, end, image = "", x, y, width, height]) => ({
    ...{ startS: seconds(start), endS: seconds(end), image },
    box: [Number(x), Number(y), Number(width), Number(height)],
  }));
}

/** The mean brightness of every tile that a storyboard names, in the order of its cues. */
async function tileBrightness(opened: TestLibrary, videoId: VideoId, cues: readonly Cue[]): Promise<number[]> {
  const levels: number[] = [];
  for (const { image, box } of cues) {
    const [x, y, width, height] = box;
    const path = await artifactFile(opened, videoId, image);
    const filter = `crop=${width}:${height}:${x}:${y},scale=1:1:flags=area,format=gray`;
    const args = ["-v", "error", "-i", path, "-vf", filter, "-f", "rawvideo", "-"];
    const { stdout } = await execute("ffmpeg", args, { encoding: "buffer" });
    levels.push(stdout[0] ?? 0);
  }
  return levels;
}

/** The checksum of all packets of a file's stream, as they are. */
async function packetSum(path: string, stream: string): Promise<string> {
  const args = ["-v", "error", "-i", path, "-map", `0:${stream}`, "-c", "copy", "-f", "md5", "-"];
  return (await execute("ffmpeg", args)).stdout.trim();
}

/** When the packets of a file's stream are shown, in seconds. */
async function packetTimes(path: string, stream: string): Promise<number[]> {
  const { packets } = await probeFile(path, "-select_streams", stream, "-show_entries", "packet=pts_time");
  return (packets ?? []).map(({ pts_time }) => Number(pts_time));
}

/** A rendition of a video as one fragmented file, as a player of HLS puts it together. */
async function joinedFile(opened: TestLibrary, video: StoredVideo, renditionId: string): Promise<string> {
  const rendition = video.renditions.find(({ id }) => id === renditionId);
  assert.ok(rendition);
  const segments = await Promise.all(rendition.segments.map(({ key }) => readObject(opened.store, key)));
  const path = join(directory, `joined-${renditionId}.mp4`);
  await writeFile(path, Buffer.concat([rendition.initBytes, ...segments]));
  return path;
}

async function artifactOnceIdle(opened: TestLibrary, videoId: VideoId, name: string): Promise<string> {
  await opened.untilIdle();
  return artifactFile(opened, videoId, name);
}

/** How many pictures an animated WebP has, and how long they are shown in all. */
function readWebp(bytes: Buffer): { width: number; height: number; frameCount: number; lengthMs: number } {
  assert.equal(bytes.toString("latin1", 0, 4) + bytes.toString("latin1", 8, 16), "RIFFWEBPVP8X");
  assert.equal(bytes.readUInt32LE(4) + 8, bytes.length);
  let frameCount = 0;
  let lengthMs = 0;
  for (let at = 12; at < bytes.length; ) {
    const size = bytes.readUInt32LE(at + 4);
    if (bytes.toString("latin1", at, at + 4) === "ANMF") {
      frameCount += 1;
      lengthMs += bytes.readUIntLE(at + 8 + 12, 3);
    }
    at += 8 + size + (size % 2);
  }
  return { width: bytes.readUIntLE(24, 3) + 1, height: bytes.readUIntLE(27, 3) + 1, frameCount, lengthMs };
}

describe("beside its renditions, a video", { concurrency: 2 }, () => {
  test("makes a poster of a picture that is not black", PATIENT, async (t) => {
    const opened = await TestLibrary.open(t, { artifacts: ["poster"] });
    const videoId = await madeOf(opened, await film("dark.mp4"));
    const poster = await artifactFile(opened, videoId, "poster.jpg");
    assert.deepEqual(await sizeOf(poster), [640, 360]);
    assert.ok((await brightnessOf(poster)) > 60);
    await checkNoOrphans(opened);
  });

  test("finds the poster of a long film among its key frames", PATIENT, async (t) => {
    const options = "-c:v mpeg4 -q:v 8 -g 15";
    const source = await film("long.mkv", { seconds: 62, blackSeconds: 20, size: "160x90", options });
    const planning = { chunkTargetMs: 20_000 };
    const opened = await TestLibrary.open(t, { artifacts: ["poster"], limits: { maxDurationMs: 100_000 }, planning });
    const videoId = await madeOf(opened, source);
    const poster = await artifactFile(opened, videoId, "poster.jpg");
    assert.ok((await brightnessOf(poster)) > 60);
  });

  test("makes pictures upright, in square pixels and the right colours", PATIENT, async (t) => {
    // Left red, right blue; turned by 90 degrees to the left, and every pixel twice as wide as high.
    const bars = "color=c=red:s=160x180:r=10:d=2[l];color=c=blue:s=160x180:r=10:d=2[r];[l][r]hstack";
    const lying = await writeSource(
      ...["-filter_complex", `${bars},noise=alls=40:allf=t,setsar=2,scale=out_color_matrix=bt709,format=yuv420p[v]`],
      ...["-map", "[v]", "-c:v", "libx264", "-preset", "ultrafast"],
      ...["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", join(directory, "lying.mp4")],
    );
    const turn = ["-c", "copy", "-metadata:s:v:0", "rotate=90"];
    const source = await writeSource("-i", lying, ...turn, join(directory, "turned.mp4"));
    const opened = await TestLibrary.open(t, { artifacts: ARTIFACT_KINDS });
    const videoId = await madeOf(opened, source);
    const poster = await artifactFile(opened, videoId, "poster.jpg");
    assert.deepEqual(await sizeOf(poster), [180, 640]);
    const near = (seen: number[], wanted: number[]) =>
      seen.every((value, i) => Math.abs(value - (wanted[i] ?? 0)) < 40);
    for (const name of ["poster.jpg", "thumbnails/1.jpg", "preview.mp4"]) {
      const path = await artifactFile(opened, videoId, name);
      const [top, bottom] = [await colourAt(path, 0.5, 0.1), await colourAt(path, 0.5, 0.9)];
      assert.ok(near(top, [0, 0, 255]) && near(bottom, [255, 0, 0]), `${name}: ${top} above ${bottom}`);
    }
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
    const opened = await TestLibrary.open(t, { artifacts: ["poster"] });
    const poster = await artifactFile(opened, await madeOf(opened, covered), "poster.jpg");
    assert.deepEqual(await sizeOf(poster), [300, 300]);
    const plainId = await madeOf(opened, plain);
    assert.deepEqual(await opened.catalog.videos.artifacts(plainId), []);
    await checkNoOrphans(opened);
  });

  test("keeps one of what is made twice at once, and nothing of a video that is deleted", PATIENT, async (t) => {
    const source = await film("twice.mp4");
    const opened = await TestLibrary.open(t, { artifacts: ARTIFACT_KINDS });
    const { video } = await opened.upload(source);
    const twice = (kind: string): JobHandler => {
      const handler = opened.library.handlers[kind];
      assert.ok(handler);
      return async (attempt) => {
        await Promise.all([handler(attempt), handler({ ...attempt, attemptId: `${attempt.attemptId}-twin` })]);
        return undefined;
      };
    };
    opened.work(2, { "video.poster": twice("video.poster"), "video.pictures": twice("video.pictures") });
    await opened.until(video.videoId, "ready");
    await opened.untilIdle();
    await checkNoOrphans(opened);
    await opened.library.remove(video.videoId);
    await opened.untilIdle();
    assert.deepEqual(await opened.keys(), []);
  });

  test("says in the job what cannot be made, and keeps the video", PATIENT, async (t) => {
    const opened = await TestLibrary.open(t, { artifacts: ARTIFACT_KINDS });
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

  test("shows every moment of a short video on its storyboard", PATIENT, async (t) => {
    const opened = await TestLibrary.open(t, { artifacts: ["pictures"] });
    const videoId = await madeOf(opened, await dawn("short.mp4", { seconds: 9, perSecond: 25 }));
    const cues = cuesOf(await readFile(await artifactFile(opened, videoId, "storyboard.vtt"), "utf8"));
    assert.deepEqual(
      cues.map(({ startS, endS }) => [startS, endS]),
      Array.from({ length: 9 }, (_, second) => [second, second + 1]),
    );
    const levels = await tileBrightness(opened, videoId, cues);
    for (const [second, level] of levels.entries()) {
      assert.ok(Math.abs(level - 25 * (second + 0.5)) < 10, `${level} in second ${second}`);
    }
    await checkNoOrphans(opened);
  });

  test("makes the storyboard and thumbnails of a longer video from its key frames", PATIENT, async (t) => {
    const opened = await TestLibrary.open(t, { artifacts: ["pictures"], limits: { maxDurationMs: 200_000 } });
    const videoId = await madeOf(opened, await dawn("longer.mp4", { seconds: 132, perSecond: 1.8 }));
    const cues = cuesOf(await readFile(await artifactFile(opened, videoId, "storyboard.vtt"), "utf8"));
    assert.equal(cues.length, 27);
    assert.deepEqual([...new Set(cues.map(({ image }) => image))], ["storyboard-1.jpg", "storyboard-2.jpg"]);
    assert.equal(cues.at(-1)?.endS, 132);
    const some = cues.filter((_, index) => index % 6 === 0 || index === 26);
    const levels = await tileBrightness(opened, videoId, some);
    for (const [index, { startS }] of some.entries()) {
      const wanted = 1.8 * Math.min(131, startS + 2.5);
      assert.ok(Math.abs((levels[index] ?? 0) - wanted) < 6, `${levels[index]} at ${startS} s, not ${wanted}`);
    }
    const artifacts = await opened.catalog.videos.artifacts(videoId);
    const thumbnails = artifacts.filter(({ name }) => name.startsWith("thumbnails/"));
    assert.equal(thumbnails.length, 12);
    const times = thumbnailsOf(artifacts).map(({ atMs }) => atMs);
    assert.deepEqual(
      times,
      times.toSorted((a, b) => a - b),
      "they are told in order",
    );
    for (const { name, details } of thumbnails) {
      const level = await brightnessOf(await artifactFile(opened, videoId, name));
      assert.ok(Math.abs(level - (1.8 * Number(details?.atMs)) / 1000) < 6, `${level} of ${name}`);
    }
    await checkNoOrphans(opened);
  });

  test("names the storyboard in HLS and DASH, and serves its files", PATIENT, async (t) => {
    const opened = await TestLibrary.open(t, { artifacts: ARTIFACT_KINDS });
    const videoId = await madeOf(opened, await dawn("named.mp4", { seconds: 4, perSecond: 50 }));
    const video = await new VideoReader({ videos: opened.catalog.videos }).get(videoId);
    assert.ok(video);
    const shown = new ShownVideo(video, { videoId, onRender: () => undefined });
    assert.match(
      (await shown.multivariant(undefined)).text,
      /#EXT-X-IMAGE-STREAM-INF:.*RESOLUTION=192x108,URI="storyboard.m3u8"/,
    );
    assert.match((await shown.images())?.text ?? "", /LAYOUT=4x1,DURATION=1\n.*storyboard-1.jpg\n#EXT-X-ENDLIST/s);
    assert.match((await shown.mpd(undefined)).text, /contentType="image".*media="storyboard-1.jpg".*value="4x1"/s);
    const names = [...video.files.keys()].toSorted();
    const thumbnails = ["thumbnails/1.jpg", "thumbnails/2.jpg"];
    const previews = ["preview.mp4", "preview.webp"];
    assert.deepEqual(names, [
      "poster.jpg",
      ...previews,
      "storyboard-1.jpg",
      "storyboard.json",
      "storyboard.vtt",
      ...thumbnails,
    ]);
  });

  test("makes an MP4 of a rendition without encoding it, once, and deletes it", PATIENT, async (t) => {
    const opened = await TestLibrary.open(t);
    const options = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 20 -keyint_min 20 -sc_threshold 0 -bf 2";
    const source = await film("copied film.mp4", { options });
    const videoId = await madeOf(opened, source);
    const { downloads } = opened.library;
    const requested = await downloads.request(videoId, undefined);
    assert.deepEqual([requested.renditionId, requested.name], ["source", "downloads/source.mp4"]);
    assert.equal((await downloads.request(videoId, "source")).jobId, requested.jobId, "one job makes it");
    const path = await artifactOnceIdle(opened, videoId, requested.name);
    assert.equal(await decodeErrors(path), "");
    const video = await new VideoReader({ videos: opened.catalog.videos }).get(videoId);
    assert.ok(video);
    for (const [stream, renditionId] of [
      ["v", "source"],
      ["a", "audio_source"],
    ] as const) {
      const joined = await joinedFile(opened, video, renditionId);
      assert.equal(await packetSum(path, stream), await packetSum(joined, stream), "not a byte is another");
      const rendition: StoredRendition | undefined = video.renditions.find(({ id }) => id === renditionId);
      assert.ok(rendition);
      const leadS: number = rendition.leadTicks / rendition.timescale;
      const told: number[] = (await packetTimes(joined, stream)).map((time) => time - leadS);
      for (const [place, time] of (await packetTimes(path, stream)).entries()) {
        assert.ok(Math.abs(time - (told[place] ?? 0)) < 0.001, `${stream} ${place} is at ${time}, not ${told[place]}`);
      }
    }
    const bytes = await readFile(path);
    assert.ok(bytes.indexOf("moov") < bytes.indexOf("mdat"), "its tables stand first");
    assert.equal((await downloads.request(videoId, "source")).jobId, undefined, "it is there");
    assert.equal(video.files.get(requested.name)?.downloadName, "copied film (source).mp4");
    assert.equal(await downloads.remove(videoId, "source"), true);
    assert.equal(await downloads.remove(videoId, "source"), false);
    await checkNoOrphans(opened);
  });

  test("makes downloads of encoded pictures and of sound alone, anew when the rendition is", PATIENT, async (t) => {
    const opened = await TestLibrary.open(t, { planning: { profiles: ["240p"] } });
    const source = await film("encoded.avi", { options: "-c:v mpeg4 -q:v 4", size: "426x240" });
    const videoId = await madeOf(opened, source);
    const { downloads } = opened.library;
    const { name } = await downloads.request(videoId, "240p");
    const path = await artifactOnceIdle(opened, videoId, name);
    assert.equal(await decodeErrors(path), "");
    assert.equal((await frameTimes(path)).length, (await frameTimes(source)).length);
    const { streams, format } = await probeFile(path, "-show_streams", "-show_format");
    assert.deepEqual(
      streams?.map(({ codec_name, start_time }) => [codec_name, start_time]),
      [
        ["h264", "0.000000"],
        ["aac", "0.000000"],
      ],
    );
    assert.ok(Math.abs(Number((format as unknown as { duration: string }).duration) - 6) < 0.1);
    const sound = (await opened.catalog.videos.renditions(videoId)).find(({ kind }) => kind === "audio");
    const song = await downloads.request(videoId, sound?.renditionId);
    assert.match(song.name, /\.m4a$/);
    assert.equal(await decodeErrors(await artifactOnceIdle(opened, videoId, song.name)), "");
    await opened.library.retryRendition(videoId, "240p");
    await assert.rejects(downloads.request(videoId, "240p"), { code: "VIDEO_CONFLICT" });
    await opened.until(videoId, "ready");
    const again = await downloads.request(videoId, "240p");
    assert.notEqual(again.jobId, undefined);
    assert.equal(await decodeErrors(await artifactOnceIdle(opened, videoId, name)), "");
    const made = (await opened.keys()).filter((key) => key.includes("/artifacts/"));
    assert.equal(made.length, 2, "the download of what the rendition was is gone");
    await assert.rejects(downloads.request(videoId, "99p"), { code: "NOT_FOUND" });
  });

  test("shows moments of a film in 30 seconds, with their sound", PATIENT, async (t) => {
    const opened = await TestLibrary.open(t, { artifacts: ["preview"] });
    const silent = await dawn("silent.mp4", { seconds: 58, perSecond: 4, size: "160x90" });
    const tone = ["-f", "lavfi", "-i", "sine=f=440:d=58"];
    const source = await writeSource(
      "-i",
      silent,
      ...tone,
      "-c:v",
      "copy",
      "-c:a",
      "aac",
      join(directory, "heard.mp4"),
    );
    const videoId = await madeOf(opened, source);
    const preview = await artifactFile(opened, videoId, "preview.mp4");
    assert.equal(await decodeErrors(preview), "");
    const { streams } = await probeFile(preview, "-show_streams");
    assert.deepEqual(
      streams?.map(({ codec_name, start_time, duration }) => [
        codec_name,
        start_time,
        Math.round(Number(duration) * 10),
      ]),
      [
        ["h264", "0.000000", 300],
        ["aac", "0.000000", 300],
      ],
    );
    const bytes = await readFile(preview);
    assert.ok(bytes.indexOf("moov") < bytes.indexOf("mdat"), "its tables stand first");
    for (const [place, startS] of [2, 12, 22, 32, 40, 50].entries()) {
      const still = join(directory, `still-${place}.png`);
      await writeSource("-ss", `${place * 5 + 1}`, "-i", preview, "-frames:v", "1", still);
      const level = await brightnessOf(still);
      assert.ok(Math.abs(level - 4 * (startS + 1)) < 12, `${level} in moment ${place}`);
    }
    const { frameCount, ...moving } = readWebp(await readFile(await artifactFile(opened, videoId, "preview.webp")));
    assert.deepEqual(moving, { width: 160, height: 90, lengthMs: 6_000 });
    assert.ok(frameCount >= 6, "pictures that are alike are one");
    await checkNoOrphans(opened);
  });

  test("makes up for what is missing when somebody asks for a transcode", PATIENT, async (t) => {
    const dataDir = await TestLibrary.directory(t);
    const without = await TestLibrary.at(dataDir);
    const videoId = await madeOf(without, await dawn("before.mp4", { seconds: 3, perSecond: 50 }));
    assert.deepEqual(await without.catalog.videos.artifacts(videoId), []);
    await without.close();
    const opened = await TestLibrary.open(t, { dataDir, artifacts: ARTIFACT_KINDS });
    opened.work();
    await opened.library.transcode(videoId, { profiles: undefined });
    await opened.untilIdle();
    const names = (await opened.catalog.videos.artifacts(videoId)).map(({ name }) => name);
    for (const name of ["poster.jpg", "thumbnails/1.jpg", "storyboard.vtt", "preview.mp4", "preview.webp"]) {
      assert.ok(names.includes(name), `${name} is not among ${names}`);
    }
  });

  test("makes a poster of key frames where there is no original", PATIENT, async (t) => {
    const opened = await TestLibrary.open(t);
    const videoId = await madeOf(opened, await film("recorded.mp4"));
    const { videos } = opened.catalog;
    const video = await videos.get(videoId);
    assert.ok(video);
    const state = readState(video, await videos.renditions(videoId), await videos.committedChunks(videoId));
    const pictures = await wholePictures(videos, state, 640);
    assert.ok(pictures);
    const tools = { ...(await makeTools()), store: opened.store };
    const { jpeg, size } = await makeStoredPoster(tools, pictures, new AbortController().signal);
    const path = join(directory, "recorded.jpg");
    await writeFile(path, jpeg);
    assert.deepEqual([size, await sizeOf(path)], [{ width: 640, height: 360 }, [640, 360]]);
    assert.ok((await brightnessOf(path)) > 60, "it is not black");
  });

  test("shows all of a short video without sound", PATIENT, async (t) => {
    const opened = await TestLibrary.open(t, { artifacts: ["preview"] });
    const videoId = await madeOf(opened, await dawn("brief.mp4", { seconds: 3, perSecond: 50 }));
    const preview = await artifactFile(opened, videoId, "preview.mp4");
    assert.equal((await frameTimes(preview)).length, 15);
    assert.equal((await probeFile(preview, "-show_streams")).streams?.length, 1);
    const { lengthMs } = readWebp(await readFile(await artifactFile(opened, videoId, "preview.webp")));
    assert.ok(Math.abs(lengthMs - 3_000) <= 200, `${lengthMs}`);
    const names = (await opened.catalog.videos.artifacts(videoId)).map(({ name }) => name);
    assert.deepEqual(names.sort(), ["preview.mp4", "preview.webp"], "nothing else was asked for");
  });
});
