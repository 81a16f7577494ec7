import { MalformedInput } from "../../core/errors.ts";
import { ByteReader, fourCcText } from "../byte-reader.ts";

const DEEPEST = 16;
const MOST_CHILDREN = 1024;
const SIZE_TO_END = 0;
const SIZE_IS_LONG = 1;

/** A box that is whole in memory, with where it stood for errors. */
export interface Box {
  readonly type: string;
  /** What follows the header, as a view. */
  readonly body: Uint8Array;
  /** Of `body`'s first byte in the file or stream. */
  readonly bodyOffset: number;
  /** Boxes around this one. */
  readonly depth: number;
}

export interface BoxHeader {
  readonly type: string;
  readonly headerBytes: number;
  /** Header and body together; undefined when the box goes on to the end of the file. */
  readonly totalBytes: number | undefined;
}

/**
 * The header at the start of `bytes`, or undefined when they are too few. `fileOffset` is for errors. Throws MalformedInput
 * when the size is below the header's own.
 */
export function readBoxHeader(bytes: Uint8Array, fileOffset: number): BoxHeader | undefined {
  if (bytes.length < 8) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const type = fourCcText(view.getUint32(4));
  const size = view.getUint32(0);
  if (size === SIZE_TO_END) return { type, headerBytes: 8, totalBytes: undefined };
  if (size !== SIZE_IS_LONG) return checkedHeader(type, 8, size, fileOffset);
  if (bytes.length < 16) return undefined;
  return checkedHeader(type, 16, view.getUint32(8) * 2 ** 32 + view.getUint32(12), fileOffset);
}

function checkedHeader(type: string, headerBytes: number, totalBytes: number, fileOffset: number): BoxHeader {
  if (totalBytes < headerBytes || !Number.isSafeInteger(totalBytes)) {
    throw new MalformedInput("ISO BMFF", fileOffset, `box size ${totalBytes} is not possible`);
  }
  return { type, headerBytes, totalBytes };
}

/** The boxes that fill `bytes`. Throws MalformedInput when one reaches past the end, or they are too many or too deep. */
export function readBoxes(bytes: Uint8Array, bytesOffset = 0, depth = 0): Box[] {
  if (depth > DEEPEST) throw new MalformedInput("ISO BMFF", bytesOffset, `boxes lie deeper than ${DEEPEST}`);
  const boxes: Box[] = [];
  for (let at = 0; at < bytes.length; ) {
    const offset = bytesOffset + at;
    if (boxes.length === MOST_CHILDREN)
      throw new MalformedInput("ISO BMFF", offset, `more than ${MOST_CHILDREN} boxes`);
    const header = readBoxHeader(bytes.subarray(at, at + 16), offset);
    if (!header) throw new MalformedInput("ISO BMFF", offset, "box header is cut off");
    const end = at + (header.totalBytes ?? bytes.length - at);
    if (end > bytes.length) throw new MalformedInput("ISO BMFF", offset, `box ${header.type} reaches past its parent`);
    const bodyOffset = offset + header.headerBytes;
    boxes.push({ type: header.type, body: bytes.subarray(at + header.headerBytes, end), bodyOffset, depth });
    at = end;
  }
  return boxes;
}

/** The boxes inside `box`, after `skippedBytes` of fields of its own. */
export function childBoxes(box: Box, skippedBytes = 0): Box[] {
  if (box.body.length < skippedBytes) throw malformedBox(box, "is too short");
  return readBoxes(box.body.subarray(skippedBytes), box.bodyOffset + skippedBytes, box.depth + 1);
}

/** The first box along `path` inside `box`. Throws MalformedInput when one is missing. */
export function boxAt(box: Box, ...path: string[]): Box {
  return path.reduce((parent, type) => {
    const child = childBoxes(parent).find((candidate) => candidate.type === type);
    if (!child) throw malformedBox(parent, `has no ${type}`);
    return child;
  }, box);
}

/** A reader of the fields of a full box, after its version and flags. */
export function fullBoxFields(box: Box): { version: number; flags: number; fields: ByteReader } {
  const fields = boxFields(box);
  return { version: fields.u8(), flags: fields.u24(), fields };
}

export function boxFields(box: Box): ByteReader {
  return new ByteReader(box.body, `ISO BMFF ${box.type}`, box.bodyOffset);
}

export function malformedBox(box: Box, problem: string): MalformedInput {
  return new MalformedInput("ISO BMFF", box.bodyOffset, `box ${box.type} ${problem}`);
}
