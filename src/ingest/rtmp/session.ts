import type { Socket } from "node:net";
import type { Clock } from "../../core/clock.ts";
import { DomainError, MalformedInput } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import type { Publication, PublishGate } from "../../live/publication.ts";
import { BitrateMeter } from "./bitrate-meter.ts";
import type { ConnectionSlots, RtmpLimits } from "./limits.ts";
import { NetConnection, type PublishCommand, WINDOW_BYTES } from "./net-connection.ts";
import { endedStatus, refusedStatus } from "./publish-status.ts";
import { encoderOf, RtmpToLive } from "./to-live.ts";
import { ChunkReader, DEFAULT_CHUNK_BYTES, type RtmpMessage } from "./wire/chunk-reader.ts";
import { encodeChunks, type OutgoingMessage } from "./wire/chunk-writer.ts";
import { HANDSHAKE_BYTES, ServerHandshake } from "./wire/handshake.ts";
import {
  acknowledgementMessage,
  MESSAGE_TYPES,
  parseCommand,
  parseData,
  splitAggregate,
  USER_CONTROL,
  userControlMessage,
} from "./wire/messages.ts";

/** Before a publish is granted only commands come; none is longer. */
const MAX_COMMAND_BYTES = 64 << 10;
/** What may wait for a peer that does not read. All we ever say to one is a few KB. */
const MAX_UNSENT_BYTES = 256 << 10;
/** How long a peer has to take our last words and hang up. */
const FAREWELL_MS = 2000;
const MAX_NAME_LENGTH = 128;

export interface RtmpSessionOptions {
  readonly socket: Socket;
  readonly gate: PublishGate;
  readonly limits: RtmpLimits;
  /** Where the session has entered as a pending connection; it moves on and back by itself, and leaves at its end. */
  readonly slots: ConnectionSlots;
  readonly log: Logger;
  readonly clock: Clock;
}

/** Why a session ended, for its one log line. */
interface SessionEnd {
  readonly reason: string;
  readonly error?: unknown;
}

/** One encoder's connection, from its first byte to its last. */
export class RtmpSession {
  readonly #options: RtmpSessionOptions;
  readonly #socket: Socket;
  readonly #remoteAddress: string;
  readonly #startedAtMs: number;
  readonly #handshake = new ServerHandshake();
  readonly #reader: ChunkReader;
  readonly #connection: NetConnection;
  readonly #bitrate = new BitrateMeter();
  #publication: Publication | undefined;
  #toLive: RtmpToLive | undefined;
  #isPublisher = false;
  #encoder: string | undefined;
  #receivedBytes = 0;
  #acknowledgedBytes = 0;
  #peerWindowBytes = WINDOW_BYTES;
  #outChunkBytes = DEFAULT_CHUNK_BYTES;
  #lastByteAtMs: number;
  #ignoredDataCount = 0;
  #droppedFrameCount = 0;
  #cancelTimer = () => {};
  #hasUnpublished = false;
  #end: SessionEnd | undefined;

