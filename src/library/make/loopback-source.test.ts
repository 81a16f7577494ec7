import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { frameTimes, makeTools, openSource, sourceDirectory, writeSource } from "../../../test/support/source-files.ts";
import { silentLogger } from "../../core/logger.ts";
import { MemoryObjectStore } from "../../storage/memory/memory-object-store.ts";
import type { GetOptions, ObjectBody, ObjectStore } from "../../storage/object-store.ts";
import type { MadeChunk } from "./contract.ts";
import { repackage } from "./repackage.ts";
import { openSourceAccess } from "./source-access.ts";

const BYTES = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7) % 256));

/** A store that breaks off each reading after so many bytes, for so many times. */
class BreakingStore extends MemoryObjectStore {
  breaksLeft: number;
  readonly #afterBytes: number;

  constructor(breaks: number, afterBytes: number) {
    super();
    this.breaksLeft = breaks;
    this.#afterBytes = afterBytes;
  }

  override async get(key: string, options?: GetOptions): Promise<ObjectBody | undefined> {
    const object = await super.get(key, options);
    return object && { ...object, cancel: () => object.cancel(), body: this.#broken(object.body) };
  }

  async *#broken(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let left = this.#afterBytes;
    for await (const piece of body) {
      if (this.breaksLeft > 0 && left < piece.length) {
        yield piece.subarray(0, left);
        this.breaksLeft -= 1;
        throw new Error("cut off");
      }
      left -= piece.length;
      yield piece;
    }
  }
}

/** A store that is gone for good once it has given so many bytes. */
class DyingStore extends MemoryObjectStore {
  #bytesLeft: number;

  constructor(bytesLeft: number) {
    super();
    this.#bytesLeft = bytesLeft;
  }

  override async get(key: string, options?: GetOptions): Promise<ObjectBody | undefined> {
    const object = await super.get(key, options);
    return object && { ...object, cancel: () => object.cancel(), body: this.#spend(object.body) };
  }

  async *#spend(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of body) {
      if (piece.length > this.#bytesLeft) throw new Error("gone");
      this.#bytesLeft -= piece.length;
      yield piece;
    }
  }
}

async function open(store: ObjectStore, bytes: Uint8Array = BYTES) {
  await store.put("film", bytes);
  return openSourceAccess(store, "film", silentLogger);
}

async function fetchBytes(url: string, range?: string): Promise<[number, Buffer]> {
  const response = await fetch(url, range === undefined ? {} : { headers: { range } });
  return [response.status, Buffer.from(await response.arrayBuffer())];
}

test("names the file of a store that keeps one", async () => {
  const store: ObjectStore = Object.assign(new MemoryObjectStore(), { localPath: (key: string) => `/where/${key}` });
  const access = await open(store);
  assert.deepEqual(access.input, { url: "file:/where/film", protocols: "file" });
  await access.close();
});

test("says when there is no such object", async () => {
  await assert.rejects(openSourceAccess(new MemoryObjectStore(), "film", silentLogger), { code: "NOT_FOUND" });
});

test("serves ranges of an object to who knows its address", { timeout: 60_000 }, async () => {
  const access = await open(new MemoryObjectStore());
  const { url, protocols } = access.input;
  assert.equal(protocols, "http,tcp");
  assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/[\w-]{32}$/);
  assert.deepEqual(await fetchBytes(url), [200, BYTES]);
  assert.deepEqual(await fetchBytes(url, "bytes=299990-"), [206, BYTES.subarray(299_990)]);
  assert.deepEqual(await fetchBytes(url, "bytes=10-19"), [206, BYTES.subarray(10, 20)]);
  assert.deepEqual(await fetchBytes(url, "bytes=299999-400000"), [206, BYTES.subarray(299_999)]);
  assert.equal((await fetchBytes(url, "bytes=300000-"))[0], 416);
  assert.equal((await fetch(url, { method: "HEAD" })).headers.get("content-length"), "300000");
  assert.equal((await fetch(url, { method: "POST" })).status, 405);
  assert.equal((await fetch(new URL("/", url))).status, 404);
  assert.equal((await fetch(`${url}x`)).status, 404);
  await access.close();
  await assert.rejects(fetch(url));
});

test("goes on where a store broke off", { timeout: 60_000 }, async () => {
  const store = new BreakingStore(5, 50_000);
  const access = await open(store);
  assert.deepEqual(await fetchBytes(access.input.url), [200, BYTES]);
  assert.equal(store.breaksLeft, 0);
  assert.equal(access.failure, undefined);
  await access.close();
});

test("never ends early as if that were all, and says why it failed", { timeout: 60_000 }, async () => {
  const access = await open(new BreakingStore(Number.POSITIVE_INFINITY, 0));
  await assert.rejects(fetchBytes(access.input.url));
  assert.equal(access.failure?.message, "cut off");
  await access.close();
});

test("fails when another object takes the place of the one that is read", { timeout: 60_000 }, async () => {
  const store = new MemoryObjectStore();
  const access = await open(store);
  await store.put("film", BYTES.subarray(1));
  await assert.rejects(fetchBytes(access.input.url));
  assert.match(access.failure?.message ?? "", /has gone/);
  await access.close();
});

test("lets ffmpeg read what is in no file, and tells a broken store from a broken film", {
  timeout: 120_000,
}, async () => {
  const directory = await sourceDirectory();
  const tools = await makeTools();
  const picture = [
    "-f",
    "lavfi",
    "-i",
    "testsrc2=size=320x180:rate=25:duration=6",
    "-c:v",
    "libx264",
    "-qp",
    "10",
    "-g",
    "25",
  ];
  const path = await writeSource(...picture, join(directory, "film.mp4"));
  const { source } = await openSource(tools, path);
  const copyFrom = async (store: ObjectStore): Promise<readonly MadeChunk[]> => {
    const access = await open(store, await readFile(path));
    const chunks: MadeChunk[] = [];
    try {
      await repackage(tools, {
        source: { ...source, access },
        tracks: [{ kind: "video", renditionId: "v", streamIndex: 0, keyPrefix: "copy/" }],
        grid: { segmentTargetMs: 1000, chunkTargetMs: 2000 },
        onChunk: async (chunk) => void chunks.push(chunk),
        signal: new AbortController().signal,
      });
    } finally {
      await access.close();
    }
    return chunks;
  };
  const segments = (await copyFrom(new MemoryObjectStore())).flatMap((chunk) => chunk.segments);
  const frameCount = segments.reduce((sum, segment) => sum + segment.frameCount, 0);
  assert.equal(frameCount, (await frameTimes(path)).length);
  await assert.rejects(copyFrom(new DyingStore(0)), { code: "UNAVAILABLE" });
  // The index is at the end of the file: by then ffmpeg has opened it, and reads the pictures.
  await assert.rejects(copyFrom(new DyingStore(600_000)), { code: "UNAVAILABLE" });
});
