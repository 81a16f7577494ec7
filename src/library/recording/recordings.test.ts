import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { TestLibrary } from "../../../test/support/libraries.ts";
import { livePeriod, SOURCE, segmentOf } from "../../../test/support/recorded-rows.ts";
import type { VideoRepository } from "../../catalog/video-repository.ts";
import { ManualClock } from "../../core/clock.ts";
import { Emitter } from "../../core/emitter.ts";
import { DomainError } from "../../core/errors.ts";
import { newStreamId } from "../../core/ids.ts";
import { silentLogger } from "../../core/logger.ts";
import type { LivePresentation, PresentationEvents, Rendition, Segment } from "../../packaging/presentation.ts";
import { Recordings, type RecordingsOptions } from "./recordings.ts";

const streamId = newStreamId();
/** One run of media. */
const PERIOD = livePeriod();

/** A catalog that can be taken away: whatever is asked of it fails then. */
function removable(videos: VideoRepository) {
  const state = { isAway: false, failedCount: 0, storedCount: 0 };
  const whileThere =
    <Told extends unknown[], Answer>(call: (...told: Told) => Promise<Answer>) =>
    async (...told: Told): Promise<Answer> => {
      if (!state.isAway) return call(...told);
      state.failedCount += 1;
      throw new DomainError("UNAVAILABLE", "the database is away");
    };
  const away: RecordingsOptions["videos"] = {
    get: whileThere((videoId) => videos.get(videoId)),
    ids: (...told) => videos.ids(...told),
    renditions: whileThere((videoId) => videos.renditions(videoId)),
    chunks: whileThere((...told) => videos.chunks(...told)),
    create: whileThere((video) => videos.create(video)),
    setPlan: whileThere((plan) => videos.setPlan(plan)),
    commitChunks: whileThere((...told) => videos.commitChunks(...told)),
    finishRendition: whileThere((rendition) => videos.finishRendition(rendition)),
    failRendition: whileThere((rendition) => videos.failRendition(rendition)),
    setStatus: whileThere((...told) => videos.setStatus(...told)),
  };
  return { state, away };
}

/** A broadcast of seconds that are added by hand. */
function broadcastOf() {
  const events = new Emitter<PresentationEvents>();
  const segments: Segment[] = [];
  const rendition = { id: "source", kind: "video", origin: "source", segments } as unknown as Rendition;
  // Of a presentation only these are looked at.
  const options = { segmentTargetMs: 1_000 };
  const presentation = { events, renditions: [rendition], options, targetDurationS: 1 } as unknown as LivePresentation;
  const add = (msn: number) => {
    segments.push(segmentOf(SOURCE, { msn, period: PERIOD, atMs: 10_000 + msn * 1_000, durationMs: 1_000 }));
    events.emit("advance", rendition);
  };
  const broadcast = { streamId, title: "a show", presentation, expectedIds: () => [], isOpen: () => true };
  return { broadcast, add, end: () => events.emit("ended", presentation) };
}

async function opened(t: TestContext) {
  const { catalog, store, library } = await TestLibrary.open(t);
  const { videos, streams } = catalog;
  await streams.create({
    ...{ streamId, name: null, ingestType: "rtmp", keyHash: streamId, keyHint: "hint" },
    settings: { qualities: null, enableHls: true, enableDash: true, lowLatency: true, transcode: false },
  });
  const clock = new ManualClock(Date.now());
  const { state, away } = removable(videos);
  const begin = () => {
    const recordings = new Recordings({
      ...{ videos: away, streams, store, clock, log: silentLogger },
      advance: (videoId) => library.advance(videoId),
      ...{ reconnectWindowMs: 30_000, maxBufferBytes: 1_000_000, maxDurationMs: 3_600_000 },
      onStored: () => {
        state.storedCount += 1;
      },
      onLost: () => {},
    });
    t.after(async () => {
      const closed = recordings.close();
      clock.advance(60_000);
      await closed;
    });
    return recordings;
  };
  /** Lets time pass until it is so. */
  const pass = async (isSo: () => boolean | Promise<boolean>) => {
    while (!(await isSo())) {
      t.signal.throwIfAborted();
      clock.advance(1_000);
      await setImmediate();
    }
  };
  const newest = async () => (await videos.list({ limit: 1 })).videos[0];
  const isReady = async () => (await newest())?.status === "ready";
  const isPlayable = async () => (await newest())?.status === "playable";
  return { videos, clock, state, begin, pass, newest, isReady, isPlayable };
}

const LIMIT = { timeout: 60_000 };

test("finishes a recording when the database is back, however long after the broadcast", LIMIT, async (t) => {
  const { state, begin, pass, newest, isReady, isPlayable } = await opened(t);
  const recordings = begin();
  const { broadcast, add, end } = broadcastOf();
  recordings.follow(broadcast);
  add(1);
  await pass(isPlayable);
  state.isAway = true;
  add(2);
  await pass(() => state.storedCount === 2);
  end();
  await pass(() => recordings.counts.recordingCount === 0);
  const failedCount = state.failedCount;
  await pass(() => state.failedCount > failedCount + 1);
  state.isAway = false;
  await pass(isReady);
  assert.equal((await newest())?.durationMs, 2_000, "what is in the store is not lost");
});

/** A recording in whose middle a server ended. */
async function broken(t: TestContext) {
  const parts = await opened(t);
  const recordings = parts.begin();
  const { broadcast, add } = broadcastOf();
  recordings.follow(broadcast);
  add(1);
  await parts.pass(parts.isPlayable);
  await recordings.close();
  return parts;
}

test("finishes what a server before it left, when the database is back", LIMIT, async (t) => {
  const { clock, state, begin, pass, isReady, newest } = await broken(t);
  const recordings = begin();
  await recordings.start();
  state.isAway = true;
  await pass(() => state.failedCount > 1);
  state.isAway = false;
  await pass(isReady);
  assert.ok(clock.monotonicMs() > 30_000);
  assert.equal((await newest())?.durationMs, 1_000);
});

test("finishes what a publisher came back to while the database was away", LIMIT, async (t) => {
  const { state, begin, pass, newest, isReady } = await broken(t);
  const recordings = begin();
  await recordings.start();
  state.isAway = true;
  const { broadcast, add, end } = broadcastOf();
  recordings.follow(broadcast);
  add(2);
  end();
  await pass(() => recordings.counts.recordingCount === 0);
  state.isAway = false;
  await pass(isReady);
  assert.equal((await newest())?.durationMs, 1_000);
});

test("leaves what cannot be finished to the next server when this one ends", LIMIT, async (t) => {
  const { clock, state, begin, pass, isReady, isPlayable } = await broken(t);
  const recordings = begin();
  await recordings.start();
  state.isAway = true;
  await pass(() => state.failedCount > 1);
  await recordings.close();
  const { failedCount } = state;
  clock.advance(10 * 60_000);
  await setImmediate();
  assert.equal(state.failedCount, failedCount);
  state.isAway = false;
  assert.ok(await isPlayable());
  await begin().start();
  await pass(isReady);
});
