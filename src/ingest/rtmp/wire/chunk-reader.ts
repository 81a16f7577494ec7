import { MalformedInput } from "../../../core/errors.ts";

/** One whole RTMP message. */
export interface RtmpMessage {
  readonly typeId: number;
  /** Milliseconds as the peer stamped it, modulo 2^32. */
  readonly timestamp: number;
  readonly streamId: number;
  /** Memory of its own: it may be kept. */
  readonly body: Buffer;
}

export interface ChunkReaderOptions {
  /** A longer message ends the connection. May be raised later through the property of the same name. */
  readonly maxMessageBytes: number;
  /** Where the first byte lies in what `MalformedInput` counts from (after the handshake). */
  readonly baseOffset?: number;
  readonly onMessage: (message: RtmpMessage) => void;
}

/** Payload of a chunk, each way, until a Set Chunk Size (RTMP 5.4.1). */
export const DEFAULT_CHUNK_BYTES = 128;
/** Chunk stream ids that one connection may use. Encoders use three to eight. */
const MAX_CHUNK_STREAMS = 64;
const EXTENDED = 0xffffff;
/** A delta from here on is a negative one whose upper byte was cut off: 2.3 hours are no step between two messages. */
const FIRST_NEGATIVE_DELTA = 0x800000;
/**
 * The spec has a type 3 message after a type 0 one repeat its absolute time as a delta (5.3.1.2.4); librtmp means "same
 * time" there. Both agree on zero, and no true delta is longer than this.
 */
const MAX_IMPLIED_DELTA_MS = 1000;

const SET_CHUNK_SIZE = 1;
const ABORT = 2;

const EMPTY = Buffer.alloc(0);

/** What a chunk stream remembers from one chunk to the next. */
interface ChunkStream {
  readonly id: number;
  timestamp: number;
  delta: number;
  /** The extended timestamp as it was on the wire; undefined when the last header had none. */
  extended: number | undefined;
  bodyBytes: number;
  typeId: number;
  streamId: number;
  /** The message in the making; undefined between messages. */
  body: Buffer | undefined;
  filledBytes: number;
}

/**
 * Puts messages together from chunks, fed as bytes come. Keeps no reference to what it is fed once a message is whole,
 * and copies each body once. Applies Set Chunk Size and Abort itself, and hands on every message.
 */
export class ChunkReader {
  maxMessageBytes: number;
  readonly #onMessage: (message: RtmpMessage) => void;
  readonly #streams = new Map<number, ChunkStream>();
  #chunkBytes = DEFAULT_CHUNK_BYTES;
  /** The chunk whose payload comes now, and what is left of it. */
  #current: ChunkStream | undefined;
  #chunkLeftBytes = 0;
  /** Bytes that wait: an unfinished header, or what came after `pause`. */
  #held: Buffer = EMPTY;
  #isPaused = false;
  #partialBytes = 0;
  /** Where the first byte of what is being read lies in the connection. */
  #baseOffset: number;
  #data: Buffer = EMPTY;
  #position = 0;

  constructor(options: ChunkReaderOptions) {
    this.maxMessageBytes = options.maxMessageBytes;
    this.#baseOffset = options.baseOffset ?? 0;
    this.#onMessage = options.onMessage;
  }

  /** The place in the connection up to which everything is understood. */
  get byteOffset(): number {
    return this.#baseOffset + this.#position;
  }

  /** Takes the next bytes of the connection. Throws MalformedInput; the connection is of no use after that. */
  push(data: Buffer): void {
    this.#data = this.#held.length === 0 ? data : Buffer.concat([this.#held, data]);
    this.#held = EMPTY;
    this.#position = 0;
    while (!this.#isPaused && this.#step()) {}
    if (this.#position < this.#data.length) this.#held = this.#data.subarray(this.#position);
    this.#baseOffset += this.#position;
    this.#data = EMPTY;
    this.#position = 0;
  }

  /** Hands on nothing more until `resume`. May be called from `onMessage`; whoever pauses stops pushing too. */
  pause(): void {
    this.#isPaused = true;
  }

  /** Goes on with what came before and after `pause`. Not to be called from `onMessage`. */
  resume(): void {
    this.#isPaused = false;
    this.push(EMPTY);
  }

  /** Takes one header or one run of payload. Returns false when the data do not go further. */
  #step(): boolean {
    if (!this.#current) return this.#readHeader();
    if (this.#position === this.#data.length) return false;
    this.#readPayload(this.#current);
    return true;
  }

  #readPayload(stream: ChunkStream): void {
    const taken = Math.min(this.#chunkLeftBytes, this.#data.length - this.#position);
    const body = stream.body ?? EMPTY;
    this.#data.copy(body, stream.filledBytes, this.#position, this.#position + taken);
    this.#position += taken;
    stream.filledBytes += taken;
    this.#chunkLeftBytes -= taken;
    if (this.#chunkLeftBytes > 0) return;
    this.#current = undefined;
    if (stream.filledBytes === body.length) this.#complete(stream, body);
  }

  #complete(stream: ChunkStream, body: Buffer): void {
    this.#drop(stream);
    if (stream.typeId === SET_CHUNK_SIZE) this.#setChunkSize(body);
    if (stream.typeId === ABORT) this.#abort(body);
    this.#onMessage({ typeId: stream.typeId, timestamp: stream.timestamp, streamId: stream.streamId, body });
  }

  #drop(stream: ChunkStream): void {
    if (stream.body) this.#partialBytes -= stream.body.length;
    stream.body = undefined;
  }

  #setChunkSize(body: Buffer): void {
    const chunkBytes = body.length >= 4 ? body.readUInt32BE(0) : 0;
    if (chunkBytes < 1 || chunkBytes > 0x7fffffff) throw this.#malformed(`chunk size ${chunkBytes} is out of range`);
    this.#chunkBytes = chunkBytes;
  }

  #abort(body: Buffer): void {
    if (body.length < 4) throw this.#malformed("abort message has no chunk stream id");
    const stream = this.#streams.get(body.readUInt32BE(0));
    if (stream) this.#drop(stream);
  }

