import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ManualClock } from "../../core/clock.ts";
import { FileObjectStore } from "../files/file-object-store.ts";
import { MemoryObjectStore } from "../memory/memory-object-store.ts";
import type { GetOptions, ObjectBody } from "../object-store.ts";
import { bytesOf, describeObjectStore, got } from "../object-store-contract.ts";
import { CachedObjectStore } from "./cached-object-store.ts";

const MIB = 1024 * 1024;
const TIMES = { ttlMs: 300_000, segmentTtlMs: 3_600_000 };

describeObjectStore("cached", {
  open: async (t) => {
    const directory = await mkdtemp(join(tmpdir(), "headwater-cached-"));
    t.after(() => rm(directory, { recursive: true, force: true }));
    return new CachedObjectStore({
      store: await FileObjectStore.open({ directory }),
      capacityBytes: 64 * MIB,
      ...TIMES,
    });
  },
});

describeObjectStore("cached with next to no room", {
  open: async (t) => {
    const store = new CachedObjectStore({ store: new MemoryObjectStore(), capacityBytes: 1000, ...TIMES });
    t.after(() => store.close());
    return store;
  },
});

/** A store that counts what it is asked for, and lets its bytes go when the test says so. */
class WatchedStore extends MemoryObjectStore {
  readonly asked: string[] = [];
  gate: Promise<void> = Promise.resolve();

  override async get(key: string, options?: GetOptions): Promise<ObjectBody | undefined> {
    this.asked.push(options?.range ? `${key} ${options.range.first}` : key);
    const object = await super.get(key, options);
    return object && { ...object, body: this.#gated(object.body) };
  }

  async *#gated(body: AsyncIterable<Uint8Array>) {
    let isFirst = true;
    for await (const chunk of body) {
      if (!isFirst) await this.gate;
      isFirst = false;
      yield chunk;
    }
  }
}

function openWatched(capacityBytes = 64 * MIB) {
  const inner = new WatchedStore();
  const clock = new ManualClock();
  return { inner, clock, store: new CachedObjectStore({ store: inner, capacityBytes, ...TIMES, clock }) };
}

test("cached: reads an object once for all who ask at once, whole or in part, and gives bytes as they come", async () => {
  const { inner, store } = openWatched();
  const bytes = randomBytes(MIB);
  await inner.put("a/b.m4s", bytes);
  const gate = Promise.withResolvers<void>();
  inner.gate = gate.promise;
  const readers = await Promise.all(
    Array.from({ length: 50 }, (_, i) =>
      got(store.get("a/b.m4s", i % 2 ? { range: { first: i, last: 900_000 + i } } : {})),
    ),
  );
  const [whole] = readers;
  assert.ok(whole);
  const first = await whole.body[Symbol.asyncIterator]().next();
  assert.ok(!first.done && first.value.byteLength > 0, "the first bytes are there before the last ones are");
  gate.resolve();
  for (const reader of readers.slice(1)) {
    assert.ok(bytes.subarray(reader.range.first, reader.range.last + 1).equals(await bytesOf(reader)));
  }
  assert.deepEqual(inner.asked, ["a/b.m4s"]);
  assert.ok(bytes.equals(await bytesOf(await got(store.get("a/b.m4s")))));
  assert.deepEqual(inner.asked, ["a/b.m4s"]);
  assert.equal(store.counts.hitCount, 1);
});

test("cached: keeps segments for an hour and the rest for five minutes", async () => {
  const { inner, clock, store } = openWatched();
  for (const key of ["a/b.m4s", "a/poster.jpg"]) await inner.put(key, Buffer.from("x"));
  const readBoth = async () => {
    for (const key of ["a/b.m4s", "a/poster.jpg"]) await bytesOf(await got(store.get(key)));
    return inner.asked.splice(0);
  };
  assert.deepEqual(await readBoth(), ["a/b.m4s", "a/poster.jpg"]);
  clock.advance(299_999);
  assert.deepEqual(await readBoth(), []);
  clock.advance(1);
  assert.deepEqual(await readBoth(), ["a/poster.jpg"]);
  clock.advance(3_300_000);
  assert.deepEqual(await readBoth(), ["a/b.m4s", "a/poster.jpg"]);
});

