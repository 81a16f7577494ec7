import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Headwater, soon, startHeadwater, type TestStream } from "./support/headwater.ts";
import { Players } from "./support/players/players.ts";
import { publishWithFfmpeg } from "./support/publishers.ts";
import {
  decode,
  decodePeriods,
  fetchPlaylist,
  type ReadPresentation,
  type ReadRendition,
  readEnded,
  readPresentation,
  rendition,
  samplesOf,
  untilPlaylist,
} from "./support/readers.ts";
import { makeBucket, startS3rver } from "./support/s3-server.ts";
import { TcpProxy } from "./support/tcp-proxy.ts";

const RATE = 25;
const PATIENT = { timeout: 300_000 };
/** All of a broadcast stays listed, so that the recording can be held against it. */
const STREAM = {
  record: true,
  transcode: false,
  reconnect_window_ms: 0,
  segment_duration_ms: 1000,
  window_segments: 500,
};

interface VideoBody {
  readonly video_id: string;
  readonly title: string;
  readonly status: string;
  readonly duration_ms: number | null;
  readonly hls_url: string;
  readonly dash_url: string;
  readonly poster_url: string | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly recording: {
    readonly stream_id: string;
    readonly started_at: string;
    readonly gaps: readonly { readonly at_ms: number; readonly duration_ms: number }[];
  } | null;
}

async function until<Value>(ask: () => Promise<Value | undefined>, what: string, signal: AbortSignal): Promise<Value> {
  for (;;) {
    const value = await ask();
    if (value !== undefined) return value;
    if (signal.aborted) throw new Error(`${what} did not happen`);
    await delay(50);
  }
}

const videoOf = (server: Headwater, videoId: string) => server.ask<VideoBody>("GET", `/api/v1/videos/${videoId}`);

/** The recording that the stream shows, when it is there. */
function recordingOf(server: Headwater, stream: TestStream): Promise<VideoBody> {
  const ask = async () => {
    const { video_id: videoId } = await server.ask<{ video_id: string | null }>("GET", `/api/v1/streams/${stream.id}`);
    return videoId === null ? undefined : videoOf(server, videoId);
  };
  return until(ask, "the stream has a recording", soon());
}

function untilStatus(server: Headwater, videoId: string, ...statuses: readonly string[]): Promise<VideoBody> {
  const ask = async () => {
    const video = await videoOf(server, videoId);
    return statuses.includes(video.status) ? video : undefined;
  };
  return until(ask, `the video is ${statuses.join(" or ")}`, soon());
}

function untilRecorded(video: VideoBody, count: number): Promise<unknown> {
  const ask = async () => {
    const { complete } = await fetchPlaylist(video.hls_url, "source");
    return complete.length >= count ? complete : undefined;
  };
  return until(ask, `${count} segments are recorded`, soon());
}

const hashesOf = ({ segments }: ReadRendition) =>
  segments.filter(({ isGap }) => !isGap).map(({ bytes }) => createHash("sha256").update(bytes).digest("hex"));

/** dash.js stays on the lowest quality while there is one. */
const LOWEST = {
  streaming: { abr: { autoSwitchBitrate: { video: false, audio: false }, initialBitrate: { video: 1, audio: 1 } } },
};

/** Every segment that viewers got is in the recording, byte for byte, and nothing else. */
function assertSameMedia(recorded: ReadPresentation, live: ReadPresentation): void {
  assert.deepEqual([...recorded.renditions.keys()].sort(), [...live.renditions.keys()].sort());
  for (const [id, { segments }] of recorded.renditions) {
    assert.ok(segments.length > 0, id);
    assert.deepEqual(hashesOf(rendition(recorded, id)), hashesOf(rendition(live, id)), id);
  }
}

