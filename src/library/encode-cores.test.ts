import assert from "node:assert/strict";
import { test } from "node:test";
import { chunkCoreCount, openingCoreCount, openingsAtOnce } from "./encode-cores.ts";

test("an encode has a core of its own while there are chunks for all of them, and more where there are not", () => {
  const cores = { coreCount: 8, encodesAtOnce: 8 };
  assert.deepEqual(
    [500, 8, 4, 3, 2, 1, 0].map((chunkCount) => chunkCoreCount(cores, chunkCount)),
    [1, 1, 2, 3, 4, 8, 8],
  );
  assert.equal(chunkCoreCount({ coreCount: 64, encodesAtOnce: 64 }, 1), 8);
});

test("fewer encodes at once than cores share all of them", () => {
  assert.equal(chunkCoreCount({ coreCount: 8, encodesAtOnce: 3 }, 500), 3);
  assert.equal(chunkCoreCount({ coreCount: 2, encodesAtOnce: 4 }, 500), 1);
});

test("what a video opens with has all cores, up to what threads are good for, and on many cores others beside it", () => {
  const shares = [1, 2, 8, 12, 64].map((coreCount) => {
    const cores = { coreCount, encodesAtOnce: coreCount };
    return [openingsAtOnce(cores), openingCoreCount(cores)];
  });
  assert.deepEqual(shares, [
    [1, 1],
    [1, 2],
    [1, 8],
    [2, 8],
    [8, 8],
  ]);
});
