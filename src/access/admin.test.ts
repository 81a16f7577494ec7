import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ManualClock } from "../core/clock.ts";
import { AdminAccess, type AdminAccessOptions, type Credentials } from "./admin.ts";
import { BruteForceGuard } from "./brute-force.ts";

const TOKEN = "hw_the-right-admin-token";
const HERE = "198.51.100.20";

function setUp(options: Partial<AdminAccessOptions> = {}) {
  const clock = new ManualClock();
  const guard = new BruteForceGuard({ clock });
  const secrets = { adminToken: TOKEN, cookieSecret: Buffer.alloc(32, 7) };
  return { clock, guard, admin: new AdminAccess({ ...secrets, clock, guard, ...options }) };
}

function read(credentials: Partial<Credentials>): Credentials {
  return { method: "GET", address: HERE, ...credentials };
}

test("lets the bearer of the admin token in and nobody else", () => {
  const { admin } = setUp();
  assert.deepEqual(admin.authenticate(read({ authorization: `Bearer ${TOKEN}` })), {
    via: "bearer",
    expiresAtMs: undefined,
  });
  assert.equal(admin.authenticate(read({ authorization: `bearer  ${TOKEN}`, method: "DELETE" })).via, "bearer");
  for (const authorization of ["Bearer wrong", "Bearer", "", `Basic ${TOKEN}`, `Bearer ${TOKEN} ${TOKEN}`]) {
    const { admin } = setUp();
    assert.throws(() => admin.authenticate(read({ authorization })), { code: "UNAUTHENTICATED" }, authorization);
  }
  assert.throws(() => admin.authenticate(read({})), { code: "UNAUTHENTICATED" });
});

test("blocks an address after five wrong admin tokens, even for the right one, and says for how long", () => {
  const { admin } = setUp();
  const wrong = read({ authorization: "Bearer wrong" });
  for (let i = 0; i < 5; i++) assert.throws(() => admin.authenticate(wrong), { code: "UNAUTHENTICATED" });
  const right = read({ authorization: `Bearer ${TOKEN}` });
  assert.throws(() => admin.authenticate(right), { code: "ADDRESS_BLOCKED", details: { retry_after_s: 300 } });
  assert.throws(() => admin.login(TOKEN, HERE), { code: "ADDRESS_BLOCKED" });
  assert.equal(admin.authenticate({ ...right, address: "203.0.113.9" }).via, "bearer");
});

test("keeps a browser that is logged in through a block of its address", () => {
  const { admin } = setUp();
  const { value } = admin.login(TOKEN, HERE);
  for (let i = 0; i < 5; i++) assert.throws(() => admin.login("wrong", HERE));
  assert.equal(admin.authenticate(read({ sessionCookie: value })).via, "cookie");
});

test("takes a login token once", () => {
  const { admin } = setUp();
  const token = admin.issueLoginToken();
  const { value } = admin.login(token, HERE);
  assert.equal(admin.authenticate(read({ sessionCookie: value })).via, "cookie");
  assert.throws(() => admin.login(token, HERE), { code: "UNAUTHENTICATED" });
});

test("takes a login token for a day, and keeps the newest sixteen", () => {
  const { admin, clock } = setUp();
  const early = admin.issueLoginToken();
  clock.advance(86_400_000);
  assert.throws(() => admin.login(early, HERE), { code: "UNAUTHENTICATED" });
  const tokens = Array.from({ length: 17 }, () => admin.issueLoginToken());
  assert.throws(() => admin.login(tokens[0] ?? "", HERE), { code: "UNAUTHENTICATED" });
  assert.ok(admin.login(tokens[16] ?? "", HERE));
});

test("never takes a login token as a bearer token", () => {
  const { admin } = setUp();
  const authorization = `Bearer ${admin.issueLoginToken()}`;
  assert.throws(() => admin.authenticate(read({ authorization })), { code: "UNAUTHENTICATED" });
});

