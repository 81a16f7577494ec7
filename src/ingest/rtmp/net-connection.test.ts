import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MalformedInput } from "../../core/errors.ts";
import type { AmfObject, AmfValue } from "../../media/amf.ts";
import { NetConnection, type PublishCommand } from "./net-connection.ts";
import type { OutgoingMessage } from "./wire/chunk-writer.ts";
import { type Command, MESSAGE_TYPES, parseCommand, propertyOf, splitAggregate } from "./wire/messages.ts";

function open() {
  const sent: OutgoingMessage[] = [];
  const published: PublishCommand[] = [];
  const refused: string[] = [];
  let unpublishedCount = 0;
  const connection = new NetConnection({
    send: (message) => sent.push(message),
    onPublish: (command) => published.push(command),
    onUnpublish: () => {
      unpublishedCount += 1;
    },
    onRefused(message, reason) {
      sent.push(message);
      refused.push(reason);
    },
  });
  /** What the connection answers to one command, as the client reads it. */
  const ask = (name: string, transactionId: number, ...args: AmfValue[]): Command[] => {
    sent.length = 0;
    connection.handle({ name, transactionId, args }, 1);
    return sent.filter(({ typeId }) => typeId === MESSAGE_TYPES.commandAmf0).map(read);
  };
  return { connection, ask, sent, published, refused, unpublishedCount: () => unpublishedCount };
}

function read(message: OutgoingMessage): Command {
  return parseCommand({ ...message, body: Buffer.from(message.body) });
}

function connected() {
  const opened = open();
  opened.ask("connect", 1, { app: "live", tcUrl: "rtmp://host/live" });
  return opened;
}

const codeOf = (command: Command | undefined) => propertyOf(command?.args[1], "code");

test("answers connect with window, bandwidth, chunk size and success", () => {
  const { ask, sent } = open();
  const [result] = ask("connect", 1, { app: "live", tcUrl: "rtmp://host/live", objectEncoding: 3 });
  assert.deepEqual(
    sent.map(({ typeId }) => typeId),
    [5, 6, 1, 20],
  );
  assert.deepEqual(
    [result?.name, result?.transactionId, codeOf(result)],
    ["_result", 1, "NetConnection.Connect.Success"],
  );
  assert.equal(propertyOf(result?.args[1], "objectEncoding"), 3);
  assert.equal(propertyOf(result?.args[0], "capsEx"), undefined, "a legacy client is told nothing of Enhanced RTMP");
});

const ENHANCED_CLIENTS: Record<string, AmfObject> = {
  v1: { fourCcList: ["*"] },
  v2: { videoFourCcInfoMap: { hvc1: 4 }, capsEx: 2 },
};

for (const [form, capability] of Object.entries(ENHANCED_CLIENTS)) {
  test(`tells a client of Enhanced RTMP ${form} what is taken`, () => {
    const { ask } = open();
    const [result] = ask("connect", 1, { app: "live", ...capability });
    const properties = result?.args[0];
    assert.deepEqual(propertyOf(properties, "fourCcList"), [
      "avc1",
      "hvc1",
      "av01",
      "vp09",
      "mp4a",
      "Opus",
      "fLaC",
      "ac-3",
      "ec-3",
      ".mp3",
    ]);
    assert.deepEqual(propertyOf(properties, "videoFourCcInfoMap"), { avc1: 5, hvc1: 5, av01: 5, vp09: 5 });
    assert.equal(propertyOf(propertyOf(properties, "audioFourCcInfoMap"), "Opus"), 5);
    assert.equal(propertyOf(properties, "capsEx"), 15);
  });
}

for (const [what, connectObject] of [
  ["without tcUrl", { app: "live" }],
  ["without app", { tcUrl: "rtmp://host/live" }],
  ["with tcurl in small letters", { tcurl: "rtmp://host/live" }],
] as const) {
  test(`takes a connect ${what}`, () => {
    const { ask, refused } = open();
    assert.equal(codeOf(ask("connect", 1, { ...connectObject })[0]), "NetConnection.Connect.Success");
    assert.deepEqual(refused, []);
  });
}

test("takes a connect whose object is an ECMA array with a wrong count, and properties of all kinds", () => {
  const { connection, sent } = open();
  const text = (value: string) => `${value.length.toString(16).padStart(4, "0")}${Buffer.from(value).toString("hex")}`;
  const body = `02${text("connect")}003ff000000000000008000000ff${text("fpad")}0100${text("app")}02${text("live")}000009`;
  const message = { typeId: MESSAGE_TYPES.commandAmf0, timestamp: 0, streamId: 0, body: Buffer.from(body, "hex") };
  connection.handle(parseCommand(message), 0);
  assert.equal(codeOf(sent.slice(3).map(read)[0]), "NetConnection.Connect.Success");
});

test("rejects another application, and a connect that says nothing", () => {
  for (const connectObject of [{ app: "vod" }, {}, null, "live"]) {
    const { ask, refused } = open();
    const [answer] = ask("connect", 1, connectObject);
    assert.deepEqual([answer?.name, codeOf(answer)], ["_error", "NetConnection.Connect.Rejected"]);
    assert.equal(refused.length, 1);
  }
});

test("refuses whatever comes before connect", () => {
  const { ask, refused, published } = open();
  assert.equal(ask("publish", 0, null, "sk_x")[0]?.name, "_error");
  assert.deepEqual([refused.length, published.length], [1, 0]);
});

