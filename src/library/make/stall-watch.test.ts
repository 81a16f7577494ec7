import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../../core/clock.ts";
import { StallWatch } from "./stall-watch.ts";

function watchWith(clock: ManualClock): { watch: StallWatch; stalls: () => number } {
  let count = 0;
  const watch = new StallWatch({ clock, limitMs: 1000, onStall: () => (count += 1) });
  return { watch, stalls: () => count };
}

test("tells when nothing comes for too long", () => {
  const clock = new ManualClock();
  const { stalls } = watchWith(clock);
  clock.advance(999);
  assert.equal(stalls(), 0);
  clock.advance(1);
  assert.equal(stalls(), 1);
});

test("counts from the last piece, and not while we are busy with it", async () => {
  const clock = new ManualClock();
  const { watch, stalls } = watchWith(clock);
  const pieces = watch.follow(
    (async function* () {
      yield 1;
      yield 2;
    })(),
  );
  clock.advance(900);
  await pieces.next();
  clock.advance(5000);
  assert.equal(stalls(), 0, "busy");
  await pieces.next();
  await pieces.next();
  clock.advance(999);
  assert.equal(stalls(), 0);
  clock.advance(1);
  assert.equal(stalls(), 1);
});

test("says nothing more once it is stopped", () => {
  const clock = new ManualClock();
  const { watch, stalls } = watchWith(clock);
  watch.stop();
  clock.advance(10_000);
  assert.equal(stalls(), 0);
});
