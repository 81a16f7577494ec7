import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { MediaPlaylist } from "./support/conformance/media-playlist.ts";
import { type Headwater, type StreamBody, soon, startHeadwater, type TestStream } from "./support/headwater.ts";
import {
  encodeFile,
  encodeTags,
  publishWithFfmpeg,
  publishWithGstreamer,
  publishWithModernFfmpeg,
  type RunningProgram,
  sendTags,
  sourceArguments,
  startPublishing,
} from "./support/publishers.ts";
import { decode, decodePeriods, fetchPlaylist, readPresentation, rendition, untilPlaylist } from "./support/readers.ts";
import { RtmpPublisher, RtmpRefusal } from "./support/rtmp-publisher.ts";

const STALE_AFTER_MS = 700;
const SETTINGS = {
  "live-max-concurrent-streams": "50",
  "live-stale-takeover-after": `${STALE_AFTER_MS}ms`,
  "access-brute-force-attempts": "1000",
};
/** Long enough for a publisher to return on a busy machine. */
const PATIENT = { transcode: false, reconnect_window_ms: 30_000 };
const IMPATIENT = { transcode: false, reconnect_window_ms: 500 };

let server: Headwater;
let directory = "";
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "headwater-publish-"));
  server = await startHeadwater({ settings: SETTINGS });
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

interface Story {
  readonly encoder: string;
  readonly start: (stream: TestStream) => RunningProgram | Promise<RunningProgram>;
  readonly videoCodec: RegExp;
  readonly audioCodec: RegExp;
  /** As ffprobe names them. */
  readonly decodedAs: readonly [video: string, audio: string];
}

/** Seconds that each encoder publishes, at 25 frames a second. */
const SECONDS = 4;
const FRAME_COUNT = SECONDS * 25;

async function modern(stream: TestStream, codecs: string): Promise<RunningProgram> {
  const inputs = sourceArguments({ seconds: SECONDS }).slice(0, 8);
  const file = join(directory, `${stream.id}.mp4`);
  return publishWithModernFfmpeg(stream.publishUrl, await encodeFile(file, ...inputs, ...codecs.split(" ")));
}

const STORIES: readonly Story[] = [
  {
    encoder: "ffmpeg",
    start: ({ publishUrl }) => publishWithFfmpeg(publishUrl, { seconds: SECONDS }),
    videoCodec: /^avc1\./,
    audioCodec: /^mp4a\.40\.2$/,
    decodedAs: ["h264", "aac"],
  },
  ...(["rtmp2sink", "rtmpsink"] as const).map(
    (sink): Story => ({
      encoder: `GStreamer's ${sink}`,
      start: ({ publishUrl }) => publishWithGstreamer(publishUrl, sink, FRAME_COUNT),
      videoCodec: /^avc1\./,
      audioCodec: /^mp4a\.40\.2$/,
      decodedAs: ["h264", "aac"],
    }),
  ),
  {
    encoder: "FFmpeg 8 as HEVC and AAC",
    start: (stream) =>
      modern(
        stream,
        "-c:v libx265 -preset ultrafast -g 25 -x265-params log-level=none -pix_fmt yuv420p -c:a aac -ac 2",
      ),
    videoCodec: /^hvc1\./,
    audioCodec: /^mp4a\.40\.2$/,
    decodedAs: ["hevc", "aac"],
  },
  {
    encoder: "FFmpeg 8 as AV1 and Opus",
    start: (stream) => modern(stream, "-c:v libsvtav1 -preset 12 -g 25 -pix_fmt yuv420p -c:a libopus -ac 2"),
    videoCodec: /^av01\./,
    audioCodec: /^opus$/i,
    decodedAs: ["av1", "opus"],
  },
];

