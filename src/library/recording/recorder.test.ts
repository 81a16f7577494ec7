import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { TestLibrary } from "../../../test/support/libraries.ts";
import { livePeriod, row, SOUND, SOURCE } from "../../../test/support/recorded-rows.ts";
import type { VideoRepository } from "../../catalog/video-repository.ts";
import { type Clock, systemClock } from "../../core/clock.ts";
import { DomainError } from "../../core/errors.ts";
import { newStreamId } from "../../core/ids.ts";
import { silentLogger } from "../../core/logger.ts";
import { VideoReader } from "../video-reader.ts";
import { Recorder, type RecorderOptions } from "./recorder.ts";
import { Recording, type RecordingOptions } from "./recording.ts";

const streamId = newStreamId();
/** One run of media. */
const PERIOD = livePeriod();
const rowAt = (msn: number, bytes = "b".repeat(1_000)) => {
  const cells = [{ ...SOURCE, bytes: `${bytes} ${msn}` }, SOUND];
  return row({ msn, period: PERIOD, atMs: msn * 1_000, cells });
};

/** Retries come at once; what takes longer takes as long as it does. */
const impatientClock: Clock = {
  ...systemClock,
  after: (ms, run) => systemClock.after(ms <= 5_000 ? 1 : ms, run),
};

type Call<Told extends unknown[], Answer> = (...told: Told) => Promise<Answer>;

/** Fails the first time that it is called: before anything is done, or when it is done, so that the answer alone is lost. */
function failingOnce<Told extends unknown[], Answer>(fails: "before" | "after", call: Call<Told, Answer>) {
  let hasFailed = false;
  return async (...told: Told): Promise<Answer> => {
    const isDue = !hasFailed;
    hasFailed = true;
    if (!isDue) return call(...told);
    if (fails === "after") await call(...told);
    throw new DomainError("UNAVAILABLE", "the catalog is away");
  };
}

/** A recorder into a real library, whose store can be taken away. */
async function opened(
  t: TestContext,
  options: Partial<RecorderOptions> = {},
  change: (
    videos: VideoRepository,
    given: Pick<RecordingOptions, "link" | "advance">,
  ) => Partial<RecordingOptions> = () => ({}),
) {
  const { catalog, store, library, ...rest } = await TestLibrary.open(t);
  const { videos, streams } = catalog;
  await streams.create({
    ...{ streamId, name: null, ingestType: "rtmp", keyHash: streamId, keyHint: "hint" },
    settings: { qualities: null, enableHls: true, enableDash: true, lowLatency: true, transcode: false },
  });
  const given: Pick<RecordingOptions, "link" | "advance"> = {
    link: (streamId, videoId) => streams.setVideo(streamId, videoId),
    advance: (videoId) => library.advance(videoId),
  };
  const state = { isAway: false, putCount: 0 };
  const recordings: Recording[] = [];
  const recording: RecordingOptions = {
    videos,
    store: {
      put: async (...told) => {
        state.putCount += 1;
        if (state.isAway) throw new DomainError("UNAVAILABLE", "the store is away");
        return store.put(...told);
      },
      delete: (keys) => store.delete(keys),
    },
    log: silentLogger,
    ...given,
    ...change(videos, given),
  };
  const lost: number[] = [];
  const recorder = new Recorder({
    open: async () => {
      const told = { streamId, title: "a show", startedAtMs: 0, segmentTargetMs: 1_000, targetDurationS: 1 };
      const next = Recording.begin(recording, told);
      recordings.push(next);
      return next;
    },
    maxBufferBytes: 1_000_000,
    maxDurationMs: 3_600_000,
    onStored: () => {},
    onLost: (ms) => lost.push(ms),
    onUnfinished: (videoId) => assert.fail(`${videoId} was left unfinished`),
    clock: systemClock,
    log: silentLogger,
    ...options,
  });
  const reader = new VideoReader({ videos });
  /** Start of each segment of a rendition in the video, in s; a gap is none. */
  const shown = async (index = 0, id = "source") => {
    const video = recordings[index] && (await reader.get(recordings[index].videoId));
    const rendition = video?.renditions.find((each) => each.id === id);
    return rendition?.segments.filter(({ isGap }) => !isGap).map(({ start }) => start / rendition.timescale - 10);
  };
  const statusOf = async (index = 0) => {
    const { videoId } = recordings[index] ?? {};
    return videoId && (await videos.get(videoId));
  };
  const linked = async () => (await streams.get(streamId))?.videoId;
  return { ...rest, recorder, recordings, state, lost, shown, statusOf, linked, videos, store, library };
}

