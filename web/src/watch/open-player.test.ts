import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseFormat } from "./open-player.ts";

const BOTH = { hls: true, dash: true };

test("the wish is granted when the stream offers it", () => {
  assert.equal(chooseFormat("dash", BOTH, true), "dash");
  assert.equal(chooseFormat("hls", BOTH, true), "hls");
});

test("the other format stands in for one that is not offered", () => {
  assert.equal(chooseFormat("dash", { hls: true, dash: false }, true), "hls");
  assert.equal(chooseFormat("hls", { hls: false, dash: true }, true), "dash");
  assert.equal(chooseFormat("hls", { hls: false, dash: false }, true), undefined);
});

test("without a Media Source only the browser's own HLS is left", () => {
  assert.equal(chooseFormat("dash", BOTH, false), "native");
  assert.equal(chooseFormat("hls", { hls: false, dash: true }, false), undefined);
});
