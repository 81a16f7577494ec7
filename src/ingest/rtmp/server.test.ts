import assert from "node:assert/strict";
import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { RecordingGate, RecordingLog } from "../../../test/support/recording-gate.ts";
import { RtmpPublisher, RtmpRefusal } from "../../../test/support/rtmp-publisher.ts";
import { AAC_48K, H264_360P } from "../../../test/support/source-units.ts";
import { type Clock, ManualClock, systemClock } from "../../core/clock.ts";
import { DomainError } from "../../core/errors.ts";
import { encodeAmf0 } from "../../media/amf0.ts";
import type { RtmpLimits } from "./limits.ts";
import { RtmpServer } from "./server.ts";
import { ChunkReader, type RtmpMessage } from "./wire/chunk-reader.ts";
import { encodeChunks } from "./wire/chunk-writer.ts";
import { HANDSHAKE_BYTES } from "./wire/handshake.ts";
import { commandMessage, MESSAGE_TYPES, propertyOf, setChunkSizeMessage, userControlMessage } from "./wire/messages.ts";

const KEY = "sk_right";
const ENDED = "rtmp session ended";
const AVC_CONFIG = Buffer.concat([Buffer.from("1700000000", "hex"), H264_360P.config]);
const AAC_CONFIG = Buffer.concat([Buffer.from("af00", "hex"), AAC_48K.config]);
const KEY_FRAME = Buffer.from("1701000000000000026588", "hex");
const OTHER_FRAME = Buffer.from("270100000000000002419a", "hex");
const SOUND = Buffer.from("af0121", "hex");

interface Options {
  readonly limits?: Partial<RtmpLimits>;
  readonly clock?: Clock;
}

async function serve(t: TestContext, { limits = {}, clock = systemClock }: Options = {}) {
  const gate = new RecordingGate(KEY);
  const log = new RecordingLog();
  const server = new RtmpServer({ host: "127.0.0.1", port: 0, gate, log, clock, limits });
  const { port } = await server.start();
  t.after(() => server.close());
  return { gate, log, server, port };
}

/** Bytes on a bare connection, until the test ends. */
async function connect(t: TestContext, port: number): Promise<Socket> {
  const socket = createConnection(port, "127.0.0.1");
  t.after(() => socket.destroy());
  await once(socket, "connect");
  return socket;
}

/** What a bare client of ours says to get as far as publishing, its handshake included. */
function publishingBytes(streamName = KEY): Buffer {
  return Buffer.concat([
    Buffer.of(3),
    Buffer.alloc(2 * HANDSHAKE_BYTES),
    encodeChunks(commandMessage("connect", 1, [{ app: "live", tcUrl: "rtmp://127.0.0.1/live" }]), 128),
    encodeChunks(commandMessage("createStream", 2, [null]), 128),
    encodeChunks({ ...commandMessage("publish", 0, [null, streamName, "live"]), streamId: 1 }, 128),
  ]);
}

function mediaBytes(timestamps: readonly number[]): Buffer {
  const media = { streamId: 1, timestamp: timestamps[0] ?? 0 };
  return Buffer.concat([
    encodeChunks({ ...media, chunkStreamId: 6, typeId: 9, body: AVC_CONFIG }, 128),
    ...timestamps.map((timestamp) =>
      encodeChunks({ streamId: 1, timestamp, chunkStreamId: 6, typeId: 9, body: KEY_FRAME }, 128),
    ),
  ]);
}

/** Messages that the server says on a bare connection. */
function listen(socket: Socket, onMessage: (message: RtmpMessage) => void): void {
  let greetingLeftBytes = 1 + 2 * HANDSHAKE_BYTES;
  const reader = new ChunkReader({ maxMessageBytes: 1 << 16, onMessage });
  socket.on("data", (data: Buffer) => {
    const greeting = data.subarray(0, greetingLeftBytes);
    greetingLeftBytes -= greeting.length;
    reader.push(data.subarray(greeting.length));
  });
}

