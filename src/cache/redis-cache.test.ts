import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { RedisServer } from "../../test/support/redis-server.ts";
import { ManualClock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import { RedisCache, type SharedTexts } from "./redis-cache.ts";

const PATIENT = { timeout: 120_000 };
const TEXT = "#EXTM3U\n".repeat(1000);
const TTL_MS = 3_600_000;
/** Longer than anybody waits for Redis. */
const PAUSE_MS = 1_000;

class Lines implements Logger {
  readonly lines: string[] = [];
  debug = () => {};
  info = (_: unknown, message: string) => void this.lines.push(message);
  warn = (_: unknown, message: string) => void this.lines.push(message);
  error = this.warn;
  child = () => this;
}

async function open(t: TestContext) {
  const redis = await RedisServer.start();
  t.after(() => redis[Symbol.asyncDispose]());
  const log = new Lines();
  const clock = new ManualClock();
  const cache = openCache(t, redis.url, { log, clock });
  return { redis, log, clock, cache, texts: cache.texts("manifest", TTL_MS) };
}

function openCache(
  t: TestContext,
  url: string,
  { log = new Lines(), clock = new ManualClock(), prefix = "test" } = {},
) {
  const cache = new RedisCache({ url, prefix, clock, log });
  t.after(() => cache.close());
  return cache;
}

function client(t: TestContext, url: string): Redis {
  const redis = new Redis(url);
  t.after(() => redis.disconnect());
  return redis;
}

/** Puts a text until it is there: the cache tells nobody when it is connected. */
async function untilKept(texts: SharedTexts, text: string): Promise<string> {
  for (;;) {
    const key = randomUUID();
    texts.put(key, text);
    await delay(10);
    if ((await texts.get(key)) === text) return key;
  }
}

test("keeps texts for all servers of a version, compressed, for their time", PATIENT, async (t) => {
  const { redis, texts } = await open(t);
  const key = await untilKept(texts, TEXT);
  const other = openCache(t, redis.url).texts("manifest", TTL_MS);
  await untilKept(other, "connected");
  assert.equal(await other.get(key), TEXT);
  const ofOtherVersion = openCache(t, redis.url, { prefix: "newer" }).texts("manifest", TTL_MS);
  await untilKept(ofOtherVersion, "connected");
  assert.equal(await ofOtherVersion.get(key), undefined);
  const plain = client(t, redis.url);
  assert.ok((await plain.strlen(`test:manifest:${key}`)) < TEXT.length / 10);
  const leftMs = await plain.pttl(`test:manifest:${key}`);
  assert.ok(leftMs > 0 && leftMs <= TTL_MS, `${leftMs} ms left`);
});

test("has nothing while Redis is away, and what it had when it is back", PATIENT, async (t) => {
  const { redis, texts, log, clock } = await open(t);
  const key = await untilKept(texts, TEXT);
  await redis.kill();
  while (log.lines.length === 0) await delay(10);
  assert.equal(await texts.get(key), undefined);
  texts.put("lost", TEXT);
  assert.equal(await texts.get("lost"), undefined);
  await redis.start();
  while ((await texts.get(key)) !== TEXT) {
    clock.advance(1_000);
    await delay(10);
  }
  assert.equal(await texts.get("lost"), undefined);
  assert.deepEqual(log.lines, ["Redis keeps no playlists now; they are made anew", "Redis keeps playlists again"]);
});

test("does not wait for a Redis that says nothing, nor ask it again at once", PATIENT, async (t) => {
  const { redis, texts, clock, log } = await open(t);
  const key = await untilKept(texts, TEXT);
  const plain = client(t, redis.url);
  await plain.client("PAUSE", PAUSE_MS, "ALL");
  assert.equal(await texts.get(key), undefined);
  // Answered when the pause is over.
  await plain.ping();
  assert.equal(await texts.get(key), undefined, "it rests");
  clock.advance(5_000);
  assert.equal(await texts.get(key), TEXT);
  assert.equal(log.lines.length, 2);
});

test("passes over what is none of its own", PATIENT, async (t) => {
  const { redis, texts } = await open(t);
  await untilKept(texts, TEXT);
  const plain = client(t, redis.url);
  await plain.set("test:manifest:strange", "no gzip");
  assert.equal(await texts.get("strange"), undefined);
  await plain.lpush("test:manifest:list", "1");
  assert.equal(await texts.get("list"), undefined);
});
