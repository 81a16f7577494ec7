import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { H264_360P, videoUnits } from "../../test/support/source-units.ts";
import { ManualClock } from "../core/clock.ts";
import { DomainError } from "../core/errors.ts";
import { silentLogger } from "../core/logger.ts";
import { Broadcast } from "./broadcast.ts";
import type { Publication, PublishRequest } from "./publication.ts";

const REQUEST: PublishRequest = {
  protocol: "rtmp",
  streamKey: "sk_test",
  remoteAddress: "127.0.0.1",
  encoder: undefined,
};

function setUp() {
  const clock = new ManualClock();
  const states: string[] = [];
  const broadcast = new Broadcast({
    clock,
    log: silentLogger,
    reconnectWindowMs: 15_000,
    staleTakeoverMs: 3000,
    sampleCount: () => undefined,
  });
  broadcast.events.on("state", (state) => states.push(state));
  return { clock, broadcast, states };
}

function sendMedia(publication: Publication): void {
  publication.expect({ video: true, audio: false });
  publication.setFormat(H264_360P);
  for (const unit of videoUnits({ fromMs: 0, untilMs: 1000, framesPerSecond: 25, gopFrames: 25 }))
    publication.write(unit);
}

describe("Broadcast", () => {
  it("is live from the first media on, and ends when the publisher stays away", () => {
    const { clock, broadcast, states } = setUp();
    const publication = broadcast.claim(REQUEST);
    sendMedia(publication);
    publication.close("socket closed");
    clock.advance(14_999);
    assert.deepEqual(states, ["live", "reconnecting"]);
    clock.advance(1);
    assert.deepEqual(states, ["live", "reconnecting", "ended"]);
  });

  it("lets another encoder take over from one that never sent media", () => {
    const { clock, broadcast, states } = setUp();
    const silent = broadcast.claim(REQUEST);
    silent.expect({ video: true, audio: true });
    clock.advance(3000);
    sendMedia(broadcast.claim(REQUEST));
    assert.equal((silent.signal.reason as DomainError).code, "STREAM_BUSY");
    assert.deepEqual(states, ["live"]);
  });

  it("stays ended, whatever a publisher still sends", () => {
    const { broadcast, states } = setUp();
    const publication = broadcast.claim(REQUEST);
    broadcast.end(new DomainError("STREAM_NOT_LIVE", "deleted"));
    sendMedia(publication);
    assert.deepEqual(states, ["ended"]);
  });

  it("goes on when the publisher returns within the window", () => {
    const { clock, broadcast, states } = setUp();
    const first = broadcast.claim(REQUEST);
    sendMedia(first);
    first.close("socket closed");
    clock.advance(14_000);
    sendMedia(broadcast.claim(REQUEST));
    clock.advance(60_000);
    assert.deepEqual(states, ["live", "reconnecting", "live"]);
  });

  it("refuses a second publisher while the first is well", () => {
    const { clock, broadcast } = setUp();
    const first = broadcast.claim(REQUEST);
    clock.advance(2999);
    assert.throws(() => broadcast.claim(REQUEST), { code: "STREAM_BUSY" });
    assert.equal(first.signal.aborted, false);
  });

  it("lets a second publisher take over from a stale one, and tells the first why", () => {
    const { clock, broadcast, states } = setUp();
    const first = broadcast.claim(REQUEST);
    sendMedia(first);
    clock.advance(3000);
    const second = broadcast.claim(REQUEST);
    assert.equal((first.signal.reason as DomainError).code, "STREAM_BUSY");
    sendMedia(first);
    assert.deepEqual(states, ["live", "reconnecting"], "the first is not heard any more");
    sendMedia(second);
    assert.equal(states.at(-1), "live");
  });

  it("ends at once when the publisher never sent media", () => {
    const { broadcast, states } = setUp();
    broadcast.claim(REQUEST).close("socket closed");
    assert.deepEqual(states, ["ended"]);
    assert.throws(() => broadcast.claim(REQUEST), { code: "STREAM_NOT_LIVE" });
  });

  it("tells the publisher the reason when it is ended from our side", () => {
    const { broadcast } = setUp();
    const publication = broadcast.claim(REQUEST);
    broadcast.end(new DomainError("STREAM_NOT_FOUND", "The stream was deleted"));
    assert.equal((publication.signal.reason as DomainError).message, "The stream was deleted");
  });
});
