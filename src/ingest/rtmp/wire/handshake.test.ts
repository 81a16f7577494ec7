import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { MalformedInput } from "../../../core/errors.ts";
import {
  DIGEST_KEYS,
  findDigest,
  HANDSHAKE_BYTES,
  PLAYER_KEY,
  ServerHandshake,
  signDigest,
  signedEcho,
} from "./handshake.ts";

function plainC1(): Buffer {
  const c1 = randomBytes(HANDSHAKE_BYTES);
  c1.writeUInt32BE(0, 4);
  return c1;
}

function digestC1(schema: number): Buffer {
  const c1 = randomBytes(HANDSHAKE_BYTES);
  c1.set([9, 0, 124, 2], 4);
  signDigest(c1, schema, DIGEST_KEYS.player);
  return c1;
}

/** S1 and S2 in answer to `c1`. */
function greet(c1: Buffer, version = 3): { s0: number; s1: Buffer; s2: Buffer } {
  const { reply } = new ServerHandshake().push(Buffer.concat([Buffer.of(version), c1]));
  assert.ok(reply);
  const bytes = Buffer.from(reply);
  assert.equal(bytes.length, 1 + 2 * HANDSHAKE_BYTES);
  return {
    s0: bytes.readUInt8(0),
    s1: bytes.subarray(1, 1 + HANDSHAKE_BYTES),
    s2: bytes.subarray(1 + HANDSHAKE_BYTES),
  };
}

test("echoes a plain C1 in S2", () => {
  const c1 = plainC1();
  const { s0, s1, s2 } = greet(c1);
  assert.equal(s0, 3);
  assert.deepEqual(s2, c1);
  assert.equal(s1.readUInt32BE(4), 0, "S1 does not claim digests");
});

for (const schema of [0, 1]) {
  test(`signs S1 and S2 for a C1 with a digest of schema ${schema}`, () => {
    const c1 = digestC1(schema);
    const { s1, s2 } = greet(c1);
    assert.equal(findDigest(s1, DIGEST_KEYS.server)?.schema, schema);

    const digest = findDigest(c1, DIGEST_KEYS.player);
    assert.ok(digest);
    const serverKey = Buffer.concat([DIGEST_KEYS.server, PLAYER_KEY.subarray(DIGEST_KEYS.player.length)]);
    const key = createHmac("sha256", serverKey).update(digest.bytes).digest();
    assert.deepEqual(s2.subarray(-32), createHmac("sha256", key).update(s2.subarray(0, -32)).digest());
  });
}

test("answers a C1 that claims a digest but has none as a plain one", () => {
  const c1 = randomBytes(HANDSHAKE_BYTES);
  c1.writeUInt32BE(0x0a_00_00_01, 4);
  assert.deepEqual(greet(c1).s2, c1);
});

test("answers another RTMP version with its own", () => {
  assert.equal(greet(plainC1(), 6).s0, 3);
});

test("refuses the first byte of a text protocol", () => {
  assert.throws(() => new ServerHandshake().push(Buffer.from("GET / HTTP/1.1\r\n")), MalformedInput);
});

test("is done after any C2 and leaves what follows, however the bytes are cut", () => {
  const c1 = digestC1(0);
  const input = Buffer.concat([Buffer.of(3), c1, signedEcho(randomBytes(32), PLAYER_KEY), Buffer.from("after")]);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 2000 }), { minLength: 1 }), (sizes) => {
      const handshake = new ServerHandshake();
      let at = 0;
      let replies = 0;
      for (let i = 0; !handshake.isDone; i++) {
        const piece = input.subarray(at, at + (sizes[i % sizes.length] ?? 1));
        const { consumedBytes, reply } = handshake.push(piece);
        assert.ok(consumedBytes > 0);
        at += consumedBytes;
        if (reply) replies += 1;
      }
      assert.equal(replies, 1);
      assert.equal(input.subarray(at).toString(), "after");
    }),
  );
});
