import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { chooseEncoding } from "./compression.ts";

const CASES: readonly [string | undefined, string][] = [
  [undefined, "identity"],
  ["", "identity"],
  ["gzip, deflate, br, zstd", "br"],
  ["gzip, deflate", "gzip"],
  ["x-gzip", "gzip"],
  ["GZIP", "gzip"],
  ["br;q=0.5, gzip;q=0.8", "gzip"],
  ["br;q=0, gzip", "gzip"],
  ["gzip;q=0", "identity"],
  ["*", "br"],
  ["*;q=0.1, gzip;q=0.2", "gzip"],
  ["br;q=0, *", "gzip"],
  ["identity;q=1, br;q=0.9", "identity"],
  ["identity, gzip", "gzip"],
  ["deflate", "identity"],
  ["gzip ; q=1.000 ,br ; q=0.999", "gzip"],
  ["br;q=7", "identity"],
  ["br;q=abc, gzip;q=0.1", "gzip"],
  [`br,${"x".repeat(300)}`, "identity"],
];

test("chooses by quality, and br before gzip before identity among equals", () => {
  for (const [header, expected] of CASES) assert.equal(chooseEncoding(header), expected, String(header));
});

test("never chooses what the client rules out, whatever else stands beside it", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), (noise) => {
      const chosen = chooseEncoding(`${noise},br;q=0,gzip;q=0`);
      assert.equal(chosen, "identity");
    }),
  );
});
