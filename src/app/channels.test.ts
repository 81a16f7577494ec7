import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { newRun } from "../../test/support/new-run.ts";
import { H264_360P, videoUnits } from "../../test/support/source-units.ts";
import { BruteForceGuard } from "../access/brute-force.ts";
import type { StreamRecord, StreamStatus } from "../catalog/stream-record.ts";
import { type Clock, ManualClock } from "../core/clock.ts";
import { DomainError } from "../core/errors.ts";
import { newStreamId } from "../core/ids.ts";
import { type Logger, silentLogger } from "../core/logger.ts";
import type { Publication, PublishRequest } from "../live/publication.ts";
import { Channels, type ChannelsOptions } from "./channels.ts";

const REQUEST: PublishRequest = { protocol: "rtmp", streamKey: "sk_a", remoteAddress: "192.0.2.1", encoder: undefined };
const HOUR_MS = 3_600_000;

/** A clock that says how many timers wait. */
class CountingClock extends ManualClock {
  readonly waiting = new Set<object>();

  override after(delayMs: number, run: () => void): () => void {
    const timer = {};
    this.waiting.add(timer);
    const cancel = super.after(delayMs, () => {
      this.waiting.delete(timer);
      run();
    });
    return () => {
      this.waiting.delete(timer);
      cancel();
    };
  }
}

function setUp(options: Partial<ChannelsOptions> = {}) {
  const clock = new CountingClock();
  const statuses: StreamStatus[] = [];
  const errors: string[] = [];
  const log: Logger = { ...silentLogger, error: (_fields, message) => errors.push(message), child: () => log };
  const record: StreamRecord = {
    streamId: newStreamId(),
    name: null,
    ingestType: "rtmp",
    status: "pending",
    keyHash: "",
    keyHint: "",
    settings: { qualities: null, enableHls: true, enableDash: true, lowLatency: true, transcode: false },
    createdAtMs: 0,
    updatedAtMs: 0,
    lastHeartbeatAtMs: null,
    nextMsn: 1,
    discontinuitySequence: 0,
    broadcastStartedAtMs: null,
    broadcastEndedAtMs: null,
    error: null,
    videoId: null,
  };
  const channels = new Channels({
    streams: {
      get: async () => record,
      findByKeyHash: async () => record,
      updateStatus: async (_streamId, status) => {
        statuses.push(status);
        return record;
      },
    },
    guard: new BruteForceGuard({ clock, maxFailures: 5, windowMs: 60_000, blockMs: 60_000 }),
    createRun: () => newRun(clock),
    runPattern: async () => undefined,
    takeStill: async () => undefined,
    viewerCount: () => 0,
    onPublish: () => undefined,
    maxConcurrentStreams: 5,
    endedRetentionMs: HOUR_MS,
    clock,
    log,
    ...options,
  });
  const { streamId } = record;
  return { channels, clock, statuses, errors, record, streamId };
}

function broadcast(publication: Publication, clock: ManualClock): void {
  publication.expect({ video: true, audio: false });
  publication.setFormat(H264_360P);
  for (const unit of videoUnits({ fromMs: 0, untilMs: 3000, framesPerSecond: 25, gopFrames: 25 })) {
    publication.write(unit);
    clock.advance(40);
  }
}

/** Lets everything that waits for promises go on. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe("Channels", () => {
  it("gives a stream to one of two encoders that come at once", async () => {
    const { channels } = setUp();
    const outcomes = await Promise.allSettled([channels.open(REQUEST), channels.open(REQUEST)]);
    assert.deepEqual(
      outcomes.map((outcome) => outcome.status),
      ["fulfilled", "rejected"],
    );
  });

  it("keeps nothing of a broadcast that another has followed", async () => {
    const { channels, clock } = setUp();
    for (let i = 0; i < 20; i++) {
      const publication = await channels.open(REQUEST);
      broadcast(publication, clock);
      publication.close("gone");
      clock.advance(0);
    }
    assert.ok(clock.waiting.size <= 2, `${clock.waiting.size} timers wait`);
  });

  it("outlives a catalog that cannot be read", async () => {
    const problem = new DomainError("UNAVAILABLE", "the disk is gone");
    const base = setUp();
    const { channels, clock, errors } = setUp({
      streams: {
        get: async () => {
          throw problem;
        },
        findByKeyHash: async () => base.record,
        updateStatus: async () => {
          throw problem;
        },
      },
    });
    const publication = await channels.open(REQUEST);
    broadcast(publication, clock);
    publication.close("gone");
    clock.advance(30_000);
    await settled();
    assert.ok(
      errors.some((message) => /deleted/.test(message)),
      errors.join(),
    );
  });

  it("ends the broadcast of a test picture that fails, and says so", async () => {
    const { channels, errors, streamId } = setUp({
      runPattern: async () => {
        throw new Error("too many open files");
      },
    });
    await channels.startPattern(streamId);
    await settled();
    assert.deepEqual([...channels.ids()], []);
    assert.deepEqual(errors, ["the test picture failed"]);
    await channels.stop(streamId, "deleted");
  });

  it("closes when broadcasts that have ended before are through, too", async () => {
    const through = Promise.withResolvers<void>();
    const { channels, clock } = setUp({
      createRun: () => Object.assign(newRun(clockOf()), { end: () => through.promise }),
    });
    function clockOf(): Clock {
      return clock;
    }
    const publication = await channels.open(REQUEST);
    broadcast(publication, clock);
    publication.close("gone");
    clock.advance(0);
    let isClosed = false;
    const closing = channels.close().then(() => {
      isClosed = true;
    });
    await settled();
    assert.equal(isClosed, false);
    through.resolve();
    await closing;
    assert.equal(clock.waiting.size, 0);
  });

  it("calls a stream live until its playlists have ended", async () => {
    const drained = Promise.withResolvers<void>();
    const { channels, clock, statuses, streamId } = setUp({
      createRun: () => Object.assign(newRun(clockOf()), { end: () => drained.promise }),
    });
    function clockOf(): Clock {
      return clock;
    }
    const publication = await channels.open(REQUEST);
    broadcast(publication, clock);
    publication.close("gone");
    clock.advance(0);
    await settled();
    assert.equal(channels.status(streamId)?.state, "live");
    assert.deepEqual(statuses, ["live"]);
    drained.resolve();
    await settled();
    assert.equal(channels.status(streamId), undefined);
    assert.deepEqual(statuses, ["live", "ready"]);
  });

  it("knows how long a viewer may be silent: a target duration, when there is one", async () => {
    for (const [viewerCount, silenceMs] of [
      [0, 0],
      [3, 2500],
    ] as const) {
      const { channels, clock } = setUp({ viewerCount: () => viewerCount });
      broadcast(await channels.open(REQUEST), clock);
      assert.equal(channels.longestSilenceMs, silenceMs);
    }
  });

  it("leaves what the server's own end interrupts marked as live, for the next start to take up", async () => {
    const { channels, clock, statuses } = setUp();
    broadcast(await channels.open(REQUEST), clock);
    await channels.close();
    assert.deepEqual(statuses, ["live"]);
  });
});
