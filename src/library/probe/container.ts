import { DomainError, MalformedInput } from "../../core/errors.ts";
import { ByteReader } from "../../media/byte-reader.ts";
import type { Container } from "./source-media.ts";

/** As many of a file's first bytes as `sniffContainer` wants; a shorter file has fewer. */
export const SNIFFED_BYTES = 4096;

/** By these ffmpeg knows the demuxers of our containers; a file is opened with its own and no other. */
export const DEMUXERS: Readonly<Record<Container, string>> = {
  mp4: "mov",
  mov: "mov",
  matroska: "matroska",
  webm: "matroska",
  avi: "avi",
};

const TAKEN = "MP4, MOV, MKV, WebM and AVI are taken";

/**
 * The container that a file's first bytes are of, whatever its name says. Throws DomainError NOT_MEDIA or, for media that is
 * packed otherwise, UNSUPPORTED_CONTAINER; the message names what it seems to be.
 */
export function sniffContainer(head: Uint8Array): Container {
  const container = sniffBoxes(head) ?? sniffEbml(head) ?? sniffRiff(head);
  if (container) return container;
  if (head.length === 0) throw new DomainError("NOT_MEDIA", "the file is empty");
  const media = nameKind(OTHER_MEDIA, head);
  if (media) throw new DomainError("UNSUPPORTED_CONTAINER", `the file is ${media}; ${TAKEN}`);
  const noun = nameKind(NO_MEDIA, head) ?? "of no kind that is known";
  throw new DomainError("NOT_MEDIA", `the file is ${noun}; ${TAKEN}`);
}

/** Boxes that QuickTime files begin with when they have no `ftyp`. */
const LEADING_BOXES = new Set(["moov", "mdat", "wide", "free", "skip", "pnot"]);
const IMAGE_BRANDS = new Set(["avif", "avis", "heic", "heix", "hevc", "heim", "heis", "mif1", "msf1", "crx "]);
const SMALLEST_BOX = 8;

function sniffBoxes(head: Uint8Array): Container | undefined {
  if (head.length < 2 * SMALLEST_BOX) return undefined;
  const type = latin1(head, 4, 8);
  const size = new DataView(head.buffer, head.byteOffset).getUint32(0);
  if (type === "ftyp") return size < 2 * SMALLEST_BOX ? undefined : containerOfBrand(latin1(head, 8, 12));
  return LEADING_BOXES.has(type) && (size === 0 || size === 1 || size >= SMALLEST_BOX) ? "mov" : undefined;
}

function containerOfBrand(brand: string): Container | undefined {
  if (IMAGE_BRANDS.has(brand)) return undefined;
  return brand === "qt  " ? "mov" : "mp4";
}

const EBML_HEADER = 0x1a45dfa3;
const DOC_TYPE = 0x4282;

/** The header's DocType tells Matroska from WebM; other EBML files exist. */
function sniffEbml(head: Uint8Array): Container | undefined {
  const reader = new ByteReader(head, "EBML header");
  try {
    if (readEbmlId(reader) !== EBML_HEADER) return undefined;
    const endAt = (readEbmlSize(reader) ?? 0) + reader.position;
    while (reader.position < endAt) {
      const id = readEbmlId(reader);
      const body = reader.bytes(readEbmlSize(reader) ?? 0);
      if (id === DOC_TYPE) return containerOfDocType(latin1(body, 0, body.length).replace(/\0+$/, ""));
    }
  } catch (error) {
    if (!(error instanceof MalformedInput)) throw error;
  }
  return undefined;
}

function containerOfDocType(docType: string): Container | undefined {
  return docType === "matroska" || docType === "webm" ? docType : undefined;
}

/** An element's id with its length marker, as it is written in the standard. */
export function readEbmlId(reader: ByteReader): number {
  const lead = reader.u8();
  const length = Math.clz32(lead) - 23;
  if (length > 4) throw reader.malformed("no element id");
  return readRest(reader, lead, length);
}

/** An element's size; undefined when it is not known. */
export function readEbmlSize(reader: ByteReader): number | undefined {
  const lead = reader.u8();
  const length = Math.clz32(lead) - 23;
  if (length > 8) throw reader.malformed("no element size");
  const value = readRest(reader, lead & (0xff >> length), length);
  if (value === 2 ** (7 * length) - 1) return undefined;
  if (!Number.isSafeInteger(value)) throw reader.malformed("element size is out of range");
  return value;
}

