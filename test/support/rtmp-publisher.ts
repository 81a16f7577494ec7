import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { ChunkReader, type RtmpMessage } from "../../src/ingest/rtmp/wire/chunk-reader.ts";
import { encodeChunks } from "../../src/ingest/rtmp/wire/chunk-writer.ts";
import { HANDSHAKE_BYTES } from "../../src/ingest/rtmp/wire/handshake.ts";
import {
  type Command,
  commandMessage,
  MESSAGE_TYPES,
  parseCommand,
  propertyOf,
  setChunkSizeMessage,
} from "../../src/ingest/rtmp/wire/messages.ts";
import type { AmfValue } from "../../src/media/amf.ts";
import { encodeAmf0 } from "../../src/media/amf0.ts";

const CHUNK_BYTES = 65_536;
const AUDIO_CHUNK_STREAM = 4;
const VIDEO_CHUNK_STREAM = 6;
const DATA_CHUNK_STREAM = 5;

/** One RTMP media message: what an FLV tag holds. */
export interface FlvTag {
  readonly type: "audio" | "video";
  readonly timestampMs: number;
  readonly body: Uint8Array;
}

export interface RtmpPublisherOptions {
  readonly host?: string;
  readonly port: number;
  /** Address of this machine that the connection comes from. */
  readonly localAddress?: string;
  readonly app?: string;
  readonly streamName: string;
  /** Further properties of the connect object. */
  readonly connect?: { readonly [name: string]: AmfValue };
}

/** The server said no: `code` and description of its status. */
export class RtmpRefusal extends Error {
  readonly code: string;

  constructor(code: string, description: string) {
    super(description);
    this.code = code;
  }
}

/** A publisher without an encoder: it sends prepared FLV tag bodies with whatever timestamps it is given. */
export class RtmpPublisher {
  readonly #socket: Socket;
  readonly #options: RtmpPublisherOptions;
  readonly #reader: ChunkReader;
  readonly #waiting = new Map<string, { resolve: (command: Command) => void; reject: (error: Error) => void }>();
  #greetingLeftBytes = 1 + 2 * HANDSHAKE_BYTES;
  #streamId = 0;
  #error: Error | undefined;