test("cached: lets the least recently used go first, and never holds more than it may", async () => {
  const { inner, store } = openWatched(MIB);
  const keys = Array.from({ length: 40 }, (_, i) => `a/${i}`);
  for (const key of keys) await inner.put(key, randomBytes(30_000));
  for (const key of keys) {
    await bytesOf(await got(store.get("a/0")));
    await bytesOf(await got(store.get(key)));
    assert.ok(store.counts.heldBytes <= MIB);
  }
  inner.asked.length = 0;
  await bytesOf(await got(store.get("a/0")));
  await bytesOf(await got(store.get("a/39")));
  assert.deepEqual(inner.asked, []);
  await bytesOf(await got(store.get("a/1")));
  assert.deepEqual(inner.asked, ["a/1"]);
});

test("cached: counts what slow readers hold, and lets the rest pass by", async () => {
  const { store, inner } = openWatched(64 * MIB);
  const size = 2 * MIB;
  const keys = Array.from({ length: 40 }, (_, index) => `${index}.m4s`);
  for (const key of keys) await inner.put(key, randomBytes(size));
  inner.asked.length = 0;
  const readers = await Promise.all(
    keys.map(async (key) => {
      const object = await store.get(key);
      const pieces = object?.body[Symbol.asyncIterator]();
      await pieces?.next();
      return { object, pieces };
    }),
  );
  assert.equal(store.counts.heldBytes, 32 * size, "those that found room");
  assert.equal(inner.asked.length, 40 + 8, "the others read by themselves");
  await store.delete(keys.slice(0, 10));
  assert.equal(store.counts.heldBytes, 32 * size, "what is read stays in memory, deleted or not");
  for (const { pieces, object } of readers) {
    if (object && Number.parseInt(object.info.key, 10) % 2 === 0) object.cancel();
    else for (let more = await pieces?.next(); more && !more.done; ) more = await pieces?.next();
  }
  assert.equal(store.counts.heldBytes, 22 * size);
  assert.equal((await bytesOf(await got(store.get("39.m4s")))).length, size);
  assert.equal(store.counts.heldBytes, 23 * size, "there is room again");
});

test("cached: holds no large object, and asks for the part that is wanted", async () => {
  const { inner, store } = openWatched(16 * MIB);
  const bytes = randomBytes(2 * MIB);
  await inner.put("a/original", bytes);
  for (let i = 0; i < 3; i++) {
    const object = await got(store.get("a/original", { range: { first: 1000 + i } }));
    assert.ok(bytes.subarray(1000 + i).equals(await bytesOf(object)));
  }
  assert.equal(store.counts.heldBytes, 0);
  assert.deepEqual(inner.asked, ["a/original", "a/original 1000", "a/original 1001", "a/original 1002"]);
});

test("cached: forgets what is put or deleted by it, also while it is being read", async () => {
  const { inner, store } = openWatched();
  const [old, fresh] = [randomBytes(MIB), randomBytes(MIB)];
  await store.put("a/b", old);
  const gate = Promise.withResolvers<void>();
  inner.gate = gate.promise;
  const reading = await got(store.get("a/b"));
  await store.put("a/b", fresh);
  gate.resolve();
  assert.ok(old.equals(await bytesOf(reading)));
  assert.ok(fresh.equals(await bytesOf(await got(store.get("a/b")))));
  await store.delete(["a/b"]);
  assert.equal(await store.get("a/b"), undefined);
  assert.equal(await store.head("a/b"), undefined);
  assert.equal(store.counts.heldBytes, 0);
});

test("cached: tells all readers of an object that breaks off, and reads it anew for the next", async () => {
  const { inner, store } = openWatched();
  const bytes = randomBytes(MIB);
  await inner.put("a/b", bytes);
  const fault = new Error("the store is gone");
  const gate = Promise.withResolvers<void>();
  inner.gate = gate.promise;
  const readers = await Promise.all([got(store.get("a/b")), got(store.get("a/b"))]);
  gate.reject(fault);
  for (const reader of readers) await assert.rejects(bytesOf(reader), (error) => error === fault);
  assert.equal(store.counts.heldBytes, 0);
  inner.gate = Promise.resolve();
  assert.ok(bytes.equals(await bytesOf(await got(store.get("a/b")))));
});
