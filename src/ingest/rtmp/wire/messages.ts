import { MalformedInput } from "../../../core/errors.ts";
import type { AmfValue } from "../../../media/amf.ts";
import { decodeAmf0, encodeAmf0 } from "../../../media/amf0.ts";
import { ByteReader } from "../../../media/byte-reader.ts";
import type { RtmpMessage } from "./chunk-reader.ts";
import type { OutgoingMessage } from "./chunk-writer.ts";

/** Message type ids (RTMP 5.4, 6.2, 7.1). */
export const MESSAGE_TYPES = {
  setChunkSize: 1,
  abort: 2,
  acknowledgement: 3,
  userControl: 4,
  windowAckSize: 5,
  setPeerBandwidth: 6,
  audio: 8,
  video: 9,
  dataAmf3: 15,
  commandAmf3: 17,
  dataAmf0: 18,
  commandAmf0: 20,
  aggregate: 22,
} as const;

/** User control events that we know; encoders send others, which mean nothing to us (live servers meet them daily). */
export const USER_CONTROL = {
  streamBegin: 0,
  streamEof: 1,
  setBufferLength: 3,
  pingRequest: 6,
  pingResponse: 7,
} as const;

/** Chunk stream ids we send on: 2 is the spec's for control, the others are customary. */
const CONTROL_CHUNK_STREAM = 2;
const COMMAND_CHUNK_STREAM = 3;
const STATUS_CHUNK_STREAM = 5;

/** Peer bandwidth limit type that lets the peer keep an older limit (5.4.5). */
const DYNAMIC_LIMIT = 2;

/** A command or data message: its name and what follows. */
export interface Command {
  readonly name: string;
  /** 0 when the sender wants no answer. */
  readonly transactionId: number;
  /** The command object (or null) and what follows it. */
  readonly args: readonly AmfValue[];
}

/** Reads a command, AMF0 or AMF3 (which in RTMP is AMF0 that may switch). Throws MalformedInput. */
export function parseCommand(message: RtmpMessage): Command {
  const [name, transactionId, ...args] = parseValues(message);
  if (typeof name !== "string") throw new MalformedInput("RTMP command", 0, "has no name");
  return { name, transactionId: typeof transactionId === "number" ? transactionId : 0, args };
}

/** Reads the values of a data message such as onMetaData. Throws MalformedInput. */
export function parseData(message: RtmpMessage): { name: string; values: readonly AmfValue[] } {
  const [name, ...values] = parseValues(message);
  if (typeof name !== "string") throw new MalformedInput("RTMP data", 0, "has no name");
  return { name, values };
}

function parseValues({ typeId, body }: RtmpMessage): AmfValue[] {
  const isAmf3 = typeId === MESSAGE_TYPES.commandAmf3 || typeId === MESSAGE_TYPES.dataAmf3;
  // The format byte of AMF3 messages is 0. Some peers forget it; then a string begins at once (marker 2).
  return decodeAmf0(isAmf3 && body[0] === 0 ? body.subarray(1) : body);
}

/** A property of an AMF object or ECMA array; undefined when `value` is neither, or has no such property of its own. */
export function propertyOf(value: AmfValue, name: string): AmfValue {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as { [name: string]: AmfValue })[name];
}

/** A property as text; empty when it is missing or something else. */
export function textOf(value: AmfValue, name: string): string {
  const property = propertyOf(value, name);
  return typeof property === "string" ? property : "";
}

/**
 * The messages inside an aggregate (7.1.6): their times are shifted so that the first has the aggregate's, and its
 * stream id is theirs. Throws MalformedInput.
 */
export function splitAggregate({ timestamp, streamId, body }: RtmpMessage): RtmpMessage[] {
  const reader = new ByteReader(body, "RTMP aggregate");
  const messages: RtmpMessage[] = [];
  let shift: number | undefined;
  while (reader.bytesLeft > 0) {
    const typeId = reader.u8();
    const bodyBytes = reader.u24();
    const subTimestamp = reader.u24() + reader.u8() * 0x1000000;
    reader.skip(3);
    const at = reader.position;
    reader.skip(bodyBytes);
    // The back pointer; the last one is missing from some senders.
    reader.skip(Math.min(4, reader.bytesLeft));
    shift ??= timestamp - subTimestamp;
    const subBody = body.subarray(at, at + bodyBytes);
    messages.push({ typeId, timestamp: (subTimestamp + shift) >>> 0, streamId, body: subBody });
  }
  return messages;
}

export function commandMessage(name: string, transactionId: number, args: readonly AmfValue[]): OutgoingMessage {
  return {
    chunkStreamId: COMMAND_CHUNK_STREAM,
    typeId: MESSAGE_TYPES.commandAmf0,
    streamId: 0,
    timestamp: 0,
    body: encodeAmf0(name, transactionId, ...args),
  };
}

/** What `onStatus` says: `code` is for programs, `description` for people. */
export interface Status {
  readonly level: "status" | "error";
  readonly code: string;
  readonly description: string;
}

export function statusMessage(streamId: number, status: Status): OutgoingMessage {
  return {
    ...commandMessage("onStatus", 0, [null, { ...status }]),
    chunkStreamId: STATUS_CHUNK_STREAM,
    streamId,
  };
}

export function setChunkSizeMessage(chunkBytes: number): OutgoingMessage {
  return controlMessage(MESSAGE_TYPES.setChunkSize, uint32(chunkBytes));
}

/** Says how many bytes came so far, modulo 2^32. */
export function acknowledgementMessage(receivedBytes: number): OutgoingMessage {
  return controlMessage(MESSAGE_TYPES.acknowledgement, uint32(receivedBytes));
}

export function windowAckSizeMessage(windowBytes: number): OutgoingMessage {
  return controlMessage(MESSAGE_TYPES.windowAckSize, uint32(windowBytes));
}

export function setPeerBandwidthMessage(windowBytes: number): OutgoingMessage {
  return controlMessage(MESSAGE_TYPES.setPeerBandwidth, Buffer.concat([uint32(windowBytes), Buffer.of(DYNAMIC_LIMIT)]));
}

export function userControlMessage(event: number, value: number): OutgoingMessage {
  const body = Buffer.allocUnsafe(6);
  body.writeUInt16BE(event, 0);
  body.writeUInt32BE(value >>> 0, 2);
  return controlMessage(MESSAGE_TYPES.userControl, body);
}

function controlMessage(typeId: number, body: Buffer): OutgoingMessage {
  return { chunkStreamId: CONTROL_CHUNK_STREAM, typeId, streamId: 0, timestamp: 0, body };
}

function uint32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}