test("stores and publishes what comes, and finishes the video", async (t) => {
  const { recorder, shown, statusOf, store, recordings, library } = await opened(t);
  for (let msn = 0; msn < 9; msn++) recorder.push(rowAt(msn));
  recorder.end();
  await recorder.run();
  assert.deepEqual(await shown(), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  assert.deepEqual(await shown(0, "audio_source"), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  const video = await statusOf();
  assert.deepEqual([video?.status, video?.durationMs, video?.title], ["ready", 9_000, "a show"]);
  const keys = (await Array.fromAsync(store.list(`videos/${recordings[0]?.videoId}/source/`))).map(({ key }) => key);
  assert.equal(keys.length, 9);
  assert.deepEqual(await library.cleanUp({ isDryRun: true, olderThanMs: -1 }), [], "no object is without a record");
});

for (const fails of ["before", "after"] as const) {
  const sentence = fails === "before" ? "a call of the catalog fails" : "the answer to a call of the catalog is lost";
  test(`begins, ends and is played by its stream when ${sentence}`, async (t) => {
    const once = failingOnce;
    const { recorder, shown, statusOf, linked } = await opened(
      t,
      { clock: impatientClock },
      (videos, { link, advance }) => ({
        videos: {
          create: once(fails, (...told) => videos.create(...told)),
          setPlan: once(fails, (...told) => videos.setPlan(...told)),
          commitChunks: once(fails, (...told) => videos.commitChunks(...told)),
          finishRendition: once(fails, (...told) => videos.finishRendition(...told)),
          failRendition: once(fails, (...told) => videos.failRendition(...told)),
          setStatus: once(fails, (...told) => videos.setStatus(...told)),
        },
        link: once(fails, link),
        advance: once(fails, advance),
      }),
    );
    recorder.push(rowAt(0));
    recorder.end();
    await recorder.run();
    assert.deepEqual(await shown(), [0]);
    const video = await statusOf();
    assert.deepEqual([video?.status, video?.durationMs], ["ready", 1_000]);
    assert.equal(await linked(), video?.videoId);
  });
}

test("is over when its video is deleted before the stream plays it", async (t) => {
  const { recorder, recordings, statusOf } = await opened(t, {}, (videos, { link }) => ({
    link: async (streamId, videoId) => {
      await videos.remove(videoId);
      return link(streamId, videoId);
    },
  }));
  recorder.push(rowAt(0));
  await recorder.run();
  assert.deepEqual([recordings.length, await statusOf()], [1, undefined]);
});

test("leaves out what memory cannot hold while the store is away, and says what", async (t) => {
  const { recorder, shown, statusOf, state, lost, library } = await opened(t, { maxBufferBytes: 4_500 });
  state.isAway = true;
  const done = recorder.run();
  for (let msn = 0; msn < 8; msn++) recorder.push(rowAt(msn));
  assert.ok(recorder.queuedBytes <= 4_500, `${recorder.queuedBytes} bytes wait`);
  state.isAway = false;
  recorder.end();
  await done;
  assert.deepEqual(await shown(), [0, 1, 2, 3]);
  assert.deepEqual(lost, [1_000, 1_000, 1_000, 1_000]);
  const video = await statusOf();
  assert.ok(video);
  assert.deepEqual(library.recordingOf(video)?.gaps, [{ atMs: 4_000, durationMs: 4_000 }]);
});

test("goes on in a further video when one is as long as it may be", async (t) => {
  const { recorder, recordings, shown, statusOf } = await opened(t, { maxDurationMs: 3_500 });
  for (let msn = 0; msn < 5; msn++) recorder.push(rowAt(msn));
  recorder.end();
  await recorder.run();
  assert.equal(recordings.length, 2);
  assert.deepEqual(
    [await shown(0), await shown(1)],
    [
      [0, 1, 2],
      [3, 4],
    ],
  );
  assert.deepEqual([(await statusOf(0))?.durationMs, (await statusOf(1))?.durationMs], [3_000, 2_000]);
  assert.deepEqual([(await statusOf(0))?.status, (await statusOf(1))?.status], ["ready", "ready"]);
});

test("stops when its video is deleted, and leaves nothing behind", async (t) => {
  const { recorder, recordings, library, store, untilPublished } = await withPublishing(t);
  recorder.push(rowAt(0));
  await untilPublished(1);
  const videoId = recordings[0]?.videoId;
  assert.ok(videoId);
  await library.remove(videoId);
  for (let msn = 1; msn < 8; msn++) recorder.push(rowAt(msn));
  await recorder.run();
  const left = (await Array.fromAsync(store.list(`videos/${videoId}/`))).map(({ key }) => key);
  assert.deepEqual(
    left.filter((key) => !key.includes("/0/")),
    [],
    "what was published is the deletion's to clear",
  );
});

async function withPublishing(t: TestContext) {
  const parts = await opened(t);
  void parts.recorder.run();
  const untilPublished = async (count: number) => {
    while (((await parts.shown())?.length ?? 0) < count) {
      await new Promise<void>((resolve) => systemClock.after(5, resolve));
    }
  };
  return { ...parts, untilPublished };
}

test("lets go of what cannot be stored when the server ends, and leaves the video unfinished", async (t) => {
  const { recorder, state, shown, statusOf, untilPublished } = await withPublishing(t);
  recorder.push(rowAt(0));
  await untilPublished(1);
  state.isAway = true;
  recorder.push(rowAt(1));
  recorder.leaveUnfinished();
  await recorder.close(20);
  assert.deepEqual(await shown(), [0]);
  assert.equal((await statusOf())?.status, "playable");
});

test("says so when nothing could be stored at all", async (t) => {
  const { recorder, state, statusOf } = await opened(t);
  state.isAway = true;
  recorder.push(rowAt(0));
  await recorder.close(20);
  const video = await statusOf();
  assert.deepEqual([video?.status, video?.error?.message], ["errored", "Nothing of the broadcast could be stored."]);
});

test("makes no video of a broadcast that had nothing", async (t) => {
  const { recorder, recordings } = await opened(t);
  recorder.end();
  await recorder.run();
  assert.equal(recordings.length, 0);
});
