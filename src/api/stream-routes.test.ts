import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hashStreamKey } from "../access/stream-keys.ts";
import type { StreamId } from "../core/ids.ts";
import { IDLE_STATUS, startApi } from "./api-harness.ts";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

test("creates a stream, shows its key once and stores only the hash", async (t) => {
  const { call, catalog, port } = await startApi(t);
  const { status, headers, body } = await call("POST", "/api/v1/streams", { ingest_type: "rtmp" });
  assert.equal(status, 201);
  assert.match(body.stream_id, UUID);
  assert.match(body.stream_key, /^sk_[\w-]{27}$/);
  assert.equal(body.rtmp_url, `rtmp://127.0.0.1:1936/live/${body.stream_key}`);
  assert.equal(body.status, "pending");
  assert.equal(body.created_at, "2026-01-01T00:00:00.000Z");
  assert.equal(body.hls_url, `http://127.0.0.1:${port}/streams/${body.stream_id}/master.m3u8`);
  assert.equal(headers.get("location"), `/api/v1/streams/${body.stream_id}`);
  const record = await catalog.streams.findByKeyHash(hashStreamKey(body.stream_key));
  assert.equal(record?.streamId, body.stream_id);
  const seen = await call("GET", `/api/v1/streams/${body.stream_id}`);
  assert.doesNotMatch(JSON.stringify([seen.body, record]), new RegExp(body.stream_key));
  assert.equal(seen.body.stream_key_hint, body.stream_key.slice(-4));
});

test("takes the body of the live service at /streams and gives the same resource in both places", async (t) => {
  const { call } = await startApi(t);
  const created = await call("POST", "/streams", {
    stream_id: "my-stream",
    qualities: ["720p", "480p"],
    enable_hls: true,
    enable_dash: false,
    low_latency: false,
  });
  assert.equal(created.status, 201);
  assert.equal(created.headers.get("location"), "/streams/my-stream");
  const [plain, versioned] = [await call("GET", "/streams/my-stream"), await call("GET", "/api/v1/streams/my-stream")];
  assert.deepEqual(plain.body, versioned.body);
  const { qualities, dash_url, low_latency, segment_duration_ms, window_segments, name } = plain.body;
  assert.deepEqual(
    { qualities, dash_url, low_latency, segment_duration_ms, window_segments, name },
    {
      qualities: ["720p", "480p"],
      dash_url: null,
      low_latency: false,
      segment_duration_ms: 6000,
      window_segments: 5,
      name: "my-stream",
    },
  );
});

test("keeps the settings that a stream was created with", async (t) => {
  const { call, catalog } = await startApi(t);
  const settings = {
    part_duration_ms: 200,
    segment_duration_ms: 1000,
    window_segments: 20,
    reconnect_window_ms: 0,
    transcode: false,
  };
  const { body } = await call("POST", "/streams", { stream_id: "tuned", name: "  Tuned  ", ...settings });
  assert.equal(body.name, "Tuned");
  for (const [field, value] of Object.entries(settings)) assert.equal(body[field], value, field);
  assert.deepEqual((await catalog.streams.get("tuned" as StreamId))?.settings, {
    qualities: null,
    enableHls: true,
    enableDash: true,
    lowLatency: true,
    transcode: false,
    partDurationMs: 200,
    segmentDurationMs: 1000,
    windowSegmentCount: 20,
    reconnectWindowMs: 0,
  });
});

test("answers 409 when the id is taken", async (t) => {
  const { call } = await startApi(t);
  await call("POST", "/streams", { stream_id: "twice" });
  const { status, body } = await call("POST", "/api/v1/streams", { stream_id: "twice" });
  assert.deepEqual([status, body.code], [409, "STREAM_EXISTS"]);
});

test("answers 501 for a source to pull from, and creates nothing", async (t) => {
  const { call } = await startApi(t);
  const { status, body } = await call("POST", "/streams", { stream_id: "pull", source_url: "rtmp://localhost/live/x" });
  assert.deepEqual([status, body.code, body.status], [501, "NOT_IMPLEMENTED", 501]);
  assert.equal((await call("GET", "/streams/pull")).status, 404);
});

