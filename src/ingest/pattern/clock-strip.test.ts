import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  drawClock,
  PATTERN_HEIGHT,
  PATTERN_WIDTH,
  readClock,
  readClockOfPicture,
  STRIP_BYTES,
  STRIP_HEIGHT,
} from "./clock-strip.ts";

const NOON_MS = Date.UTC(2026, 10, 21, 12, 34, 56, 789);

function read(strip: Uint8Array, nearMs: number): number | undefined {
  return readClock((x, y) => strip[Math.floor(y) * PATTERN_WIDTH + Math.floor(x)] ?? 0, nearMs);
}

test("reads back every instant that it draws, weeks from now too", () => {
  const strip = new Uint8Array(STRIP_BYTES);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4_102_444_800_000 }), fc.integer({ min: -20, max: 20 }), (epochMs, days) => {
      drawClock(strip, epochMs);
      assert.equal(read(strip, epochMs + days * 86_400_000), epochMs);
    }),
  );
});

test("takes neither darkness nor light nor a damaged code for a clock", () => {
  assert.equal(read(new Uint8Array(STRIP_BYTES), NOON_MS), undefined);
  assert.equal(read(new Uint8Array(STRIP_BYTES).fill(255), NOON_MS), undefined);
  const strip = new Uint8Array(STRIP_BYTES);
  for (let cell = 0; cell < 40; cell++) {
    drawClock(strip, NOON_MS);
    for (let y = STRIP_HEIGHT - 32; y < STRIP_HEIGHT; y++) {
      const from = y * PATTERN_WIDTH + cell * 32;
      for (let x = from; x < from + 32; x++) strip[x] = 255 - (strip[x] ?? 0);
    }
    assert.equal(read(strip, NOON_MS), undefined, `cell ${cell}`);
  }
});

test("reads a picture that was made smaller and pale", () => {
  const strip = new Uint8Array(STRIP_BYTES);
  drawClock(strip, NOON_MS);
  const [width, height] = [426, 240];
  const rgba = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const stripY = Math.floor((y * PATTERN_HEIGHT) / height) - (PATTERN_HEIGHT - STRIP_HEIGHT);
      const luma = stripY < 0 ? 99 : (strip[stripY * PATTERN_WIDTH + Math.floor((x * PATTERN_WIDTH) / width)] ?? 0);
      rgba.fill(60 + luma / 2, (y * width + x) * 4, (y * width + x) * 4 + 3);
    }
  }
  assert.equal(readClockOfPicture(rgba, width, height, NOON_MS), NOON_MS);
});

test("writes the time of day in seven-segment digits", () => {
  const strip = new Uint8Array(STRIP_BYTES);
  drawClock(strip, NOON_MS);
  const rows: string[] = [];
  for (let y = 9; y < 60; y += 11) {
    let row = "";
    for (let x = 413; x < 870; x += 6.5) row += (strip[y * PATTERN_WIDTH + Math.floor(x)] ?? 0) > 128 ? "#" : " ";
    rows.push(row.trimEnd());
  }
  assert.deepEqual(rows, [
    "    #  #####     #####  #   #     #####   ####      #####  #####  #####",
    "    #      #  #      #  #   #  #  #                     #  #   #  #   #",
    "    #  #####     #####  #####     #####   ####          #  #####  #####",
    "    #  #      #      #      #  #      #                 #  #   #      #",
    "    #  #####     #####      #     #####   ####   #      #  #####  #####",
  ]);
});
