import assert from "node:assert/strict";
import { test } from "node:test";
import { newStreamKey } from "../core/ids.ts";
import { hashStreamKey, sameSecret } from "./stream-keys.ts";

test("hashes a key as SHA-256 in hex", () => {
  // The FIPS 180-2 example.
  assert.equal(hashStreamKey("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  assert.notEqual(hashStreamKey(newStreamKey()), hashStreamKey(newStreamKey()));
});

test("tells equal secrets from different ones, whatever their lengths", () => {
  assert.equal(sameSecret("correct horse", "correct horse"), true);
  assert.equal(sameSecret("correct horsf", "correct horse"), false);
  assert.equal(sameSecret("", "correct horse"), false);
  assert.equal(sameSecret("correct horse battery", "correct horse"), false);
});
