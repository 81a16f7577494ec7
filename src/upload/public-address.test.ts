import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AddressGuard, isPublicAddress } from "./public-address.ts";

test("tells the internet from what is around us", () => {
  const ours = [
    ...[
      "0.0.0.0",
      "10.1.2.3",
      "100.64.0.1",
      "127.0.0.1",
      "127.255.0.1",
      "169.254.169.254",
      "172.16.0.1",
      "172.31.255.255",
    ],
    ...["192.168.1.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "192.0.2.1", "203.0.113.9", "240.0.0.1"],
    ...[
      "::",
      "::1",
      "fe80::1",
      "fc00::1",
      "fd12:3456::1",
      "ff02::1",
      "::ffff:127.0.0.1",
      "::ffff:8.8.8.8",
      "::127.0.0.1",
    ],
    ...["64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::", "2001:db8::1", "fec0::1", "100::1"],
    ...["localhost", "", "127.1", "0x7f.0.0.1", "2130706433", "1.2.3", "1.2.3.4/8"],
  ];
  for (const address of ours) assert.equal(isPublicAddress(address), false, address);
  const others = ["1.1.1.1", "8.8.8.8", "172.32.0.1", "172.15.255.255", "100.128.0.1", "11.0.0.1", "2606:4700::1111"];
  for (const address of others) assert.equal(isPublicAddress(address), true, address);
});

test("takes no address of our networks for one of the internet, however it is written", () => {
  const octet = fc.integer({ min: 0, max: 255 });
  const privateV4 = fc.oneof(
    fc.tuple(fc.constantFrom(0, 10, 127), octet, octet, octet),
    fc.tuple(fc.constant(192), fc.constant(168), octet, octet),
    fc.tuple(fc.constant(169), fc.constant(254), octet, octet),
    fc.tuple(fc.constant(172), fc.integer({ min: 16, max: 31 }), octet, octet),
  );
  fc.assert(
    fc.property(privateV4, ([a, b, c, d]) => {
      const plain = `${a}.${b}.${c}.${d}`;
      const group = (high: number, low: number) => ((high << 8) | low).toString(16);
      const groups = `${group(a, b)}:${group(c, d)}`;
      const forms = [
        plain,
        `::ffff:${plain}`,
        `::ffff:${groups}`,
        `::${plain}`,
        `64:ff9b::${groups}`,
        `2002:${groups}::1`,
      ];
      for (const form of forms) assert.equal(isPublicAddress(form), false, form);
    }),
  );
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), fc.string()), (text) => {
      assert.equal(typeof isPublicAddress(text), "boolean");
    }),
  );
});

test("opens the networks that are named, and no other", async () => {
  const guard = new AddressGuard(["127.0.0.1", "10.8.0.0/16", "fd00::/8"]);
  for (const address of ["127.0.0.1", "10.8.3.4", "fd00::1", "1.1.1.1"]) assert.ok(guard.allows(address), address);
  for (const address of ["127.0.0.2", "10.9.0.1", "fc00::1", "::1"]) assert.ok(!guard.allows(address), address);
  assert.deepEqual(await guard.resolve("[fd00::1]"), { address: "fd00::1", family: 6 });
  for (const host of ["127.0.0.2", "[::1]", "169.254.169.254", "[::ffff:169.254.169.254]"]) {
    await assert.rejects(guard.resolve(host), { code: "INVALID_REQUEST", message: /not on the internet/ }, host);
  }
  await assert.rejects(new AddressGuard([]).resolve("localhost"), { code: "INVALID_REQUEST" });
});
