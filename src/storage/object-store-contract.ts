import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { type TestContext, test } from "node:test";
import { DomainError } from "../core/errors.ts";
import type { ObjectBody, ObjectStore } from "./object-store.ts";

export interface ContractOptions {
  /** Opens an empty store, which is closed when the test is over. */
  open(t: TestContext): Promise<ObjectStore>;
}

const MIB = 1024 * 1024;

/** What every object store does; `name` is the one that is tried. */
export function describeObjectStore(name: string, { open }: ContractOptions): void {
  const behaves = (what: string, run: (store: ObjectStore) => Promise<void>) =>
    test(`${name}: ${what}`, async (t) => run(await open(t)));

  behaves("gives back what was put, whole and as it was described", async (store) => {
    const bytes = randomBytes(700_000);
    const put = await store.put("videos/a/source/original", bytes, { contentType: "video/mp4" });
    assert.ok(put);
    assert.equal(put.key, "videos/a/source/original");
    assert.equal(put.sizeBytes, bytes.byteLength);
    assert.ok(put.etag.length > 0 && !put.etag.includes('"'), put.etag);
    assert.ok(Math.abs(Date.now() - put.modifiedAtMs) < 3_600_000, String(put.modifiedAtMs));
    const object = await got(store.get("videos/a/source/original"));
    assert.equal(object.info.etag, put.etag);
    assert.equal(object.info.sizeBytes, bytes.byteLength);
    assert.deepEqual(object.range, { first: 0, last: bytes.byteLength - 1 });
    assert.ok(bytes.equals(await bytesOf(object)));
    const head = await store.head("videos/a/source/original");
    assert.equal(head?.etag, put.etag);
    assert.equal(head?.sizeBytes, bytes.byteLength);
  });

  behaves("keeps an object without bytes", async (store) => {
    for (const [key, body] of [
      ["a/empty", new Uint8Array()],
      ["a/empty-stream", streamOf([])],
    ] as const) {
      assert.equal((await store.put(key, body))?.sizeBytes, 0);
      const object = await got(store.get(key));
      assert.deepEqual(object.range, { first: 0, last: -1 });
      assert.equal((await bytesOf(object)).byteLength, 0);
      await refusesWith("RANGE_NOT_SATISFIABLE", store.get(key, { range: { first: 0 } }));
    }
  });

  behaves("takes streams of any length and of any pieces", async (store) => {
    for (const sizes of [[1], [0, 3, 0], [5 * MIB], [5 * MIB, 1], [3 * MIB, 3 * MIB, 7 * MIB, 17], [12 * MIB]]) {
      const chunks = sizes.map((size) => randomBytes(size));
      const key = `streams/${sizes.join("-")}`;
      const put = await store.put(key, streamOf(chunks));
      assert.equal(put?.sizeBytes, Buffer.concat(chunks).byteLength);
      assert.ok(Buffer.concat(chunks).equals(await bytesOf(await got(store.get(key)))), key);
      assert.equal((await store.head(key))?.etag, put?.etag);
    }
  });

  behaves("lets whoever put bytes use their memory again", async (store) => {
    const bytes = randomBytes(100_000);
    const before = Buffer.from(bytes);
    await store.put("a/b", bytes);
    await store.put("a/c", streamOf([bytes]));
    bytes.fill(0);
    for (const key of ["a/b", "a/c"]) assert.ok(before.equals(await bytesOf(await got(store.get(key)))), key);
  });

  behaves("gives any range of an object", async (store) => {
    const bytes = randomBytes(1_000_000);
    await store.put("a/b", bytes);
    const last = bytes.byteLength - 1;
    for (const range of [
      { first: 0, last: 0 },
      { first: 0, last },
      { first: last, last },
      { first: 1000, last: 300_000 },
      { first: 999_000 },
      { first: 17, last: Number.MAX_SAFE_INTEGER },
    ]) {
      const object = await got(store.get("a/b", { range }));
      const expected = { first: range.first, last: Math.min(range.last ?? last, last) };
      assert.deepEqual(object.range, expected);
      assert.equal(object.info.sizeBytes, bytes.byteLength);
      const wanted = bytes.subarray(expected.first, expected.last + 1);
      assert.ok(wanted.equals(await bytesOf(object)), JSON.stringify(range));
    }
    await refusesWith("RANGE_NOT_SATISFIABLE", store.get("a/b", { range: { first: bytes.byteLength } }));
    await refusesWith("INVALID_REQUEST", store.get("a/b", { range: { first: 5, last: 4 } }));
    await refusesWith("INVALID_REQUEST", store.get("a/b", { range: { first: -1 } }));
  });

  behaves("has nothing under a key that nothing was put under", async (store) => {
    await store.put("a/b/c", Buffer.from("x"));
    for (const key of ["a", "a/b", "a/b/d", "z", "z/z/z/z"]) {
      assert.equal(await store.get(key), undefined, key);
      assert.equal(await store.get(key, { range: { first: 1 } }), undefined, key);
      assert.equal(await store.head(key), undefined, key);
    }
    await store.delete(["z", "z/z", "a/b"]);
    assert.ok(await store.head("a/b/c"));
  });

  behaves("puts another object in the place of one, under another etag", async (store) => {
    const first = await store.put("a/b", Buffer.from("one"));
    const second = await store.put("a/b", Buffer.from("two"));
    assert.notEqual(first?.etag, second?.etag);
    assert.equal(String(await bytesOf(await got(store.get("a/b")))), "two");
    assert.equal((await store.head("a/b"))?.etag, second?.etag);
  });

  behaves("puts only where nothing is, when asked", async (store) => {
    const absent = { ifAbsent: true };
    assert.ok(await store.put("a/b", Buffer.from("one"), absent));
    assert.equal(await store.put("a/b", Buffer.from("two"), absent), undefined);
    assert.equal(await store.put("a/b", streamOf([randomBytes(6 * MIB)]), absent), undefined);
    assert.equal(String(await bytesOf(await got(store.get("a/b")))), "one");
    assert.ok(await store.put("a/large", streamOf([randomBytes(6 * MIB)]), absent));
    await store.delete(["a/b"]);
    assert.ok(await store.put("a/b", Buffer.from("three"), absent));
  });

  behaves("lets exactly one of many win who put where nothing is", async (store) => {
    const bodies = Array.from({ length: 8 }, (_, i) => Buffer.from(`body ${i}`));
    const puts = await Promise.all(bodies.map((body) => store.put("a/race", streamOf([body]), { ifAbsent: true })));
    const winners = puts.flatMap((put, i) => (put ? [i] : []));
    assert.equal(winners.length, 1);
    assert.equal(String(await bytesOf(await got(store.get("a/race")))), `body ${winners[0]}`);
  });

  behaves("shows nothing of an object until it is whole", async (store) => {
    const bytes = randomBytes(11 * MIB);
    const gate = Promise.withResolvers<void>();
    const nearlyAll = Promise.withResolvers<void>();
    async function* slowly() {
      yield bytes.subarray(0, 10 * MIB);
      nearlyAll.resolve();
      await gate.promise;
      yield bytes.subarray(10 * MIB);
    }
    const putting = store.put("a/b", slowly());
    await nearlyAll.promise;
    assert.equal(await store.head("a/b"), undefined);
    assert.equal(await store.get("a/b"), undefined);
    assert.deepEqual(await keysOf(store, ""), []);
    gate.resolve();
    await putting;
    assert.ok(bytes.equals(await bytesOf(await got(store.get("a/b")))));
  });

  behaves("leaves what was there when the bytes of a put break off, and passes on why", async (store) => {
    await store.put("a/old", Buffer.from("old"));
    const fault = new Error("the sender is gone");
    for (const size of [10, 11 * MIB]) {
      async function* broken() {
        yield randomBytes(size);
        throw fault;
      }
      for (const key of ["a/old", "a/new"]) {
        await assert.rejects(store.put(key, broken()), (error) => error === fault);
      }
    }
    assert.equal(String(await bytesOf(await got(store.get("a/old")))), "old");
    assert.deepEqual(await keysOf(store, ""), ["a/old"]);
  });

  behaves("stops a put when its signal aborts, also while its source is silent", async (store) => {
    const why = new Error("not wanted any more");
    for (const size of [10, 11 * MIB]) {
      const abort = new AbortController();
      async function* silent() {
        yield randomBytes(size);
        setImmediate(() => abort.abort(why));
        await new Promise(() => {});
      }
      await assert.rejects(store.put("a/b", silent(), { signal: abort.signal }), (error) => error === why);
    }
    await assert.rejects(
      store.put("a/b", Buffer.from("x"), { signal: AbortSignal.abort(why) }),
      (error) => error === why,
    );
    assert.deepEqual(await keysOf(store, ""), []);
  });

  behaves("asks a stream for no more than it can pass on", async (store) => {
    // Far beyond what any buffer of ours holds: the store has to be asked to take it piece by piece.
    const chunk = randomBytes(MIB);
    let givenCount = 0;
    async function* source() {
      for (; givenCount < 64; givenCount++) yield chunk;
    }
    const put = await store.put("a/b", source());
    assert.equal(put?.sizeBytes, 64 * MIB);
    const object = await got(store.get("a/b", { range: { first: 40 * MIB, last: 40 * MIB + 99 } }));
    assert.ok(chunk.subarray(0, 100).equals(await bytesOf(object)));
  });

  behaves("lets go of an object that is not read to its end", async (store) => {
    await store.put("a/b", randomBytes(3 * MIB));
    const cancelled = await got(store.get("a/b"));
    cancelled.cancel();
    await assert.rejects(bytesOf(cancelled));
    const left = await got(store.get("a/b"));
    for await (const chunk of left.body) {
      assert.ok(chunk.byteLength > 0);
      break;
    }
    const abort = new AbortController();
    const why = new Error("the viewer left");
    const aborted = await got(store.get("a/b", { signal: abort.signal }));
    const readAll = async () => {
      for await (const chunk of aborted.body) {
        assert.ok(chunk.byteLength > 0);
        abort.abort(why);
      }
    };
    await assert.rejects(readAll(), (error) => error === why);
    await assert.rejects(store.get("a/b", { signal: abort.signal }), (error) => error === why);
    const read = await got(store.get("a/b"));
    await bytesOf(read);
    read.cancel();
  });

  behaves("serves many readers of one object at once", async (store) => {
    const bytes = randomBytes(400_000);
    await store.put("a/b", bytes);
    const readers = Array.from({ length: 20 }, async (_, i) => {
      const first = i * 10_000;
      const object = await got(store.get("a/b", i % 2 === 0 ? {} : { range: { first } }));
      return bytes.subarray(i % 2 === 0 ? 0 : first).equals(await bytesOf(object));
    });
    assert.deepEqual(new Set(await Promise.all(readers)), new Set([true]));
  });

  behaves("lists what begins with a prefix, within and across names", async (store) => {
    const keys = ["videos/ab/1", "videos/ab/2/x", "videos/abc/1", "videos/b/1", "tracks/ab/1", "v"];
    for (const key of keys) await store.put(key, Buffer.from(key));
    const expectations = {
      "": keys,
      "videos/": ["videos/ab/1", "videos/ab/2/x", "videos/abc/1", "videos/b/1"],
      "videos/ab": ["videos/ab/1", "videos/ab/2/x", "videos/abc/1"],
      "videos/ab/": ["videos/ab/1", "videos/ab/2/x"],
      "videos/ab/2": ["videos/ab/2/x"],
      "videos/ab/1": ["videos/ab/1"],
      v: ["v", "videos/ab/1", "videos/ab/2/x", "videos/abc/1", "videos/b/1"],
      "videos/none": [],
      "none/at/all": [],
    };
    for (const [prefix, expected] of Object.entries(expectations)) {
      assert.deepEqual(await keysOf(store, prefix), expected.toSorted(), `"${prefix}"`);
    }
    for await (const info of store.list("videos/ab/2")) {
      const head = await store.head(info.key);
      assert.deepEqual([info.etag, info.sizeBytes], [head?.etag, head?.sizeBytes]);
    }
  });

  behaves("ends a listing at once when nobody wants it any more", async (store) => {
    for (const name of ["1", "2", "3"]) await store.put(`videos/${name}`, Buffer.from(name));
    const stop = new AbortController();
    const reason = new Error("enough");
    const listed: string[] = [];
    const listing = async () => {
      for await (const { key } of store.list("videos/", { signal: stop.signal })) {
        listed.push(key);
        stop.abort(reason);
      }
    };
    await assert.rejects(listing(), reason);
    assert.equal(listed.length, 1);
    await assert.rejects(Array.fromAsync(store.list("", { signal: stop.signal })), reason);
  });

  behaves("lists and deletes more objects than one page holds", async (store) => {
    const keys = Array.from({ length: 1100 }, (_, i) => `videos/many/${String(i).padStart(4, "0")}`);
    await Promise.all(
      Array.from({ length: 16 }, async (_, worker) => {
        for (let i = worker; i < keys.length; i += 16) await store.put(keys[i] ?? "", Buffer.from("x"));
      }),
    );
    await store.put("videos/many/stays", Buffer.from("stays"));
    assert.deepEqual(await keysOf(store, "videos/many/"), [...keys, "videos/many/stays"]);
    await store.delete([...keys, "videos/many/none"]);
    assert.deepEqual(await keysOf(store, ""), ["videos/many/stays"]);
  });

  behaves("refuses keys that are not safe everywhere", async (store) => {
    const long = "x".repeat(256);
    const keys = ["", "/a", "a/", "a//b", ".", "..", "a/../b", "a/./b", "a b", "ä", "a\\b", "a\0", "~incoming/a", long];
    for (const key of [...keys, `${`${"y".repeat(200)}/`.repeat(3)}z`]) {
      await refusesWith("INVALID_REQUEST", store.put(key, Buffer.from("x")));
      await refusesWith("INVALID_REQUEST", store.get(key));
      await refusesWith("INVALID_REQUEST", store.head(key));
      await refusesWith("INVALID_REQUEST", store.delete(["fine", key]));
    }
    for (const prefix of ["/", "../", "a/../", "a//", "~"]) await refusesWith("INVALID_REQUEST", keysOf(store, prefix));
    const safe = `${"y".repeat(250)}/${"Z".repeat(200)}/..a/.b/-_.0`;
    await store.put(safe, Buffer.from("x"));
    assert.deepEqual(await keysOf(store, ""), [safe]);
  });

  behaves("is well, and has nothing left over of puts that broke off", async (store) => {
    await store.check();
    async function* broken() {
      yield randomBytes(6 * MIB);
      throw new Error("gone");
    }
    await assert.rejects(store.put("a/b", broken()));
    assert.deepEqual(await store.removeLeftovers(0), []);
  });
}

/** The bytes of an object, all of them. */
export async function bytesOf({ body }: ObjectBody): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(body));
}

/** An object that has to be there. */
export async function got(object: Promise<ObjectBody | undefined>): Promise<ObjectBody> {
  const found = await object;
  assert.ok(found, "there is no such object");
  return found;
}

export async function keysOf(store: ObjectStore, prefix: string): Promise<readonly string[]> {
  return (await Array.fromAsync(store.list(prefix))).map(({ key }) => key).sort();
}

async function* streamOf(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> {
  yield* chunks;
}

async function refusesWith(code: string, promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, (error) => error instanceof DomainError && error.code === code);
}
