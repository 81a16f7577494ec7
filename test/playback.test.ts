import assert from "node:assert/strict";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import * as HlsParser from "hls-parser";
import { Parser as M3u8Parser } from "m3u8-parser";
import { ALL_FORMATS, BufferSource, Input } from "mediabunny";
import { createFile, type Movie, MP4BoxBuffer } from "mp4box";
import { parse as parseMpd } from "mpd-parser";
import { runConformance } from "./support/conformance/run-conformance.ts";
import { type Headwater, soon, startHeadwater, type TestStream } from "./support/headwater.ts";
import { type PlayerHandle, Players } from "./support/players/players.ts";
import type { PlayerReport } from "./support/players/report.ts";
import { publishWithFfmpeg, RunningProgram } from "./support/publishers.ts";
import { decode, type ReadRendition, readPresentation, untilPlaylist } from "./support/readers.ts";

/** Beyond the distance that the server asks for: what a player needs for itself on a busy machine. */
const LATENCY_SLACK_S = 1.5;
const PLAYED_S = 6;
const RATE = 25;

let server: Headwater;
let directory = "";
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "headwater-playback-"));
  server = await startHeadwater({ settings: { "live-max-concurrent-streams": "50" } });
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

describe("live", { concurrency: 2 }, () => {
  describe("a stream with a ladder", { concurrency: 1 }, testLadder);
  describe("a plain stream is read by", { concurrency: 4 }, testPlain);
});

function testLadder(): void {
  let stream: TestStream;
  let publisher: RunningProgram;
  before(async () => {
    stream = await server.createStream({ qualities: ["240p"], reconnect_window_ms: 0 });
    publisher = publishWithFfmpeg(stream.publishUrl, { size: "640x360", videoBitrate: "800k" });
    await stream.until("live", soon());
    await untilPlaylist(stream.hlsUrl, "240p", ({ complete }) => complete.length >= 4, soon());
  });
  after(() => publisher?.[Symbol.asyncDispose]());

  test("breaks no rule of HLS, DASH and HTTP that the conformance checker knows", async () => {
    const { seen, text, violations } = await runConformance({
      masterUrl: stream.hlsUrl,
      forMs: 15_000,
      // How late things come is judged where nothing else runs: `npm run bench -- live conformance`.
      slackMs: 5_000,
    });
    assert.equal(violations.report(), "", text);
    assert.equal(seen.renditions, 4);
    for (const [what, count] of Object.entries(seen)) assert.ok(count > 0, `${what}: ${text}`);
  });

  test("is read by every parser at hand: playlists, MPD, init segments and segments", async () => {
    const presentation = await readPresentation(stream.hlsUrl);
    await assertParsed(stream, presentation.renditions);
    for (const each of presentation.renditions.values()) await assertDemuxed(each);
  });

  // One after another: a player that gets no processor time says nothing of its server.
  describe("in Chromium", () => {
    let players: Players;
    before(async () => {
      players = await Players.open();
    });
    after(() => players?.[Symbol.asyncDispose]());

    for (const [player, play] of [
      ["hls.js", () => players.playHls(stream.hlsUrl)],
      ["dash.js", () => players.playDash(stream.dashUrl)],
      ["Shaka with HLS", () => players.playShaka(stream.hlsUrl)],
      ["Shaka with DASH", () => players.playShaka(stream.dashUrl)],
    ] as const) {
      test(`plays in ${player} with little delay`, async () => {
        const holdBackS =
          player.includes("hls") || player.includes("HLS") ? await hlsHoldBackS(stream) : await dashTargetS(stream);
        // On an overloaded machine hls.js sometimes asks for nothing more: it is begun a second time then.
        for (const patienceS of [60, 100]) {
          const handle = await play();
          const outcome = await assertPlays(handle, holdBackS, soon(patienceS)).catch((error: Error) => error);
          await handle.close();
          if (!outcome) return;
          if (patienceS === 100 || !(outcome.cause instanceof DOMException)) throw outcome;
        }
      });
    }
  });
}

