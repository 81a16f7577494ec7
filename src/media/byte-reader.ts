import { MalformedInput } from "../core/errors.ts";

/** Reads big-endian numbers and byte runs in order. Every read throws MalformedInput at the end of the data. */
export class ByteReader {
  readonly #data: Uint8Array;
  readonly #view: DataView;
  readonly #format: string;
  readonly #baseOffset: number;
  #position = 0;

  /** `format` and `baseOffset` (of the first byte, within what `format` names) are for errors. */
  constructor(data: Uint8Array, format: string, baseOffset = 0) {
    this.#data = data;
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    this.#format = format;
    this.#baseOffset = baseOffset;
  }

  get position(): number {
    return this.#position;
  }

  get bytesLeft(): number {
    return this.#data.length - this.#position;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  u24(): number {
    const at = this.#take(3);
    return (this.#view.getUint16(at) << 8) | this.#view.getUint8(at + 2);
  }

  i24(): number {
    return (this.u24() << 8) >> 8;
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  i32(): number {
    return this.#view.getInt32(this.#take(4));
  }

  /** 64 bits, refused above 2^53: no honest time or size is longer. */
  u64(): number {
    const value = this.u32() * 2 ** 32 + this.u32();
    if (!Number.isSafeInteger(value)) throw this.malformed("64-bit number is out of range");
    return value;
  }

  i64(): number {
    const value = this.i32() * 2 ** 32 + this.u32();
    if (!Number.isSafeInteger(value)) throw this.malformed("64-bit number is out of range");
    return value;
  }

  f64(): number {
    return this.#view.getFloat64(this.#take(8));
  }

  u16LittleEndian(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32LittleEndian(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** Four bytes as Latin-1 text. */
  fourCc(): string {
    const at = this.#take(4);
    return fourCcText(this.#view.getUint32(at));
  }

  /** A view of the next `length` bytes, not a copy. */
  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#data.subarray(at, at + length);
  }

  /** The next byte, left where it is. */
  peek(): number {
    const byte = this.u8();
    this.#position -= 1;
    return byte;
  }

  /** A view of all that is left. */
  rest(): Uint8Array {
    return this.bytes(this.bytesLeft);
  }

  skip(length: number): void {
    this.#take(length);
  }

  malformed(problem: string): MalformedInput {
    return new MalformedInput(this.#format, this.#baseOffset + this.#position, problem);
  }

  #take(length: number): number {
    if (length > this.bytesLeft) throw this.malformed(`ends too early: ${length} bytes wanted, ${this.bytesLeft} left`);
    const at = this.#position;
    this.#position += length;
    return at;
  }
}

/** The four characters of a code, from its 32 bits. */
export function fourCcText(code: number): string {
  return String.fromCharCode(code >>> 24, (code >>> 16) & 255, (code >>> 8) & 255, code & 255);
}
