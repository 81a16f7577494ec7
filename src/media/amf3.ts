import { AmfLimits, type AmfObject, type AmfValue, amfObject } from "./amf.ts";
import { ByteReader } from "./byte-reader.ts";

const MARKER = {
  undefined: 0x00,
  null: 0x01,
  false: 0x02,
  true: 0x03,
  integer: 0x04,
  double: 0x05,
  string: 0x06,
  xmlDocument: 0x07,
  date: 0x08,
  array: 0x09,
  object: 0x0a,
  xml: 0x0b,
  byteArray: 0x0c,
  intVector: 0x0d,
  uintVector: 0x0e,
  doubleVector: 0x0f,
  objectVector: 0x10,
  dictionary: 0x11,
} as const;

/** The shape of an object; later objects refer to it. */
interface Traits {
  readonly names: readonly string[];
  readonly isDynamic: boolean;
}

type Read = (state: Amf3State) => AmfValue;

/** What values of one AMF3 stretch share: tables of strings, objects and traits. */
interface Amf3State {
  readonly bytes: ByteReader;
  readonly limits: AmfLimits;
  readonly strings: string[];
  readonly traits: Traits[];
}

/** All values of an AMF3 body, which share their reference tables. Throws MalformedInput; limits as `decodeAmf0`. */
export function decodeAmf3(data: Uint8Array): AmfValue[] {
  const state = newState(new ByteReader(data, "AMF3"));
  const values: AmfValue[] = [];
  while (state.bytes.bytesLeft > 0) values.push(readValue(state));
  return values;
}

/**
 * One AMF3 value with reference tables of its own, as it stands behind the AMF0 marker 0x11 in a message with these
 * limits. Throws MalformedInput.
 */
export function readAmf3Value(bytes: ByteReader, message: AmfLimits): AmfValue {
  return readValue(newState(bytes, message));
}

function newState(bytes: ByteReader, message?: AmfLimits): Amf3State {
  return { bytes, limits: new AmfLimits(bytes, message), strings: [], traits: [] };
}

function readValue(state: Amf3State): AmfValue {
  const marker = state.bytes.u8();
  const read = READERS.get(marker);
  if (!read) throw state.bytes.malformed(`unknown marker 0x${marker.toString(16)}`);
  state.limits.countValue();
  return read(state);
}

const READERS: ReadonlyMap<number, Read> = new Map<number, Read>([
  [MARKER.undefined, () => undefined],
  [MARKER.null, () => null],
  [MARKER.false, () => false],
  [MARKER.true, () => true],
  [MARKER.integer, ({ bytes }) => (readU29(bytes) << 3) >> 3],
  [MARKER.double, ({ bytes }) => bytes.f64()],
  [MARKER.string, readString],
  [MARKER.xmlDocument, (state) => readReferable(state, (length) => state.limits.text(length))],
  [MARKER.date, (state) => readReferable(state, () => new Date(state.bytes.f64()))],
  [MARKER.array, (state) => readReferable(state, (count) => readArray(state, count))],
  [MARKER.object, (state) => readReferable(state, (header) => readObject(state, header))],
  [MARKER.xml, (state) => readReferable(state, (length) => state.limits.text(length))],
  [MARKER.byteArray, (state) => readReferable(state, (length) => readByteArray(state, length))],
  [MARKER.intVector, (state) => readVector(state, 4, () => state.bytes.i32())],
  [MARKER.uintVector, (state) => readVector(state, 4, () => state.bytes.u32())],
  [MARKER.doubleVector, (state) => readVector(state, 8, () => state.bytes.f64())],
  [MARKER.objectVector, (state) => readVector(state, 1, () => readValue(state), true)],
  [MARKER.dictionary, (state) => readReferable(state, (count) => readDictionary(state, count))],
]);

/** One to four bytes: seven bits each, but all eight of the fourth. */
function readU29(bytes: ByteReader): number {
  let value = 0;
  for (let i = 0; i < 3; i += 1) {
    const byte = bytes.u8();
    value = (value << 7) | (byte & 127);
    if (byte < 128) return value;
  }
  return (value << 8) | bytes.u8();
}

/** The low bit says whether a value follows, whose length or count the rest is, or an earlier one is meant. */
function readReferable(state: Amf3State, readInline: (header: number) => AmfValue): AmfValue {
  const header = readU29(state.bytes);
  if ((header & 1) === 0) return state.limits.referred(header >> 1);
  return state.limits.nested(() => readInline(header >> 1));
}

function readString(state: Amf3State): string {
  const header = readU29(state.bytes);
  if ((header & 1) === 1) return rememberString(state, state.limits.text(header >> 1));
  const text = state.strings[header >> 1];
  if (text === undefined) throw state.bytes.malformed(`reference to string ${header >> 1}`);
  state.limits.countBytes(text.length);
  return text;
}

/** The empty string is never referred to. */
function rememberString(state: Amf3State, text: string): string {
  if (text !== "") state.strings.push(text);
  return text;
}

function readByteArray({ bytes, limits }: Amf3State, length: number): Uint8Array {
  limits.countBytes(length);
  return bytes.bytes(length);
}

/** With named elements it becomes an object that has the numbered ones too, under their numbers. */
function readArray(state: Amf3State, count: number): AmfValue[] | AmfObject {
  const named = readNamed(state);
  state.limits.elementCount(count, 1);
  const dense = Array.from({ length: count }, () => readValue(state));
  return named.length === 0 ? dense : amfObject([...named, ...dense.map((value, i) => [String(i), value] as const)]);
}

function readNamed(state: Amf3State): [string, AmfValue][] {
  const named: [string, AmfValue][] = [];
  for (let name = readString(state); name !== ""; name = readString(state)) named.push([name, readValue(state)]);
  return named;
}

function readObject(state: Amf3State, header: number): AmfObject {
  const traits = readTraits(state, header);
  const sealed = traits.names.map((name): [string, AmfValue] => [name, readValue(state)]);
  return amfObject(traits.isDynamic ? [...sealed, ...readNamed(state)] : sealed);
}

function readTraits(state: Amf3State, header: number): Traits {
  if ((header & 1) === 0) {
    const traits = state.traits[header >> 1];
    if (!traits) throw state.bytes.malformed(`reference to traits ${header >> 1}`);
    return traits;
  }
  if (header & 2) throw state.bytes.malformed("externalizable objects are not supported");
  readString(state); // class name
  const nameCount = state.limits.elementCount(header >> 3, 1);
  const traits = { names: Array.from({ length: nameCount }, () => readString(state)), isDynamic: (header & 4) !== 0 };
  state.traits.push(traits);
  return traits;
}

function readVector(state: Amf3State, bytesEach: number, readItem: () => AmfValue, hasType = false): AmfValue {
  return readReferable(state, (count) => {
    state.bytes.skip(1); // fixed length or not
    if (hasType) readString(state);
    state.limits.elementCount(count, bytesEach);
    return Array.from({ length: count }, readItem);
  });
}

/** Keys of any type become text. */
function readDictionary(state: Amf3State, count: number): AmfObject {
  state.bytes.skip(1); // weak keys or not
  state.limits.elementCount(count, 2);
  return amfObject(Array.from({ length: count }, () => [keyText(readValue(state)), readValue(state)] as const));
}

function keyText(key: AmfValue): string {
  return typeof key === "object" && key !== null ? "[object]" : String(key);
}