test("names every bad value and every unknown field of a body", async (t) => {
  const { call } = await startApi(t);
  const refused: [unknown, string[]][] = [
    [{ foo: 1, "a/b~c": 2 }, ["/foo", "/a~1b~0c"]],
    [{ stream_id: "../etc" }, ["/stream_id"]],
    [{ stream_id: "" }, ["/stream_id"]],
    [{ stream_id: "x".repeat(65) }, ["/stream_id"]],
    [{ name: "a\u0007b" }, ["/name"]],
    [{ name: " " }, ["/name"]],
    [{ ingest_type: "srt" }, ["/ingest_type"]],
    [{ qualities: ["720p", "999p"] }, ["/qualities/1"]],
    [{ qualities: ["720p", "720p"] }, ["/qualities"]],
    [{ qualities: [] }, ["/qualities"]],
    [{ qualities: ["720p"], transcode: false }, ["/qualities"]],
    [{ enable_hls: false, enable_dash: false }, ["/enable_dash"]],
    [{ part_duration_ms: 50 }, ["/part_duration_ms"]],
    [{ part_duration_ms: 200.5 }, ["/part_duration_ms"]],
    [{ part_duration_ms: 2000, segment_duration_ms: 1000 }, ["/part_duration_ms"]],
    [{ window_segments: 2, low_latency: "yes" }, ["/low_latency", "/window_segments"]],
    [[], [""]],
    ["null", [""]],
  ];
  for (const [body, pointers] of refused) {
    const answer = await call("POST", "/streams", body);
    assert.equal(answer.status, 422, JSON.stringify(body));
    assert.equal(answer.headers.get("content-type"), "application/problem+json");
    const found = answer.body.errors.map((fault: { pointer: string }) => fault.pointer);
    assert.deepEqual(found.sort(), pointers.sort(), JSON.stringify(body));
  }
  assert.deepEqual((await call("GET", "/streams")).body.streams, []);
});

test("refuses a body that is no JSON, too large, or of another type", async (t) => {
  const { call, origin } = await startApi(t);
  assert.equal((await call("POST", "/streams", "{")).status, 400);
  const large = await call("POST", "/streams", { name: "x".repeat(1 << 20) });
  assert.equal(large.status, 413);
  assert.equal(large.body.status, 413);
  const headers = { authorization: "Bearer hw_the-right-admin-token", "content-type": "application/xml" };
  const xml = await fetch(`${origin}/streams`, { method: "POST", headers, body: "<a/>" });
  assert.equal(xml.status, 415);
  assert.equal(xml.headers.get("content-type"), "application/problem+json");
});

test("takes an announced but empty body where none is asked for, and no poisoned one", async (t) => {
  const { call } = await startApi(t);
  await call("POST", "/streams", { stream_id: "a" });
  assert.equal((await call("POST", "/streams/a/heartbeat", "")).status, 200);
  assert.equal((await call("POST", "/streams", "")).status, 422);
  assert.equal((await call("POST", "/streams", '{"__proto__": {"name": "x"}}')).status, 400);
});

test("starts the test picture with its stream, and leaves nothing behind when it cannot", async (t) => {
  const { call, running } = await startApi(t);
  const { status, body } = await call("POST", "/api/v1/streams", { stream_id: "colours", ingest_type: "pattern" });
  assert.equal(status, 201);
  assert.equal(body.stream_key, undefined);
  assert.ok(running.live.has("colours"));
  running.canStartPattern = false;
  const failed = await call("POST", "/api/v1/streams", { stream_id: "dark", ingest_type: "pattern" });
  assert.deepEqual([failed.status, failed.body.code], [503, "FFMPEG_MISSING"]);
  assert.equal((await call("GET", "/streams/dark")).status, 404);
});

test("deletes a stream, ends its broadcast, and answers 404 from then on", async (t) => {
  const { call, running } = await startApi(t);
  await call("POST", "/streams", { stream_id: "gone" });
  running.live.set("gone", IDLE_STATUS);
  const first = await call("DELETE", "/streams/gone");
  assert.deepEqual([first.status, first.body], [204, undefined]);
  assert.deepEqual(running.stopped, [{ streamId: "gone", reason: "The stream was deleted" }]);
  for (const [method, path] of [
    ["DELETE", "/streams/gone"],
    ["GET", "/api/v1/streams/gone"],
    ["POST", "/streams/gone/key"],
    ["GET", "/api/v1/streams/gone/playback"],
  ] as const) {
    const { status, body } = await call(method, path);
    assert.deepEqual([status, body.code], [404, "STREAM_NOT_FOUND"], `${method} ${path}`);
  }
});

test("rotates a key: the old one is unknown from then on", async (t) => {
  const { call, catalog } = await startApi(t);
  const { body: before } = await call("POST", "/streams", { stream_id: "keyed" });
  const { status, body: after } = await call("POST", "/api/v1/streams/keyed/key");
  assert.equal(status, 200);
  assert.notEqual(after.stream_key, before.stream_key);
  assert.equal(after.rtmp_url, `rtmp://127.0.0.1:1936/live/${after.stream_key}`);
  assert.equal(await catalog.streams.findByKeyHash(hashStreamKey(before.stream_key)), undefined);
  assert.equal((await catalog.streams.findByKeyHash(hashStreamKey(after.stream_key)))?.streamId, "keyed");
  assert.equal((await call("GET", "/streams/keyed")).body.stream_key_hint, after.stream_key.slice(-4));
});