  constructor(options: RtmpSessionOptions) {
    this.#options = options;
    this.#socket = options.socket;
    this.#remoteAddress = options.socket.remoteAddress ?? "";
    this.#startedAtMs = options.clock.monotonicMs();
    this.#lastByteAtMs = this.#startedAtMs;
    this.#reader = new ChunkReader({
      maxMessageBytes: Math.min(MAX_COMMAND_BYTES, options.limits.maxMessageBytes),
      baseOffset: 1 + 2 * HANDSHAKE_BYTES,
      onMessage: (message) => this.#onMessage(message),
    });
    this.#connection = new NetConnection({
      send: (message) => this.#send(message),
      onPublish: (command) => this.#onPublish(command),
      onUnpublish: () => {
        this.#hasUnpublished = true;
        this.#unpublish("unpublished");
      },
      onRefused: (message, reason) => this.#close({ reason }, message),
    });
  }

  /** Serves the connection until it is closed. An abort of `signal` ends it; its reason is told to the encoder. */
  async run(signal: AbortSignal): Promise<void> {
    const onAbort = () => this.#closeWith(signal.reason);
    const closed = new Promise<void>((resolve) => this.#socket.once("close", () => resolve()));
    this.#socket.setNoDelay(true);
    this.#socket.on("data", (data) => typeof data !== "string" && this.#onData(data));
    this.#socket.on("end", () => this.#closeByPeer());
    this.#socket.on("error", (error) => this.#closeByPeer(error));
    this.#armPublishTimer();
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    await closed;
    signal.removeEventListener("abort", onAbort);
    this.#closeByPeer();
    this.#finish();
  }

  /** Asks a client that understands it to connect anew; it is served until it leaves. */
  requestReconnect(): boolean {
    return this.#end === undefined && this.#connection.requestReconnect("The server is about to restart.");
  }

  #onData(data: Buffer): void {
    if (this.#end) return;
    this.#lastByteAtMs = this.#options.clock.monotonicMs();
    this.#receivedBytes += data.length;
    try {
      this.#read(data);
      this.#acknowledge();
      this.#checkBitrate(data.length);
    } catch (error) {
      this.#closeWith(error);
    }
  }

  #read(data: Buffer): void {
    if (this.#handshake.isDone) {
      this.#reader.push(data);
      return;
    }
    const { consumedBytes, reply } = this.#handshake.push(data);
    if (reply) this.#write(reply);
    if (consumedBytes < data.length) this.#reader.push(data.subarray(consumedBytes));
  }

  #acknowledge(): void {
    if (this.#receivedBytes - this.#acknowledgedBytes < this.#peerWindowBytes / 2) return;
    this.#acknowledgedBytes = this.#receivedBytes;
    this.#send(acknowledgementMessage(this.#receivedBytes));
  }

  #checkBitrate(bytes: number): void {
    const { maxBitrateKbps } = this.#options.limits;
    if (!this.#publication || maxBitrateKbps === 0) return;
    this.#bitrate.add(bytes, this.#lastByteAtMs);
    if (this.#bitrate.bitrateBps <= maxBitrateKbps * 1000) return;
    throw new DomainError("BITRATE_EXCEEDED", `The stream is above the limit of ${maxBitrateKbps} kbit/s.`);
  }

  #onMessage(message: RtmpMessage): void {
    if (this.#end) return;
    switch (message.typeId) {
      case MESSAGE_TYPES.video:
        this.#toLive?.writeVideo(message.timestamp, message.body);
        return;
      case MESSAGE_TYPES.audio:
        this.#toLive?.writeAudio(message.timestamp, message.body);
        return;
      case MESSAGE_TYPES.aggregate:
        if (this.#toLive) for (const part of splitAggregate(message)) this.#onAggregated(part);
        return;
      case MESSAGE_TYPES.commandAmf0:
      case MESSAGE_TYPES.commandAmf3:
        this.#connection.handle(parseCommand(message), message.streamId);
        return;
      case MESSAGE_TYPES.dataAmf0:
      case MESSAGE_TYPES.dataAmf3:
        this.#onDataMessage(message);
        return;
      default:
        this.#onControl(message);
    }
  }

  /** Only media and data lie in an aggregate; whatever else does is passed over. */
  #onAggregated(message: RtmpMessage): void {
    const { audio, video, dataAmf0, dataAmf3 } = MESSAGE_TYPES;
    if ([audio, video, dataAmf0, dataAmf3].some((typeId) => typeId === message.typeId)) this.#onMessage(message);
  }

  #onControl({ typeId, body }: RtmpMessage): void {
    if (typeId === MESSAGE_TYPES.windowAckSize && body.length >= 4) {
      this.#peerWindowBytes = Math.max(1, body.readUInt32BE(0));
    }
    if (typeId !== MESSAGE_TYPES.userControl || body.length < 6) return;
    if (body.readUInt16BE(0) === USER_CONTROL.pingRequest) {
      this.#send(userControlMessage(USER_CONTROL.pingResponse, body.readUInt32BE(2)));
    }
  }

  /**
   * Metadata name the encoder and announce its media. Nothing depends on them, and cameras and drones send odd ones, so
   * those that cannot be read are counted and passed over.
   */
  #onDataMessage(message: RtmpMessage): void {
    if (!this.#toLive) return;
    try {
      const { name, values } = parseData(message);
      const isWrapped = name === "@setDataFrame";
      if ((isWrapped ? values[0] : name) !== "onMetaData") return;
      const metadata = values[isWrapped ? 1 : 0];
      this.#encoder = printable(encoderOf(metadata)) ?? this.#encoder;
      this.#toLive.writeMetadata(metadata);
    } catch (error) {
      if (!(error instanceof MalformedInput)) throw error;
      this.#ignoredDataCount += 1;
    }
  }

  /** Nothing more is read until the gate has answered. */
  #onPublish(command: PublishCommand): void {
    this.#reader.pause();
    this.#socket.pause();
    this.#publish(command).catch((error: unknown) => {
      this.#close({ reason: "refused", error }, this.#connection.status(refusedStatus(error)));
    });
  }

  async #publish(command: PublishCommand): Promise<void> {
    if (command.streamKey === undefined) throw new DomainError("STREAM_KEY_UNKNOWN", "There is no stream key.");
    if (!this.#options.slots.publish()) throw new DomainError("LIMIT_REACHED", "Too many streams are live.");
    this.#isPublisher = true;
    this.#hasUnpublished = false;
    this.#encoder = printable(this.#connection.flashVer);
    const publication = await this.#options.gate.open({
      protocol: "rtmp",
      streamKey: command.streamKey,
      remoteAddress: this.#remoteAddress,
      encoder: this.#encoder,
    });
    if (this.#end) publication.close(this.#end.reason);
    else this.#startPublishing(publication);
  }

  #startPublishing(publication: Publication): void {
    this.#publication = publication;
    this.#toLive = new RtmpToLive(publication);
    this.#reader.maxMessageBytes = this.#options.limits.maxMessageBytes;
    this.#lastByteAtMs = this.#options.clock.monotonicMs();
    const { signal } = publication;
    const onAbort = () => this.#publication === publication && this.#closeWith(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) {
      onAbort();
      return;
    }
    this.#armIdleTimer();
    this.#connection.startPublishing();
    this.#resume();
  }

  #resume(): void {
    try {
      this.#reader.resume();
    } catch (error) {
      this.#closeWith(error);
    }
    this.#socket.resume();
  }

  #unpublish(reason: string): void {
    this.#droppedFrameCount += this.#toLive?.droppedFrameCount ?? 0;
    this.#publication?.close(reason);
    this.#publication = undefined;
    this.#toLive = undefined;
    if (this.#isPublisher) this.#options.slots.unpublish();
    this.#isPublisher = false;
    this.#armPublishTimer();
  }

  #armPublishTimer(): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#options.clock.after(this.#options.limits.publishTimeoutMs, () => {
      this.#closeWith(new DomainError("UNAVAILABLE", "Nothing was published in time."));
    });
  }

  #armIdleTimer(): void {
    const { clock, limits } = this.#options;
    const idleMs = clock.monotonicMs() - this.#lastByteAtMs;
    this.#cancelTimer();
    this.#cancelTimer = clock.after(Math.max(0, limits.idleTimeoutMs - idleMs), () => {
      if (clock.monotonicMs() - this.#lastByteAtMs < limits.idleTimeoutMs) this.#armIdleTimer();
      else this.#closeWith(new DomainError("UNAVAILABLE", "The encoder sent nothing for too long."));
    });
  }

  #send(message: OutgoingMessage): void {
    this.#write(encodeChunks(message, this.#outChunkBytes));
    if (message.typeId === MESSAGE_TYPES.setChunkSize) this.#outChunkBytes = Buffer.from(message.body).readUInt32BE(0);
  }

  #write(bytes: Uint8Array): void {
    if (this.#end) return;
    if (this.#socket.writableLength + bytes.length > MAX_UNSENT_BYTES) {
      this.#close({ reason: "the peer does not read what it is told" });
      return;
    }
    this.#socket.write(bytes);
  }

  /** Encoders that have unpublished hang up without waiting for our answer: no loss, whatever the socket says. */
  #closeByPeer(error?: Error): void {
    if (this.#hasUnpublished && !this.#publication) this.#close({ reason: "unpublished" });
    else this.#close(error ? { reason: "connection lost", error } : { reason: "closed by the encoder" });
  }

  #closeWith(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.#close({ reason, error }, this.#connection.status(endedStatus(error)));
  }

  /**
   * The one way to the end: the publication is closed, the encoder is told why, and what it still sends is thrown away
   * until it hangs up (closing with unread bytes would reset the connection and lose our last words).
   */
  #close(end: SessionEnd, farewell?: OutgoingMessage): void {
    if (this.#end) return;
    this.#unpublish(end.reason);
    this.#cancelTimer();
    this.#end = end;
    const canTell = farewell !== undefined && this.#socket.writable && this.#handshake.isDone;
    if (canTell) this.#socket.end(encodeChunks(farewell, this.#outChunkBytes));
    else this.#socket.end();
    this.#socket.resume();
    this.#cancelTimer = this.#options.clock.after(FAREWELL_MS, () => this.#socket.destroy());
  }

  #finish(): void {
    this.#cancelTimer();
    this.#options.slots.leave();
    const { reason, error } = this.#end ?? { reason: "closed" };
    const isMalformed = error instanceof MalformedInput;
    const fields = {
      protocol: "rtmp",
      remoteAddress: this.#remoteAddress,
      encoder: this.#encoder,
      reason,
      code: error instanceof DomainError ? error.code : undefined,
      byteOffset: isMalformed ? this.#byteOffset : undefined,
      receivedBytes: this.#receivedBytes,
      durationMs: Math.round(this.#options.clock.monotonicMs() - this.#startedAtMs),
      droppedFrameCount: this.#droppedFrameCount,
      ignoredDataCount: this.#ignoredDataCount,
      err: error instanceof Error && !(error instanceof DomainError) ? error : undefined,
    };
    // Load balancers and port scans connect and say nothing.
    const level = isMalformed ? "warn" : this.#receivedBytes === 0 ? "debug" : "info";
    this.#options.log[level](fields, "rtmp session ended");
  }

  get #byteOffset(): number {
    return this.#handshake.isDone ? this.#reader.byteOffset : this.#receivedBytes;
  }
}

/** Text from outside that may stand in a log: bounded, without control characters. */
function printable(text: string | undefined): string | undefined {
  return text?.replace(/\p{Cc}/gu, " ").slice(0, MAX_NAME_LENGTH);
}
