import { MalformedInput } from "../../core/errors.ts";
import { type Box, type BoxHeader, readBoxHeader } from "../isobmff/box.ts";
import type { Ticks } from "../timebase.ts";
import { type MovieTrack, readMovie } from "./movie.ts";
import { type FragmentSample, readMovieFragment } from "./movie-fragment.ts";
import type { CmafTrack } from "./track.ts";

const DEFAULT_LIMIT_BYTES = 64 * 1024 * 1024;
const LONGEST_HEADER_BYTES = 16;
/** Boxes whose content is read; every other one is passed over without being kept. */
const KEPT_BOXES = new Set(["moov", "moof", "mdat"]);

export type CmafEvent =
  | { readonly kind: "init"; readonly tracks: readonly CmafTrack[] }
  | ({ readonly kind: "sample" } & ReadSample);

/** One access unit. Times are on the presentation timeline: an edit list's media time is taken off, so they may be negative. */
export interface ReadSample {
  readonly trackId: number;
  readonly dts: Ticks;
  readonly cts: Ticks;
  readonly duration: Ticks;
  readonly isKey: boolean;
  /** A view of the fragment's media data, which nothing else writes to. */
  readonly data: Uint8Array;
}

export interface CmafReaderOptions {
  /** The largest box (moov, moof or mdat) that is taken; also all that is ever held. */
  readonly limitBytes?: number;
}

/** The box that is being gathered, or passed over when there is nothing to hold it. */
interface OpenBox {
  readonly type: string;
  readonly fileOffset: number;
  readonly headerBytes: number;
  readonly bodyBytes: number;
  readonly body: Uint8Array | undefined;
  filledBytes: number;
}

/**
 * Reads fragmented MP4 from a stream that is cut anywhere: moov, then any number of moof and mdat. Holds one fragment at a
 * time. Throws MalformedInput, after which it is of no further use.
 */
export class CmafReader {
  readonly #limitBytes: number;
  readonly #head = new Uint8Array(LONGEST_HEADER_BYTES);
  #headFilled = 0;
  #fileOffset = 0;
  #open: OpenBox | undefined;
  #tracks: ReadonlyMap<number, MovieTrack> | undefined;
  /** Of the fragment whose media data comes next. */
  #pending: readonly FragmentSample[] = [];

  constructor(options: CmafReaderOptions = {}) {
    this.#limitBytes = options.limitBytes ?? DEFAULT_LIMIT_BYTES;
  }

  /** Takes the next bytes, of which no view is kept, and returns what they complete. */
  push(bytes: Uint8Array): CmafEvent[] {
    const events: CmafEvent[] = [];
    for (let at = 0; at < bytes.length; ) {
      const taken = this.#open ? this.#fillBody(this.#open, bytes, at) : this.#fillHeader(bytes, at);
      at += taken;
      this.#fileOffset += taken;
      if (this.#open && this.#open.filledBytes === this.#open.bodyBytes) this.#finishBox(this.#open, events);
    }
    return events;
  }

  /** Throws MalformedInput when the stream ends within a box. */
  end(): void {
    if (this.#open || this.#headFilled > 0) throw this.#malformed("stream ends within a box");
  }

  #fillHeader(bytes: Uint8Array, at: number): number {
    // Byte by byte past the first eight, because a longer header shows only in them.
    const wanted = this.#headFilled < 8 ? 8 - this.#headFilled : 1;
    const taken = Math.min(wanted, bytes.length - at);
    this.#head.set(bytes.subarray(at, at + taken), this.#headFilled);
    this.#headFilled += taken;
    const boxStart = this.#fileOffset + taken - this.#headFilled;
    const header = readBoxHeader(this.#head.subarray(0, this.#headFilled), boxStart);
    if (header) this.#openBox(header, boxStart);
    return taken;
  }

  #openBox(header: BoxHeader, fileOffset: number): void {
    const { type, headerBytes, totalBytes } = header;
    if (totalBytes === undefined) throw this.#malformed(`box ${type} has no end`);
    const isKept = KEPT_BOXES.has(type);
    if (isKept && totalBytes > this.#limitBytes) throw this.#malformed(`box ${type} has ${totalBytes} bytes`);
    const bodyBytes = totalBytes - headerBytes;
    const body = isKept ? new Uint8Array(Buffer.allocUnsafeSlow(bodyBytes).buffer) : undefined;
    this.#open = { type, fileOffset, headerBytes, bodyBytes, body, filledBytes: 0 };
    this.#headFilled = 0;
  }

  #fillBody(box: OpenBox, bytes: Uint8Array, at: number): number {
    const taken = Math.min(box.bodyBytes - box.filledBytes, bytes.length - at);
    box.body?.set(bytes.subarray(at, at + taken), box.filledBytes);
    box.filledBytes += taken;
    return taken;
  }

  #finishBox(open: OpenBox, events: CmafEvent[]): void {
    this.#open = undefined;
    if (!open.body) return;
    const bodyOffset = open.fileOffset + open.headerBytes;
    const box: Box = { type: open.type, body: open.body, bodyOffset, depth: 0 };
    if (box.type === "moov") events.push(this.#readMovie(box));
    else if (box.type === "moof") this.#readFragment(box, open.fileOffset);
    else this.#readMediaData(box, events);
  }

  #readMovie(box: Box): CmafEvent {
    if (this.#tracks) throw this.#malformed("second moov");
    const tracks = readMovie(box);
    this.#tracks = new Map(tracks.map((track) => [track.trackId, track]));
    return { kind: "init", tracks: tracks.map(({ trackId, timescale, format }) => ({ trackId, timescale, format })) };
  }

  #readFragment(box: Box, fileOffset: number): void {
    if (!this.#tracks) throw this.#malformed("moof before moov");
    if (this.#pending.length > 0) throw this.#malformed("moof without its mdat");
    this.#pending = readMovieFragment(box, fileOffset, this.#tracks);
  }

  #readMediaData(box: Box, events: CmafEvent[]): void {
    for (const { position, size, trackId, dts, cts, duration, isKey } of this.#pending) {
      const from = position - box.bodyOffset;
      if (from < 0 || from + size > box.body.length) throw this.#malformed("sample lies outside its mdat");
      const data = box.body.subarray(from, from + size);
      events.push({ kind: "sample", trackId, dts, cts, duration, isKey, data });
    }
    this.#pending = [];
  }

  #malformed(problem: string): MalformedInput {
    return new MalformedInput("fragmented MP4", this.#fileOffset, problem);
  }
}
