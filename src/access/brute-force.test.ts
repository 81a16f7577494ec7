import assert from "node:assert/strict";
import { isIPv6 } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { ManualClock } from "../core/clock.ts";
import { addressGroup, BruteForceGuard } from "./brute-force.ts";

function fail(guard: BruteForceGuard, address: string, times: number): void {
  for (let i = 0; i < times; i++) guard.recordFailure(address);
}

test("blocks an address for five minutes at the fifth wrong key within a minute", () => {
  const clock = new ManualClock();
  const guard = new BruteForceGuard({ clock });
  fail(guard, "203.0.113.7", 4);
  assert.equal(guard.blockedForMs("203.0.113.7"), 0);
  assert.equal(guard.recordFailure("203.0.113.7"), true);
  assert.equal(guard.blockedForMs("203.0.113.7"), 300_000);
  clock.advance(299_999);
  assert.equal(guard.blockedForMs("203.0.113.7"), 1);
  clock.advance(1);
  assert.equal(guard.blockedForMs("203.0.113.7"), 0);
});

test("starts to count anew after a block", () => {
  const clock = new ManualClock();
  const guard = new BruteForceGuard({ clock });
  fail(guard, "203.0.113.7", 5);
  clock.advance(300_000);
  assert.equal(guard.recordFailure("203.0.113.7"), false);
});

test("forgets failures that are older than the window", () => {
  const clock = new ManualClock();
  const guard = new BruteForceGuard({ clock });
  for (let i = 0; i < 50; i++) {
    fail(guard, "203.0.113.7", 1);
    clock.advance(15_000);
  }
  assert.equal(guard.blockedForMs("203.0.113.7"), 0);
});

test("leaves other addresses alone", () => {
  const guard = new BruteForceGuard({ clock: new ManualClock() });
  fail(guard, "203.0.113.7", 5);
  assert.equal(guard.blockedForMs("203.0.113.8"), 0);
  assert.equal(guard.recordFailure("203.0.113.8"), false);
});

test("counts an IPv6 /64 and an IPv4-mapped address as one", () => {
  const guard = new BruteForceGuard({ clock: new ManualClock() });
  for (let i = 0; i < 5; i++) guard.recordFailure(`2001:db8:1:2:${i}::${i}`);
  assert.ok(guard.blockedForMs("2001:db8:1:2:ffff::1") > 0);
  assert.equal(guard.blockedForMs("2001:db8:1:3::1"), 0);
  fail(guard, "::ffff:203.0.113.7", 5);
  assert.ok(guard.blockedForMs("203.0.113.7") > 0);
});

test("takes the settings it is given", () => {
  const clock = new ManualClock();
  const guard = new BruteForceGuard({ clock, maxFailures: 2, windowMs: 1000, blockMs: 50 });
  fail(guard, "a", 2);
  assert.equal(guard.blockedForMs("a"), 50);
});

test("remembers a bounded number of addresses, the latest to fail", () => {
  const guard = new BruteForceGuard({ clock: new ManualClock(), maxAddresses: 100 });
  fail(guard, "198.51.100.1", 5);
  for (let i = 0; i < 99; i++) guard.recordFailure(`10.0.0.${i}`);
  assert.ok(guard.blockedForMs("198.51.100.1") > 0);
  guard.recordFailure("10.0.1.1");
  assert.equal(guard.addressCount, 100);
  assert.equal(guard.blockedForMs("198.51.100.1"), 0);
});

test("names the /64 of an IPv6 address however it is written", () => {
  assert.equal(addressGroup("2001:0DB8::1"), "2001:db8:0:0::/64");
  assert.equal(addressGroup("::1"), "0:0:0:0::/64");
  assert.equal(addressGroup("fe80::1%eth0"), "fe80:0:0:0::/64");
  assert.equal(addressGroup("1:2:3:4:5:6:7.8.9.10"), "1:2:3:4::/64");
  assert.equal(addressGroup("1:2:3:4:5:6:7:8"), "1:2:3:4::/64");
  assert.equal(addressGroup("::ffff:c000:0201"), "192.0.2.1");
  assert.equal(addressGroup("64:ff9b::192.0.2.1"), "64:ff9b:0:0::/64");
});

test("gives an IPv6 address one group in its written and its canonical form", () => {
  fc.assert(
    fc.property(fc.ipV6(), (address) => {
      fc.pre(isIPv6(address));
      const group = addressGroup(address);
      assert.equal(addressGroup(new URL(`http://[${address}]`).hostname.slice(1, -1)), group);
    }),
  );
});
