import type { ByteReader } from "./byte-reader.ts";

/** What AMF0 and AMF3 values become. Objects have own properties only, whatever their names. */
export type AmfValue =
  | undefined
  | null
  | boolean
  | number
  | string
  | Date
  | Uint8Array
  | AmfValue[]
  | { [name: string]: AmfValue };

export type AmfObject = { [name: string]: AmfValue };

const DEEPEST = 16;
const MOST_VALUES = 10_000;
const LONGEST_STRING_BYTES = 64 * 1024;
/** Text and byte arrays count as a value for every so many bytes. */
const BYTES_PER_VALUE = 64;

const utf8 = new TextDecoder();

/** A value that a later one may refer to, with what it adds where it is put again. */
interface Reference {
  readonly value: AmfValue;
  readonly valueCount: number;
  readonly height: number;
}

/**
 * Bounds that one message cannot pass, however its values nest or refer to each other: a reference counts for all that it
 * stands for, so that neither memory nor anything that walks the result can be made to explode.
 */
export class AmfLimits {
  readonly #bytes: ByteReader;
  readonly #outer: AmfLimits | undefined;
  readonly #references: (Reference | undefined)[] = [];
  #valueCount = 0;
  #depth = 0;
  #height = 0;

  /** `outer`: of the message that what is read here is a part of. */
  constructor(bytes: ByteReader, outer?: AmfLimits) {
    this.#bytes = bytes;
    this.#outer = outer;
    this.#depth = outer ? outer.#depth : 0;
  }

  countValue(): void {
    this.#count(1);
  }

  /** Reads a string of `length` bytes; broken UTF-8 becomes replacement characters. */
  text(length: number): string {
    if (length > LONGEST_STRING_BYTES) throw this.#bytes.malformed(`string of ${length} bytes`);
    this.countBytes(length);
    return utf8.decode(this.#bytes.bytes(length));
  }

  /** Counts a text or byte array of `length`; also where a reference repeats it. */
  countBytes(length: number): void {
    this.#count(Math.floor(length / BYTES_PER_VALUE));
  }

  /** Refuses a count that the bytes left cannot hold. */
  elementCount(count: number, leastBytesEach: number): number {
    if (count > MOST_VALUES || count * leastBytesEach > this.#bytes.bytesLeft) {
      throw this.#bytes.malformed(`${count} elements announced`);
    }
    return count;
  }

  /** Runs `read` one level deeper and makes its result something that later values may refer to. */
  nested<Value extends AmfValue>(read: () => Value): Value {
    const index = this.#references.push(undefined) - 1;
    const countBefore = this.#valueCount;
    const heightOfSiblings = this.#height;
    this.#depth += 1;
    if (this.#depth > DEEPEST) throw this.#tooDeep();
    this.#height = 0;
    const value = read();
    const height = this.#height + 1;
    this.#references[index] = { value, valueCount: this.#valueCount - countBefore + 1, height };
    this.#height = Math.max(heightOfSiblings, height);
    this.#depth -= 1;
    return value;
  }

  /** The value at `index` of those that could be referred to. One that is still being read would contain itself. */
  referred(index: number): AmfValue {
    const reference = this.#references[index];
    if (!reference) throw this.#bytes.malformed(`reference to object ${index}, which is not complete`);
    this.#count(reference.valueCount);
    if (this.#depth + reference.height > DEEPEST) throw this.#tooDeep();
    this.#height = Math.max(this.#height, reference.height);
    return reference.value;
  }

  #count(added: number): void {
    if (this.#outer) this.#outer.#count(added);
    this.#valueCount += added;
    if (this.#valueCount > MOST_VALUES) throw this.#bytes.malformed(`more than ${MOST_VALUES} values`);
  }

  #tooDeep(): Error {
    return this.#bytes.malformed(`values lie deeper than ${DEEPEST}`);
  }
}

/** An object from its properties; a property named `__proto__` is one like any other. */
export function amfObject(properties: Iterable<readonly [string, AmfValue]>): AmfObject {
  return Object.fromEntries(properties);
}
