import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { silentLogger } from "../core/logger.ts";
import { IDLE_STATUS, startApi } from "./api-harness.ts";
import { HeartbeatWatch } from "./heartbeat-watch.ts";

async function setUp(t: TestContext) {
  const api = await startApi(t);
  const { clock, running, catalog } = api;
  const watch = new HeartbeatWatch({
    streams: catalog.streams,
    running,
    clock,
    log: silentLogger,
    staleThresholdMs: 600_000,
    cleanupIntervalMs: 300_000,
  });
  const goLive = async (id: string) => {
    const { body } = await api.call("POST", "/streams", { stream_id: id });
    running.live.set(id, { ...IDLE_STATUS, startedAtMs: clock.nowMs() });
    return body;
  };
  return { ...api, watch, goLive };
}

test("ends a broadcast whose heartbeats stopped, and keeps the one that still has them", async (t) => {
  const { watch, goLive, call, clock, running } = await setUp(t);
  await goLive("left");
  await goLive("kept");
  for (const id of ["left", "kept"]) await call("POST", `/streams/${id}/heartbeat`);
  clock.advance(600_000);
  assert.deepEqual(await watch.check(), []);
  await call("POST", "/streams/kept/heartbeat");
  clock.advance(1000);
  assert.deepEqual(await watch.check(), ["left"]);
  assert.deepEqual(running.stopped, [{ streamId: "left", reason: "No heartbeat came for too long" }]);
  assert.ok(running.live.has("kept"));
});

test("never ends a broadcast that had no heartbeat, nor the next one of a stream that had", async (t) => {
  const { watch, goLive, call, clock, running } = await setUp(t);
  await goLive("plain");
  await goLive("again");
  await call("POST", "/streams/again/heartbeat");
  clock.advance(10_000);
  running.live.set("again", { ...IDLE_STATUS, startedAtMs: clock.nowMs() });
  clock.advance(86_400_000);
  assert.deepEqual(await watch.check(), []);
});

test("checks once each interval until it is closed", async (t) => {
  const { watch, goLive, call, clock, running } = await setUp(t);
  await goLive("left");
  await call("POST", "/streams/left/heartbeat");
  watch.start();
  while (running.stopped.length === 0) {
    clock.advance(300_000);
    await setImmediate();
  }
  assert.ok(clock.monotonicMs() >= 900_000);
  await watch.close();
  await goLive("later");
  await call("POST", "/streams/later/heartbeat");
  clock.advance(1_800_000);
  await watch.close();
  assert.ok(running.live.has("later"));
});

test("goes on checking after a check that failed", async (t) => {
  const { catalog, clock, running } = await setUp(t);
  const errors: string[] = [];
  const log = { ...silentLogger, error: (_fields: object, message: string) => void errors.push(message) };
  let readCount = 0;
  const streams = {
    get: async (id: Parameters<typeof catalog.streams.get>[0]) => {
      readCount++;
      if (readCount === 1) throw new Error("the disk is gone");
      return catalog.streams.get(id);
    },
  };
  running.live.set("a", IDLE_STATUS);
  const watch = new HeartbeatWatch({ streams, running, clock, log, staleThresholdMs: 1, cleanupIntervalMs: 1000 });
  watch.start();
  while (readCount < 2) {
    clock.advance(1000);
    await setImmediate();
  }
  await watch.close();
  assert.deepEqual(errors, ["stale check failed"]);
});

test("says until when a heartbeat holds", async (t) => {
  const { call, goLive } = await setUp(t);
  await goLive("a");
  const { status, body } = await call("POST", "/api/v1/streams/a/heartbeat");
  assert.equal(status, 200);
  assert.deepEqual(body, {
    stream_id: "a",
    status: "live",
    last_heartbeat_at: "2026-01-01T00:00:00.000Z",
    stale_at: "2026-01-01T00:10:00.000Z",
  });
  assert.equal((await call("POST", "/streams/none/heartbeat")).status, 404);
});
