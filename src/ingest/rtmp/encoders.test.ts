import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { AUDIO_ENCODERS, VIDEO_ENCODERS } from "../../../test/support/encoded-track.ts";
import { type RecordedPublication, RecordingGate, RecordingLog } from "../../../test/support/recording-gate.ts";
import { readFlvTags } from "../../../test/support/rtmp-publisher.ts";
import { systemClock } from "../../core/clock.ts";
import { parseAudioTag, parseVideoTag } from "../../media/flv.ts";
import { RtmpServer } from "./server.ts";

const KEY = "sk_right";
const MODERN_PUBLISHER = fileURLToPath(new URL("../../../test/support/modern-publisher.ts", import.meta.url));
const PICTURE = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=1"];
const TONE = ["-f", "lavfi", "-i", "sine=sample_rate=48000:duration=1"];

let directory = "";
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "headwater-rtmp-"));
});
after(() => rm(directory, { recursive: true }));

/** Runs a program to its end, however it ends. */
function run(program: string, ...args: string[]): Promise<{ exitCode: number; stderr: string }> {
  return new Promise((resolve) => {
    const child = execFile(program, args, { timeout: 180_000 }, (_error, _stdout, stderr) => {
      resolve({ exitCode: child.exitCode ?? -1, stderr });
    });
  });
}

async function ffmpeg(...args: string[]): Promise<void> {
  const { exitCode, stderr } = await run("ffmpeg", "-v", "error", "-y", ...args);
  assert.equal(exitCode, 0, stderr);
}

async function serve(t: TestContext) {
  const gate = new RecordingGate(KEY);
  const log = new RecordingLog();
  const limits = { maxBitrateKbps: 0 };
  const server = new RtmpServer({ host: "127.0.0.1", port: 0, gate, log, clock: systemClock, limits });
  const { port } = await server.start();
  t.after(() => server.close());
  return { gate, log, url: `rtmp://127.0.0.1:${port}` };
}

function only(gate: RecordingGate): RecordedPublication {
  const [publication, ...others] = gate.publications;
  assert.ok(publication);
  assert.deepEqual(others, []);
  return publication;
}

const codecsOf = ({ formats }: RecordedPublication) => formats.map(({ codec }) => codec).sort();
const unitsOf = (publication: RecordedPublication, kind: "video" | "audio") =>
  publication.units.filter((unit) => unit.kind === kind);

/** The frames of an FLV file as the server should hand them on. */
async function framesOf(file: string) {
  const frames = [];
  for (const { type, timestampMs, body } of readFlvTags(await readFile(file))) {
    for (const message of type === "video" ? parseVideoTag(body) : parseAudioTag(body)) {
      if (message.kind !== "frames") continue;
      const { ctsMs, isKey, data } = message;
      frames.push({ kind: type, dts: timestampMs, cts: ctsMs, isKey, size: data.length });
    }
  }
  return frames;
}

test("takes from ffmpeg every frame with the times and bytes that it has in a file", async (t) => {
  const { gate, log, url } = await serve(t);
  const file = join(directory, "source.flv");
  await ffmpeg(...PICTURE, ...TONE, "-c:v", "libx264", "-bf", "2", "-g", "10", "-c:a", "aac", file);
  await ffmpeg("-i", file, "-c", "copy", "-f", "flv", `${url}/live/${KEY}`);
  const publication = only(gate);
  assert.equal(await publication.closed, "unpublished");
  const [{ video, audio, audioBps } = {}] = publication.expected;
  assert.deepEqual([video, audio], [true, true]);
  assert.ok((audioBps ?? 0) > 16_000, `${audioBps} bit/s of audio`);
  assert.deepEqual(codecsOf(publication), ["aac", "h264"]);
  assert.deepEqual(
    publication.units.map(({ kind, dts, cts, isKey, data }) => ({ kind, dts, cts, isKey, size: data.length })),
    await framesOf(file),
  );
  assert.ok(publication.units.some(({ cts }) => cts > 0));
  assert.match(String(gate.requests[0]?.encoder), /Lavf/);
  assert.deepEqual(
    log.lines.map(({ level, fields }) => [level, fields.reason, fields.droppedFrameCount]),
    [["info", "unpublished", 0]],
  );
});

for (const [what, path] of [
  ["in a query without a name", `live?key=${KEY}`],
  ["in a query behind a name", `live/camera?token=${KEY}`],
  ["as a password", `live/camera?user=me&pass=${KEY}`],
  ["below an application instance", `live/main/${KEY}`],
] as const) {
  test(`finds the key that ffmpeg puts ${what}`, async (t) => {
    const { gate, url } = await serve(t);
    await ffmpeg(...TONE, "-c:a", "aac", "-f", "flv", `${url}/${path}`);
    const publication = only(gate);
    assert.equal(gate.requests[0]?.streamKey, KEY);
    const [{ video, audio } = {}] = publication.expected;
    assert.deepEqual([video, audio], [false, true]);
    assert.ok(unitsOf(publication, "audio").length > 40);
  });
}

for (const [what, path, sentence] of [
  ["a wrong key", "live/sk_wrong", /The stream key is unknown. Copy it again from the studio./],
  ["another application", `vod/${KEY}`, /There is no such application here/],
] as const) {
  test(`makes ffmpeg fail with a sentence for ${what}`, async (t) => {
    const { gate, url } = await serve(t);
    const { exitCode, stderr } = await run("ffmpeg", ...TONE, "-c:a", "aac", "-f", "flv", `${url}/${path}`);
    assert.notEqual(exitCode, 0);
    assert.match(stderr, sentence);
    assert.equal(gate.publications.length, 0);
  });
}

