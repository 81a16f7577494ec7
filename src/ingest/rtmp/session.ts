import type { Socket } from "node:net";
import type { Clock } from "../../core/clock.ts";
import { DomainError, MalformedInput } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import type { Publication, PublishGate } from "../../live/publication.ts";
import type { ConnectionSlots, RtmpLimits } from "./limits.ts";
import { NetConnection, type PublishCommand, WINDOW_BYTES } from "./net-connection.ts";
import { endedStatus, refusedStatus } from "./publish-status.ts";
import { PublishedStream } from "./published-stream.ts";
import { ChunkReader, DEFAULT_CHUNK_BYTES, type RtmpMessage } from "./wire/chunk-reader.ts";
import { encodeChunks, type OutgoingMessage } from "./wire/chunk-writer.ts";
import { HANDSHAKE_BYTES, ServerHandshake } from "./wire/handshake.ts";
import {
  acknowledgementMessage,
  MESSAGE_TYPES,
  parseCommand,
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
  #stream: PublishedStream | undefined;
  #hasPublisherSlot = false;
  #encoder: string | undefined;
  #receivedBytes = 0;
  #acknowledgedBytes = 0;
  #peerWindowBytes = WINDOW_BYTES;
  #outChunkBytes = DEFAULT_CHUNK_BYTES;
  #lastByteAtMs: number;
  #counts = { droppedFrameCount: 0, ignoredDataCount: 0 };
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
      this.#stream?.countBytes(data.length, this.#lastByteAtMs);
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

  #onMessage(message: RtmpMessage): void {
    if (this.#end) return;
    switch (message.typeId) {
      case MESSAGE_TYPES.commandAmf0:
      case MESSAGE_TYPES.commandAmf3:
        this.#connection.handle(parseCommand(message), message.streamId);
        return;
      case MESSAGE_TYPES.windowAckSize:
      case MESSAGE_TYPES.userControl:
        this.#onControl(message);
        return;
      default:
        this.#stream?.take(message);
    }
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
    this.#hasPublisherSlot = true;
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
    const stream = new PublishedStream({ publication, maxBitrateKbps: this.#options.limits.maxBitrateKbps });
    this.#stream = stream;
    this.#reader.maxMessageBytes = this.#options.limits.maxMessageBytes;
    this.#lastByteAtMs = this.#options.clock.monotonicMs();
    const { signal } = publication;
    const onAbort = () => this.#stream === stream && this.#closeWith(signal.reason);
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
    if (this.#stream) this.#leaveStream(this.#stream, reason);
    if (this.#hasPublisherSlot) this.#options.slots.unpublish();
    this.#hasPublisherSlot = false;
    this.#armPublishTimer();
  }

  #leaveStream({ publication, encoder, counts }: PublishedStream, reason: string): void {
    this.#stream = undefined;
    this.#encoder = printable(encoder) ?? this.#encoder;
    this.#counts.droppedFrameCount += counts.droppedFrameCount;
    this.#counts.ignoredDataCount += counts.ignoredDataCount;
    publication.close(reason);
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
      this.#socket.destroy();
      return;
    }
    this.#socket.write(bytes);
  }

  /** Encoders that have unpublished hang up without waiting for our answer: no loss, whatever the socket says. */
  #closeByPeer(error?: Error): void {
    if (this.#hasUnpublished && !this.#stream) this.#close({ reason: "unpublished" });
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
    const fields = {
      protocol: "rtmp",
      remoteAddress: this.#remoteAddress,
      encoder: this.#encoder,
      reason,
      code: error instanceof DomainError ? error.code : undefined,
      byteOffset: error instanceof MalformedInput ? this.#byteOffset : undefined,
      receivedBytes: this.#receivedBytes,
      durationMs: Math.round(this.#options.clock.monotonicMs() - this.#startedAtMs),
      ...this.#counts,
      err: error instanceof Error && !(error instanceof DomainError) ? error : undefined,
    };
    this.#options.log[this.#receivedBytes === 0 ? "debug" : logLevelOf(error)](fields, "rtmp session ended");
  }

  get #byteOffset(): number {
    return this.#handshake.isDone ? this.#reader.byteOffset : this.#receivedBytes;
  }
}

/** Trouble of our own is an error; a peer that breaks the protocol or goes away is not. */
function logLevelOf(error: unknown): "info" | "warn" | "error" {
  if (error instanceof MalformedInput) return "warn";
  const isExpected = error === undefined || error instanceof DomainError;
  const isConnectionLoss = error instanceof Error && "syscall" in error;
  return isExpected || isConnectionLoss ? "info" : "error";
}

/** Text from outside that may stand in a log: bounded, without control characters. */
function printable(text: string | undefined): string | undefined {
  return text?.replace(/\p{Cc}/gu, " ").slice(0, MAX_NAME_LENGTH);
}