test("hands on formats and units of a publisher, and tells when it has unpublished", async (t) => {
  const { gate, log, port } = await serve(t);
  const granted = gate.granted();
  const publisher = await RtmpPublisher.publish({ port, streamName: KEY });
  const publication = await granted;
  publisher.sendMetadata({ encoder: "Test\nEncoder", videocodecid: 7, audiocodecid: 10 });
  publisher.send({ type: "video", timestampMs: 0, body: AVC_CONFIG });
  publisher.send({ type: "audio", timestampMs: 0, body: AAC_CONFIG });
  publisher.send({ type: "video", timestampMs: 0, body: KEY_FRAME });
  publisher.send({ type: "audio", timestampMs: 21, body: SOUND });
  await publication.written(2);
  assert.deepEqual(publication.expected, [{ video: true, audio: true }]);
  assert.deepEqual(
    publication.formats.map(({ codecString }) => codecString),
    ["avc1.64001e", "mp4a.40.2"],
  );
  assert.deepEqual(
    publication.units.map(({ kind, dts, isKey }) => [kind, dts, isKey]),
    [
      ["video", 0, true],
      ["audio", 21, true],
    ],
  );
  assert.deepEqual(gate.requests, [
    { protocol: "rtmp", streamKey: KEY, remoteAddress: "127.0.0.1", encoder: "headwater-test" },
  ]);

  const ended = log.next(ENDED);
  await publisher.call("FCUnpublish", 9, null, KEY);
  assert.equal(await publication.closed, "unpublished");
  await publisher.close();
  const { level, fields } = await ended;
  assert.deepEqual([level, fields.reason, fields.encoder], ["info", "unpublished", "Test Encoder"]);
});

test("publishes twice on one connection", async (t) => {
  const { gate, port } = await serve(t);
  const publisher = await RtmpPublisher.publish({ port, streamName: KEY });
  await publisher.call("FCUnpublish", 9, null, KEY);
  await publisher.createStream();
  await publisher.startPublishing();
  assert.equal(gate.publications.length, 2);
  assert.equal(await gate.publications[0]?.closed, "unpublished");
  await publisher.close();
});

test("refuses a wrong key with a sentence, and writes no key to the log", async (t) => {
  const { log, port } = await serve(t);
  const ended = log.next(ENDED);
  await assert.rejects(RtmpPublisher.publish({ port, streamName: "sk_wrong?token=sk_other" }), (error) => {
    assert.ok(error instanceof RtmpRefusal);
    assert.equal(error.code, "NetStream.Publish.BadName");
    assert.equal(error.message, "The stream key is unknown. Copy it again from the studio.");
    return true;
  });
  assert.equal((await ended).fields.code, "STREAM_KEY_UNKNOWN");
  assert.doesNotMatch(JSON.stringify(log.lines), /sk_/);
});

test("refuses a publish without a key before it asks the gate", async (t) => {
  const { gate, port } = await serve(t);
  await assert.rejects(RtmpPublisher.publish({ port, streamName: "" }), /There is no stream key/);
  assert.equal(gate.requests.length, 0);
});

test("keeps trouble of its own from the encoder, and calls it an error in the log", async (t) => {
  const { gate, log, port } = await serve(t);
  gate.answersAfter = Promise.reject(new TypeError("no such table: keys"));
  gate.answersAfter.catch(() => {});
  const ended = log.next(ENDED);
  await assert.rejects(RtmpPublisher.publish({ port, streamName: KEY }), /Something went wrong inside the server/);
  const { level, fields } = await ended;
  assert.equal(level, "error");
  assert.match(String(fields.err), /no such table/);
});

test("asks an encoder of Enhanced RTMP to reconnect when it drains, and serves it on", async (t) => {
  const { gate, server, port } = await serve(t);
  const publisher = await RtmpPublisher.publish({ port, streamName: KEY, connect: { capsEx: 1 } });
  const asked = publisher.status();
  server.drain();
  assert.equal(propertyOf((await asked).args[1], "code"), "NetConnection.Connect.ReconnectRequest");
  publisher.send({ type: "audio", timestampMs: 0, body: AAC_CONFIG });
  publisher.send({ type: "audio", timestampMs: 0, body: SOUND });
  await gate.publications[0]?.written(1);
  await assert.rejects(RtmpPublisher.connect({ port, streamName: KEY }), /ECONNREFUSED/);
  await publisher.close();
});

