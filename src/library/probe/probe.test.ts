import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, open, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { systemClock } from "../../core/clock.ts";
import { findProgram } from "../../encode/ffmpeg/probe.ts";
import { probeSource } from "./probe.ts";
import { checkLimits, DEFAULT_AUDIO_CODECS, DEFAULT_VIDEO_CODECS } from "./source-limits.ts";
import { type SourceMedia, sourceMediaSchema, uploadMetadata } from "./source-media.ts";

const run = promisify(execFile);
const path = await findProgram("ffprobe", process.env.PATH ?? "");
assert.ok(path, "these tests run ffprobe");
const PROGRAM = { path, environment: {}, workDir: tmpdir(), niceness: 5 };
const PATIENT = { timeout: 120_000 };

let directory = "";
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "headwater-probe-"));
});
after(() => rm(directory, { recursive: true }));

const PICTURE = "testsrc2=s=320x180:r=25:d=2";
const TONE = "sine=d=2";

/** Makes a file of the test picture (and tone) with ffmpeg; gives its path. */
async function make(name: string, options: string, inputs: readonly string[] = [PICTURE, TONE]): Promise<string> {
  const file = join(directory, name);
  const sources = inputs.flatMap((input) => ["-f", "lavfi", "-i", input]);
  const encoding = options.split(" ").filter((word) => word !== "");
  await run("ffmpeg", ["-v", "error", "-y", ...sources, ...encoding, file]);
  return file;
}

async function probe(file: string): Promise<SourceMedia> {
  const handle = await open(file);
  try {
    const { size: sizeBytes } = await handle.stat();
    const read = async (first: number, byteCount: number) => {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(byteCount), 0, byteCount, first);
      return buffer.subarray(0, bytesRead);
    };
    const input = { url: pathToFileURL(file).href.replace("file://", "file:"), protocols: "file" };
    return await probeSource({ input, file: { sizeBytes, read } }, { program: PROGRAM, clock: systemClock });
  } finally {
    await handle.close();
  }
}

const H264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";
const near = (actual: number | null | undefined, wanted: number, within: number) =>
  assert.ok(Math.abs((actual ?? Number.NaN) - wanted) <= within, `${actual} is not about ${wanted}`);

test("finds in every container what was put in", PATIENT, async () => {
  const cases = [
    ["a.mp4", `${H264} -c:a aac`, "mp4", "h264", "aac"],
    ["a.mov", "-c:v prores_ks -profile:v 0 -c:a pcm_s16le", "mov", "prores", "pcm_s16le"],
    ["a.mkv", `${H264} -c:a flac`, "matroska", "h264", "flac"],
    ["a.webm", "-c:v libvpx -deadline realtime -c:a libopus", "webm", "vp8", "opus"],
    ["a.avi", "-c:v mpeg4 -c:a libmp3lame", "avi", "mpeg4", "mp3"],
  ] as const;
  for (const [name, options, container, videoCodec, audioCodec] of cases) {
    const media = await probe(await make(name, options));
    const [video, audio] = [media.video[0], media.audio[0]];
    assert.deepEqual(
      [media.container, video?.codec, video?.width, video?.height, video?.frameRate, audio?.codec, audio?.sampleRateHz],
      [
        container,
        videoCodec,
        320,
        180,
        { numerator: 25, denominator: 1 },
        audioCodec,
        videoCodec === "vp8" ? 48_000 : 44_100,
      ],
    );
    near(media.durationMs, 2000, 60);
    near(media.bitrateBps, (media.sizeBytes * 8000) / media.durationMs, media.bitrateBps * 0.1);
    assert.deepEqual(sourceMediaSchema.parse(JSON.parse(JSON.stringify(media))), media);
    const body = uploadMetadata(media);
    assert.deepEqual(
      [body.format, body.width, body.height, body.fps, body.codec],
      [container, 320, 180, 25, videoCodec],
    );
    near(body.duration, 2, 0.06);
  }
});