describe("an encoder's stream goes live and is whole in HLS", { concurrency: 3 }, () => {
  for (const { encoder, start, videoCodec, audioCodec, decodedAs } of STORIES) {
    test(`from ${encoder}`, async () => {
      const stream = await server.createStream(IMPATIENT);
      await using publisher = await start(stream);
      const live = await stream.untilIt(isLiveWithMedia, soon());
      const [video, audio, ...others] = live.tracks;
      assert.deepEqual(others, []);
      assert.match(video?.codec ?? "", videoCodec);
      assert.deepEqual([video?.width, video?.height], [320, 180]);
      assert.match(audio?.codec ?? "", audioCodec);
      assert.deepEqual([audio?.sample_rate_hz, audio?.channel_count], [48_000, 2]);

      const end = await publisher.ended;
      assert.equal(end.code, 0, end.stderr);
      await stream.until("ready", soon());
      const decoded = await decode(stream.hlsUrl);
      assert.equal(decoded.complaints, "");
      assert.deepEqual(
        [...decoded.video, ...decoded.audio].map(({ codec }) => codec),
        decodedAs,
      );
      assert.equal(decoded.video[0]?.frameCount, FRAME_COUNT, `${JSON.stringify(decoded)}\n${server.output}`);
      const audioSeconds = ((decoded.audio[0]?.frameCount ?? 0) * (decodedAs[1] === "opus" ? 960 : 1024)) / 48_000;
      assert.ok(Math.abs(audioSeconds - SECONDS) < 0.1, `${audioSeconds} s of audio`);
    });
  }
});

describe("who may publish", { concurrency: 4 }, () => {
  test("refuses a wrong key: the encoder fails with a reason, and nothing appears", async () => {
    const stream = await server.createStream(PATIENT);
    await using publisher = publishWithFfmpeg(`${server.rtmpUrl}/sk_wrong`, { seconds: 2 });
    const { code, stderr } = await publisher.ended;
    assert.notEqual(code, 0);
    assert.match(stderr, /stream key is unknown/);
    assert.equal((await stream.now()).state, "pending");
    assert.equal((await fetch(stream.hlsUrl)).status, 404);
  });

  test("refuses a second encoder with a reason, and the first goes on", async () => {
    const stream = await server.createStream(PATIENT);
    await using first = publishWithFfmpeg(stream.publishUrl);
    await stream.until("live", soon());
    await using second = publishWithFfmpeg(stream.publishUrl, { seconds: 2 });
    const { code, stderr } = await second.ended;
    assert.notEqual(code, 0);
    assert.match(stderr, /Another encoder is live/);
    const before = await fetchPlaylist(stream.hlsUrl, "source");
    const next = (before.complete.at(-1)?.msn ?? 0) + 2;
    const after = await untilPlaylist(stream.hlsUrl, "source", ({ complete }) => reaches(complete, next), soon());
    assert.ok(after.complete.every(({ hasDiscontinuity, isGap }) => !hasDiscontinuity && !isGap));
    assert.ok((await stream.now()).health.some(({ code }) => code === "publisher_refused"));
    await first.stop();
  });

  test("lets a second encoder take over from one that has gone silent, and tells the first", async () => {
    const stream = await server.createStream(PATIENT);
    const tags = await encodeTags({ seconds: 5 });
    await using first = publishWithFfmpeg(stream.publishUrl);
    await untilPlaylist(stream.hlsUrl, "source", ({ complete }) => complete.length > 0, await played(stream));
    first.freeze();
    const second = await publishPersistently(stream);
    await sendTags(second, tags);
    await untilPlaylist(
      stream.hlsUrl,
      "source",
      ({ complete }) => complete.filter(({ hasDiscontinuity }) => hasDiscontinuity).length === 1,
      soon(),
    );
    first.thaw();
    const { code, stderr } = await first.ended;
    assert.notEqual(code, 0, stderr);
    await second.close();
  });

  test("blocks an address after five wrong keys, and no other", async () => {
    await using strict = await startHeadwater({ settings: { host: "0.0.0.0" } });
    const { key } = await strict.createStream(PATIENT);
    const from = (localAddress: string, streamName: string) =>
      RtmpPublisher.publish({ port: strict.rtmpPort, localAddress, streamName });
    for (let attempt = 1; attempt <= 5; attempt++) {
      await assert.rejects(from("127.0.0.2", `sk_wrong${attempt}`), refusal(/stream key is unknown/));
    }
    await assert.rejects(from("127.0.0.2", key), refusal(/Too many wrong stream keys/));
    const publisher = await from("127.0.0.3", key);
    await publisher.close();
  });
});