test("lists streams newest first, page by page, while others come", async (t) => {
  const { call, clock } = await startApi(t);
  for (let i = 0; i < 5; i++) {
    await call("POST", "/streams", { stream_id: `s${i}` });
    clock.advance(1000);
  }
  const ids = (body: { streams: { stream_id: string }[] }) => body.streams.map((stream) => stream.stream_id);
  const first = await call("GET", "/api/v1/streams?limit=2&status=pending");
  assert.deepEqual(ids(first.body), ["s4", "s3"]);
  await call("POST", "/streams", { stream_id: "late" });
  const link = /^<(.+)>; rel="next"$/.exec(first.headers.get("link") ?? "")?.[1] ?? "";
  assert.match(link, /limit=2&cursor=[\w-]+&status=pending$|limit=2&status=pending&cursor=/);
  const second = await call("GET", link);
  assert.deepEqual(ids(second.body), ["s2", "s1"]);
  const last = await call("GET", `/streams?limit=2&cursor=${second.body.next_cursor}`);
  assert.deepEqual([ids(last.body), last.body.next_cursor, last.headers.get("link")], [["s0"], null, null]);
});

test("refuses a page that cannot be", async (t) => {
  const { call } = await startApi(t);
  for (const query of ["limit=0", "limit=101", "limit=x", "cursor=nonsense", "cursor=", "status=gone"]) {
    const { status, body } = await call("GET", `/api/v1/streams?${query}`);
    assert.deepEqual([status, body.code], [400, "INVALID_REQUEST"], query);
  }
});

test("tells everything about a live stream", async (t) => {
  const { call, running } = await startApi(t);
  await call("POST", "/streams", { stream_id: "show" });
  const video = { kind: "video", codec: "avc1.640028", width: 1920, height: 1080, frameRate: 30 } as const;
  const audio = { kind: "audio", codec: "mp4a.40.2", sampleRateHz: 48_000, channelCount: 2 } as const;
  running.live.set("show", {
    state: "reconnecting",
    startedAtMs: Date.UTC(2026, 0, 1, 0, 0, 5),
    ingest: { protocol: "rtmp", address: "203.0.113.9", encoder: "obs-output" },
    bitrateBps: 3_160_000,
    tracks: [
      { ...video, bitrateBps: 3_000_000 },
      { ...audio, bitrateBps: 160_000 },
    ],
    renditions: [{ ...video, id: "source", origin: "source", averageBps: 2_900_000, peakBps: undefined }],
    viewerCount: 7,
    latencyMs: 1800,
    health: [{ code: "long_gop", severity: "warning", message: "Keyframes come every 10.0 s." }],
  });
  const { body } = await call("GET", "/api/v1/streams/show");
  assert.deepEqual([body.status, body.state], ["live", "reconnecting"]);
  assert.equal(body.started_at, "2026-01-01T00:00:05.000Z");
  assert.deepEqual(body.ingest, { protocol: "rtmp", address: "203.0.113.9", encoder: "obs-output" });
  assert.deepEqual([body.viewers, body.latency_ms, body.bitrate_bps], [7, 1800, 3_160_000]);
  assert.deepEqual(body.tracks[1], {
    kind: "audio",
    codec: "mp4a.40.2",
    width: null,
    height: null,
    frame_rate: null,
    sample_rate_hz: 48_000,
    channel_count: 2,
    bitrate_bps: 160_000,
  });
  const { id, origin, average_bps, peak_bps } = body.renditions[0];
  assert.deepEqual(
    { id, origin, average_bps, peak_bps },
    { id: "source", origin: "source", average_bps: 2_900_000, peak_bps: null },
  );
  assert.deepEqual(body.health, [{ code: "long_gop", severity: "warning", message: "Keyframes come every 10.0 s." }]);
  const [listed] = (await call("GET", "/streams")).body.streams;
  assert.deepEqual([listed.state, listed.viewers, listed.tracks], ["reconnecting", 7, undefined]);
});

test("writes addresses under the public URL when there is one", async (t) => {
  const { call } = await startApi(t, { publicUrl: "https://live.example.org/" });
  const { body } = await call("POST", "/streams", { stream_id: "out" });
  assert.equal(body.hls_url, "https://live.example.org/streams/out/master.m3u8");
  assert.equal(body.watch_url, "https://live.example.org/watch/out");
  assert.equal(body.rtmp_url, `rtmp://live.example.org:1936/live/${body.stream_key}`);
});

test("answers any id and any body with a status that is meant, never with 500", async (t) => {
  const { call } = await startApi(t);
  const field = fc.constantFrom(
    "stream_id",
    "name",
    "qualities",
    "enable_hls",
    "window_segments",
    "ingest_type",
    "zzz",
  );
  await fc.assert(
    fc.asyncProperty(fc.dictionary(field, fc.jsonValue({ maxDepth: 2 })), async (body) => {
      const { status } = await call("POST", "/streams", body);
      // 400: a key named __proto__ is refused before anything is read.
      assert.ok([201, 400, 409, 422].includes(status), String(status));
    }),
    { numRuns: 60 },
  );
  await fc.assert(
    fc.asyncProperty(fc.string({ minLength: 1, maxLength: 90, unit: "grapheme" }), async (id) => {
      fc.pre(id !== "." && id !== "..");
      const { status } = await call("GET", `/api/v1/streams/${encodeURIComponent(id)}`);
      assert.ok([200, 404, 414].includes(status), String(status));
    }),
    { numRuns: 60 },
  );
});
