import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { sliceChunks } from "./media-body.ts";

test("slices chunks as if they were one buffer, without empty views", () => {
  const chunks = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 8 });
  fc.assert(
    fc.property(chunks, fc.nat(100), fc.nat(100), (parts, start, lengthBytes) => {
      const views = sliceChunks(parts, start, start + lengthBytes);
      assert.deepEqual(Buffer.concat(views), Buffer.concat(parts).subarray(start, start + lengthBytes));
      assert.ok(views.every((view) => view.byteLength > 0));
    }),
  );
});

test("hands out a whole chunk as it is", () => {
  const chunks = [new Uint8Array(4), new Uint8Array(6)];
  assert.equal(sliceChunks(chunks, 4, 10)[0], chunks[1]);
});
