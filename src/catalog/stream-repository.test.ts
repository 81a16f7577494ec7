import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { type DatabasePlace, servedPostgres, testOnEach } from "../../test/support/databases.ts";
import { ManualClock } from "../core/clock.ts";
import { DomainError, type ErrorCode } from "../core/errors.ts";
import { parseStreamId, type StreamId } from "../core/ids.ts";
import { silentLogger } from "../core/logger.ts";
import { Catalog } from "./catalog.ts";
import type { StreamRecord } from "./stream-record.ts";
import type { NewStream } from "./stream-repository.ts";

const onEach = testOnEach(servedPostgres());

async function openStreams(t: TestContext, { dataDir, url }: DatabasePlace) {
  const clock = new ManualClock();
  const catalog = await Catalog.open({ dataDir, databaseUrl: url, log: silentLogger, clock });
  t.after(() => catalog.close());
  return { catalog, streams: catalog.streams, clock };
}

function id(text: string): StreamId {
  return parseStreamId(text) ?? assert.fail(`${text} is no stream id`);
}

function newStream(name: string, rest: Partial<NewStream> = {}): NewStream {
  const settings = { qualities: null, enableHls: true, enableDash: true, lowLatency: true, transcode: true };
  const key = { keyHash: `hash of ${name}`, keyHint: "abcd" };
  return { streamId: id(name), name: null, ingestType: "rtmp", ...key, settings, ...rest };
}

function refusedWith(code: ErrorCode, message: RegExp) {
  return (problem: unknown) => {
    assert.ok(problem instanceof DomainError, String(problem));
    assert.equal(problem.code, code);
    assert.match(problem.message, message);
    return true;
  };
}

const idsOf = (streams: readonly StreamRecord[]) => streams.map((stream) => stream.streamId);

onEach("keeps a stream as it was created, across a restart", async (t, place) => {
  const first = await openStreams(t, place);
  const settings = { ...newStream("a").settings, qualities: ["720p"], reconnectWindowMs: 5000 };
  const created = await first.streams.create(newStream("a", { name: '{"admin":true}', settings }));
  assert.deepEqual(created, {
    ...newStream("a", { name: '{"admin":true}', settings }),
    status: "pending",
    createdAtMs: Date.UTC(2026, 0, 1),
    updatedAtMs: Date.UTC(2026, 0, 1),
    lastHeartbeatAtMs: null,
    nextMsn: 1,
    discontinuitySequence: 0,
    broadcastStartedAtMs: null,
    broadcastEndedAtMs: null,
    error: null,
    videoId: null,
  });
  await first.catalog.close();
  const second = await openStreams(t, place);
  assert.deepEqual(await second.streams.get(id("a")), created);
  assert.deepEqual(await second.streams.findByKeyHash("hash of a"), created);
  assert.equal(await second.streams.get(id("b")), undefined);
  assert.equal(await second.streams.findByKeyHash("hash of b"), undefined);
});

onEach("refuses a second stream of the same id, and of the same key", async (t, place) => {
  const { streams } = await openStreams(t, place);
  await streams.create(newStream("a"));
  await assert.rejects(
    streams.create(newStream("a", { keyHash: "other" })),
    refusedWith("STREAM_EXISTS", /id a exists/),
  );
  await assert.rejects(streams.create(newStream("b", { keyHash: "hash of a" })), refusedWith("INTERNAL", /key_hash/));
  assert.deepEqual(idsOf((await streams.list({ limit: 10 })).streams), ["a"]);
});