test("holds what a publisher sends until the gate has answered", async (t) => {
  const { gate, port } = await serve(t);
  const answer = Promise.withResolvers<void>();
  gate.answersAfter = answer.promise;
  const granted = gate.granted();
  const socket = await connect(t, port);
  socket.write(Buffer.concat([publishingBytes(), mediaBytes([0, 40])]));
  socket.write(mediaBytes([80]));
  await once(socket, "data");
  while (gate.requests.length === 0) await once(socket, "data");
  assert.equal(gate.publications.length, 0);
  answer.resolve();
  const publication = await granted;
  await publication.written(3);
  assert.deepEqual(
    publication.units.map(({ dts }) => dts),
    [0, 40, 80],
  );
});

test("closes a publication whose publisher left while the gate was asked", async (t) => {
  const { gate, log, port } = await serve(t);
  const answer = Promise.withResolvers<void>();
  gate.answersAfter = answer.promise;
  const granted = gate.granted();
  const ended = log.next(ENDED);
  const socket = await connect(t, port);
  socket.end(publishingBytes());
  while (gate.requests.length === 0) await once(socket, "data");
  answer.resolve();
  assert.equal(await (await granted).closed, "closed by the encoder");
  await ended;
});

test("tells the encoder why its right has ended", async (t) => {
  const { gate, log, port } = await serve(t);
  const publisher = await RtmpPublisher.publish({ port, streamName: KEY });
  const [refusal, ended] = [publisher.refusal(), log.next(ENDED)];
  gate.publications[0]?.revoke(new DomainError("STREAM_BUSY", "Another encoder took over"));
  assert.equal((await refusal).message, "Another encoder took over. Stop the other one first.");
  assert.equal((await ended).fields.code, "STREAM_BUSY");
});

test("refuses publishers beyond the limit and takes them again when one has left", async (t) => {
  const { log, port } = await serve(t, { limits: { maxPublisherCount: 1 } });
  const first = await RtmpPublisher.publish({ port, streamName: KEY });
  await assert.rejects(RtmpPublisher.publish({ port, streamName: KEY }), /Too many streams are live/);
  const ended = log.next(ENDED);
  await first.close();
  await ended;
  await (await RtmpPublisher.publish({ port, streamName: KEY })).close();
});

test("closes connections beyond the limit in order, without a word", async (t) => {
  const { server, port } = await serve(t, { limits: { maxPendingCount: 1 } });
  await RtmpPublisher.connect({ port, streamName: KEY });
  const refused = await connect(t, port);
  let receivedBytes = 0;
  refused.on("data", (data: Buffer) => {
    receivedBytes += data.length;
  });
  const [hadError] = await once(refused, "close");
  assert.deepEqual([hadError, receivedBytes], [false, 0]);
  assert.deepEqual(server.counts, { pendingCount: 1, publisherCount: 0, refusedCount: 1 });
});

test("ends a connection that does not publish in time, mute or not", async (t) => {
  const clock = new ManualClock();
  const { log, port } = await serve(t, { clock, limits: { publishTimeoutMs: 10_000 } });
  const mute = await connect(t, port);
  mute.resume();
  const connected = await RtmpPublisher.connect({ port, streamName: KEY });
  const [muteClosed, refusal] = [once(mute, "close"), connected.refusal()];
  clock.advance(9999);
  assert.equal(log.lines.length, 0);
  clock.advance(1);
  assert.match((await refusal).message, /Nothing was published in time/);
  await muteClosed;
});

