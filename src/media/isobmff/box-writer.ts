/** Writes boxes one after another and inside each other; sizes are filled in when a box ends. For headers, not for media. */
export class BoxWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;

  constructor(expectedBytes = 1024) {
    this.#bytes = new Uint8Array(expectedBytes);
    this.#view = new DataView(this.#bytes.buffer);
  }

  box(type: string, writeBody: () => void): void {
    const start = this.#length;
    this.u32(0);
    this.fourCc(type);
    writeBody();
    this.#view.setUint32(start, this.#length - start);
  }

  fullBox(type: string, version: number, flags: number, writeBody: () => void): void {
    this.box(type, () => {
      this.u8(version);
      this.u24(flags);
      writeBody();
    });
  }

  u8(value: number): void {
    const at = this.#grow(1);
    this.#view.setUint8(at, value);
  }

  u16(value: number): void {
    const at = this.#grow(2);
    this.#view.setUint16(at, value);
  }

  u24(value: number): void {
    this.u8(value >>> 16);
    this.u16(value & 0xffff);
  }

  u32(value: number): void {
    const at = this.#grow(4);
    this.#view.setUint32(at, value);
  }

  /** Up to 2^53. */
  u64(value: number): void {
    this.u32(Math.floor(value / 2 ** 32));
    this.u32(value % 2 ** 32);
  }

  zeros(count: number): void {
    this.#grow(count);
  }

  fourCc(text: string): void {
    this.bytes(Buffer.from(text, "latin1"));
  }

  bytes(bytes: Uint8Array): void {
    const at = this.#grow(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** What was written, as exactly so many bytes. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #grow(count: number): number {
    const at = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
}
