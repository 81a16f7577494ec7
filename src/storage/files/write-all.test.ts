import assert from "node:assert/strict";
import type { FileHandle } from "node:fs/promises";
import { test } from "node:test";
import fc from "fast-check";
import { writeAll } from "./write-all.ts";

/** A file that takes a little at a time: which a disk does only when it is nearly full, or a signal comes. */
function reluctantFile(amounts: readonly number[]) {
  const written = Buffer.alloc(1000);
  let [calls, own] = [0, 0];
  const writev = async (chunks: readonly Uint8Array[], position?: number) => {
    const bytes = Buffer.concat(chunks).subarray(0, amounts[calls++ % amounts.length]);
    const at = position ?? own;
    bytes.copy(written, at);
    own = at + bytes.byteLength;
    return { bytesWritten: bytes.byteLength };
  };
  // Of a file handle only this is asked.
  return { file: { writev } as unknown as FileHandle, written };
}

test("writes every byte once, in order, however little is taken at a time", async () => {
  const chunk = fc.uint8Array({ maxLength: 20 });
  const amounts = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 });
  await fc.assert(
    fc.asyncProperty(fc.array(chunk, { maxLength: 10 }), amounts, fc.option(fc.nat(100)), async (chunks, taken, at) => {
      const { file, written } = reluctantFile(taken);
      await writeAll(file, chunks, at ?? undefined);
      const whole = Buffer.concat(chunks);
      assert.ok(written.subarray(at ?? 0, (at ?? 0) + whole.byteLength).equals(whole));
    }),
  );
});
