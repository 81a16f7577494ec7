import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MalformedInput } from "../../../core/errors.ts";
import { ChunkReader, type RtmpMessage } from "./chunk-reader.ts";
import { encodeChunks } from "./chunk-writer.ts";

const MAX_MESSAGE_BYTES = 1 << 20;

/** The bytes that space-separated hex pairs name; `*n` repeats the pair before it. */
function hex(text: string): Buffer {
  const bytes = text
    .trim()
    .split(/\s+/)
    .flatMap((word) => {
      const [pair = "", count = "1"] = word.split("*");
      return Array.from({ length: Number(count) }, () => [...Buffer.from(pair, "hex")]).flat();
    });
  return Buffer.from(bytes);
}

function readAll(data: Buffer, cuts: readonly number[] = []): RtmpMessage[] {
  const messages: RtmpMessage[] = [];
  const reader = new ChunkReader({
    maxMessageBytes: MAX_MESSAGE_BYTES,
    onMessage: (message) => messages.push(message),
  });
  let at = 0;
  for (let i = 0; at < data.length; i++) {
    const size = cuts.length > 0 ? (cuts[i % cuts.length] ?? 1) : data.length;
    reader.push(data.subarray(at, at + size));
    at += size;
  }
  return messages;
}

const timesOf = (messages: readonly RtmpMessage[]) => messages.map((message) => message.timestamp);
const lengthsOf = (messages: readonly RtmpMessage[]) => messages.map((message) => message.body.length);

test("reads all four header types", () => {
  const messages = readAll(
    hex(`04 000100 000002 08 01000000 aaaa
         44 000014 000003 09 bbbbbb
         84 000015 cccccc
         c4 dddddd`),
  );
  assert.deepEqual(
    messages.map(({ typeId, streamId, timestamp, body }) => [typeId, streamId, timestamp, body.toString("hex")]),
    [
      [8, 1, 256, "aaaa"],
      [9, 1, 276, "bbbbbb"],
      [9, 1, 297, "cccccc"],
      [9, 1, 318, "dddddd"],
    ],
  );
});

test("reads chunk stream ids of one, two and three bytes", () => {
  const header = "000001 000001 08 00000000 aa";
  const first = hex(`3f ${header} 00 00 ${header} 00 ff ${header} 01 0000 ${header} 01 ffff ${header}`);
  assert.equal(readAll(first).length, 5);
  const again = hex("ff bb c0 00 bb c0 ff bb c1 0001 bb");
  assert.throws(() => readAll(Buffer.concat([first, again])), /chunk stream 320 begins with a header of type 3/);
  assert.equal(readAll(Buffer.concat([first, again.subarray(0, 8), hex("c1 ffff bb")])).length, 9);
});

test("puts interleaved messages together", () => {
  const messages = readAll(
    hex(`02 000000 000004 01 00000000 00000002
         04 000000 000003 08 01000000 a1 a2
         06 000000 000004 09 01000000 b1 b2
         c4 a3
         c6 b3 b4`),
  );
  assert.deepEqual(
    messages.slice(1).map((message) => message.body.toString("hex")),
    ["a1a2a3", "b1b2b3b4"],
  );
});

test("drops the message that an abort names", () => {
  const messages = readAll(
    hex(`04 000000 0000c8 08 01000000 aa*128
         02 000000 000004 02 00000000 00000004
         c4 bb*128 c4 bb*72`),
  );
  assert.deepEqual(
    messages.map((message) => [message.typeId, message.body.length, message.body[0]]),
    [
      [2, 4, 0],
      [8, 200, 0xbb],
    ],
  );
});

test("takes a first chunk of type 1, as librtmp pings", () => {
  assert.deepEqual(timesOf(readAll(hex("42 000000 000006 04 0006 00000001"))), [0]);
});

test("refuses a first chunk that has no length", () => {
  assert.throws(() => readAll(hex("84 000015 cc")), MalformedInput);
  assert.throws(() => readAll(hex("c4 cc")), MalformedInput);
});

test("steps back by a negative delta, cut to 24 bits or as an extended one", () => {
  const start = "04 000100 000001 08 01000000 aa";
  assert.deepEqual(timesOf(readAll(hex(`${start} 84 fffff6 bb`))), [256, 246]);
  assert.deepEqual(timesOf(readAll(hex(`${start} 84 ffffff fffffff6 bb`))), [256, 246]);
});

test("takes an extended value behind a delta header as a delta", () => {
  const messages = readAll(hex("04 000100 000001 08 01000000 aa 44 ffffff 000001 08 01000000 bb"));
  assert.deepEqual(timesOf(messages), [256, 256 + 0x01000000]);
});

test("takes a type 3 message after a type 0 one as the spec says while that can be meant", () => {
  assert.deepEqual(timesOf(readAll(hex("04 000017 000001 08 01000000 aa c4 bb"))), [23, 46]);
  assert.deepEqual(timesOf(readAll(hex("04 010000 000001 08 01000000 aa c4 bb"))), [65536, 65536]);
});

