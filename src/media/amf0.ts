import { AmfLimits, type AmfObject, type AmfValue, amfObject } from "./amf.ts";
import { readAmf3Value } from "./amf3.ts";
import { ByteReader } from "./byte-reader.ts";

const MARKER = {
  number: 0x00,
  boolean: 0x01,
  string: 0x02,
  object: 0x03,
  null: 0x05,
  undefined: 0x06,
  reference: 0x07,
  ecmaArray: 0x08,
  objectEnd: 0x09,
  strictArray: 0x0a,
  date: 0x0b,
  longString: 0x0c,
  unsupported: 0x0d,
  xmlDocument: 0x0f,
  typedObject: 0x10,
  switchToAmf3: 0x11,
} as const;

const LONGEST_SHORT_STRING_BYTES = 0xffff;

type Read = (bytes: ByteReader, limits: AmfLimits) => AmfValue;

/** All values of an AMF0 message body. Throws MalformedInput; also past 10000 values, 16 levels or 64 KiB of one string. */
export function decodeAmf0(data: Uint8Array): AmfValue[] {
  const bytes = new ByteReader(data, "AMF0");
  const limits = new AmfLimits(bytes);
  const values: AmfValue[] = [];
  while (bytes.bytesLeft > 0) values.push(readValue(bytes, limits));
  return values;
}

function readValue(bytes: ByteReader, limits: AmfLimits): AmfValue {
  const marker = bytes.u8();
  const read = READERS.get(marker);
  if (!read) throw bytes.malformed(`unknown marker 0x${marker.toString(16)}`);
  limits.countValue();
  return read(bytes, limits);
}

const READERS: ReadonlyMap<number, Read> = new Map<number, Read>([
  [MARKER.number, (bytes) => bytes.f64()],
  [MARKER.boolean, (bytes) => bytes.u8() !== 0],
  [MARKER.string, (bytes, limits) => limits.text(bytes.u16())],
  [MARKER.object, (bytes, limits) => limits.nested(() => readProperties(bytes, limits))],
  [MARKER.null, () => null],
  [MARKER.undefined, () => undefined],
  [MARKER.reference, (bytes, limits) => limits.referred(bytes.u16())],
  [MARKER.ecmaArray, readEcmaArray],
  [MARKER.strictArray, readStrictArray],
  [MARKER.date, readDate],
  [MARKER.longString, (bytes, limits) => limits.text(bytes.u32())],
  [MARKER.unsupported, () => undefined],
  [MARKER.xmlDocument, (bytes, limits) => limits.text(bytes.u32())],
  [MARKER.typedObject, readTypedObject],
  // For this value alone; what follows is AMF0 again.
  [MARKER.switchToAmf3, (bytes, limits) => readAmf3Value(bytes, limits)],
]);

/** The count is a hint: encoders write 0, or one too many. */
function readEcmaArray(bytes: ByteReader, limits: AmfLimits): AmfObject {
  bytes.skip(4);
  return limits.nested(() => readProperties(bytes, limits));
}

function readTypedObject(bytes: ByteReader, limits: AmfLimits): AmfObject {
  limits.text(bytes.u16()); // class name
  return limits.nested(() => readProperties(bytes, limits));
}

function readProperties(bytes: ByteReader, limits: AmfLimits): AmfObject {
  const properties: [string, AmfValue][] = [];
  for (;;) {
    // Some encoders leave out the end of the last array of a message.
    if (bytes.bytesLeft === 0 && properties.length > 0) break;
    const name = limits.text(bytes.u16());
    if (name === "" && bytes.bytesLeft > 0 && bytes.peek() === MARKER.objectEnd) {
      bytes.skip(1);
      break;
    }
    properties.push([name, readValue(bytes, limits)]);
  }
  return amfObject(properties);
}

function readStrictArray(bytes: ByteReader, limits: AmfLimits): AmfValue[] {
  const count = limits.elementCount(bytes.u32(), 1);
  return limits.nested(() => Array.from({ length: count }, () => readValue(bytes, limits)));
}

function readDate(bytes: ByteReader): Date {
  const ms = bytes.f64();
  bytes.skip(2); // time zone, which is reserved
  return new Date(ms);
}

/** `values` one after another as an AMF0 message body. Arrays become strict arrays; byte arrays cannot be written. */
export function encodeAmf0(...values: readonly AmfValue[]): Uint8Array {
  return Buffer.concat(values.map(encodeValue));
}

function encodeValue(value: AmfValue): Buffer {
  switch (typeof value) {
    case "number":
      return encodeNumber(MARKER.number, value);
    case "boolean":
      return Buffer.of(MARKER.boolean, value ? 1 : 0);
    case "string":
      return encodeString(value);
    case "undefined":
      return Buffer.of(MARKER.undefined);
    default:
      return encodeComposite(value);
  }
}

function encodeComposite(value: Exclude<AmfValue, number | boolean | string | undefined>): Buffer {
  if (value === null) return Buffer.of(MARKER.null);
  if (Array.isArray(value)) return encodeStrictArray(value);
  if (value instanceof Date) return Buffer.concat([encodeNumber(MARKER.date, value.getTime()), Buffer.alloc(2)]);
  if (value instanceof Uint8Array) throw new TypeError("AMF0 has no byte arrays");
  return encodeObject(value);
}

function encodeNumber(marker: number, value: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes[0] = marker;
  bytes.writeDoubleBE(value, 1);
  return bytes;
}

function encodeString(value: string): Buffer {
  const text = Buffer.from(value);
  if (text.length <= LONGEST_SHORT_STRING_BYTES) return Buffer.concat([Buffer.of(MARKER.string), encodeName(value)]);
  const head = Buffer.alloc(5);
  head[0] = MARKER.longString;
  head.writeUInt32BE(text.length, 1);
  return Buffer.concat([head, text]);
}

function encodeName(name: string): Buffer {
  const text = Buffer.from(name);
  if (text.length > LONGEST_SHORT_STRING_BYTES) throw new RangeError("AMF0 property name is too long");
  return Buffer.concat([Buffer.of(text.length >> 8, text.length & 255), text]);
}

function encodeStrictArray(values: readonly AmfValue[]): Buffer {
  const head = Buffer.alloc(5);
  head[0] = MARKER.strictArray;
  head.writeUInt32BE(values.length, 1);
  return Buffer.concat([head, ...values.map(encodeValue)]);
}

function encodeObject(object: AmfObject): Buffer {
  const properties = Object.entries(object).flatMap(([name, value]) => [encodeName(name), encodeValue(value)]);
  return Buffer.concat([Buffer.of(MARKER.object), ...properties, Buffer.of(0, 0, MARKER.objectEnd)]);
}
