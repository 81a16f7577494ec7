import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { imageCount, planStoryboard } from "./storyboard-plan.ts";
import { storyboardJson, storyboardVtt } from "./storyboard-text.ts";

const WIDE = { width: 1920, height: 1080 };

test("chooses one interval by the length, and never more than 360 pictures on 15 images", () => {
  const plans = [0.4, 30, 60, 61, 120, 121, 1800, 1801, 3600, 10_800, 86_400, 1_000_000].map((seconds) => {
    const plan = planStoryboard(WIDE, seconds * 1000);
    return [seconds, plan.intervalMs / 1000, plan.tileCount, imageCount(plan)];
  });
  assert.deepEqual(plans, [
    [0.4, 1, 1, 1],
    [30, 1, 30, 2],
    [60, 1, 60, 3],
    [61, 2, 31, 2],
    [120, 2, 60, 3],
    [121, 5, 25, 1],
    [1800, 5, 360, 15],
    [1801, 10, 181, 8],
    [3600, 10, 360, 15],
    [10_800, 30, 360, 15],
    [86_400, 300, 288, 12],
    [1_000_000, 3600, 278, 12],
  ]);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10 ** 10 }), (durationMs) => {
      const plan = planStoryboard(WIDE, durationMs);
      assert.ok(imageCount(plan) <= 15 && plan.tileCount * plan.intervalMs >= durationMs);
      assert.ok((plan.tileCount - 1) * plan.intervalMs < durationMs);
    }),
  );
});

test("keeps the shape of the picture, and never enlarges it", () => {
  const tileOf = (width: number, height: number) => Object.values(planStoryboard({ width, height }, 1000).tile);
  assert.deepEqual(tileOf(1920, 1080), [192, 108]);
  assert.deepEqual(tileOf(1080, 1920), [108, 192]);
  assert.deepEqual(tileOf(64, 48), [64, 48]);
  assert.deepEqual(tileOf(4000, 3), [192, 2]);
});

test("says for every moment where its picture is", () => {
  const plan = planStoryboard({ width: 192, height: 100 }, 26_500);
  const placed = { plan, imageNames: ["storyboard-1.jpg", "storyboard-2.jpg"], durationMs: 26_500 };
  const cues = storyboardVtt(placed).toString().split("\n\n");
  assert.equal(cues.length, 28);
  assert.equal(cues[0], "WEBVTT");
  assert.equal(cues[1], "00:00:00.000 --> 00:00:01.000\nstoryboard-1.jpg#xywh=0,0,192,100");
  assert.equal(cues[8], "00:00:07.000 --> 00:00:08.000\nstoryboard-1.jpg#xywh=384,100,192,100");
  assert.equal(cues[27], "00:00:26.000 --> 00:00:26.500\nstoryboard-2.jpg#xywh=192,0,192,100\n");
  const json = JSON.parse(storyboardJson(placed).toString());
  assert.deepEqual(json.tiles[26], { start_ms: 26_000, image: "storyboard-2.jpg", x: 192, y: 0 });
  assert.deepEqual(
    { ...json, tiles: json.tiles.length },
    {
      ...{ duration_ms: 26_500, interval_ms: 1000, tile_width: 192, tile_height: 100, column_count: 5, row_count: 5 },
      ...{ images: ["storyboard-1.jpg", "storyboard-2.jpg"], tiles: 27 },
    },
  );
});
