import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryObjectStore } from "../memory/memory-object-store.ts";
import type { ObjectStore } from "../object-store.ts";
import { bytesOf, describeObjectStore, got, keysOf } from "../object-store-contract.ts";
import { type Shard, ShardedObjectStore } from "./sharded-object-store.ts";

const shard = (name: string): Shard & { store: MemoryObjectStore } => ({ name, store: new MemoryObjectStore() });

describeObjectStore("sharded", {
  open: async (t) => {
    const store = new ShardedObjectStore(["a", "b", "c"].map(shard));
    t.after(() => store.close());
    return store;
  },
});

const assets = Array.from({ length: 60 }, (_, i) => `videos/asset-${i}`);
const bodyOf = (key: string) => Buffer.from(`the body of ${key}`);

async function assetsIn(store: ObjectStore): Promise<ReadonlySet<string>> {
  return new Set((await keysOf(store, "")).map((key) => key.split("/").slice(0, 2).join("/")));
}

test("sharded: spreads assets over all stores and keeps each in one", async () => {
  const shards = ["a", "b", "c"].map(shard);
  const store = new ShardedObjectStore(shards);
  for (const asset of assets)
    for (const name of ["source/original", "720p/1"]) await store.put(`${asset}/${name}`, bodyOf(asset));
  const spread = await Promise.all(shards.map((each) => assetsIn(each.store)));
  assert.equal(
    spread.reduce((sum, found) => sum + found.size, 0),
    assets.length,
  );
  for (const found of spread) assert.ok(found.size > assets.length / 10, `${found.size} assets`);
});

test("sharded: moves nothing when a store is added, and finds, continues and deletes what was there", async () => {
  const [a, b, c] = [shard("a"), shard("b"), shard("c")];
  const before = new ShardedObjectStore([a, b]);
  for (const asset of assets) await before.put(`${asset}/1`, bodyOf(asset));
  const [inA, inB] = [await assetsIn(a.store), await assetsIn(b.store)];

  // Also in another order: only the names count.
  const after = new ShardedObjectStore([c, b, a]);
  for (const asset of assets) {
    assert.ok(bodyOf(asset).equals(await bytesOf(await got(after.get(`${asset}/1`)))));
    assert.equal(await after.put(`${asset}/1`, Buffer.from("other"), { ifAbsent: true }), undefined);
    await after.put(`${asset}/2`, bodyOf(asset));
  }
  assert.deepEqual([await assetsIn(a.store), await assetsIn(b.store), await assetsIn(c.store)], [inA, inB, new Set()]);

  const fresh = assets.map((asset) => asset.replace("asset", "fresh"));
  const restarted = new ShardedObjectStore([a, b, c]);
  for (const asset of fresh) await restarted.put(`${asset}/1`, bodyOf(asset));
  assert.ok((await assetsIn(c.store)).size > fresh.length / 10);

  await restarted.delete([...assets, ...fresh].flatMap((asset) => [`${asset}/1`, `${asset}/2`]));
  for (const each of [a, b, c]) assert.deepEqual(await keysOf(each.store, ""), []);
});

test("sharded: sees an asset whole that two processes began in two stores", async () => {
  const [a, b] = [shard("a"), shard("b")];
  // A process that was started before `b` was added, and one that was started afterwards.
  for (const asset of assets) {
    await new ShardedObjectStore([a]).put(`${asset}/old`, bodyOf("old"));
    await b.store.put(`${asset}/new`, bodyOf("new"));
  }
  const store = new ShardedObjectStore([a, b]);
  for (const asset of assets) {
    assert.deepEqual(await keysOf(store, `${asset}/`), [`${asset}/new`, `${asset}/old`]);
    for (const name of ["old", "new"]) {
      assert.ok(bodyOf(name).equals(await bytesOf(await got(store.get(`${asset}/${name}`)))));
      assert.equal(await store.put(`${asset}/${name}`, bodyOf("x"), { ifAbsent: true }), undefined);
    }
  }
});
