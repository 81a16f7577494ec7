import assert from "node:assert/strict";
import { test } from "node:test";
import { newVideoId, type StreamId } from "../core/ids.ts";
import { IDLE_STATUS, startApi } from "./api-harness.ts";

const PUBLIC = {};

test("tells a player what to do in every state, without credentials and without secrets", async (t) => {
  const { call, running, catalog } = await startApi(t);
  const id = "show" as StreamId;
  const { body: created } = await call("POST", "/streams", { stream_id: id, name: "The show", enable_dash: false });
  const playback = async () => (await call("GET", "/api/v1/streams/show/playback", undefined, PUBLIC)).body;
  assert.deepEqual(await playback(), {
    stream_id: "show",
    name: "The show",
    state: "pending",
    low_latency: true,
    hls_url: "/streams/show/master.m3u8",
    dash_url: null,
  });
  running.live.set(id, { ...IDLE_STATUS, state: "starting" });
  assert.equal((await playback()).state, "pending");
  running.live.set(id, { ...IDLE_STATUS, state: "live" });
  assert.equal((await playback()).state, "live");
  running.live.set(id, { ...IDLE_STATUS, state: "reconnecting" });
  assert.equal((await playback()).state, "reconnecting");
  running.live.delete(id);
  await catalog.streams.updateStatus(id, "ready");
  assert.equal((await playback()).state, "ended");
  await catalog.streams.updateStatus(id, "error", { error: "the encoder failed" });
  const last = await playback();
  assert.equal(last.state, "ended");
  assert.doesNotMatch(JSON.stringify(last), new RegExp(`${created.stream_key}|encoder failed|key`));
});

test("tells what has an id, a stream or a video, at one address", async (t) => {
  const { call, catalog } = await startApi(t);
  await call("POST", "/streams", { stream_id: "show" });
  const videoId = newVideoId();
  await catalog.videos.create({ videoId, title: "By the sea", description: null, source: null });
  for (const [kind, id, own] of [
    ["stream", "show", "/api/v1/streams/show/playback"],
    ["video", videoId, `/api/v1/videos/${videoId}/playback`],
  ]) {
    const { status, body } = await call("GET", `/api/v1/playback/${id}`, undefined, PUBLIC);
    assert.deepEqual([status, body], [200, { kind, ...(await call("GET", own ?? "", undefined, PUBLIC)).body }]);
  }
  for (const id of ["none", newVideoId(), "%2e%2e%2f"]) {
    const { status, body } = await call("GET", `/api/v1/playback/${id}`, undefined, PUBLIC);
    assert.deepEqual([status, body.code], [404, "NOT_FOUND"]);
  }
  await call("DELETE", "/api/v1/streams/show");
  assert.equal((await call("GET", "/api/v1/playback/show", undefined, PUBLIC)).status, 404);
});

test("lets pages of any origin read it, its errors too", async (t) => {
  const { call } = await startApi(t);
  await call("POST", "/streams", { stream_id: "show" });
  for (const [path, status] of [
    ["/api/v1/streams/show/playback", 200],
    ["/api/v1/streams/none/playback", 404],
    ["/api/v1/playback/none", 404],
    ["/api/v1/streams/show/thumbnail.jpg", 404],
    ["/api/v1/streams/%2e%2e%2f/playback", 404],
  ] as const) {
    const answer = await call("GET", path, undefined, { origin: "https://elsewhere.example" });
    assert.equal(answer.status, status, path);
    assert.equal(answer.headers.get("access-control-allow-origin"), "*", path);
  }
});

test("serves the newest still, and 304 to who has it", async (t) => {
  const { call, running, origin } = await startApi(t);
  await call("POST", "/streams", { stream_id: "show" });
  const path = "/api/v1/streams/show/thumbnail.jpg";
  const none = await call("GET", path, undefined, PUBLIC);
  assert.deepEqual([none.status, none.body.code], [404, "NOT_FOUND"]);
  running.stills.set("show", new Uint8Array([0xff, 0xd8, 0xff, 0xe0, 1, 2, 3]));
  const still = await fetch(origin + path);
  assert.equal(still.headers.get("content-type"), "image/jpeg");
  assert.deepEqual(new Uint8Array(await still.arrayBuffer()), running.stills.get("show"));
  const etag = still.headers.get("etag") ?? "";
  const again = await fetch(origin + path, { headers: { "if-none-match": etag } });
  assert.deepEqual([again.status, again.headers.get("etag"), await again.text()], [304, etag, ""]);
  const head = await fetch(origin + path, { method: "HEAD" });
  assert.deepEqual([head.status, head.headers.get("content-length")], [200, "7"]);
  running.stills.set("show", new Uint8Array([0xff, 0xd8, 9]));
  assert.equal((await fetch(origin + path, { headers: { "if-none-match": etag } })).status, 200);
});
