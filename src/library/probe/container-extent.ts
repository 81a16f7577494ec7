import { DomainError, MalformedInput } from "../../core/errors.ts";
import { ByteReader } from "../../media/byte-reader.ts";
import { readEbmlId, readEbmlSize } from "./container.ts";
import type { Container } from "./source-media.ts";

/** Bytes of a file by place; fewer than asked for at its end. */
export interface RandomAccess {
  readonly sizeBytes: number;
  read(first: number, byteCount: number): Promise<Uint8Array>;
}

/** What a container says of its own length, against what is there. */
export interface ContainerExtent {
  /** It claims more bytes than there are: the end is missing. It plays as far as it goes. */
  readonly isCut: boolean;
  /** Its header need not tell how long it plays; that has to be found out by reading on. */
  readonly isOpenEnded: boolean;
}

/**
 * Reads the outermost structure of a file. Throws DomainError MEDIA_DAMAGED when what is there cannot be played: an MP4
 * without its index, or one that is cut and whose index speaks of what is missing.
 */
export function readExtent(container: Container, file: RandomAccess): Promise<ContainerExtent> {
  return EXTENTS[container](file);
}

const EXTENTS: Readonly<Record<Container, (file: RandomAccess) => Promise<ContainerExtent>>> = {
  mp4: readBoxes,
  mov: readBoxes,
  matroska: readSegment,
  webm: readSegment,
  avi: readRiff,
};

/** Fragmented files have thousands of boxes, and show that they are fragmented in the first of them. */
const MOST_BOXES = 64;
/** Six hours of 60 pictures a second have some 30 MB of it. */
const LARGEST_INDEX_BYTES = 256 * 1024 * 1024;

const KNOWN_BOXES = new Set(["ftyp", "moov", "mdat", "moof", "sidx", "styp", "free", "skip", "wide", "uuid", "meta"]);

interface TopBox {
  readonly type: string;
  readonly first: number;
  readonly sizeBytes: number;
}

async function readBoxes(file: RandomAccess): Promise<ContainerExtent> {
  const boxes: TopBox[] = [];
  let at = 0;
  while (at < file.sizeBytes && boxes.length < MOST_BOXES) {
    const box = await readTopBox(file, at);
    if (!box) break;
    boxes.push(box);
    at += box.sizeBytes;
  }
  return judgeBoxes(boxes, at, file.sizeBytes);
}

async function readTopBox(file: RandomAccess, first: number): Promise<TopBox | undefined> {
  const reader = new ByteReader(await file.read(first, 16), "box", first);
  if (reader.bytesLeft < 8) return undefined;
  const size = reader.u32();
  const type = reader.fourCc();
  if (size === 0) return { type, first, sizeBytes: file.sizeBytes - first };
  const sizeBytes = size === 1 && reader.bytesLeft >= 8 ? reader.u64() : size;
  // What is appended to a film and is no box (a tag of some tool) ends the reading, not the film.
  const isBox = KNOWN_BOXES.has(type) || first + sizeBytes <= file.sizeBytes;
  return sizeBytes >= 8 && isBox ? { type, first, sizeBytes } : undefined;
}

function judgeBoxes(boxes: readonly TopBox[], endAt: number, sizeBytes: number): ContainerExtent {
  const isFragmented = boxes.some(({ type }) => type === "moof");
  const index = boxes.find(({ type }) => type === "moov");
  const isCut = endAt > sizeBytes;
  if (index && index.sizeBytes > LARGEST_INDEX_BYTES) throw damaged(`its index claims ${index.sizeBytes} bytes`);
  if (index && index.first + index.sizeBytes > sizeBytes) throw damaged("it ends within its index");
  if (isCut && !isFragmented) {
    throw damaged(`it says that it has ${endAt} bytes, and ${sizeBytes} are there: the end is missing`);
  }
  const isReadWhole = boxes.length < MOST_BOXES;
  if (!index && isReadWhole) throw damaged("its index (moov) is missing: it was cut short, or never finished");
  return { isCut, isOpenEnded: isFragmented };
}

function damaged(what: string): DomainError {
  return new DomainError("MEDIA_DAMAGED", `the file cannot be played: ${what}`);
}

const SEGMENT = 0x18538067;

async function readSegment(file: RandomAccess): Promise<ContainerExtent> {
  const reader = new ByteReader(await file.read(0, 4096), "Matroska");
  try {
    readEbmlId(reader);
    reader.skip(readEbmlSize(reader) ?? 0);
    while (readEbmlId(reader) !== SEGMENT) reader.skip(readEbmlSize(reader) ?? 0);
    const byteCount = readEbmlSize(reader);
    if (byteCount === undefined) return { isCut: false, isOpenEnded: true };
    return { isCut: reader.position + byteCount > file.sizeBytes, isOpenEnded: false };
  } catch (error) {
    if (error instanceof MalformedInput) throw damaged("there is nothing behind its header");
    throw error;
  }
}

/** An OpenDML file goes on in further RIFF chunks: the first may be shorter than the file, never longer. */
async function readRiff(file: RandomAccess): Promise<ContainerExtent> {
  const reader = new ByteReader(await file.read(0, 12), "AVI");
  reader.skip(4);
  const byteCount = reader.u32LittleEndian();
  return { isCut: byteCount + 8 > file.sizeBytes + 1, isOpenEnded: byteCount === 0 };
}