/**
 * Plays for a while from its first picture on: time goes on, all its pictures are shown, the delay is what was asked for.
 * How soon each is reached is the machine's affair: a player that skipped frames to catch up shows them later.
 */
async function assertPlays(handle: PlayerHandle, holdBackS: number, signal: AbortSignal): Promise<void> {
  const first = await handle.until((report) => report.decodedFrames > 0 && !report.isPaused, signal);
  const last = await handle.until(
    ({ currentTime, decodedFrames }) =>
      currentTime >= first.currentTime + PLAYED_S && decodedFrames >= first.decodedFrames + PLAYED_S * RATE,
    signal,
  );
  const state = JSON.stringify(last);
  assert.deepEqual(last.fatal, [], state);
  assert.ok(last.rendition === "640x360" || last.rendition === "426x240", state);
  const isNear = ({ latencyS }: PlayerReport) => latencyS !== null && latencyS <= holdBackS + LATENCY_SLACK_S;
  if (!isNear(last)) await seekToLiveEdge(handle);
  const near = await handle.until(isNear, signal);
  assert.ok((near.latencyS ?? 0) > 0, state);
}

/** What a live button does. hls.js stays as far behind as it began, which is seconds where its first pictures came late. */
async function seekToLiveEdge(handle: PlayerHandle): Promise<void> {
  await handle.page.evaluate(() => {
    const { player } = globalThis as unknown as {
      player: { liveSyncPosition?: number | null; media: { currentTime: number } };
    };
    if (player.liveSyncPosition) player.media.currentTime = player.liveSyncPosition;
  });
}

async function hlsHoldBackS(stream: TestStream): Promise<number> {
  const playlist = await untilPlaylist(stream.hlsUrl, "source", () => true, soon());
  return Number(playlist.serverControl?.get("PART-HOLD-BACK"));
}

async function dashTargetS(stream: TestStream): Promise<number> {
  const mpd = await (await fetch(stream.dashUrl)).text();
  return Number(/<Latency[^>]* target="(\d+)"/.exec(mpd)?.[1]) / 1000;
}