describe("an encoder that is gone", { concurrency: 3 }, () => {
  test("comes back to the same addresses: a discontinuity, a new init, and numbers that go on", async () => {
    const stream = await server.createStream({ ...IMPATIENT, reconnect_window_ms: 10_000 });
    await using first = publishWithFfmpeg(stream.publishUrl);
    const before = await untilPlaylist(
      stream.hlsUrl,
      "source",
      ({ complete }) => complete.length > 1,
      await played(stream),
    );
    await first.stop("SIGKILL");
    await stream.until("reconnecting", soon());
    await using second = publishWithFfmpeg(stream.publishUrl, { size: "256x144", gopFrames: 50, seconds: 5 });
    const [after] = await Promise.all([
      untilPlaylist(stream.hlsUrl, "source", hasReturned, soon()),
      stream.until("live", soon()),
    ]);

    const inCommon = before.complete.length;
    const names = (playlist: MediaPlaylist) => playlist.complete.slice(0, inCommon).map(({ msn, uri }) => [msn, uri]);
    assert.deepEqual(names(after), names(before), "what was listed stays as it was");
    const [uris, maps] = [after.complete.map(({ uri }) => uri), new Set(after.complete.map(({ map }) => map))];
    assert.equal(new Set(uris).size, uris.length, "no name twice");
    assert.equal(maps.size, 2, "one init for each picture size");
    assert.equal(after.targetDurationS, before.targetDurationS);
    assert.equal(after.partTargetS, before.partTargetS);
    assert.equal((await second.ended).code, 0);

    await stream.until("reconnecting", soon());
    await server.ask("DELETE", `/api/v1/streams/${stream.id}`);
    const periods = await decodePeriods(rendition(await readPresentation(stream.hlsUrl), "source"));
    assert.deepEqual(
      periods.map(({ video: [video], complaints }) => [video?.width, video?.height, complaints]),
      [
        [320, 180, ""],
        [256, 144, ""],
      ],
    );
    assert.equal(periods[1]?.video[0]?.frameCount, 125);
  });

  test("does not come back: the playlist ends and the stream is ready for its next broadcast", async () => {
    const stream = await server.createStream(IMPATIENT);
    await using publisher = publishWithFfmpeg(stream.publishUrl);
    const { open, complete } = await untilPlaylist(
      stream.hlsUrl,
      "source",
      (playlist) => playlist.complete.length > 0 && playlist.open !== undefined,
      await played(stream),
    );
    const nextMsn = (open ?? complete.at(-1))?.msn ?? 0;
    const held = fetchPlaylist(stream.hlsUrl, "source", `?_HLS_msn=${nextMsn + 1}`);
    await publisher.stop("SIGKILL");
    assert.equal((await held).isEnded, true, "who waited is told");
    await stream.until("ready", soon());
    const presentation = await readPresentation(stream.hlsUrl);
    assert.deepEqual(
      [...presentation.renditions.values()].map(({ playlist }) => playlist.isEnded),
      [true, true],
    );

    await using again = publishWithFfmpeg(stream.publishUrl);
    await stream.until("live", soon());
    const next = await readPresentation(stream.hlsUrl);
    const last = rendition(presentation, "source").segments.at(-1)?.msn ?? 0;
    assert.ok((rendition(next, "source").segments[0]?.msn ?? 0) > last, "the next broadcast's numbers are higher");
    await again.stop();
  });
});

const reaches = (segments: readonly { msn: number }[], msn: number) => (segments.at(-1)?.msn ?? 0) >= msn;

function isLiveWithMedia({ state, tracks }: StreamBody): boolean {
  return state === "live" && tracks.length === 2;
}

/** A whole segment behind a discontinuity. */
function hasReturned({ complete }: { complete: readonly { hasDiscontinuity: boolean }[] }): boolean {
  const at = complete.findIndex(({ hasDiscontinuity }) => hasDiscontinuity);
  return at >= 0 && at < complete.length - 1;
}

/** Resolves when there is a playlist to follow, with a fresh limit for following it. */
async function played(stream: TestStream): Promise<AbortSignal> {
  await stream.until("live", soon());
  return soon();
}

/** As an encoder that tries again at once whenever it is refused. */
async function publishPersistently(stream: TestStream): Promise<RtmpPublisher> {
  for (const signal = soon(); ; ) {
    try {
      return await startPublishing(stream);
    } catch (error) {
      if (!(error instanceof RtmpRefusal) || signal.aborted) throw error;
    }
  }
}

function refusal(sentence: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof RtmpRefusal && sentence.test(error.message);
}