for (const peer of ["repeats", "omits"] as const) {
  test(`reads a peer that ${peer} the extended timestamp on type 3 chunks`, () => {
    const extended = peer === "repeats" ? "01020304" : "";
    const data = hex(`04 ffffff 000102 09 01000000 01020304 aa*128 c4 ${extended} bb*128 c4 ${extended} cc*2
                      04 ffffff 000001 09 01000000 01020305 dd`);
    for (const cut of [data.length, 1, 3]) {
      const messages = readAll(data, [cut]);
      assert.deepEqual(timesOf(messages), [0x01020304, 0x01020305]);
      assert.deepEqual(lengthsOf(messages), [258, 1]);
      assert.equal(messages[0]?.body.readUInt8(255), 0xbb);
      assert.equal(messages[0]?.body.readUInt8(256), 0xcc);
    }
  });
}

test("reads a peer that repeats the absolute time where the header had an extended delta", () => {
  const data = hex(`04 000100 000001 08 01000000 aa 44 ffffff 000081 08 01000000 bb*128 c4 01000100 cc`);
  assert.deepEqual(timesOf(readAll(data)), [0x100, 0x01000100]);
});

test("does not hold back the last bytes of a message whose peer omits the extended timestamp", () => {
  const messages = readAll(hex("04 ffffff 000081 09 01000000 01020304 aa*128 c4 bb"));
  assert.equal(messages[0]?.body.readUInt8(128), 0xbb);
});

test("changes the chunk size between messages", () => {
  const data = Buffer.concat([
    hex("02 000000 000004 01 00000000 00001000"),
    encodeChunks({ chunkStreamId: 4, typeId: 9, streamId: 1, timestamp: 1, body: Buffer.alloc(9000, 7) }, 4096),
  ]);
  assert.deepEqual(lengthsOf(readAll(data)), [4, 9000]);
});

for (const size of ["00000000", "80000000", "ffffffff"]) {
  test(`refuses chunk size 0x${size}`, () => {
    assert.throws(() => readAll(hex(`02 000000 000004 01 00000000 ${size}`)), /chunk size/);
  });
}

test("refuses a message that is too long before it holds any of it", () => {
  assert.throws(() => readAll(hex("04 000000 100001 09 01000000")), /message of 1048577 bytes/);
});

test("refuses too many chunk streams, and too many bytes of unfinished messages", () => {
  const open = (id: number, length: string) =>
    hex(`00 ${(id - 64).toString(16).padStart(2, "0")} 000000 ${length} 09 01000000 aa`);
  const ids = Array.from({ length: 65 }, (_, i) => i + 64);
  assert.throws(() => readAll(Buffer.concat(ids.map((id) => open(id, "000001")))), /more than 64 chunk streams/);
  const wide = hex("02 000000 000004 01 00000000 00000001");
  const large = ids.slice(0, 3).map((id) => open(id, "100000"));
  assert.equal(readAll(Buffer.concat([wide, ...large.slice(0, 2)])).length, 1);
  assert.throws(() => readAll(Buffer.concat([wide, ...large])), /too much memory/);
});

test("refuses a message that begins inside another on one chunk stream", () => {
  const data = hex("04 000000 000100 09 01000000 aa*128 04 000000 000001 09 01000000 bb");
  assert.throws(
    () => readAll(data),
    (error) => error instanceof MalformedInput && error.byteOffset === 140,
  );
});

test("hands on nothing between pause and resume, and loses nothing", () => {
  const seen: number[] = [];
  const reader = new ChunkReader({
    maxMessageBytes: 100,
    onMessage(message) {
      seen.push(message.timestamp);
      if (message.timestamp === 1) reader.pause();
    },
  });
  reader.push(hex("04 000000 000001 08 01000000 aa 04 000001 000001 08 01000000 aa 04 000007 000001 08"));
  assert.deepEqual(seen, [0, 1]);
  reader.resume();
  reader.push(hex("01000000 aa"));
  assert.deepEqual(seen, [0, 1, 7]);
});

const message = fc.record({
  chunkStreamId: fc.integer({ min: 2, max: 63 }),
  typeId: fc.constantFrom(8, 9, 18, 20),
  streamId: fc.integer({ min: 0, max: 0xffffffff }),
  timestamp: fc.oneof(fc.integer({ min: 0, max: 0xffffffff }), fc.constantFrom(0xfffffe, 0xffffff, 0x1000000)),
  body: fc.uint8Array({ maxLength: 700 }),
});

test("reads back whatever the writer wrote, however the bytes are cut", () => {
  const cuts = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(fc.array(message), cuts, (messages, sizes) => {
      const data = Buffer.concat(messages.map((m) => encodeChunks(m, 128)));
      const expected = messages.map(({ chunkStreamId: _, body, ...m }) => ({ ...m, body: Buffer.from(body) }));
      assert.deepEqual(readAll(data, sizes), expected);
    }),
  );
});

test("ends garbage and damaged streams with MalformedInput and nothing else", () => {
  const damaged = fc
    .tuple(fc.array(message, { minLength: 1 }), fc.array(fc.tuple(fc.nat(), fc.nat(255))))
    .map(([messages, changes]) => {
      const data = Buffer.concat(messages.map((m) => encodeChunks(m, 128)));
      for (const [at, value] of changes) data[at % data.length] = value;
      return data;
    });
  const garbage = fc.uint8Array({ maxLength: 4000 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.oneof(damaged, garbage), (data) => {
      try {
        for (const { body } of readAll(data, [61])) assert.ok(body.length <= MAX_MESSAGE_BYTES);
      } catch (error) {
        assert.ok(error instanceof MalformedInput, String(error));
        assert.ok(error.byteOffset >= 0 && error.byteOffset <= data.length);
      }
    }),
    { numRuns: 500 },
  );
});