  /** One basic header, message header and extended timestamp: all of it or, returning false, nothing. */
  #readHeader(): boolean {
    const data = this.#data;
    let at = this.#position;
    const first = data[at];
    if (first === undefined) return false;
    const format = first >> 6;
    let id = first & 63;
    at += 1;
    if (id < 2) {
      if (at + id + 1 > data.length) return false;
      id = id === 0 ? 64 + data.readUInt8(at) : 64 + data.readUInt16LE(at);
      at += first & 63 ? 2 : 1;
    }
    const known = this.#streams.get(id);
    if (format === 3) return this.#readContinuation(known, id, at);
    return this.#readMessageHeader(known ?? this.#newStream(id), format, at);
  }

  #newStream(id: number): ChunkStream {
    return {
      id,
      timestamp: 0,
      delta: 0,
      extended: undefined,
      bodyBytes: 0,
      typeId: 0,
      streamId: 0,
      body: undefined,
      filledBytes: 0,
    };
  }

  /** Header types 0, 1 and 2. A first chunk of type 1 is librtmp's ping; type 2 tells no length, so it cannot be first. */
  #readMessageHeader(stream: ChunkStream, format: number, start: number): boolean {
    const data = this.#data;
    const headerBytes = format === 0 ? 11 : format === 1 ? 7 : 3;
    let at = start + headerBytes;
    if (at > data.length) return false;
    const field = data.readUIntBE(start, 3);
    const isExtended = field === EXTENDED;
    if (isExtended && at + 4 > data.length) return false;
    const value = isExtended ? data.readUInt32BE(at) : field;
    if (isExtended) at += 4;

    if (stream.body) throw this.#malformed(`chunk stream ${stream.id} begins a message inside another`);
    if (!this.#streams.has(stream.id)) this.#addStream(stream, format);
    stream.extended = isExtended ? value : undefined;
    if (format < 2) {
      stream.bodyBytes = data.readUIntBE(start + 3, 3);
      stream.typeId = data.readUInt8(start + 6);
    }
    if (format === 0) {
      stream.streamId = data.readUInt32LE(start + 7);
      stream.timestamp = value;
      stream.delta = value <= MAX_IMPLIED_DELTA_MS ? value : 0;
    } else {
      stream.delta = isExtended || value < FIRST_NEGATIVE_DELTA ? value : value - 0x1000000;
      stream.timestamp = (stream.timestamp + stream.delta) >>> 0;
    }
    this.#position = at;
    this.#begin(stream);
    return true;
  }

  #addStream(stream: ChunkStream, format: number): void {
    if (format > 1) throw this.#malformed(`chunk stream ${stream.id} begins with a header of type ${format}`);
    if (this.#streams.size === MAX_CHUNK_STREAMS) throw this.#malformed(`more than ${MAX_CHUNK_STREAMS} chunk streams`);
    this.#streams.set(stream.id, stream);
  }

  /** Header type 3: goes on with a message, or begins one just like the last. */
  #readContinuation(stream: ChunkStream | undefined, id: number, start: number): boolean {
    if (!stream) throw this.#malformed(`chunk stream ${id} begins with a header of type 3`);
    let at = start;
    if (stream.extended !== undefined) {
      const repeated = this.#isExtendedRepeated(stream, at);
      if (repeated === undefined) return false;
      if (repeated) at += 4;
    }
    this.#position = at;
    if (stream.body) {
      this.#current = stream;
      this.#chunkLeftBytes = Math.min(this.#chunkBytes, stream.body.length - stream.filledBytes);
      return true;
    }
    stream.timestamp = (stream.timestamp + stream.delta) >>> 0;
    this.#begin(stream);
    return true;
  }

  /**
   * Whether a type 3 header repeats the extended timestamp, as the spec wants (and ffmpeg, FMLE and OBS since 2024 do) or
   * leaves it out (older librtmp): told by the four bytes themselves, which some fill with the absolute time. Undefined
   * while too few of them are there to tell.
   */
  #isExtendedRepeated(stream: ChunkStream, at: number): boolean | undefined {
    const available = Math.min(4, this.#data.length - at);
    if (available === 0) return undefined;
    const found = this.#data.readUIntBE(at, available);
    const unseenBits = 8 * (4 - available);
    const isPossible = [stream.extended ?? 0, stream.timestamp].some((value) => value >>> unseenBits === found);
    if (!isPossible) return false;
    return available === 4 ? true : undefined;
  }

  #begin(stream: ChunkStream): void {
    if (stream.bodyBytes > this.maxMessageBytes) {
      throw this.#malformed(`message of ${stream.bodyBytes} bytes, at most ${this.maxMessageBytes} are taken`);
    }
    if (stream.bodyBytes === 0) {
      this.#complete(stream, EMPTY);
      return;
    }
    if (this.#partialBytes + stream.bodyBytes > 2 * this.maxMessageBytes) {
      throw this.#malformed("unfinished messages take too much memory");
    }
    this.#partialBytes += stream.bodyBytes;
    stream.body = Buffer.allocUnsafe(stream.bodyBytes);
    stream.filledBytes = 0;
    this.#current = stream;
    this.#chunkLeftBytes = Math.min(this.#chunkBytes, stream.bodyBytes);
  }

  #malformed(problem: string): MalformedInput {
    return new MalformedInput("RTMP", this.byteOffset, problem);
  }
}
