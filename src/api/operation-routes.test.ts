import assert from "node:assert/strict";
import { request } from "node:http";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { startApi } from "./api-harness.ts";

test("answers probes, people and Prometheus without credentials", async (t) => {
  const { call } = await startApi(t);
  assert.deepEqual((await call("GET", "/healthz", undefined, {})).body, { status: "ok" });
  assert.deepEqual((await call("GET", "/readyz", undefined, {})).body, {
    status: "ready",
    checks: [{ name: "ffmpeg", ready: true, detail: "5.1" }],
  });
  assert.deepEqual((await call("GET", "/health", undefined, {})).body, {
    status: "healthy",
    service: "Headwater",
    version: "1.2.3",
  });
  const metrics = await call("GET", "/metrics", undefined, {});
  assert.equal(metrics.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  assert.equal(metrics.body, "headwater_up 1\n");
});

test("tells only an admin the metrics and why something fails, where operations are not open", async (t) => {
  const { call, checks } = await startApi(t, { hasOpenOperations: false });
  const metrics = await call("GET", "/metrics", undefined, {});
  assert.deepEqual([metrics.status, metrics.body.code], [401, "UNAUTHENTICATED"]);
  assert.equal((await call("GET", "/metrics")).body, "headwater_up 1\n");
  assert.deepEqual((await call("GET", "/readyz", undefined, {})).body, { status: "ready", checks: [] });
  assert.equal((await call("GET", "/readyz")).body.checks.length, 1);
  checks.push({ name: "catalog", isReady: false, detail: "the disk is full" });
  for (const path of ["/readyz", "/health"]) {
    const untold = await call("GET", path, undefined, {});
    assert.equal(untold.status, 503);
    assert.doesNotMatch(JSON.stringify(untold.body), /disk/);
    assert.match(JSON.stringify((await call("GET", path)).body), /disk/);
  }
});

test("is alive but not ready while something fails, and says what", async (t) => {
  const { call, checks } = await startApi(t);
  checks.push({ name: "catalog", isReady: false, detail: "the disk is full" });
  assert.equal((await call("GET", "/healthz")).status, 200);
  const ready = await call("GET", "/readyz");
  assert.equal(ready.status, 503);
  assert.equal(ready.headers.get("content-type"), "application/problem+json");
  assert.ok(ready.headers.get("retry-after"));
  assert.equal(ready.body.detail, "catalog: the disk is full");
  const health = await call("GET", "/health");
  assert.deepEqual([health.status, health.body.code], [503, "UNAVAILABLE"]);
});

test("tells an admin about the server", async (t) => {
  const { call, clock } = await startApi(t);
  clock.advance(61_500);
  assert.deepEqual((await call("GET", "/api/v1/server")).body, {
    version: "1.2.3",
    rtmp_server: "rtmp://127.0.0.1:1936/live",
    encoder: "libx264",
    started_at: "2026-01-01T00:00:00.000Z",
    uptime_s: 61,
  });
});

test("gives the RTMP server on the host that was asked, and makes nothing of a Host that is none", async (t) => {
  const { port } = await startApi(t);
  const serverFor = async (host: string) => {
    const headers = { host, authorization: "Bearer hw_the-right-admin-token" };
    const outgoing = request({ host: "127.0.0.1", port, path: "/api/v1/server", headers });
    const body = new Promise<string>((resolve, reject) => {
      outgoing.on("response", (answer) => text(answer).then(resolve, reject)).on("error", reject);
    });
    outgoing.end();
    return JSON.parse(await body).rtmp_server;
  };
  assert.equal(await serverFor("studio.local:8080"), "rtmp://studio.local:1936/live");
  assert.equal(await serverFor("[::1]:8080"), "rtmp://[::1]:1936/live");
  for (const host of ["evil.example/path", "user@evil.example", "a b", "?x"]) {
    assert.equal(await serverFor(host), "rtmp://127.0.0.1:1936/live", host);
  }
});

test("names the methods that a resource takes", async (t) => {
  const { call } = await startApi(t);
  for (const [method, path, allow] of [
    ["PUT", "/api/v1/streams", "GET, HEAD, POST"],
    ["PATCH", "/streams/a", "DELETE, GET, HEAD"],
    ["GET", "/streams/a/heartbeat", "POST"],
    ["DELETE", "/healthz", "GET, HEAD"],
  ] as const) {
    const { status, headers, body } = await call(method, path);
    assert.deepEqual([status, headers.get("allow"), body.status], [405, allow, 405], `${method} ${path}`);
  }
  assert.equal((await call("GET", "/api/v1/nothing")).status, 404);
});
