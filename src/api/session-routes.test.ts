import assert from "node:assert/strict";
import { test } from "node:test";
import { ADMIN_TOKEN, startApi } from "./api-harness.ts";

const WRITES_AND_READS = [
  ["GET", "/api/v1/streams"],
  ["POST", "/api/v1/streams"],
  ["GET", "/streams"],
  ["POST", "/streams"],
  ["GET", "/streams/a"],
  ["DELETE", "/streams/a"],
  ["POST", "/streams/a/heartbeat"],
  ["POST", "/api/v1/streams/a/key"],
  ["GET", "/api/v1/server"],
  ["GET", "/api/v1/session"],
] as const;

test("asks everything but what is public for an admin", async (t) => {
  const { call } = await startApi(t);
  await call("POST", "/streams", { stream_id: "a" });
  for (const [method, path] of WRITES_AND_READS) {
    for (const headers of [{}, { cookie: "headwater=v1.zzzzzzzz.aaaaaaaaaaaaaaaaaaaaaa.aaaaaaaa" }]) {
      const { status, headers: answer, body } = await call(method, path, undefined, headers);
      assert.equal(status, 401, `${method} ${path}`);
      assert.equal(answer.get("www-authenticate"), "Bearer");
      assert.equal(body.code, "UNAUTHENTICATED");
    }
  }
  assert.equal((await call("GET", "/streams/a")).status, 200);
});

test("looks at credentials before it reads a body", async (t) => {
  const { call } = await startApi(t);
  assert.equal((await call("POST", "/streams", "{ broken", {})).status, 401);
  assert.equal((await call("POST", "/streams", "x".repeat(2 << 20), {})).status, 401);
});

test("turns the studio link into a session, once", async (t) => {
  const { call, admin, clock } = await startApi(t);
  const token = admin.issueLoginToken();
  const { status, headers, body } = await call("POST", "/api/v1/login", { token }, {});
  assert.equal(status, 200);
  assert.deepEqual(body, { via: "cookie", expires_at: new Date(clock.nowMs() + 30 * 86_400_000).toISOString() });
  const setCookie = headers.get("set-cookie") ?? "";
  assert.match(setCookie, /^headwater=v1\.[\w.-]+; Path=\/; Expires=[^;]+; HttpOnly; SameSite=Strict$/);
  const cookie = setCookie.split(";", 1)[0] ?? "";
  const session = await call("GET", "/api/v1/session", undefined, { cookie });
  assert.deepEqual([session.status, session.body.via], [200, "cookie"]);
  assert.equal((await call("POST", "/api/v1/login", { token }, {})).status, 401);
});

test("takes the admin token for a session, and keeps the cookie on HTTPS when the public URL has it", async (t) => {
  const { call } = await startApi(t, { publicUrl: "https://live.example.org" });
  const { headers } = await call("POST", "/api/v1/login", { token: ADMIN_TOKEN }, {});
  assert.match(
    headers.get("set-cookie") ?? "",
    /^__Host-headwater=[^;]+; Path=\/; Expires=[^;]+; HttpOnly; Secure; SameSite=Strict$/,
  );
});

test("lets a session write from pages of this server only", async (t) => {
  const { call, origin } = await startApi(t);
  const { headers } = await call("POST", "/api/v1/login", { token: ADMIN_TOKEN }, {});
  const cookie = headers.get("set-cookie")?.split(";", 1)[0] ?? "";
  const create = (extra: Record<string, string>) => call("POST", "/api/v1/streams", {}, { cookie, ...extra });
  assert.equal((await create({ origin })).status, 201);
  for (const foreign of [{}, { origin: "https://evil.example" }, { origin: "null" }]) {
    const { status, body } = await create(foreign);
    assert.deepEqual([status, body.code], [403, "CROSS_SITE_REQUEST"]);
  }
  assert.equal((await call("POST", "/api/v1/logout", undefined, { cookie })).status, 403);
});

test("logs out: the cookie opens nothing any more", async (t) => {
  const { call, origin } = await startApi(t);
  const { headers } = await call("POST", "/api/v1/login", { token: ADMIN_TOKEN }, {});
  const cookie = headers.get("set-cookie")?.split(";", 1)[0] ?? "";
  const left = await call("POST", "/api/v1/logout", undefined, { cookie, origin });
  assert.equal(left.status, 204);
  assert.match(left.headers.get("set-cookie") ?? "", /^headwater=; .*Expires=Thu, 01 Jan 1970/);
  assert.equal((await call("GET", "/api/v1/session", undefined, { cookie })).status, 401);
});

test("blocks an address that guesses, and tells no difference between tokens", async (t) => {
  const { call } = await startApi(t);
  for (let i = 0; i < 5; i++) {
    const { status, body } = await call("POST", "/api/v1/login", { token: `guess ${i}` }, {});
    assert.deepEqual([status, body.code], [401, "UNAUTHENTICATED"]);
  }
  const { status, body } = await call("POST", "/api/v1/login", { token: ADMIN_TOKEN }, {});
  assert.deepEqual([status, body.code], [429, "ADDRESS_BLOCKED"]);
  assert.equal((await call("GET", "/api/v1/streams")).status, 429);
});

test("logs no token, key or cookie", async (t) => {
  const lines: string[] = [];
  const write = (fields: object, message: string) => void lines.push(JSON.stringify([fields, message]));
  const log = { debug: write, info: write, warn: write, error: write, child: () => log };
  const { call, admin } = await startApi(t, { log });
  const token = admin.issueLoginToken();
  const { headers } = await call("POST", "/api/v1/login", { token }, {});
  const { body } = await call("POST", "/streams", {});
  const secrets = [token, ADMIN_TOKEN, body.stream_key, headers.get("set-cookie")?.split(/[=;]/)[1] ?? "?"];
  assert.ok(lines.length > 0);
  for (const secret of secrets) assert.ok(!lines.join("\n").includes(secret));
});
