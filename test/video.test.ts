import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import * as HlsParser from "hls-parser";
import { Parser as M3u8Parser } from "m3u8-parser";
import { ALL_FORMATS, BufferSource, Input } from "mediabunny";
import { parse as parseMpd } from "mpd-parser";
import { StoredConformance } from "./support/conformance/stored-conformance.ts";
import { type Film, SHORT, uploadFilm } from "./support/films.ts";
import { FLASHED_S, flashes, readBeeps, readPictures } from "./support/flashes.ts";
import { type Headwater, soon, startHeadwater } from "./support/headwater.ts";
import { type PlayerHandle, Players } from "./support/players/players.ts";
import { RunningProgram } from "./support/publishers.ts";
import { decode, readPresentation } from "./support/readers.ts";
import { sourceDirectory, writeSource } from "./support/source-files.ts";

const directory = await sourceDirectory();
const PATIENT = { timeout: 300_000 };
const RATE = 25;
const FRAME_COUNT = FLASHED_S * RATE;

const H264 = [
  "-c:v",
  "libx264",
  "-preset",
  "ultrafast",
  "-bf",
  "2",
  "-b_strategy",
  "0",
  "-g",
  "25",
  "-pix_fmt",
  "yuv420p",
];
const VP9 = ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"];
const CONTAINERS: Readonly<Record<string, readonly string[]>> = {
  mp4: [...H264, "-c:a", "aac"],
  mkv: [...H264, "-c:a", "ac3"],
  avi: ["-c:v", "mpeg4", "-c:a", "libmp3lame"],
  mov: [...H264, "-c:a", "pcm_s16le"],
  webm: VP9,
};
const SIZE = { width: 640, height: 360 };

let server: Headwater;
const films = new Map<string, Film>();

function film(container: string): Film {
  const found = films.get(container);
  assert.ok(found);
  return found;
}

before(async () => {
  server = await startHeadwater({ settings: SHORT });
  for (const [container, options] of Object.entries(CONTAINERS)) {
    const { picture, sound } = flashes({ size: `${SIZE.width}x${SIZE.height}` });
    const path = await writeSource(...picture, ...sound, "-ac", "2", ...options, join(directory, `film.${container}`));
    films.set(container, await uploadFilm(server, path));
  }
});
after(() => server?.[Symbol.asyncDispose]());

describe("a film uploaded as", { concurrency: 2 }, () => {
  for (const container of Object.keys(CONTAINERS)) {
    test(`${container} is made, with every picture and every beep where it was`, PATIENT, async () => {
      const { hlsUrl } = film(container);
      await film(container).until(["ready"], soon(240));
      const { video, audio, complaints } = await decode(hlsUrl);
      assert.equal(complaints, "");
      assert.ok(video.length > 0 && audio.length > 0);
      for (const { frameCount } of video) assert.equal(frameCount, FRAME_COUNT);
      const [pictures, beeps] = await Promise.all([readPictures(hlsUrl), readBeeps(hlsUrl)]);
      assert.equal(pictures.flashesS.length, beeps.length);
      for (const [index, flashS] of pictures.flashesS.entries()) {
        const offMs = ((beeps[index] ?? 0) - flashS) * 1000;
        assert.ok(Math.abs(offMs) < 20, `the beep at ${flashS} s is ${offMs} ms off`);
      }
    });
  }
});