async function assertParsed(stream: TestStream, renditions: ReadonlyMap<string, ReadRendition>): Promise<void> {
  HlsParser.setOptions({ strictMode: true });
  const master = HlsParser.parse(await textOf(stream.hlsUrl));
  assert.ok(master.isMasterPlaylist);
  const { variants } = master as HlsParser.types.MasterPlaylist;
  assert.deepEqual(
    variants.map(({ isIFrameOnly }) => isIFrameOnly === true),
    [false, false, true, true],
  );
  for (const id of renditions.keys()) {
    const text = await textOf(new URL(`${id}/playlist.m3u8`, stream.hlsUrl).href);
    const strict = HlsParser.parse(text) as HlsParser.types.MediaPlaylist;
    const loose = new M3u8Parser();
    loose.push(text);
    loose.end();
    const listed = text.match(/^#EXTINF/gm)?.length ?? 0;
    assert.ok(listed >= 4);
    assert.equal(strict.segments.filter(({ uri }) => uri !== "").length, listed, id);
    assert.equal(loose.manifest.segments.filter(({ uri }) => uri !== undefined).length, listed, id);
  }
  const mpd = parseMpd(await textOf(stream.dashUrl), { manifestUri: stream.dashUrl });
  assert.equal(mpd.playlists.length, 2);
  assert.ok(mpd.playlists.every(({ segments }) => segments.length >= 4));
}

/** Counts the samples of a rendition by parsers that share nothing with ours. */
async function assertDemuxed({ id, segments }: ReadRendition): Promise<void> {
  const sampleCount = segments.reduce((sum, { samples }) => sum + samples.length, 0);
  const init = segments[0]?.init ?? new Uint8Array();
  const file = Buffer.concat([init, ...segments.map(({ bytes }) => bytes)]);
  assert.equal(countByMp4box(file), sampleCount, `${id} by mp4box`);
  const input = new Input({ formats: ALL_FORMATS, source: new BufferSource(file) });
  const [track] = await input.getTracks();
  assert.equal((await track?.computePacketStats())?.packetCount, sampleCount, `${id} by mediabunny`);
}

function countByMp4box(file: Buffer): number {
  const box = createFile();
  let count = 0;
  box.onReady = (movie: Movie) => {
    box.onSamples = (_id, _user, samples) => {
      count += samples.length;
    };
    for (const { id } of movie.tracks) box.setExtractionOptions(id, undefined, { nbSamples: 1 });
    box.start();
  };
  box.onError = (module, message) => assert.fail(`${module}: ${message}`);
  box.appendBuffer(MP4BoxBuffer.fromArrayBuffer(new Uint8Array(file).buffer, 0));
  box.flush();
  return count;
}

async function textOf(url: string): Promise<string> {
  const answer = await fetch(url);
  assert.equal(answer.status, 200, url);
  return answer.text();
}

function testPlain(): void {
  const SIZE = { width: 320, height: 180 };
  let stream: TestStream;
  let publisher: RunningProgram;
  before(async () => {
    const body = { low_latency: false, segment_duration_ms: 2000, transcode: false, reconnect_window_ms: 0 };
    stream = await server.createStream(body);
    publisher = publishWithFfmpeg(stream.publishUrl, { size: `${SIZE.width}x${SIZE.height}`, seconds: 24 });
    await stream.until("live", soon());
    await untilPlaylist(stream.hlsUrl, "source", ({ complete }) => complete.length >= 3, soon());
  });
  after(() => publisher?.[Symbol.asyncDispose]());

  test("ffmpeg", async () => {
    const { video, audio, complaints } = await decode(stream.hlsUrl, { seconds: 4 });
    assert.equal(complaints, "");
    assert.ok((video[0]?.frameCount ?? 0) >= 4 * RATE - 1, JSON.stringify(video));
    assert.ok((audio[0]?.frameCount ?? 0) >= 4 * 46, JSON.stringify(audio));
  });

  // Told to leave earlier, it breaks off a reload of the playlist and says that it failed.
  test("mpv, to the end of the broadcast", async () => {
    const options = ["--no-config", "--vo=null", "--ao=null"];
    await using mpv = new RunningProgram("mpv", [...options, stream.hlsUrl]);
    const { code, stdout, stderr } = await mpv.ended;
    assert.equal(code, 0, stderr);
    for (const sign of [/h264 320x180 25/, /aac 2ch 48000Hz/, /End of file/]) assert.match(stdout, sign);
    assert.doesNotMatch(`${stdout}${stderr}`, /error|invalid|failed/i);
  });

  test("streamlink, to the end of the broadcast", async () => {
    const file = join(directory, "streamlink.ts");
    await using streamlink = new RunningProgram("streamlink", ["--output", file, stream.hlsUrl, "best"]);
    const { code, stdout, stderr } = await streamlink.ended;
    assert.equal(code, 0, `${stdout}${stderr}`);
    // At the end streamlink closes its muxer's pipes before all is through: the last pictures may be missing.
    const { video, audio } = await decode(file);
    assert.ok((video[0]?.frameCount ?? 0) >= 10 * RATE, JSON.stringify(video));
    assert.ok((audio[0]?.frameCount ?? 0) >= 10 * 46, JSON.stringify(audio));
  });

  test("GStreamer's playbin3 with hlsdemux2, to the end of the broadcast", async () => {
    const file = join(directory, "gstreamer.yuv");
    await using player = new RunningProgram("gst-launch-1.0", [
      ...["-v", "playbin3", `uri=${stream.hlsUrl}`, "audio-sink=fakesink"],
      `video-sink=videoconvert ! video/x-raw,format=I420 ! filesink location=${file}`,
    ]);
    const { code, stdout, stderr } = await player.ended;
    assert.equal(code, 0, stderr);
    assert.match(stdout, /GstHLSDemux2/);
    const frameBytes = SIZE.width * SIZE.height * 1.5;
    const { size } = await stat(file);
    assert.equal(size % frameBytes, 0, "whole pictures");
    assert.ok(size / frameBytes >= 10 * RATE, `${size / frameBytes} pictures`);
  });
}
