import assert from "node:assert/strict";
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { test } from "node:test";
import { credentialedCorsHeaders, PUBLIC_CORS_HEADERS, publicPreflightHeaders, restrictOrigins } from "./cors.ts";
import type { FlatHeaders } from "./flat-headers.ts";

function named(headers: FlatHeaders): Headers {
  const result = new Headers();
  for (let i = 0; i < headers.length; i += 2) result.append(headers[i] ?? "", headers[i + 1] ?? "");
  return result;
}

test("lets every origin read public resources, with the headers that players read", () => {
  const headers = named(PUBLIC_CORS_HEADERS);
  assert.equal(headers.get("access-control-allow-origin"), "*");
  assert.equal(headers.get("timing-allow-origin"), "*");
  const exposed = headers.get("access-control-expose-headers")?.split(", ") ?? [];
  for (const name of ["Content-Length", "Content-Range", "Date", "Age", "ETag", "Retry-After"]) {
    assert.ok(exposed.includes(name), name);
  }
});

test("lets a preflight be kept for a day and allows ranges, conditions and CMCD", () => {
  const headers = named(publicPreflightHeaders("GET, HEAD, OPTIONS"));
  assert.equal(headers.get("access-control-max-age"), "86400");
  assert.equal(headers.get("access-control-allow-methods"), "GET, HEAD, OPTIONS");
  const allowed = headers.get("access-control-allow-headers")?.split(", ") ?? [];
  for (const name of ["Range", "If-None-Match", "CMCD-Session", "Authorization"])
    assert.ok(allowed.includes(name), name);
});

test("echoes a trusted origin with credentials and never says * then", () => {
  const headers = named(credentialedCorsHeaders("https://a.example", () => true, "POST"));
  assert.equal(headers.get("access-control-allow-origin"), "https://a.example");
  assert.equal(headers.get("access-control-allow-credentials"), "true");
  assert.equal(headers.get("vary"), "Origin");
  assert.equal(headers.get("access-control-max-age"), "86400");
});

test("gives an untrusted, opaque or absent origin nothing but Vary", () => {
  const never = () => false;
  for (const headers of [
    credentialedCorsHeaders("https://b.example", never),
    credentialedCorsHeaders("null", () => true),
    credentialedCorsHeaders(undefined, () => true),
  ]) {
    assert.deepEqual(headers, ["Vary", "Origin"]);
  }
});

function answerTo(origin: string | undefined, allowed: readonly string[], headers: Record<string, string>): Headers {
  const req = Object.assign(new IncomingMessage(new Socket()), { headers: origin === undefined ? {} : { origin } });
  const res = new ServerResponse(req);
  restrictOrigins(req, res, allowed);
  res.writeHead(200, Object.entries(headers).flat());
  return named(Object.entries(res.getHeaders()).flatMap(([name, value]) => [name, String(value)]));
}

const PUBLIC = { "Access-Control-Allow-Origin": "*", "Timing-Allow-Origin": "*", Vary: "Accept-Encoding", ETag: '"a"' };

test("echoes an origin of the list where every one would be let in", () => {
  const headers = answerTo("https://tv.example", ["https://tv.example", "https://b.example"], PUBLIC);
  assert.equal(headers.get("access-control-allow-origin"), "https://tv.example");
  assert.equal(headers.get("timing-allow-origin"), "https://tv.example");
  assert.equal(headers.get("vary"), "Accept-Encoding, Origin");
  assert.equal(headers.get("etag"), '"a"');
});

test("gives an origin that is not of the list no permission, and lets caches tell them apart", () => {
  for (const origin of ["https://evil.example", "null", undefined]) {
    const headers = answerTo(origin, ["https://tv.example"], { ...PUBLIC, Vary: "" });
    assert.equal(headers.get("access-control-allow-origin"), null);
    assert.equal(headers.get("timing-allow-origin"), null);
    assert.equal(headers.get("vary"), "Origin");
  }
});

test("leaves answers alone that are for no other origin", () => {
  const headers = answerTo("https://tv.example", ["https://tv.example"], { "Content-Type": "text/html" });
  assert.deepEqual([...headers], [["content-type", "text/html"]]);
});