test("goes through what OBS and ffmpeg say around a publish", () => {
  const { connection, ask, published, unpublishedCount, sent } = connected();
  assert.deepEqual(
    [ask("releaseStream", 2, null, "sk_x"), ask("FCPublish", 3, null, "sk_x"), ask("createStream", 4, null)].map(
      ([answer]) => [answer?.name, answer?.transactionId, answer?.args[1]],
    ),
    [
      ["_result", 2, undefined],
      ["_result", 3, undefined],
      ["_result", 4, 1],
    ],
  );
  assert.deepEqual(ask("publish", 5, null, "sk_x", "live"), [], "nothing is said before the gate has");
  assert.deepEqual(published, [{ streamId: 1, streamName: "sk_x", streamKey: "sk_x" }]);

  sent.length = 0;
  connection.startPublishing();
  assert.deepEqual([sent[0]?.typeId, Buffer.from(sent[0]?.body ?? []).toString("hex")], [4, "000000000001"]);
  assert.deepEqual(
    sent
      .slice(1)
      .map(read)
      .map((command) => [command.name, codeOf(command)]),
    [
      ["onFCPublish", "NetStream.Publish.Start"],
      ["onStatus", "NetStream.Publish.Start"],
    ],
  );

  assert.deepEqual(
    ask("FCUnpublish", 6, null, "sk_x").map((command) => command.name),
    ["_result", "onStatus"],
  );
  ask("deleteStream", 7, null, 1);
  ask("closeStream", 0, null);
  assert.equal(unpublishedCount(), 1);
});

test("refuses a second publish beside the first, and takes one after it", () => {
  const { ask, published } = connected();
  ask("publish", 0, null, "sk_x");
  assert.equal(codeOf(ask("publish", 0, null, "sk_y")[0]), "NetStream.Publish.BadName");
  ask("deleteStream", 0, null, 7);
  assert.equal(published.length, 1, "another stream's end changes nothing");
  ask("deleteStream", 0, null, 1);
  ask("publish", 0, null, "sk_y");
  assert.deepEqual(
    published.map(({ streamKey }) => streamKey),
    ["sk_x", "sk_y"],
  );
});

test("answers _checkbw, getStreamLength and unknown calls, and stays quiet where no answer is wanted", () => {
  const { ask } = connected();
  assert.equal(ask("_checkbw", 2, null)[0]?.name, "_result");
  assert.deepEqual(ask("getStreamLength", 3, null, "x")[0]?.args, [null, 0]);
  assert.deepEqual([ask("toString", 4, null)[0]?.name, ask("onMetaData", 0, {}).length], ["_error", 0]);
});

test("refuses to play", () => {
  const { ask, refused } = connected();
  assert.equal(codeOf(ask("play", 0, null, "x")[0]), "NetStream.Play.Failed");
  assert.equal(refused.length, 1);
});

test("asks only those to reconnect that understand it", () => {
  const legacy = connected();
  assert.equal(legacy.connection.requestReconnect("soon"), false);
  const enhanced = open();
  enhanced.ask("connect", 1, { app: "live", capsEx: 1 });
  enhanced.sent.length = 0;
  assert.equal(enhanced.connection.requestReconnect("soon"), true);
  assert.deepEqual(enhanced.sent.map(read).map(codeOf), ["NetConnection.Connect.ReconnectRequest"]);
});

test("reads AMF3 commands with and without their format byte", () => {
  const body = Buffer.from("0200047465737400400000000000000005", "hex");
  const message = { typeId: MESSAGE_TYPES.commandAmf3, timestamp: 0, streamId: 0 };
  const expected = { name: "test", transactionId: 2, args: [null] };
  assert.deepEqual(parseCommand({ ...message, body: Buffer.concat([Buffer.of(0), body]) }), expected);
  assert.deepEqual(parseCommand({ ...message, body }), expected);
  assert.deepEqual(parseCommand({ ...message, typeId: MESSAGE_TYPES.commandAmf0, body }), expected);
});

test("takes an aggregate apart, shifting times to its own", () => {
  const tag = (typeId: number, timestamp: string, body: string) =>
    Buffer.from(`0${typeId}${(body.length / 2).toString(16).padStart(6, "0")}${timestamp}000000${body}0000000f`, "hex");
  const body = Buffer.concat([tag(8, "ffffff00", "aa"), tag(9, "00001401", "bbbb")]);
  assert.deepEqual(splitAggregate({ typeId: 22, timestamp: 1000, streamId: 7, body }), [
    { typeId: 8, timestamp: 1000, streamId: 7, body: Buffer.from("aa", "hex") },
    { typeId: 9, timestamp: 1021, streamId: 7, body: Buffer.from("bbbb", "hex") },
  ]);
  const last = splitAggregate({ typeId: 22, timestamp: 0, streamId: 1, body: body.subarray(0, -4) });
  assert.equal(last.length, 2, "the last back pointer may be missing");
});

test("ends garbage in commands and aggregates with MalformedInput and nothing else", () => {
  fc.assert(
    fc.property(fc.constantFrom(17, 20, 22), fc.uint8Array({ maxLength: 200 }), (typeId, bytes) => {
      const message = { typeId, timestamp: 0, streamId: 0, body: Buffer.from(bytes) };
      try {
        if (typeId === 22) splitAggregate(message);
        else connected().connection.handle(parseCommand(message), 1);
      } catch (error) {
        assert.ok(error instanceof MalformedInput, String(error));
      }
    }),
    { numRuns: 500 },
  );
});
