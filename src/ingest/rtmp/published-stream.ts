import { DomainError, MalformedInput } from "../../core/errors.ts";
import type { Publication } from "../../live/publication.ts";
import { BitrateMeter } from "./bitrate-meter.ts";
import { encoderOf, RtmpToLive } from "./to-live.ts";
import type { RtmpMessage } from "./wire/chunk-reader.ts";
import { MESSAGE_TYPES, parseData, splitAggregate } from "./wire/messages.ts";

export interface PublishedStreamOptions {
  readonly publication: Publication;
  /** 0 is no limit. */
  readonly maxBitrateKbps: number;
}

/** What one granted publish sends: media, metadata, and how much of it. */
export class PublishedStream {
  readonly publication: Publication;
  readonly #toLive: RtmpToLive;
  readonly #maxBitrateKbps: number;
  readonly #bitrate = new BitrateMeter();
  #encoder: string | undefined;
  #ignoredDataCount = 0;

  constructor({ publication, maxBitrateKbps }: PublishedStreamOptions) {
    this.publication = publication;
    this.#toLive = new RtmpToLive(publication);
    this.#maxBitrateKbps = maxBitrateKbps;
  }

  /** How the encoder names itself in its metadata. */
  get encoder(): string | undefined {
    return this.#encoder;
  }

  /** What was passed over: frames before their configuration, and data messages that could not be read. */
  get counts(): { droppedFrameCount: number; ignoredDataCount: number } {
    return { droppedFrameCount: this.#toLive.droppedFrameCount, ignoredDataCount: this.#ignoredDataCount };
  }

  /** Takes a message of media or data; others mean nothing here. Throws DomainError when the stream cannot go on. */
  take(message: RtmpMessage): void {
    switch (message.typeId) {
      case MESSAGE_TYPES.video:
        this.#toLive.writeVideo(message.timestamp, message.body);
        return;
      case MESSAGE_TYPES.audio:
        this.#toLive.writeAudio(message.timestamp, message.body);
        return;
      case MESSAGE_TYPES.dataAmf0:
      case MESSAGE_TYPES.dataAmf3:
        this.#takeData(message);
        return;
      case MESSAGE_TYPES.aggregate:
        for (const part of splitAggregate(message)) if (part.typeId !== MESSAGE_TYPES.aggregate) this.take(part);
    }
  }

  /** Counts bytes of the connection. Throws DomainError BITRATE_EXCEEDED. */
  countBytes(bytes: number, nowMs: number): void {
    if (this.#maxBitrateKbps === 0) return;
    this.#bitrate.add(bytes, nowMs);
    if (this.#bitrate.bitrateBps <= this.#maxBitrateKbps * 1000) return;
    throw new DomainError("BITRATE_EXCEEDED", `The stream is above the limit of ${this.#maxBitrateKbps} kbit/s.`);
  }

  /**
   * Metadata name the encoder and announce its media. Nothing depends on them, and cameras and drones send odd ones, so
   * those that cannot be read are counted and passed over.
   */
  #takeData(message: RtmpMessage): void {
    try {
      const { name, values } = parseData(message);
      const isWrapped = name === "@setDataFrame";
      if ((isWrapped ? values[0] : name) !== "onMetaData") return;
      const metadata = values[isWrapped ? 1 : 0];
      this.#encoder = encoderOf(metadata) ?? this.#encoder;
      this.#toLive.writeMetadata(metadata);
    } catch (error) {
      if (!(error instanceof MalformedInput)) throw error;
      this.#ignoredDataCount += 1;
    }
  }
}
