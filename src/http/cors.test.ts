import assert from "node:assert/strict";
import { test } from "node:test";
import { credentialedCorsHeaders, PUBLIC_CORS_HEADERS, publicPreflightHeaders } from "./cors.ts";
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
