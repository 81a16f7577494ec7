/** What an init segment says that the times of chunks need. */
export interface InitFacts {
  readonly timescale: number;
  readonly defaultDuration: number;
}

/** One moof and its mdat. */
export interface Chunk {
  readonly decodeTime: number;
  readonly duration: number;
  readonly sequenceNumber: number;
}

interface Box {
  readonly type: string;
  readonly body: Buffer;
}

/** Boxes of `bytes`, one after another. Throws when one does not fit. */
function readBoxes(bytes: Buffer): Box[] {
  const boxes: Box[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (at + 8 > bytes.length) throw new Error(`box header cut off at ${at}`);
    const is64 = bytes.readUInt32BE(at) === 1;
    const size = is64 ? Number(bytes.readBigUInt64BE(at + 8)) : bytes.readUInt32BE(at);
    const headerSize = is64 ? 16 : 8;
    if (size < headerSize || at + size > bytes.length) throw new Error(`box of ${size} bytes at ${at}`);
    boxes.push({ type: bytes.toString("latin1", at + 4, at + 8), body: bytes.subarray(at + headerSize, at + size) });
    at += size;
  }
  return boxes;
}

export function readInit(bytes: Buffer): InitFacts {
  const boxes = readBoxes(bytes);
  if (boxes[0]?.type !== "ftyp") throw new Error(`starts with ${boxes[0]?.type}`);
  const mdhd = find(bytes, "moov", "trak", "mdia", "mdhd");
  const trex = find(bytes, "moov", "mvex", "trex");
  return {
    timescale: mdhd.readUInt32BE(mdhd[0] === 1 ? 20 : 12),
    defaultDuration: trex.readUInt32BE(12),
  };
}

/** The chunks of a part or a segment. Throws when boxes are missing or out of order. */
export function readChunks(bytes: Buffer, { defaultDuration }: InitFacts): Chunk[] {
  const boxes = readBoxes(bytes).filter(({ type }) => type === "moof" || type === "mdat");
  return boxes.flatMap(({ type, body }, index) => {
    if (type === "mdat") return [];
    if (boxes[index + 1]?.type !== "mdat") throw new Error("moof without mdat");
    return [readChunk(body, defaultDuration)];
  });
}

/** A moof and the first frame that it announces. */
export interface KeyFrame {
  readonly decodeTime: number;
  readonly isSync: boolean;
  /** From the first byte of moof to the last of the frame. */
  readonly length: number;
}

/** What stands at the start of `bytes`, of which the mdat may be cut off. Throws when it is not moof and mdat. */
export function readKeyFrame(bytes: Buffer): KeyFrame {
  const moofBytes = bytes.readUInt32BE(0);
  const [box] = readBoxes(bytes.subarray(0, moofBytes));
  if (box?.type !== "moof") throw new Error(`starts with ${box?.type}`);
  if (bytes.toString("latin1", moofBytes + 4, moofBytes + 8) !== "mdat") throw new Error("moof without mdat");
  const tfhd = find(box.body, "traf", "tfhd");
  const trun = find(box.body, "traf", "trun");
  const flags = trun.readUInt32BE(0) & 0xffffff;
  if (!(flags & 0x01)) throw new Error("trun without data offset");
  const first = 12 + (flags & 0x04 ? 4 : 0);
  const sizeAt = first + (flags & 0x100 ? 4 : 0);
  const size = flags & 0x200 ? trun.readUInt32BE(sizeAt) : headerDefault(tfhd, 0x10);
  const ownFlags = flags & 0x400 ? trun.readUInt32BE(sizeAt + (flags & 0x200 ? 4 : 0)) : headerDefault(tfhd, 0x20);
  const sampleFlags = flags & 0x04 ? trun.readUInt32BE(12) : ownFlags;
  if (size === undefined || sampleFlags === undefined) throw new Error("the first frame has no size or no flags");
  return {
    decodeTime: Number(find(box.body, "traf", "tfdt").readBigUInt64BE(4)),
    isSync: (sampleFlags & 0x10000) === 0,
    length: trun.readInt32BE(8) + size,
  };
}

function readChunk(moof: Buffer, trexDuration: number): Chunk {
  const tfdt = find(moof, "traf", "tfdt");
  if (tfdt[0] !== 1) throw new Error(`tfdt version ${tfdt[0]}`);
  const tfhd = find(moof, "traf", "tfhd");
  const trun = find(moof, "traf", "trun");
  return {
    decodeTime: Number(tfdt.readBigUInt64BE(4)),
    duration: runDuration(trun, headerDefault(tfhd, 0x08) ?? trexDuration),
    sequenceNumber: find(moof, "mfhd").readUInt32BE(4),
  };
}

/** The default of `tfhd` with this flag (0x08 duration, 0x10 size, 0x20 flags), behind the optional fields before it. */
function headerDefault(tfhd: Buffer, flag: 0x08 | 0x10 | 0x20): number | undefined {
  const flags = tfhd.readUInt32BE(0) & 0xffffff;
  if (!(flags & flag)) return undefined;
  const before = [0x02, 0x08, 0x10].filter((one) => one < flag && flags & one);
  return tfhd.readUInt32BE(8 + (flags & 0x01 ? 8 : 0) + 4 * before.length);
}

function runDuration(trun: Buffer, defaultDuration: number): number {
  const flags = trun.readUInt32BE(0) & 0xffffff;
  const count = trun.readUInt32BE(4);
  if (!(flags & 0x100)) return count * defaultDuration;
  let at = 8 + (flags & 0x01 ? 4 : 0) + (flags & 0x04 ? 4 : 0);
  const stride = 4 + (flags & 0x200 ? 4 : 0) + (flags & 0x400 ? 4 : 0) + (flags & 0x800 ? 4 : 0);
  let sum = 0;
  for (let sample = 0; sample < count; sample++, at += stride) sum += trun.readUInt32BE(at);
  return sum;
}

function find(bytes: Buffer, ...path: readonly string[]): Buffer {
  let body = bytes;
  for (const type of path) {
    const box = readBoxes(body).find((one) => one.type === type);
    if (!box) throw new Error(`no ${path.join("/")}`);
    body = box.body;
  }
  return body;
}
