import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../core/clock.ts";
import { Viewers } from "./viewers.ts";

function create(maxPerStreamCount = 1000) {
  const clock = new ManualClock();
  return { clock, viewers: new Viewers({ clock, maxPerStreamCount }) };
}

test("counts pairs of address and user agent once, per stream", () => {
  const { viewers } = create();
  for (const agent of ["hls.js", "hls.js", "VLC"]) viewers.note("a", "10.0.0.1", agent);
  viewers.note("a", "10.0.0.2", "hls.js");
  viewers.note("b", "10.0.0.2", "hls.js");
  assert.equal(viewers.count("a"), 3);
  assert.equal(viewers.count("b"), 1);
  assert.equal(viewers.count("c"), 0);
});

test("forgets who has not asked for ten seconds", () => {
  const { clock, viewers } = create();
  viewers.note("a", "10.0.0.1", "x");
  clock.advance(6_000);
  viewers.note("a", "10.0.0.2", "x");
  clock.advance(6_000);
  assert.equal(viewers.count("a"), 1);
  clock.advance(6_000);
  assert.equal(viewers.count("a"), 0);
});

test("stays within its bound, and makes room when viewers leave", () => {
  const { clock, viewers } = create(100);
  for (let i = 0; i < 500; i++) viewers.note("a", `10.0.${i >> 8}.${i & 255}`, "x");
  assert.equal(viewers.count("a"), 100);
  clock.advance(11_000);
  viewers.note("a", "10.9.9.9", "x");
  assert.equal(viewers.count("a"), 1);
});

test("tells a hundred thousand viewers apart", () => {
  const { viewers } = create(1_000_000);
  for (let i = 0; i < 100_000; i++) viewers.note("a", `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, "Mozilla/5.0");
  assert.ok(viewers.count("a") >= 99_998);
});