test("ends a publisher that falls silent, and not one that dribbles", async (t) => {
  const clock = new ManualClock();
  const { gate, port } = await serve(t, { clock, limits: { idleTimeoutMs: 10_000 } });
  const publisher = await RtmpPublisher.publish({ port, streamName: KEY });
  const publication = gate.publications[0];
  publisher.send({ type: "video", timestampMs: 0, body: AVC_CONFIG });
  for (let sent = 1; sent <= 5; sent++) {
    clock.advance(9000);
    publisher.send({ type: "video", timestampMs: sent * 9000, body: KEY_FRAME });
    await publication?.written(sent);
  }
  const refusal = publisher.refusal();
  clock.advance(10_000);
  assert.match((await refusal).message, /sent nothing for too long/);
  assert.match((await publication?.closed) ?? "", /sent nothing/);
});

test("hangs up on a half-open peer that keeps its side open after the end", async (t) => {
  const clock = new ManualClock();
  const { log, port } = await serve(t, { clock });
  const socket = createConnection({ port, host: "127.0.0.1", allowHalfOpen: true });
  t.after(() => socket.destroy());
  socket.write(publishingBytes("sk_wrong"));
  socket.resume();
  await once(socket, "end");
  const ended = log.next(ENDED);
  assert.equal(log.lines.length, 0);
  clock.advance(2000);
  assert.equal((await ended).fields.code, "STREAM_KEY_UNKNOWN");
});

test("ends a publisher above the bit rate limit, and none without a limit", async (t) => {
  for (const maxBitrateKbps of [100, 0]) {
    const { gate, port } = await serve(t, { clock: new ManualClock(), limits: { maxBitrateKbps } });
    const publisher = await RtmpPublisher.publish({ port, streamName: KEY });
    const refusal = publisher.refusal();
    publisher.send({ type: "video", timestampMs: 0, body: AVC_CONFIG });
    publisher.send({ type: "video", timestampMs: 0, body: KEY_FRAME });
    const large = Buffer.concat([
      OTHER_FRAME.subarray(0, 5),
      Buffer.from("0000f800", "hex"),
      Buffer.alloc(0xf800, 0x41),
    ]);
    publisher.send({ type: "video", timestampMs: 40, body: large });
    await gate.publications[0]?.written(1);
    publisher.send({ type: "video", timestampMs: 80, body: KEY_FRAME });
    if (maxBitrateKbps > 0) assert.match((await refusal).message, /above the limit of 100 kbit\/s. Lower the bit rate/);
    else await gate.publications[0]?.written(3);
    await publisher.close();
    await refusal;
  }
});

test("ends malformed input with the byte where it stands in the connection", async (t) => {
  const { log, port } = await serve(t);
  const publisher = await RtmpPublisher.publish({ port, streamName: KEY });
  const [refusal, ended] = [publisher.refusal(), log.next(ENDED)];
  publisher.sendRaw(Buffer.from("c9", "hex"));
  assert.match((await refusal).message, /^RTMP at byte \d+: chunk stream 9 begins with a header of type 3/);
  const { level, fields } = await ended;
  assert.deepEqual([level, fields.code, fields.protocol], ["warn", "MALFORMED_INPUT", "rtmp"]);
  assert.equal(fields.byteOffset, Number(fields.receivedBytes) - 1);
});

test("refuses a codec that it cannot take by name", async (t) => {
  const { port } = await serve(t);
  const publisher = await RtmpPublisher.publish({ port, streamName: KEY });
  const refusal = publisher.refusal();
  publisher.send({ type: "video", timestampMs: 0, body: Buffer.from("9076766331", "hex") });
  assert.match((await refusal).message, /cannot take video FourCC vvc1/);
});

test("passes over data messages that cannot be read or mean nothing", async (t) => {
  const { gate, log, port } = await serve(t);
  const publisher = await RtmpPublisher.publish({ port, streamName: KEY });
  const data = { chunkStreamId: 5, typeId: MESSAGE_TYPES.dataAmf0, streamId: 1, timestamp: 0 };
  publisher.sendRaw(encodeChunks({ ...data, body: Buffer.from("0200ff41", "hex") }, 128));
  publisher.sendRaw(encodeChunks({ ...data, body: encodeAmf0("onTimecode", { timecode: "01:02:03:04" }) }, 128));
  publisher.send({ type: "audio", timestampMs: 0, body: AAC_CONFIG });
  publisher.send({ type: "audio", timestampMs: 0, body: SOUND });
  await gate.publications[0]?.written(1);
  const ended = log.next(ENDED);
  await publisher.close();
  assert.equal((await ended).fields.ignoredDataCount, 1);
});

