import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isNetwork, TrustedProxies } from "./trusted-proxies.ts";

const proxies = new TrustedProxies(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"]);

function sender(remoteAddress: string, headers: Record<string, string>): string {
  return proxies.addressOf({ socket: { remoteAddress }, headers });
}

describe("TrustedProxies", () => {
  it("takes the peer's own address when it is no trusted proxy, whatever it says", () => {
    assert.equal(sender("198.51.100.1", { "x-forwarded-for": "203.0.113.9" }), "198.51.100.1");
    const nobody = new TrustedProxies([]);
    const request = { socket: { remoteAddress: "10.0.0.1" }, headers: { "x-forwarded-for": "203.0.113.9" } };
    assert.equal(nobody.addressOf(request), "10.0.0.1");
  });

  it("takes the last address that no trusted proxy has, however the header is written", () => {
    for (const headers of [
      { "x-forwarded-for": "203.0.113.9" },
      { "x-forwarded-for": "1.1.1.1, 203.0.113.9, 10.9.9.9" },
      { "x-forwarded-for": "203.0.113.9:51234,192.0.2.7" },
      { forwarded: "for=203.0.113.9;proto=https;by=10.0.0.1" },
      { forwarded: 'for=1.1.1.1, proto=http;For="203.0.113.9:80", for="[2001:db8::5]:4711"' },
      { "x-forwarded-for": "203.0.113.9", forwarded: "for=1.1.1.1" },
    ]) {
      assert.equal(sender("::ffff:10.0.0.1", headers), "203.0.113.9", JSON.stringify(headers));
    }
    assert.equal(sender("2001:db8::1", { "x-forwarded-for": "[2001:470::2]:443" }), "2001:470::2");
  });

  it("believes nothing left of what is no address", () => {
    assert.equal(sender("10.0.0.1", { "x-forwarded-for": "203.0.113.9, unknown" }), "10.0.0.1");
    assert.equal(sender("10.0.0.1", { "x-forwarded-for": "203.0.113.9, _hidden, 10.0.0.2" }), "10.0.0.2");
    assert.equal(sender("10.0.0.1", { forwarded: "for=203.0.113.9, proto=http" }), "10.0.0.1");
    assert.equal(sender("10.0.0.1", { "x-forwarded-for": "" }), "10.0.0.1");
    assert.equal(sender("10.0.0.1", {}), "10.0.0.1");
  });
});

describe("isNetwork", () => {
  it("knows addresses and CIDR blocks of both families", () => {
    for (const text of ["127.0.0.1", "10.0.0.0/8", "::1", "fd00::/8"]) assert.ok(isNetwork(text), text);
    for (const text of ["", "localhost", "10.0.0.0/33", "10.0.0.0/", "::/129", "10.0.0.0/8/8"]) {
      assert.ok(!isNetwork(text), text);
    }
  });
});