describe("a broadcast is recorded", { concurrency: 3 }, () => {
  let server: Headwater;
  let players: Players;
  before(async () => {
    [server, players] = await Promise.all([startHeadwater(), Players.open()]);
  });
  after(async () => {
    await players?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
  });

  test("while it is live, playable from its start, and is a video when it ends", PATIENT, async () => {
    const SECONDS = 14;
    const stream = await server.createStream({ ...STREAM, name: "Sunday service" });
    await using publisher = publishWithFfmpeg(stream.publishUrl, { size: "640x360", seconds: SECONDS });
    await stream.until("live", soon());
    const begun = await recordingOf(server, stream);
    assert.equal(begun.title, "Sunday service");
    await untilStatus(server, begun.video_id, "playable");
    await untilRecorded(begun, 4);
    const growing = await fetchPlaylist(begun.hls_url, "source");
    assert.deepEqual([growing.playlistType, growing.isEnded], ["EVENT", false]);
    const handles = await Promise.all([
      players.playHls(begun.hls_url),
      players.playDash(begun.dash_url),
      players.playShaka(begun.hls_url),
    ]);
    for (const handle of handles) {
      const { currentTime } = await handle.until(({ decodedFrames }) => decodedFrames > 0, soon());
      assert.ok(currentTime < 3, `${handle.name} began at ${currentTime}`);
    }
    await publisher.ended;
    const ready = await untilStatus(server, begun.video_id, "ready");
    assert.deepEqual([ready.recording?.stream_id, ready.recording?.gaps], [stream.id, []]);
    assert.ok(Math.abs((ready.duration_ms ?? 0) - SECONDS * 1000) < 100, `${ready.duration_ms}`);
    const hasPoster = async () => (await videoOf(server, begun.video_id)).poster_url ?? undefined;
    const poster = await until(hasPoster, "the recording has a poster", soon());
    // Who shows videos looks at final ones now and then alone.
    const isShown = async () => (await server.get(poster)).headers.get("content-type") === "image/jpeg" || undefined;
    await until(isShown, "the poster can be fetched", soon());
    const recorded = await readEnded(ready.hls_url, soon());
    assert.deepEqual([...recorded.renditions.keys()].sort(), ["audio_source", "source"]);
    const source = rendition(recorded, "source");
    assert.deepEqual([source.playlist.playlistType, source.playlist.isEnded], ["VOD", true]);
    assert.equal(samplesOf(source).length, SECONDS * RATE);
    assertSameMedia(recorded, await readEnded(stream.hlsUrl, soon()));
    assert.deepEqual(
      (await decodePeriods(source)).map(({ complaints }) => complaints),
      [""],
    );
    for (const url of [ready.hls_url, ready.dash_url]) {
      const { video, audio } = await decode(url);
      assert.ok(Math.abs((video[0]?.frameCount ?? 0) - SECONDS * RATE) <= 1, `${url}: ${JSON.stringify(video)}`);
      assert.ok((audio[0]?.frameCount ?? 0) > SECONDS * 46, `${url}: ${JSON.stringify(audio)}`);
    }
    for (const handle of handles) {
      const end = await handle.until(({ hasEnded }) => hasEnded, soon());
      assert.deepEqual(end.fatal, [], JSON.stringify(end));
      assert.ok(Math.abs(end.currentTime - SECONDS) < 0.5, `${handle.name} ended at ${end.currentTime}`);
    }
  });

  test("with its rungs, as far as they went, and plays on where one is missing", PATIENT, async () => {
    const stream = await server.createStream({ ...STREAM, transcode: true, qualities: ["240p"] });
    await using publisher = publishWithFfmpeg(stream.publishUrl, { size: "640x360", seconds: 14 });
    await stream.until("live", soon());
    const begun = await recordingOf(server, stream);
    await untilPlaylist(stream.hlsUrl, "240p", ({ complete }) => complete.length >= 2, soon());
    await untilStatus(server, begun.video_id, "playable");
    await untilRecorded(begun, 1);
    const handle = await players.playDash(begun.dash_url, { config: LOWEST });
    // The first times it is back within a segment.
    for (let count = 1; count <= 3; count++) process.kill(await stream.untilEncoder(count, soon()), "SIGKILL");
    await publisher.ended;
    const ready = await untilStatus(server, begun.video_id, "ready");
    const [recorded, live] = [await readEnded(ready.hls_url, soon()), await readEnded(stream.hlsUrl, soon())];
    assert.deepEqual([...recorded.renditions.keys()].sort(), ["240p", "aac_96", "audio_source", "source"]);
    for (const id of ["source", "audio_source"]) {
      assert.deepEqual(hashesOf(rendition(recorded, id)), hashesOf(rendition(live, id)), id);
    }
    // Rungs may have less than the source, where a machine cannot keep up: what viewers got whole is what is recorded.
    for (const id of ["240p", "aac_96"]) {
      const got = new Set(hashesOf(rendition(live, id)));
      assert.ok(
        hashesOf(rendition(recorded, id)).every((hash) => got.has(hash)),
        id,
      );
      const { segments } = rendition(recorded, id);
      assert.ok(segments.some(({ isGap }) => isGap) && segments.some(({ isGap }) => !isGap), id);
    }
    const end = await handle.until(({ hasEnded }) => hasEnded, soon());
    assert.deepEqual(end.fatal, [], JSON.stringify(end));
  });

  test("across an encoder that returns with another picture", PATIENT, async () => {
    const stream = await server.createStream({ ...STREAM, reconnect_window_ms: 60_000 });
    {
      await using first = publishWithFfmpeg(stream.publishUrl, { size: "320x180" });
      await stream.until("live", soon());
      await untilPlaylist(stream.hlsUrl, "source", ({ complete }) => complete.length >= 4, soon());
      await first.stop("SIGKILL");
      await untilPlaylist(stream.hlsUrl, "source", ({ complete }) => complete.at(-1)?.isGap === true, soon());
    }
    const video = await recordingOf(server, stream);
    await using second = publishWithFfmpeg(stream.publishUrl, { size: "640x360", seconds: 5, audioBitrate: "96k" });
    await second.ended;
    await untilPlaylist(stream.hlsUrl, "source", ({ complete }) => complete.at(-1)?.isGap === true, soon());
    await server.ask("DELETE", `/api/v1/streams/${stream.id}`);
    const ready = await untilStatus(server, video.video_id, "ready");
    const recorded = await readEnded(ready.hls_url, soon());
    assertSameMedia(recorded, await readEnded(stream.hlsUrl, soon()));
    for (const { segments } of recorded.renditions.values()) {
      const gaps = segments.filter(({ isGap }) => isGap).map(({ durationS }) => durationS);
      assert.deepEqual(gaps, [0.2], "the time without encoder is left out");
      assert.equal(segments.filter(({ hasDiscontinuity }) => hasDiscontinuity).length, 1);
    }
    const refused = await fetch(new URL(`/api/v1/videos/${video.video_id}/downloads`, server.httpUrl), {
      method: "POST",
      headers: { authorization: `Bearer ${server.adminToken}`, "content-type": "application/json" },
      body: JSON.stringify({ rendition: "source" }),
    });
    assert.deepEqual([refused.status, /has breaks/.test(await refused.text())], [409, true]);
    const source = rendition(recorded, "source");
    const periods = await decodePeriods(source);
    assert.deepEqual(
      periods.map(({ video: [track] }) => track?.width),
      [320, 640],
    );
    assert.deepEqual(
      periods.map(({ complaints }) => complaints),
      ["", ""],
    );
    assert.equal(periods[1]?.video[0]?.frameCount, 5 * RATE);
    const lengthS = source.segments.reduce((sum, { durationS }) => sum + durationS, 0);
    assert.ok(Math.abs((ready.duration_ms ?? 0) / 1000 - lengthS) < 0.1, `${ready.duration_ms} ms, ${lengthS} s`);
    const handles = await Promise.all([
      players.playHls(ready.hls_url),
      players.playDash(ready.dash_url),
      players.playShaka(ready.dash_url),
    ]);
    for (const handle of handles) {
      const end = await handle.until(({ hasEnded }) => hasEnded, soon());
      assert.deepEqual(end.fatal, [], JSON.stringify(end));
      assert.ok(Math.abs(end.currentTime - lengthS) < 0.5, `${handle.name} ended at ${end.currentTime} of ${lengthS}`);
      assert.equal(end.rendition, "640x360", handle.name);
    }
  });

  test("and its video can be deleted meanwhile", PATIENT, async () => {
    const stream = await server.createStream(STREAM);
    await using publisher = publishWithFfmpeg(stream.publishUrl);
    await stream.until("live", soon());
    const video = await recordingOf(server, stream);
    await untilStatus(server, video.video_id, "playable");
    await server.ask("DELETE", `/api/v1/videos/${video.video_id}`);
    await server.untilLogged(({ msg, streamId }) => msg === "recording stopped" && streamId === stream.id, soon());
    const { complete } = await fetchPlaylist(stream.hlsUrl, "source");
    const goal = (complete.at(-1)?.msn ?? 0) + 2;
    await untilPlaylist(stream.hlsUrl, "source", (now) => (now.complete.at(-1)?.msn ?? 0) >= goal, soon());
    assert.equal((await server.get(`/api/v1/videos/${video.video_id}/playback`)).status, 404);
    assert.equal((await server.ask<{ video_id: string | null }>("GET", `/api/v1/streams/${stream.id}`)).video_id, null);
    await publisher.stop();
  });

  test("not at all when nobody wants it", PATIENT, async () => {
    const stream = await server.createStream({ ...STREAM, record: false });
    await using publisher = publishWithFfmpeg(stream.publishUrl, { seconds: 3 });
    await publisher.ended;
    await stream.until("ready", soon());
    const { video_id: videoId } = await server.ask<{ video_id: string | null }>("GET", `/api/v1/streams/${stream.id}`);
    assert.equal(videoId, null);
  });
});