  private constructor(socket: Socket, options: RtmpPublisherOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#reader = new ChunkReader({ maxMessageBytes: 1 << 20, onMessage: (message) => this.#onMessage(message) });
    socket.setNoDelay(true);
    socket.on("data", (data) => typeof data !== "string" && this.#onData(data));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("the server closed the connection")));
  }

  /** Connects and publishes. Throws RtmpRefusal when the server says no. */
  static async publish(options: RtmpPublisherOptions): Promise<RtmpPublisher> {
    const publisher = await RtmpPublisher.connect(options);
    await publisher.createStream();
    await publisher.startPublishing();
    return publisher;
  }

  /** Gets as far as the answer to `connect`. Throws RtmpRefusal. */
  static async connect(options: RtmpPublisherOptions): Promise<RtmpPublisher> {
    const { port, host = "127.0.0.1", localAddress } = options;
    const socket = createConnection({ port, host, ...(localAddress !== undefined && { localAddress }) });
    const publisher = new RtmpPublisher(socket, options);
    await once(socket, "connect");
    const c1 = randomBytes(HANDSHAKE_BYTES);
    c1.fill(0, 0, 8);
    socket.write(Buffer.concat([Buffer.of(3), c1, Buffer.alloc(HANDSHAKE_BYTES)]));
    const app = options.app ?? "live";
    const tcUrl = `rtmp://${options.host ?? "127.0.0.1"}:${options.port}/${app}`;
    socket.write(encodeChunks(setChunkSizeMessage(CHUNK_BYTES), 128));
    await publisher.call("connect", 1, { app, tcUrl, flashVer: "headwater-test", ...options.connect });
    return publisher;
  }

  async createStream(): Promise<void> {
    const { args } = await this.call("createStream", 2, null);
    this.#streamId = Number(args[1]);
  }

  async startPublishing(): Promise<void> {
    const started = this.status();
    const message = commandMessage("publish", 0, [null, this.#options.streamName, "live"]);
    this.sendRaw(encodeChunks({ ...message, streamId: this.#streamId }, CHUNK_BYTES));
    await started;
  }

  /** Sends a command and resolves with its `_result`. Throws RtmpRefusal when the answer is `_error`. */
  call(name: string, transactionId: number, ...args: AmfValue[]): Promise<Command> {
    const answered = this.#answer(String(transactionId));
    this.sendRaw(encodeChunks(commandMessage(name, transactionId, args), CHUNK_BYTES));
    return answered;
  }

  /** Sends onMetaData as encoders do. */
  sendMetadata(metadata: { readonly [name: string]: AmfValue }): void {
    this.#sendMessage(
      DATA_CHUNK_STREAM,
      MESSAGE_TYPES.dataAmf0,
      0,
      encodeAmf0("@setDataFrame", "onMetaData", metadata),
    );
  }

  /** Sends one tag. Returns false when the socket's buffer is full; then `drained` tells when it is not. */
  send(tag: FlvTag): boolean {
    return tag.type === "audio"
      ? this.#sendMessage(AUDIO_CHUNK_STREAM, MESSAGE_TYPES.audio, tag.timestampMs, tag.body)
      : this.#sendMessage(VIDEO_CHUNK_STREAM, MESSAGE_TYPES.video, tag.timestampMs, tag.body);
  }

  /** Sends bytes as they are, framed by the caller. */
  sendRaw(bytes: Uint8Array): boolean {
    return this.#socket.write(bytes);
  }

  async drained(): Promise<void> {
    if (this.#socket.writableNeedDrain) await once(this.#socket, "drain");
  }

  /** The next status that the server sends. Throws RtmpRefusal when it is of level "error". */
  status(): Promise<Command> {
    return this.#answer("onStatus");
  }

  /** The next status of level "error" that the server sends, or the end of the connection. */
  refusal(): Promise<Error> {
    if (this.#error) return Promise.resolve(this.#error);
    return this.status().then(
      () => new Error("a status that is no error"),
      (error: Error) => error,
    );
  }

  /** Hangs up in order. */
  async close(): Promise<void> {
    if (this.#socket.destroyed) return;
    const closed = once(this.#socket, "close");
    this.#socket.end();
    await closed;
  }

  /** Breaks the connection, as when a cable is pulled. */
  abort(): void {
    this.#socket.resetAndDestroy();
  }

  #sendMessage(chunkStreamId: number, typeId: number, timestamp: number, body: Uint8Array): boolean {
    return this.sendRaw(
      encodeChunks({ chunkStreamId, typeId, streamId: this.#streamId, timestamp, body }, CHUNK_BYTES),
    );
  }

  #answer(to: string): Promise<Command> {
    if (this.#error) return Promise.reject(this.#error);
    return new Promise((resolve, reject) => this.#waiting.set(to, { resolve, reject }));
  }

  #onData(data: Buffer): void {
    const greeting = data.subarray(0, this.#greetingLeftBytes);
    this.#greetingLeftBytes -= greeting.length;
    if (greeting.length < data.length) this.#reader.push(data.subarray(greeting.length));
  }

  #onMessage(message: RtmpMessage): void {
    if (message.typeId !== MESSAGE_TYPES.commandAmf0) return;
    const command = parseCommand(message);
    const to = command.name === "onStatus" ? "onStatus" : String(command.transactionId);
    const info = command.args[1];
    const isError = command.name === "_error" || propertyOf(info, "level") === "error";
    const refusal = new RtmpRefusal(String(propertyOf(info, "code")), String(propertyOf(info, "description")));
    if (isError) this.#error ??= refusal;
    const waiting = this.#waiting.get(to);
    this.#waiting.delete(to);
    if (isError) waiting?.reject(refusal);
    else waiting?.resolve(command);
  }

  #fail(error: Error): void {
    this.#error ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#error);
    this.#waiting.clear();
  }
}

/** The tags of an FLV file, metadata left out. */
export function readFlvTags(file: Buffer): FlvTag[] {
  const tags: FlvTag[] = [];
  let at = file.readUInt32BE(5) + 4;
  while (at + 11 <= file.length) {
    const typeId = file.readUInt8(at) & 31;
    const bodyBytes = file.readUIntBE(at + 1, 3);
    const timestampMs = file.readUIntBE(at + 4, 3) + file.readUInt8(at + 7) * 0x1000000;
    const body = file.subarray(at + 11, at + 11 + bodyBytes);
    if (typeId === MESSAGE_TYPES.audio) tags.push({ type: "audio", timestampMs, body });
    if (typeId === MESSAGE_TYPES.video) tags.push({ type: "video", timestampMs, body });
    at += 11 + bodyBytes + 4;
  }
  return tags;
}
