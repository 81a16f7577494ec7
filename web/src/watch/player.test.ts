import assert from "node:assert/strict";
import { test } from "node:test";
import { highestFirst, qualityLabel } from "./player.ts";

test("a quality is named by its short side and an unusual frame rate", () => {
  assert.equal(qualityLabel(1920, 1080, 29.97, 5e6), "1080p");
  assert.equal(qualityLabel(1920, 1080, 59.94, 5e6), "1080p60");
  assert.equal(qualityLabel(720, 1280, undefined, 3e6), "720p");
});

test("a quality without a picture is named by its bit rate", () => {
  assert.equal(qualityLabel(0, 0, undefined, 128_000), "128 kbit/s");
});

test("qualities go from high to low", () => {
  const sorted = highestFirst([
    { id: "a", label: "480p", bitrateBps: 1e6 },
    { id: "b", label: "720p", bitrateBps: 2.5e6 },
    { id: "c", label: "720p", bitrateBps: 4e6 },
  ]);
  assert.deepEqual(
    sorted.map(({ id }) => id),
    ["c", "b", "a"],
  );
});