test("takes media out of aggregates", async (t) => {
  const { gate, port } = await serve(t);
  const publisher = await RtmpPublisher.publish({ port, streamName: KEY });
  const tag = (body: Buffer, timestamp: number) => {
    const header = Buffer.alloc(11);
    header.writeUInt8(MESSAGE_TYPES.audio, 0);
    header.writeUIntBE(body.length, 1, 3);
    header.writeUIntBE(timestamp, 4, 3);
    return Buffer.concat([header, body, Buffer.alloc(4)]);
  };
  const body = Buffer.concat([tag(AAC_CONFIG, 0), tag(SOUND, 0), tag(SOUND, 21)]);
  publisher.sendRaw(encodeChunks({ chunkStreamId: 4, typeId: 22, streamId: 1, timestamp: 5000, body }, 65_536));
  const publication = gate.publications[0];
  await publication?.written(2);
  assert.deepEqual(
    publication?.units.map(({ dts }) => dts),
    [5000, 5021],
  );
  await publisher.close();
});

for (const bits of [24, 32]) {
  test(`goes on across 2^${bits} ms, with chunks and clock wrapping`, async (t) => {
    const { gate, port } = await serve(t);
    const publisher = await RtmpPublisher.publish({ port, streamName: KEY });
    const start = 2 ** bits - 60;
    publisher.send({ type: "video", timestampMs: start, body: AVC_CONFIG });
    for (let frame = 0; frame < 4; frame++) {
      publisher.send({ type: "video", timestampMs: start + frame * 40, body: KEY_FRAME });
    }
    const publication = gate.publications[0];
    await publication?.written(4);
    assert.deepEqual(
      publication?.units.map(({ dts }) => dts - start),
      [0, 40, 80, 120],
    );
    await publisher.close();
  });
}

test("answers a ping and acknowledges what it received", async (t) => {
  const { port } = await serve(t);
  const socket = await connect(t, port);
  const window = { chunkStreamId: 2, typeId: MESSAGE_TYPES.windowAckSize, streamId: 0, timestamp: 0 };
  const answers = new Map<number, Buffer>();
  const bothAnswered = new Promise<void>((resolve) => {
    listen(socket, ({ typeId, body }) => {
      answers.set(typeId, body);
      if (answers.has(MESSAGE_TYPES.acknowledgement) && answers.has(MESSAGE_TYPES.userControl)) resolve();
    });
  });
  const sent = Buffer.concat([
    Buffer.of(3),
    Buffer.alloc(2 * HANDSHAKE_BYTES),
    encodeChunks({ ...window, body: Buffer.from("00001000", "hex") }, 128),
    encodeChunks(userControlMessage(6, 0x01020304), 128),
  ]);
  socket.write(sent);
  await bothAnswered;
  assert.equal(answers.get(MESSAGE_TYPES.userControl)?.toString("hex"), "000701020304");
  assert.ok((answers.get(MESSAGE_TYPES.acknowledgement)?.readUInt32BE(0) ?? 0) <= sent.length);
});

test("ends a peer that asks and asks and does not read", async (t) => {
  const { log, port } = await serve(t);
  const ended = log.next(ENDED);
  const socket = await connect(t, port);
  socket.pause();
  socket.on("error", () => socket.destroy());
  socket.write(publishingBytes());
  const pings = Buffer.concat(Array.from({ length: 2000 }, () => encodeChunks(userControlMessage(6, 1), 128)));
  const flood = () => {
    while (!socket.destroyed && socket.write(pings)) {}
  };
  socket.on("drain", flood);
  flood();
  assert.equal((await ended).fields.reason, "the peer does not read what it is told");
});