for (const [sink, location] of [
  ["rtmp2sink", (url: string) => `${url}/live/${KEY}`],
  ["rtmpsink", (url: string) => `${url}/live/${KEY} live=1`],
] as const) {
  test(`takes picture and tone from GStreamer's ${sink}`, async (t) => {
    const { gate, url } = await serve(t);
    const video = "videotestsrc num-buffers=25 ! video/x-raw,format=I420,width=320,height=180,framerate=25/1";
    const { exitCode, stderr } = await run(
      "gst-launch-1.0",
      ..."-q flvmux name=mux streamable=true !".split(" "),
      sink,
      `location=${location(url)}`,
      ...`${video} ! x264enc key-int-max=10 tune=zerolatency ! mux.`.split(" "),
      ..."audiotestsrc num-buffers=40 ! avenc_aac ! mux.".split(" "),
    );
    assert.equal(exitCode, 0, stderr);
    const publication = only(gate);
    await publication.closed;
    assert.deepEqual(codecsOf(publication), ["aac", "h264"]);
    assert.deepEqual(
      unitsOf(publication, "video").map(({ dts }) => dts),
      Array.from({ length: 25 }, (_, frame) => frame * 40),
    );
    assert.ok(unitsOf(publication, "audio").length >= 40);
  });
}

test("makes GStreamer fail with a sentence for a wrong key", async (t) => {
  const { url } = await serve(t);
  const pipeline = "audiotestsrc num-buffers=40 ! avenc_aac ! flvmux streamable=true ! rtmp2sink";
  const { exitCode, stderr } = await run(
    "gst-launch-1.0",
    "-q",
    ...pipeline.split(" "),
    `location=${url}/live/sk_wrong`,
  );
  assert.notEqual(exitCode, 0);
  assert.match(stderr, /The stream key is unknown/);
});

test("tells a player that nothing is played here", async (t) => {
  const { gate, url } = await serve(t);
  const { exitCode, stderr } = await run("ffmpeg", "-i", `${url}/live/${KEY}`, "-f", "null", "-");
  assert.notEqual(exitCode, 0);
  assert.match(stderr, /Watch over HLS or DASH/);
  assert.equal(gate.requests.length, 0);
});

/** Codecs as our formats name them, by ffmpeg's encoder. */
const CODEC_OF: Readonly<Record<string, string>> = {
  libx264: "h264",
  libx265: "hevc",
  libsvtav1: "av1",
  "libvpx-vp9": "vp9",
  aac: "aac",
  libopus: "opus",
  flac: "flac",
  ac3: "ac3",
  eac3: "eac3",
  libmp3lame: "mp3",
};

/** Each codec in one pair at least. */
const PAIRS = AUDIO_ENCODERS.map((audio, index) => {
  const names = Object.keys(VIDEO_ENCODERS);
  return { video: names[index % names.length] ?? "", audio };
});

for (const { video, audio } of PAIRS) {
  test(`takes ${CODEC_OF[video]} and ${CODEC_OF[audio]} from FFmpeg 8`, async (t) => {
    const { gate, url } = await serve(t);
    const file = join(directory, `${video}-${audio}.mp4`);
    const videoOptions = VIDEO_ENCODERS[video] ?? [];
    await ffmpeg(...PICTURE, ...TONE, "-c:v", video, ...videoOptions, "-c:a", audio, "-ac", "2", "-strict", "-2", file);
    const { exitCode, stderr } = await run(process.execPath, MODERN_PUBLISHER, file, `${url}/live/${KEY}`);
    assert.equal(exitCode, 0, stderr);
    const publication = only(gate);
    await publication.closed;
    assert.deepEqual(codecsOf(publication), [CODEC_OF[video], CODEC_OF[audio]].sort());
    const pictures = unitsOf(publication, "video");
    assert.equal(pictures.length, 25);
    assert.equal(pictures[0]?.isKey, true);
    assert.equal(
      pictures.every(({ dts }, index) => index === 0 || dts > (pictures[index - 1]?.dts ?? 0)),
      true,
    );
    const presented = pictures.map(({ dts, cts }) => dts + cts).sort((a, b) => a - b);
    assert.deepEqual(
      presented.map((ms) => ms - (presented[0] ?? 0)),
      Array.from({ length: 25 }, (_, frame) => frame * 40),
    );
    assert.ok(unitsOf(publication, "audio").length >= 10);
  });
}

test("takes the first of two video tracks from FFmpeg 8", async (t) => {
  const { gate, url } = await serve(t);
  const file = join(directory, "multitrack.mp4");
  const maps = ["-map", "0:v", "-map", "1:a", "-map", "0:v", "-filter:v:1", "scale=160:90"];
  await ffmpeg(...PICTURE, ...TONE, ...maps, "-c:v", "libx264", "-c:a", "aac", file);
  const { exitCode, stderr } = await run(process.execPath, MODERN_PUBLISHER, file, `${url}/live/${KEY}`);
  assert.equal(exitCode, 0, stderr);
  const publication = only(gate);
  await publication.closed;
  assert.deepEqual(
    publication.formats.map((format) => (format.kind === "video" ? format.height : format.codec)).sort(),
    [180, "aac"],
  );
  assert.equal(unitsOf(publication, "video").length, 25);
});
