import { MalformedInput } from "../core/errors.ts";

/** Reads a byte string bit by bit, most significant first. Every read throws MalformedInput at the end of the data. */
export class BitReader {
  readonly #data: Uint8Array;
  readonly #format: string;
  #position = 0;

  /** `format` names the bytes in errors. */
  constructor(data: Uint8Array, format: string) {
    this.#data = data;
    this.#format = format;
  }

  get bitsLeft(): number {
    return this.#data.length * 8 - this.#position;
  }

  /** Whole bytes read so far, a begun byte included. */
  get bytesRead(): number {
    return (this.#position + 7) >> 3;
  }

  /** The next `count` bits (0 to 32) as an unsigned number. */
  bits(count: number): number {
    if (count > this.bitsLeft) throw this.malformed("ends too early");
    let value = 0;
    let left = count;
    while (left > 0) {
      const taken = Math.min(left, 8 - (this.#position & 7));
      const byte = this.#data[this.#position >> 3] ?? 0;
      const chunk = (byte >> (8 - (this.#position & 7) - taken)) & ((1 << taken) - 1);
      value = value * (1 << taken) + chunk;
      this.#position += taken;
      left -= taken;
    }
    return value;
  }

  flag(): boolean {
    return this.bits(1) === 1;
  }

  skip(count: number): void {
    if (count > this.bitsLeft) throw this.malformed("ends too early");
    this.#position += count;
  }

  alignToByte(): void {
    this.#position = (this.#position + 7) & ~7;
  }

  /** Unsigned Exp-Golomb code, up to 2^32 - 2. */
  ue(): number {
    let zeros = 0;
    while (!this.flag()) {
      zeros += 1;
      if (zeros > 31) throw this.malformed("Exp-Golomb code is too long");
    }
    return 2 ** zeros - 1 + this.bits(zeros);
  }

  /** Signed Exp-Golomb code. */
  se(): number {
    const code = this.ue();
    return code % 2 === 1 ? (code + 1) / 2 : 0 - code / 2;
  }

  /** `ue()` that must not be above `highest`: every count and size goes through here. */
  ueUpTo(highest: number, name: string): number {
    const value = this.ue();
    if (value > highest) throw this.malformed(`${name} is ${value}, above ${highest}`);
    return value;
  }

  malformed(problem: string): MalformedInput {
    return new MalformedInput(this.#format, this.#position >> 3, problem);
  }
}

/** The payload of a NAL unit without its emulation prevention bytes (00 00 03 -> 00 00). Copies only when there are any. */
export function unescapeNal(nal: Uint8Array): Uint8Array {
  const first = findEmulationPrevention(nal, 0);
  if (first < 0) return nal;
  const out = new Uint8Array(nal.length - 1);
  let length = 0;
  let from = 0;
  for (let at = first; at >= 0; at = findEmulationPrevention(nal, from)) {
    out.set(nal.subarray(from, at), length);
    length += at - from;
    from = at + 1;
  }
  out.set(nal.subarray(from), length);
  return out.subarray(0, length + nal.length - from);
}

/** Where the next 03 after two zero bytes stands, looking only at bytes from `from` on; -1 when there is none. */
function findEmulationPrevention(nal: Uint8Array, from: number): number {
  for (let at = from + 2; at < nal.length; at += 1) {
    if (nal[at] === 3 && nal[at - 1] === 0 && nal[at - 2] === 0) return at;
  }
  return -1;
}