test("takes a publisher whose bytes come one by one", async (t) => {
  const { gate, port } = await serve(t);
  const granted = gate.granted();
  const socket = await connect(t, port);
  socket.setNoDelay(true);
  socket.resume();
  const bytes = Buffer.concat([publishingBytes(), mediaBytes([0, 40])]);
  socket.write(bytes.subarray(0, 2 * HANDSHAKE_BYTES));
  for (const byte of bytes.subarray(2 * HANDSHAKE_BYTES)) {
    await new Promise<void>((resolve) => socket.write(Buffer.of(byte), () => resolve()));
  }
  await (await granted).written(2);
});

test("shuts down: tells every encoder, and accepts no more", async (t) => {
  const { server, log, port } = await serve(t);
  const publisher = await RtmpPublisher.publish({ port, streamName: KEY });
  const pending = await connect(t, port);
  pending.resume();
  const [refusal, pendingClosed] = [publisher.refusal(), once(pending, "close")];
  await RtmpPublisher.connect({ port, streamName: KEY });
  await server.close();
  assert.match((await refusal).message, /The server is shutting down/);
  await pendingClosed;
  assert.equal(log.lines.filter(({ message }) => message === ENDED).length, 3);
  await assert.rejects(RtmpPublisher.connect({ port, streamName: KEY }), /ECONNREFUSED/);
});

test("says in words that its port is taken", async (t) => {
  const { port, gate, log } = await serve(t);
  const second = new RtmpServer({ host: "127.0.0.1", port, gate, log, clock: systemClock });
  await assert.rejects(second.start(), (error) => error instanceof DomainError && error.code === "PORT_IN_USE");
});

test("carries 1,000 idle connections beside a publisher, and refuses the next", async (t) => {
  const { gate, server, port } = await serve(t, { limits: { maxPendingCount: 1000 } });
  const idle = await Promise.all(Array.from({ length: 999 }, () => connect(t, port)));
  const granted = gate.granted();
  const publisher = await RtmpPublisher.publish({ port, streamName: KEY });
  const publication = await granted;
  publisher.send({ type: "audio", timestampMs: 0, body: AAC_CONFIG });
  publisher.send({ type: "audio", timestampMs: 0, body: SOUND });
  await publication.written(1);
  assert.deepEqual(server.counts, { pendingCount: 999, publisherCount: 1, refusedCount: 0 });
  const last = await connect(t, port);
  const refused = await connect(t, port);
  refused.resume();
  await once(refused, "close");
  assert.deepEqual(server.counts, { pendingCount: 1000, publisherCount: 1, refusedCount: 1 });
  for (const socket of [...idle, last]) socket.destroy();
  await publisher.close();
});

test("outlives garbage and damaged recordings of whole connections", async (t) => {
  const { port, log } = await serve(t, { clock: new ManualClock(), limits: { maxPendingCount: 5 } });
  const recording = Buffer.concat([
    publishingBytes(),
    encodeChunks(setChunkSizeMessage(4096), 128),
    mediaBytes([0, 40, 80, 2 ** 24, 2 ** 24 + 40]),
    encodeChunks({ ...commandMessage("deleteStream", 3, [null, 1]), streamId: 1 }, 4096),
  ]);
  const damaged = fc
    .array(fc.tuple(fc.integer({ min: 3074 }), fc.nat(255)), { minLength: 1, maxLength: 20 })
    .map((changes) => {
      const bytes = Buffer.from(recording);
      for (const [at, value] of changes) bytes[3073 + (at % (bytes.length - 3073))] = value;
      return bytes;
    });
  const garbage = fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes));
  const garbageAfterHandshake = garbage.map((bytes) => Buffer.concat([recording.subarray(0, 3073), bytes]));
  await fc.assert(
    fc.asyncProperty(fc.oneof(damaged, garbage, garbageAfterHandshake), async (bytes) => {
      const ended = log.next(ENDED);
      const socket = createConnection(port, "127.0.0.1");
      socket.on("error", () => socket.destroy());
      socket.resume();
      socket.end(bytes);
      assert.equal(typeof (await ended).fields.reason, "string");
    }),
    { numRuns: 200 },
  );
  assert.ok(
    log.lines.every(({ fields }) => fields.err === undefined || (fields.err as Error & { code?: string }).code),
  );
  await (await RtmpPublisher.publish({ port, streamName: KEY })).close();
});
