import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { splitJpegs } from "./multipart-jpegs.ts";

function multipart(images: readonly Uint8Array[]): Buffer {
  const parts = images.flatMap((image) => [
    Buffer.from(`--ffmpeg\r\nContent-type: image/jpeg\r\nContent-length: ${image.length}\r\n\r\n`),
    image,
    Buffer.from("\r\n"),
  ]);
  return Buffer.concat([...parts, Buffer.from("--ffmpeg\r\n")]);
}

test("gives the images as they were, whatever their bytes are", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 5 }), (images) => {
      assert.deepEqual(
        splitJpegs(multipart(images)).map((image) => [...image]),
        images.map((image) => [...image]),
      );
    }),
  );
});

test("refuses what is cut short, or tells no length", () => {
  const whole = multipart([Uint8Array.of(1, 2, 3)]);
  assert.throws(() => splitJpegs(whole.subarray(0, whole.length - 15)), { code: "INTERNAL" });
  assert.throws(() => splitJpegs(Buffer.from("--ffmpeg\r\nContent-type: image/jpeg\r\n\r\n")), { code: "INTERNAL" });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        splitJpegs(Buffer.from(bytes));
      } catch (error) {
        assert.equal((error as { code?: string }).code, "INTERNAL");
      }
    }),
  );
});