async function ownDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "headwater-recording-"));
  t.after(() => rm(directory, { recursive: true, force: true, maxRetries: 3 }));
  return directory;
}

describe("a recording outlives its server", { concurrency: 3 }, () => {
  test("and goes on with the publisher that returns", PATIENT, async (t) => {
    const dataDir = await ownDirectory(t);
    const settings = { ...STREAM, reconnect_window_ms: 60_000 };
    let stream: TestStream;
    let videoId: string;
    {
      await using server = await startHeadwater({ dataDir });
      stream = await server.createStream(settings);
      await using _publisher = publishWithFfmpeg(stream.publishUrl);
      await stream.until("live", soon());
      const video = await recordingOf(server, stream);
      videoId = video.video_id;
      await untilStatus(server, videoId, "playable");
      await untilRecorded(video, 8);
      await server.stop("SIGKILL");
    }
    await using server = await startHeadwater({ dataDir });
    const before = await readPresentation((await videoOf(server, videoId)).hls_url);
    const again = server.existingStream(stream.id, stream.key);
    await using publisher = publishWithFfmpeg(again.publishUrl, { seconds: 4 });
    await again.until("live", soon());
    await publisher.ended;
    await server.ask("DELETE", `/api/v1/streams/${stream.id}`);
    const ready = await untilStatus(server, videoId, "ready");
    const recorded = await readEnded(ready.hls_url, soon());
    for (const [id, was] of before.renditions) {
      const { segments } = rendition(recorded, id);
      assert.deepEqual(
        segments.slice(0, was.segments.length).map(({ uri }) => uri),
        was.segments.map(({ uri }) => uri),
        "what was there stays",
      );
      assert.deepEqual(
        segments.flatMap(({ hasDiscontinuity }, index) => (hasDiscontinuity ? [index] : [])),
        // Behind the gap that stands for the time without server.
        [was.segments.length + 1],
      );
    }
    const source = rendition(recorded, "source");
    assert.equal(samplesOf(source).length, samplesOf(rendition(before, "source")).length + 4 * RATE);
    const periods = await decodePeriods(source);
    assert.deepEqual(
      periods.map(({ complaints }) => complaints),
      ["", ""],
    );
  });

  test("and is finished when nobody returns", PATIENT, async (t) => {
    const dataDir = await ownDirectory(t);
    let videoId: string;
    {
      await using server = await startHeadwater({ dataDir });
      const stream = await server.createStream({ ...STREAM, reconnect_window_ms: 500 });
      await using _publisher = publishWithFfmpeg(stream.publishUrl);
      await stream.until("live", soon());
      const video = await recordingOf(server, stream);
      videoId = video.video_id;
      await untilStatus(server, videoId, "playable");
      await server.stop("SIGKILL");
    }
    await using server = await startHeadwater({ dataDir });
    const ready = await untilStatus(server, videoId, "ready");
    const source = rendition(await readEnded(ready.hls_url, soon()), "source");
    assert.ok(source.playlist.isEnded);
    const lengthMs = source.segments.reduce((sum, { durationS }) => sum + durationS * 1000, 0);
    assert.ok(Math.abs((ready.duration_ms ?? 0) - lengthMs) < 100, `${ready.duration_ms} ms, ${lengthMs} ms`);
  });

  test("and stays unfinished when the server ends in order", PATIENT, async (t) => {
    const dataDir = await ownDirectory(t);
    let videoId: string;
    let frameCount: number;
    {
      await using server = await startHeadwater({ dataDir });
      const stream = await server.createStream({ ...STREAM, reconnect_window_ms: 60_000 });
      await using _publisher = publishWithFfmpeg(stream.publishUrl);
      await stream.until("live", soon());
      videoId = (await recordingOf(server, stream)).video_id;
      await untilPlaylist(stream.hlsUrl, "source", ({ complete }) => complete.length >= 4, soon());
      frameCount = samplesOf(rendition(await readPresentation(stream.hlsUrl), "source")).length;
      const { code } = await server.stop();
      assert.equal(code, 0);
    }
    await using server = await startHeadwater({ dataDir });
    const video = await videoOf(server, videoId);
    assert.equal(video.status, "playable");
    const source = rendition(await readPresentation(video.hls_url), "source");
    assert.ok(samplesOf(source).length >= frameCount, "nothing that viewers got is lost");
    assert.equal(source.playlist.playlistType, "EVENT");
  });

  test("and a store that is away, but for what memory cannot hold; viewers miss nothing", PATIENT, async (t) => {
    const s3 = await startS3rver();
    t.after(() => s3.close());
    const bucket = await makeBucket(s3);
    const proxy = await TcpProxy.start(t, s3.port);
    const settings = {
      ...{ "storage-backend": "s3", "storage-endpoint": proxy.url, "storage-bucket": bucket },
      ...{ "storage-access-key-id": s3.credentials?.accessKeyId ?? "" },
      ...{ "storage-secret-access-key": s3.credentials?.secretAccessKey ?? "", "recording-max-buffer": "1MiB" },
    };
    await using server = await startHeadwater({ settings });
    const stream = await server.createStream(STREAM);
    await using publisher = publishWithFfmpeg(stream.publishUrl, { size: "640x360", videoBitrate: "2M" });
    await stream.until("live", soon());
    const video = await recordingOf(server, stream);
    await untilStatus(server, video.video_id, "playable");
    await proxy.goDown();
    await server.untilLogged(({ msg }) => msg === "the store is too slow: media are not recorded", soon());
    const lost = await fetchPlaylist(stream.hlsUrl, "source");
    const goal = (lost.complete.at(-1)?.msn ?? 0) + 3;
    await untilPlaylist(stream.hlsUrl, "source", ({ complete }) => (complete.at(-1)?.msn ?? 0) >= goal, soon());
    await proxy.comeBack();
    const isBack = async () => {
      const { complete } = await fetchPlaylist(video.hls_url, "source");
      return complete.some(({ hasDiscontinuity }) => hasDiscontinuity) ? complete : undefined;
    };
    await until(isBack, "the recording goes on behind the gap", soon());
    await publisher.stop();
    const ready = await untilStatus(server, video.video_id, "ready");
    const live = await readEnded(stream.hlsUrl, soon());
    const recorded = await readEnded(ready.hls_url, soon());
    const [gap, ...more] = ready.recording?.gaps ?? [];
    assert.ok(gap, "the gap is said");
    assert.deepEqual(more, []);
    for (const [id, { segments }] of live.renditions) {
      assert.ok(
        segments.every(({ isGap, hasDiscontinuity }) => !isGap && !hasDiscontinuity),
        "viewers missed nothing",
      );
      const all = hashesOf(rendition(live, id));
      const kept = hashesOf(rendition(recorded, id));
      const first = all.findIndex((hash, index) => kept[index] !== hash);
      const lostCount = all.length - kept.length;
      assert.deepEqual(kept, [...all.slice(0, first), ...all.slice(first + lostCount)], `${id}: one hole`);
      const playlist = rendition(recorded, id).segments;
      assert.deepEqual(
        playlist.flatMap(({ hasDiscontinuity }, at) => (hasDiscontinuity ? [at] : [])),
        [first + 1],
      );
    }
    const lostS = hashesOf(rendition(live, "source")).length - hashesOf(rendition(recorded, "source")).length;
    assert.ok(Math.abs(gap.duration_ms / 1000 - lostS) < 0.2, `${gap.duration_ms} ms said, ${lostS} s lost`);
  });
});