test("tells what is special about a picture", PATIENT, async () => {
  const first = async (name: string, options: string, inputs = [PICTURE]) =>
    (await probe(await make(name, options, inputs))).video[0];
  const upright = await make("turned.mp4", H264, [PICTURE]);
  // The matrix of the track header: a quarter turn clockwise.
  await patch(upright, "tkhd", 40, 0, 0x10000, 0, 0xffff0000, 0);
  const turned = (await probe(upright)).video[0];
  assert.equal(turned?.rotationDegrees, 90);
  assert.deepEqual([turned?.shownWidth, turned?.shownHeight, turned?.isMirrored], [180, 320, false]);
  await patch(upright, "tkhd", 40, 0xffff0000, 0, 0, 0, 0x10000);
  assert.equal((await probe(upright)).video[0]?.isMirrored, true);
  const wide = await first("wide.mp4", `${H264} -vf setsar=4/3`);
  assert.deepEqual([wide?.sampleAspect, wide?.shownWidth, wide?.shownHeight], [{ width: 4, height: 3 }, 427, 180]);
  const interlaced = await first("interlaced.mp4", `${H264} -flags +ilme+ildct -x264-params tff=1 -vf setfield=tff`);
  assert.deepEqual([interlaced?.isInterlaced, interlaced?.fieldOrder], [true, "tt"]);
  const deep = await first("deep.mkv", "-c:v libx264 -preset ultrafast -pix_fmt yuv422p10le");
  assert.deepEqual([deep?.bitDepth, deep?.pixelFormat, deep?.profile], [10, "yuv422p10le", "High 4:2:2"]);
  const hdr = await first(
    "hdr.mkv",
    "-c:v libx264 -preset ultrafast -pix_fmt yuv420p10le -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc",
  );
  assert.deepEqual([hdr?.hdr, hdr?.colour.primaries, hdr?.colour.matrix], ["pq", "bt2020", "bt2020nc"]);
  const fast = await first("fast.mp4", H264, ["testsrc2=s=320x180:r=120:d=1"]);
  assert.deepEqual(fast?.frameRate, { numerator: 120, denominator: 1 });
});

test("knows tracks of sound and text by their names, and covers from films", PATIENT, async () => {
  const words = join(directory, "words.srt");
  await writeFile(words, "1\n00:00:00,000 --> 00:00:01,000\nHello\n");
  const cover = await make("cover.png", "-frames:v 1", ["testsrc2=s=64x64"]);
  const sources = ["-f", "lavfi", "-i", PICTURE, "-f", "lavfi", "-i", TONE, "-i", words, "-i", cover];
  const maps =
    "-map 3:v -map 0:v -map 1:a -map 1:a -map 2:s -c:v:0 png -c:v:1 libx264 -preset:v:1 ultrafast -c:a ac3 -ac 6";
  const names = "-metadata:s:a:0 language=fre -metadata:s:a:1 language=eng -metadata:s:s:0 language=ger";
  const marks = "-disposition:v:0 attached_pic -disposition:s:0 forced -c:s mov_text";
  const file = join(directory, "tracks.mp4");
  const options = `${maps} ${names} ${marks}`.split(" ");
  await run("ffmpeg", ["-v", "error", "-y", ...sources, ...options, "-metadata:s:a:1", "handler_name=x", file]);
  const media = await probe(file);
  assert.deepEqual(
    media.video.map(({ codec }) => codec),
    ["h264"],
  );
  assert.deepEqual(
    media.pictures.map(({ codec }) => codec),
    ["png"],
  );
  assert.deepEqual(
    media.audio.map(({ language, channelCount, codec }) => [language, channelCount, codec]),
    [
      ["fr", 6, "ac3"],
      ["en", 6, "ac3"],
    ],
  );
  assert.deepEqual(
    media.text.map(({ language, isForced, isText }) => [language, isForced, isText]),
    [["de", true, true]],
  );
});

test("finds the length of a file whose header does not know it", PATIENT, async () => {
  const pieces = await make("pieces.mp4", `${H264} -c:a aac -g 25 -movflags +empty_moov+frag_keyframe`);
  near((await probe(pieces)).durationMs, 2000, 60);
  const { stdout } = await run(
    "ffmpeg",
    ["-v", "error", "-f", "lavfi", "-i", PICTURE, "-c:v", "libvpx", "-deadline", "realtime", "-f", "webm", "-"],
    { encoding: "buffer", maxBuffer: 1e8 },
  );
  const endless = join(directory, "endless.webm");
  await writeFile(endless, stdout);
  near((await probe(endless)).durationMs, 2000, 60);
  const day = await make("day.mkv", `${H264} -c:a aac -output_ts_offset 86400.5`);
  near((await probe(day)).durationMs, 2000, 60);
});

test("takes a Matroska file that is cut as far as it goes, and says so", PATIENT, async () => {
  const file = await make("cut.mkv", `${H264} -c:a aac -g 10`, ["testsrc2=s=320x180:r=25:d=8", "sine=d=8"]);
  await truncate(file, Math.floor((await stat(file)).size / 2));
  const media = await probe(file);
  assert.ok(media.durationMs > 2000 && media.durationMs < 6000, `${media.durationMs} ms`);
  assert.match(media.notes[0] ?? "", /^The file is cut short/);
});