onEach("changes status, key and heartbeat, and says so when there is no such stream", async (t, place) => {
  const { streams, clock } = await openStreams(t, place);
  await streams.create(newStream("a"));
  clock.advance(1500.7);
  const nowMs = Math.floor(clock.nowMs());
  const live = await streams.updateStatus(id("a"), "live", { broadcastStartedAtMs: clock.nowMs() });
  assert.deepEqual([live?.status, live?.broadcastStartedAtMs, live?.updatedAtMs], ["live", nowMs, nowMs]);
  const failed = await streams.updateStatus(id("a"), "error", { error: "the disk is full", broadcastEndedAtMs: nowMs });
  assert.deepEqual(
    [failed?.status, failed?.error, failed?.broadcastStartedAtMs, failed?.broadcastEndedAtMs],
    ["error", "the disk is full", nowMs, nowMs],
  );
  assert.equal((await streams.updateStatus(id("a"), "pending", { broadcastEndedAtMs: null }))?.error, null);
  assert.equal((await streams.get(id("a")))?.broadcastEndedAtMs, null);
  assert.equal((await streams.heartbeat(id("a")))?.lastHeartbeatAtMs, nowMs);
  await streams.setKeyHash(id("a"), { keyHash: "new", keyHint: "wxyz" });
  assert.equal(await streams.findByKeyHash("hash of a"), undefined);
  assert.equal((await streams.findByKeyHash("new"))?.keyHint, "wxyz");
  assert.equal(await streams.updateStatus(id("b"), "live"), undefined);
  assert.equal(await streams.heartbeat(id("b")), undefined);
});

onEach("never takes reserved numbers back", async (t, place) => {
  const { streams } = await openStreams(t, place);
  await streams.create(newStream("a"));
  await streams.reserveNumbers(id("a"), { nextMsn: 100, discontinuitySequence: 3 });
  const late = await streams.reserveNumbers(id("a"), { nextMsn: 50, discontinuitySequence: 4 });
  assert.deepEqual([late?.nextMsn, late?.discontinuitySequence], [100, 4]);
  assert.equal(await streams.reserveNumbers(id("b"), { nextMsn: 1, discontinuitySequence: 0 }), undefined);
});

onEach("removes a stream for good", async (t, place) => {
  const { streams } = await openStreams(t, place);
  await streams.create(newStream("a"));
  assert.equal(await streams.remove(id("a")), true);
  assert.equal(await streams.remove(id("a")), false);
  assert.equal(await streams.get(id("a")), undefined);
});

onEach("lets streams wait that a crash left on air", async (t, place) => {
  const { streams } = await openStreams(t, place);
  for (const status of ["live", "processing", "ready", "error", "pending"] as const) {
    await streams.create(newStream(status));
    await streams.updateStatus(id(status), status);
  }
  assert.equal(await streams.resetRunning(), 2);
  const { streams: pending } = await streams.list({ limit: 10, status: "pending" });
  assert.deepEqual(idsOf(pending), ["processing", "pending", "live"]);
});

onEach("pages newest first, without repeats or holes while streams come and go", async (t, place) => {
  const { streams, clock } = await openStreams(t, place);
  for (let n = 10; n < 20; n++) {
    // Pairs share a millisecond: the id decides between them.
    if (n % 2 === 0) clock.advance(1);
    await streams.create(newStream(`s${n}`));
  }
  const first = await streams.list({ limit: 4 });
  assert.deepEqual(idsOf(first.streams), ["s19", "s18", "s17", "s16"]);
  clock.advance(1);
  await streams.create(newStream("newer"));
  await streams.remove(id("s16"));
  const second = await streams.list({ limit: 4, cursor: first.nextCursor ?? "" });
  assert.deepEqual(idsOf(second.streams), ["s15", "s14", "s13", "s12"]);
  const third = await streams.list({ limit: 2, cursor: second.nextCursor ?? "" });
  assert.deepEqual(idsOf(third.streams), ["s11", "s10"]);
  assert.equal(third.nextCursor, undefined);
  await streams.updateStatus(id("s13"), "live");
  assert.deepEqual(idsOf((await streams.list({ limit: 4, status: "live" })).streams), ["s13"]);
});

onEach("refuses a cursor that it did not make", async (t, place) => {
  const { streams } = await openStreams(t, place);
  for (const cursor of ["", "?", "MTIz", Buffer.from("1.a b").toString("base64url")]) {
    await assert.rejects(streams.list({ limit: 1, cursor }), refusedWith("INVALID_REQUEST", /cursor/));
  }
});

onEach("takes writes of 32 callers at once", async (t, place) => {
  const { streams } = await openStreams(t, place);
  const callers = Array.from({ length: 32 }, async (_, caller) => {
    for (let n = 0; n < 10; n++) {
      const name = `c${caller}-${n}`;
      await streams.create(newStream(name));
      assert.ok(await streams.get(id(name)), "a write that was awaited is seen");
    }
  });
  await Promise.all(callers);
  assert.equal((await streams.list({ limit: 1000 })).streams.length, 320);
});
