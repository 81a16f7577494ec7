import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { pictureScore } from "./picture-score.ts";

const WIDTH = 64;
const HEIGHT = 36;

function picture(pixel: (x: number, y: number) => number): { width: number; pixels: Uint8Array } {
  const pixels = Uint8Array.from({ length: WIDTH * HEIGHT }, (_, at) => pixel(at % WIDTH, Math.floor(at / WIDTH)));
  return { width: WIDTH, pixels };
}

/** Hills, a sky that gets lighter, and texture. */
function scene(x: number, y: number): number {
  const texture = ((x * 7 + y * 13) % 11) * 6;
  return y > 20 + 6 * Math.sin(x / 9) ? 40 + texture : 120 + 3 * y + (x % 3) * 8;
}

test("gives nothing for black, white and one colour", () => {
  for (const level of [0, 16, 128, 255]) {
    assert.equal(pictureScore(picture(() => level)), 0);
  }
  assert.equal(pictureScore({ width: WIDTH, pixels: new Uint8Array() }), 0);
});

test("puts a scene before the same one in a fade, in fog, and out of focus", () => {
  const clear = pictureScore(picture(scene));
  const faded = pictureScore(picture((x, y) => scene(x, y) * 0.12));
  const fog = pictureScore(picture((x, y) => 225 + scene(x, y) * 0.1));
  const blurred = pictureScore(
    picture((x, y) => {
      let sum = 0;
      for (let dx = -6; dx <= 6; dx += 1) for (let dy = -6; dy <= 6; dy += 1) sum += scene(x + dx, y + dy);
      return sum / 169;
    }),
  );
  assert.ok(clear > 0.6, `${clear}`);
  for (const worse of [faded, fog, blurred]) assert.ok(worse < clear * 0.75, `${worse} of ${clear}`);
});

test("puts a scene before a title on black", () => {
  const title = picture((x, y) => (y > 16 && y < 20 && x > 10 && x < 54 && (x + y) % 3 !== 0 ? 235 : 2));
  assert.ok(pictureScore(title) < 0.25);
});

test("stays between 0 and 1", () => {
  const pixels = fc.uint8Array({ minLength: 0, maxLength: 300 });
  fc.assert(
    fc.property(pixels, fc.integer({ min: 1, max: 20 }), (bytes, width) => {
      const score = pictureScore({ width, pixels: bytes });
      return score >= 0 && score <= 1;
    }),
  );
});