function readRest(reader: ByteReader, lead: number, length: number): number {
  let value = lead;
  for (let index = 1; index < length; index++) value = value * 256 + reader.u8();
  return value;
}

function sniffRiff(head: Uint8Array): Container | undefined {
  return latin1(head, 0, 4) === "RIFF" && latin1(head, 8, 12) === "AVI " ? "avi" : undefined;
}

type Test = (head: Uint8Array) => boolean;
type NamedKind = readonly [noun: string, isIt: Test];

const begins =
  (...texts: readonly string[]): Test =>
  (head) =>
    texts.some((text) => latin1(head, 0, text.length) === text);
const has =
  (text: string, at: number): Test =>
  (head) =>
    latin1(head, at, at + text.length) === text;
/** Text, behind a byte order mark perhaps. */
const reads =
  (pattern: RegExp): Test =>
  (head) =>
    pattern.test(latin1(head, 0, 512).replace(/^\u00ef\u00bb\u00bf/, ""));
const hasSyncBytes =
  (first: number, distance: number): Test =>
  (head) =>
    [0, 1, 2].every((index) => head[first + index * distance] === 0x47);
const isImageBrand: Test = (head) => has("ftyp", 4)(head) && IMAGE_BRANDS.has(latin1(head, 8, 12));

/** What people upload by mistake or on purpose. The first that fits is named. */
const NO_MEDIA: readonly NamedKind[] = [
  ["a ZIP archive or an office document", begins("PK\x03\x04", "PK\x05\x06", "PK\x07\x08")],
  ["an HLS playlist", reads(/^\s*#EXTM3U/)],
  ["a list of files for ffmpeg", reads(/^\s*ffconcat/)],
  ["a DASH manifest", reads(/^\s*(<\?xml[^>]*>\s*)?(<!--[^>]*-->\s*)?<MPD\b/)],
  ["a web page", reads(/^\s*(<!doctype html|<html|<head|<body)/i)],
  ["an XML document", reads(/^\s*<(\?xml|svg)\b/i)],
  ["a PDF document", begins("%PDF")],
  ["a PNG picture", begins("\x89PNG")],
  ["a JPEG picture", begins("\xff\xd8\xff")],
  ["a GIF picture", begins("GIF8")],
  ["a WebP picture", has("WEBP", 8)],
  ["an HEIF or AVIF picture", isImageBrand],
  ["a gzip archive", begins("\x1f\x8b")],
  ["a 7-Zip archive", begins("7z\xbc\xaf\x27\x1c")],
  ["a RAR archive", begins("Rar!\x1a\x07")],
  ["a tar archive", has("ustar", 257)],
  ["a program", begins("\x7fELF", "MZ")],
  ["a script", begins("#!")],
];

const OTHER_MEDIA: readonly NamedKind[] = [
  ["an MPEG transport stream", hasSyncBytes(0, 188)],
  ["an MPEG transport stream (M2TS)", hasSyncBytes(4, 192)],
  ["an MPEG program stream", begins("\x00\x00\x01\xba")],
  ["a raw H.264 or MPEG video stream", begins("\x00\x00\x00\x01", "\x00\x00\x01")],
  ["a Flash video", begins("FLV\x01")],
  ["a Windows Media file", begins("\x30\x26\xb2\x75\x8e\x66\xcf\x11")],
  ["an MXF file", begins("\x06\x0e\x2b\x34")],
  ["an Ogg file", begins("OggS")],
  ["a RealMedia file", begins(".RMF")],
  ["a WAV file", has("WAVE", 8)],
  ["a FLAC file", begins("fLaC")],
  ["an AAC file", begins("\xff\xf0", "\xff\xf1", "\xff\xf8", "\xff\xf9")],
  ["an MP3 file", begins("ID3", "\xff\xf2", "\xff\xf3", "\xff\xfa", "\xff\xfb")],
];

function nameKind(kinds: readonly NamedKind[], head: Uint8Array): string | undefined {
  return kinds.find(([, isIt]) => isIt(head))?.[0];
}

function latin1(bytes: Uint8Array, first: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1", first, end);
}
