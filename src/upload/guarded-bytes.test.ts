import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../core/clock.ts";
import { checkSize, limitSize, limitTime } from "./guarded-bytes.ts";

const LIMITS = { idleTimeoutMs: 1_000, timeLimitMs: 5_000 };

async function* chunks(...sizes: readonly number[]) {
  for (const size of sizes) yield new Uint8Array(size);
}

test("takes as many bytes as are allowed, and not one more", async () => {
  assert.equal((await Array.fromAsync(limitSize(chunks(4, 6), { maxSizeBytes: 10 }))).length, 2);
  const seen: number[] = [];
  await assert.rejects(
    async () => {
      for await (const { byteLength } of limitSize(chunks(4, 6, 1, 9), { maxSizeBytes: 10 })) seen.push(byteLength);
    },
    { code: "UPLOAD_TOO_LARGE", message: /larger than the 10 B that/ },
  );
  assert.deepEqual(seen, [4, 6]);
});

test("says in words how much is taken", () => {
  for (const [maxSizeBytes, words] of [
    [1000, "1000 B"],
    [1024, "1 KiB"],
    [10 * 2 ** 30, "10 GiB"],
    [1.5 * 2 ** 40, "1.5 TiB"],
    [10_000_000_000, "9.3 GiB"],
  ] as const) {
    assert.throws(() => checkSize(maxSizeBytes + 1, { maxSizeBytes }), { message: new RegExp(` the ${words} that `) });
  }
});

test("gives a source up that is silent for too long", async () => {
  const clock = new ManualClock();
  async function* silent() {
    yield new Uint8Array(1);
    await new Promise<never>(() => undefined);
  }
  const bytes = limitTime(silent(), LIMITS, clock);
  await bytes.next();
  // Time in which nobody asks for a byte is not the sender's.
  clock.advance(3_000);
  const next = bytes.next();
  clock.advance(1_000);
  await assert.rejects(next, { code: "UPLOAD_INCOMPLETE", message: /no more bytes came for 1 seconds/ });
});

test("gives a source up that takes too long altogether, however steady it is", async () => {
  const clock = new ManualClock();
  async function* steady() {
    for (;;) {
      clock.advance(900);
      yield new Uint8Array(1);
    }
  }
  await assert.rejects(Array.fromAsync(limitTime(steady(), LIMITS, clock)), {
    code: "UPLOAD_INCOMPLETE",
    message: /not over after 5 seconds/,
  });
});

test("ends its source when it is left", async () => {
  let hasEnded = false;
  async function* source() {
    try {
      for (;;) yield new Uint8Array(1);
    } finally {
      hasEnded = true;
    }
  }
  for await (const _ of limitTime(source(), LIMITS, new ManualClock())) break;
  assert.ok(hasEnded);
});