test("ends a session after thirty days", () => {
  const { admin, clock } = setUp();
  const cookie = admin.login(TOKEN, HERE);
  assert.equal(cookie.expiresAtMs, clock.nowMs() + 30 * 86_400_000);
  clock.advance(30 * 86_400_000 - 1);
  assert.equal(admin.authenticate(read({ sessionCookie: cookie.value })).expiresAtMs, cookie.expiresAtMs);
  clock.advance(1);
  assert.throws(() => admin.authenticate(read({ sessionCookie: cookie.value })), { code: "UNAUTHENTICATED" });
});

test("ends a session that is logged out, and no other", () => {
  const { admin } = setUp();
  const [one, other] = [admin.login(TOKEN, HERE).value, admin.login(TOKEN, HERE).value];
  admin.logout(one);
  admin.logout("nonsense");
  admin.logout(undefined);
  assert.throws(() => admin.authenticate(read({ sessionCookie: one })), { code: "UNAUTHENTICATED" });
  assert.equal(admin.authenticate(read({ sessionCookie: other })).via, "cookie");
});

test("accepts sessions across a restart, and none of another admin token or secret", () => {
  const { value } = setUp().admin.login(TOKEN, HERE);
  assert.equal(setUp().admin.authenticate(read({ sessionCookie: value })).via, "cookie");
  for (const changed of [{ adminToken: "hw_another" }, { cookieSecret: Buffer.alloc(32, 8) }]) {
    const { admin } = setUp(changed);
    assert.throws(() => admin.authenticate(read({ sessionCookie: value })), { code: "UNAUTHENTICATED" });
  }
});

test("accepts no cookie with any character changed", () => {
  const { admin } = setUp();
  const { value } = admin.login(TOKEN, HERE);
  fc.assert(
    fc.property(fc.nat(value.length - 1), fc.constantFrom(..."aB9_-.z"), (index, character) => {
      fc.pre(value[index] !== character);
      const forged = value.slice(0, index) + character + value.slice(index + 1);
      assert.throws(() => admin.authenticate(read({ sessionCookie: forged })), { code: "UNAUTHENTICATED" });
    }),
  );
});

test("lets a cookie write only from pages of this server", () => {
  const { admin } = setUp({ publicUrl: "https://live.example.org/" });
  const write = { ...read({ sessionCookie: admin.login(TOKEN, HERE).value, host: "10.0.0.5:8080" }), method: "DELETE" };
  const allowed: Partial<Credentials>[] = [
    { secFetchSite: "same-origin" },
    { origin: "http://10.0.0.5:8080" },
    { origin: "https://live.example.org" },
    { origin: "http://studio.local", host: "studio.local:80" },
  ];
  const refused: Partial<Credentials>[] = [
    {},
    { secFetchSite: "same-site" },
    { secFetchSite: "cross-site" },
    { secFetchSite: "none" },
    { secFetchSite: "cross-site", origin: "http://10.0.0.5:8080" },
    { origin: "null" },
    { origin: "http://10.0.0.5:8081" },
    { origin: "https://evil.example" },
    { origin: "https://evil.example", host: undefined },
    { origin: "http://live.example.org" },
  ];
  for (const headers of allowed) assert.equal(admin.authenticate({ ...write, ...headers }).via, "cookie");
  for (const headers of refused) {
    assert.throws(() => admin.authenticate({ ...write, ...headers }), { code: "CROSS_SITE_REQUEST" });
    assert.equal(admin.authenticate({ ...write, ...headers, method: "GET" }).via, "cookie");
  }
});

test("asks for HTTPS on the way back when the public URL has it", () => {
  const { admin } = setUp({ publicUrl: "https://live.example.org" });
  assert.deepEqual([admin.cookieName, admin.login(TOKEN, HERE).isSecure], ["__Host-headwater", true]);
  const plain = setUp({ publicUrl: "http://10.0.0.5:8080" }).admin;
  assert.deepEqual([plain.cookieName, plain.login(TOKEN, HERE).isSecure], ["headwater", false]);
});
