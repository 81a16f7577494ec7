import assert from "node:assert/strict";
import { test } from "node:test";
import { DomainError } from "../../core/errors.ts";
import { describeObjectStore, keysOf } from "../object-store-contract.ts";
import { MemoryObjectStore } from "./memory-object-store.ts";

describeObjectStore("memory", {
  open: async (t) => {
    const store = new MemoryObjectStore();
    t.after(() => store.close());
    return store;
  },
});

test("memory: holds no more than it may, and again when there is room", async () => {
  const store = new MemoryObjectStore({ capacityBytes: 1000 });
  await store.put("a/b", new Uint8Array(900));
  const isFull = (error: unknown) => error instanceof DomainError && error.code === "STORAGE_FULL";
  await assert.rejects(store.put("a/c", new Uint8Array(101)), isFull);
  async function* endless() {
    for (;;) yield new Uint8Array(100);
  }
  await assert.rejects(store.put("a/d", endless()), isFull);
  assert.deepEqual(await keysOf(store, ""), ["a/b"]);
  await store.delete(["a/b"]);
  assert.ok(await store.put("a/c", new Uint8Array(1000)));
});