test("refuses a cut MP4, and names that lie", PATIENT, async () => {
  const whole = await make("whole.mp4", `${H264} -c:a aac -movflags +faststart`);
  const indexLast = await make("last.mp4", `${H264} -c:a aac`);
  for (const file of [whole, indexLast]) {
    await truncate(file, Math.floor((await stat(file)).size * 0.7));
    await assert.rejects(probe(file), { code: "MEDIA_DAMAGED" });
  }
  const secret = await make("secret.mp4", H264, [PICTURE]);
  const lies: readonly (readonly [string, string])[] = [
    ["playlist.mp4", `#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile://${secret}\n#EXT-X-ENDLIST\n`],
    ["list.mkv", `ffconcat version 1.0\nfile ${secret}\n`],
    ["archive.mp4", "PK\x03\x04 and so on"],
    ["page.avi", "<!doctype html><title>Not found</title>"],
  ];
  for (const [name, text] of lies) {
    const file = join(directory, name);
    await writeFile(file, text);
    await assert.rejects(probe(file), { code: "NOT_MEDIA" });
  }
});

/** Replaces the 32 bits that stand `offset` bytes behind the type of the first box of this type. */
async function patch(file: string, type: string, offset: number, ...values: readonly number[]): Promise<void> {
  const bytes = await readFile(file);
  const at = bytes.indexOf(type, 0, "latin1") + 4 + offset;
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, at + index * 4);
  await writeFile(file, bytes);
}

test("is not led astray by figures that cannot be", PATIENT, async () => {
  const many = await make("many.mp4", `${H264} -movflags +faststart`, [PICTURE]);
  // stsz: every sample is 1 byte long, and there are 100 million of them.
  await patch(many, "stsz", 4, 1, 100_000_000);
  const media = await probe(many).catch((error: unknown) => error);
  if (media instanceof Error) assert.equal(Reflect.get(media, "code"), "MEDIA_DAMAGED");
  const endless = await make("long.mp4", `-vf setpts=N*28800/TB -fps_mode vfr ${H264}`, [
    "testsrc2=s=64x64:r=25:d=0.08",
  ]);
  const limits = {
    maxDurationMs: 6 * 3_600_000,
    maxPictureSide: 8192,
    videoCodecs: DEFAULT_VIDEO_CODECS,
    audioCodecs: DEFAULT_AUDIO_CODECS,
  };
  const long = await probe(endless);
  assert.throws(() => checkLimits(long, limits), { code: "DURATION_EXCEEDED", message: /up to 360.0 min are taken/ });
  const vast = await make("vast.mkv", "-c:v ffv1", ["color=s=16x16:d=0.1"]);
  const small = await probe(vast);
  assert.throws(
    () =>
      checkLimits(
        { ...small, video: small.video.map((stream) => ({ ...stream, width: 100_000, height: 100_000 })) },
        limits,
      ),
    { code: "PICTURE_TOO_LARGE", message: /100000x100000; up to 8192/ },
  );
  assert.throws(() => checkLimits(small, { ...limits, videoCodecs: ["h264"] }), {
    code: "UNSUPPORTED_CODEC",
    message: /ffv1.*taken are h264/,
  });
});

test("refuses a file with neither picture nor sound, and one with far too many", PATIENT, async () => {
  const words = join(directory, "only.srt");
  await writeFile(words, "1\n00:00:00,000 --> 00:00:01,000\nHello\n");
  const file = join(directory, "only.mkv");
  await run("ffmpeg", ["-v", "error", "-y", "-i", words, file]);
  await assert.rejects(probe(file), { code: "NOT_MEDIA", message: /no video and no audio/ });
  const maps = "-map 0:a ".repeat(120);
  const crowd = await make("crowd.mkv", `${maps}-c:a pcm_u8 -ar 8000`, ["sine=d=0.1"]);
  await assert.rejects(probe(crowd), { code: /NOT_MEDIA|MEDIA_DAMAGED/ });
});

test("says that a source cannot be reached now, which is not the file's fault", PATIENT, async () => {
  const file = await make("away.mp4", H264, [PICTURE]);
  const bytes = await readFile(file);
  const read = async (first: number, byteCount: number) => bytes.subarray(first, first + byteCount);
  const input = { url: "http://127.0.0.1:1/away.mp4", protocols: "http,tcp" };
  const asked = probeSource(
    { input, file: { sizeBytes: bytes.length, read } },
    { program: PROGRAM, clock: systemClock },
  );
  await assert.rejects(asked, { code: "UNAVAILABLE" });
  const aborted = probeSource(
    { input, file: { sizeBytes: bytes.length, read } },
    { program: PROGRAM, clock: systemClock, signal: AbortSignal.abort(new Error("enough")) },
  );
  await assert.rejects(aborted, /enough/);
});