describe("a stored film is read by", { concurrency: 2 }, () => {
  let ready: Film;
  before(async () => {
    ready = film("mp4");
    await ready.until(["ready"], soon(240));
  });

  test("the conformance checker, which finds no broken rule of HLS, DASH and HTTP", async () => {
    const { violations, seen } = await new StoredConformance(ready.hlsUrl).look();
    assert.equal(violations.report(), "", JSON.stringify(seen));
    const listed = FLASHED_S;
    assert.deepEqual(seen, { renditions: 3, segments: 3 * listed, pictures: 2 * listed, words: 0, representations: 3 });
  });

  test("parsers of playlists and MPDs", async () => {
    HlsParser.setOptions({ strictMode: true });
    const master = HlsParser.parse(await textOf(ready.hlsUrl));
    assert.ok(master.isMasterPlaylist);
    const { renditions } = await readPresentation(ready.hlsUrl);
    for (const { id, segments } of renditions.values()) {
      const text = await textOf(new URL(`${id}/playlist.m3u8`, ready.hlsUrl).href);
      const strict = HlsParser.parse(text) as HlsParser.types.MediaPlaylist;
      const loose = new M3u8Parser();
      loose.push(text);
      loose.end();
      assert.deepEqual([strict.playlistType, strict.endlist], ["VOD", true]);
      assert.deepEqual(
        [strict.segments.length, loose.manifest.segments.length],
        [segments.length, segments.length],
        id,
      );
      const file = Buffer.concat([segments[0]?.init ?? new Uint8Array(), ...segments.map(({ bytes }) => bytes)]);
      const input = new Input({ formats: ALL_FORMATS, source: new BufferSource(file) });
      const [track] = await input.getTracks();
      const sampleCount = segments.reduce((sum, { samples }) => sum + samples.length, 0);
      assert.equal((await track?.computePacketStats())?.packetCount, sampleCount, id);
    }
    const mpd = parseMpd(await textOf(ready.dashUrl), { manifestUri: ready.dashUrl });
    const listed = renditions.get("source")?.segments.length;
    assert.deepEqual(
      mpd.playlists.map(({ segments }) => segments.length),
      [listed, listed],
    );
  });

  test("mpv", PATIENT, async () => {
    const options = ["--no-config", "--vo=null", "--ao=null", "--length=2"];
    await using mpv = new RunningProgram("mpv", [...options, ready.hlsUrl]);
    const { code, stdout, stderr } = await mpv.ended;
    assert.equal(code, 0, stderr);
    for (const sign of [/h264 640x360 25/, /aac 2ch 48000Hz/, /End of file/]) assert.match(stdout, sign);
    assert.doesNotMatch(`${stdout}${stderr}`, /error|invalid|failed/i);
  });

  // Of pictures and sound together streamlink makes nothing when a playlist of fragmented MP4 has ended, whoever wrote it.
  test("streamlink", PATIENT, async () => {
    const url = new URL("source/playlist.m3u8", ready.hlsUrl).href;
    const file = join(directory, "streamlink.mp4");
    await using streamlink = new RunningProgram("streamlink", ["--output", file, url, "best"]);
    const { code, stdout, stderr } = await streamlink.ended;
    assert.equal(code, 0, `${stdout}${stderr}`);
    const { video } = await decode(file);
    assert.equal(video[0]?.frameCount, FRAME_COUNT);
  });

  test("GStreamer", PATIENT, async () => {
    const file = join(directory, "gstreamer.yuv");
    await using player = new RunningProgram("gst-launch-1.0", [
      ...["-v", "playbin3", `uri=${ready.hlsUrl}`, "audio-sink=fakesink"],
      `video-sink=videoconvert ! videoscale ! video/x-raw,format=I420,width=64,height=36 ! filesink location=${file}`,
    ]);
    const { code, stderr } = await player.ended;
    assert.equal(code, 0, stderr);
    assert.equal((await stat(file)).size, FRAME_COUNT * 64 * 36 * 1.5);
  });
});

async function textOf(url: string): Promise<string> {
  const answer = await fetch(url);
  assert.equal(answer.status, 200, url);
  return answer.text();
}

// One after another: a player that gets no processor time says nothing of its server.
describe("a stored film is played in Chromium", () => {
  let players: Players;
  let ready: Film;
  before(async () => {
    ready = film("mp4");
    await ready.until(["ready"], soon(240));
    players = await Players.open();
  });
  after(() => players?.[Symbol.asyncDispose]());

  for (const [player, play] of [
    ["hls.js", () => players.playHls(ready.hlsUrl)],
    ["dash.js", () => players.playDash(ready.dashUrl)],
    ["Shaka with HLS", () => players.playShaka(ready.hlsUrl)],
    ["Shaka with DASH", () => players.playShaka(ready.dashUrl)],
  ] as const) {
    test(`by ${player}, from its start, near its end, in its middle and to its end`, PATIENT, async () => {
      const handle = await play();
      await assertPlays(handle);
      await handle.close();
    });
  }
});

/** Plays from the first picture on, goes where it is sent, and ends. */
async function assertPlays(handle: PlayerHandle): Promise<void> {
  const signal = soon(180);
  const first = await handle.until(({ decodedFrames, isPaused }) => decodedFrames > 0 && !isPaused, signal);
  assert.ok(first.currentTime < 1.5, `it began at ${first.currentTime}`);
  await handle.until(({ currentTime }) => currentTime >= 1, signal);
  for (const to of [FLASHED_S - 1.5, FLASHED_S / 2]) {
    await handle.page.evaluate(`document.querySelector("video").currentTime = ${to}`);
    await handle.until(({ currentTime }) => currentTime >= to && currentTime < to + 1.4, signal);
    const { decodedFrames } = handle.report;
    await handle.until((report) => report.decodedFrames > decodedFrames + 5, signal);
  }
  const last = await handle.until(({ hasEnded }) => hasEnded, signal);
  const state = JSON.stringify(last);
  assert.deepEqual(last.fatal, [], state);
  assert.ok(Math.abs(last.currentTime - FLASHED_S) < 0.3, state);
  assert.ok(last.rendition === "640x360" || last.rendition === "426x240", state);
}
