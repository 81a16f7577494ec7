import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { makeBucket, startS3rver } from "../../test/support/s3-server.ts";
import { systemClock } from "../core/clock.ts";
import { silentLogger } from "../core/logger.ts";
import { bytesOf, got, keysOf } from "../storage/object-store-contract.ts";
import { loadConfig } from "./config.ts";
import { openObjectStore } from "./object-store.ts";

async function open(t: TestContext, env: Record<string, string>) {
  const directory = await mkdtemp(join(tmpdir(), "headwater-app-store-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const config = await loadConfig({ argv: [], env, directory });
  const opened = await openObjectStore({ config, clock: systemClock, log: silentLogger });
  t.after(() => opened.store.close());
  return { ...opened, config };
}

test("keeps objects as files of the data directory, with a cache before them, unless told otherwise", async (t) => {
  const { store, cache, config } = await open(t, {});
  await store.put("videos/a/source/original", Buffer.from("film"));
  assert.equal(await readFile(join(config.server.dataDir, "objects/videos/a/source/original"), "utf8"), "film");
  assert.equal(store.localPath?.("videos/a"), join(config.server.dataDir, "objects/videos/a"), "ffmpeg reads it there");
  for (let i = 0; i < 2; i++) await bytesOf(await got(store.get("videos/a/source/original")));
  assert.deepEqual(cache?.counts, { hitCount: 1, missCount: 1, heldBytes: 4 });
});

test("keeps objects in memory when asked, and without a cache", async (t) => {
  const { store, cache } = await open(t, { HEADWATER_STORAGE_BACKEND: "memory" });
  await store.put("a/b", Buffer.from("x"));
  assert.deepEqual(await keysOf(store, ""), ["a/b"]);
  assert.equal(store.localPath?.("a/b"), undefined);
  assert.equal(cache, undefined);
});

test("spreads videos over the buckets that are named", async (t) => {
  const server = await startS3rver();
  t.after(() => server.close());
  const buckets = [await makeBucket(server), await makeBucket(server)];
  const { store } = await open(t, {
    HEADWATER_STORAGE_BACKEND: "s3",
    HEADWATER_STORAGE_ENDPOINT: server.endpoint,
    HEADWATER_STORAGE_BUCKET: buckets.join(", "),
    HEADWATER_STORAGE_ACCESS_KEY_ID: server.credentials?.accessKeyId ?? "",
    HEADWATER_STORAGE_SECRET_ACCESS_KEY: server.credentials?.secretAccessKey ?? "",
  });
  assert.equal(store.localPath?.("a/b"), undefined);
  await store.check();
  const keys = Array.from({ length: 20 }, (_, i) => `videos/${i + 10}/a`);
  for (const key of keys) await store.put(key, Buffer.from(key));
  assert.deepEqual(await keysOf(store, ""), keys);
  for (const key of keys) assert.equal(String(await bytesOf(await got(store.get(key)))), key);
});

test("refuses buckets that are named twice, and half of a pair of keys", async (t) => {
  const s3 = { HEADWATER_STORAGE_BACKEND: "s3" };
  const isInvalid = { code: "INVALID_CONFIG" };
  await assert.rejects(open(t, { ...s3, HEADWATER_STORAGE_BUCKET: "a,b,a" }), isInvalid);
  await assert.rejects(open(t, { ...s3, HEADWATER_STORAGE_ACCESS_KEY_ID: "a" }), isInvalid);
});
