import type { MediaFormat } from "../media/format.ts";

/** One access unit as its publisher stamped it: times are the publisher's own, unwrapped, in `timescale` ticks. */
export interface SourceUnit {
  readonly kind: "video" | "audio";
  readonly timescale: number;
  readonly dts: number;
  /** Composition offset, signed; 0 for audio. */
  readonly cts: number;
  readonly isKey: boolean;
  /** As `Unit.data`. The receiver keeps the bytes: a publisher never writes to them again. */
  readonly data: Uint8Array;
}

/** What a publisher announces of its media. */
export interface ExpectedMedia {
  readonly video: boolean;
  readonly audio: boolean;
  readonly videoBps?: number | undefined;
  readonly audioBps?: number | undefined;
}

/** What wants to publish, before anything is known of its right to. */
export interface PublishRequest {
  readonly protocol: "rtmp" | "pattern";
  readonly streamKey: string;
  readonly remoteAddress: string;
  /** How the encoder names itself (`flashVer`, `encoder` metadata), for people to read. */
  readonly encoder: string | undefined;
}

/**
 * A granted right to publish one stream. Calls after `close`, or after `signal` aborted, do nothing. Times may wrap
 * nowhere but may jump: whoever receives them mends that (live/intake.ts).
 */
export interface Publication {
  /** Aborts when the right ends from our side; its reason is a DomainError for the publisher to be told. */
  readonly signal: AbortSignal;
  /** Which media are announced, so that the start waits for both; without it the start waits a moment for either. */
  expect(media: ExpectedMedia): void;
  /** The configuration of the units that follow, for its kind of medium; may change in mid-stream. */
  setFormat(format: MediaFormat): void;
  write(unit: SourceUnit): void;
  /** The publisher is gone. The stream still waits for its return. */
  close(reason: string): void;
}

/** Grants publications. Implemented where keys, limits and running streams meet; declared here for every ingest. */
export interface PublishGate {
  /**
   * Throws DomainError: STREAM_KEY_UNKNOWN, ADDRESS_BLOCKED, STREAM_BUSY, LIMIT_REACHED. No media may be looked at
   * before this resolves.
   */
  open(request: PublishRequest): Promise<Publication>;
}
