import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DomainError } from "../../core/errors.ts";
import { SNIFFED_BYTES, sniffContainer } from "./container.ts";
import { readExtent } from "./container-extent.ts";
import { CONTAINERS } from "./source-media.ts";

const bytes = (text: string) => Uint8Array.from(Buffer.from(text, "latin1"));
const box = (type: string, body: string, size = 8 + body.length) => {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(size);
  return head.toString("latin1") + type + body;
};
const ebml = (docType: string) => {
  const body = `\x42\x86\x81\x01\x42\x82${String.fromCharCode(0x80 + docType.length)}${docType}`;
  return `\x1a\x45\xdf\xa3${String.fromCharCode(0x80 + body.length)}${body}`;
};

test("tells the containers apart by their first bytes", () => {
  const cases: readonly (readonly [string, string])[] = [
    [box("ftyp", "isom\0\0\x02\0isomiso2avc1mp41"), "mp4"],
    [box("ftyp", "M4V \0\0\0\0M4V mp42"), "mp4"],
    [box("ftyp", "qt  \0\0\0\0qt  "), "mov"],
    [box("wide", "") + box("mdat", "\0".repeat(20)), "mov"],
    [box("moov", "\0".repeat(20)), "mov"],
    [box("mdat", "\0".repeat(20), 1), "mov"],
    [ebml("matroska"), "matroska"],
    [ebml("webm"), "webm"],
    ["RIFF\x10\0\0\0AVI LIST", "avi"],
  ];
  for (const [text, container] of cases) assert.equal(sniffContainer(bytes(text)), container);
});

test("says what a file is that is none of them", () => {
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ["", "NOT_MEDIA", /empty/],
    ["PK\x03\x04\x14\0", "NOT_MEDIA", /a ZIP archive/],
    ["#EXTM3U\n#EXT-X-VERSION:3\n", "NOT_MEDIA", /an HLS playlist/],
    ["\xef\xbb\xbf\n#EXTM3U\n", "NOT_MEDIA", /an HLS playlist/],
    ["ffconcat version 1.0\nfile secret.mp4\n", "NOT_MEDIA", /a list of files/],
    ['<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011">', "NOT_MEDIA", /a DASH manifest/],
    ["<!DOCTYPE html><html>", "NOT_MEDIA", /a web page/],
    ["<svg xmlns='x'>", "NOT_MEDIA", /an XML document/],
    ["%PDF-1.7", "NOT_MEDIA", /a PDF/],
    ["\x89PNG\r\n\x1a\n", "NOT_MEDIA", /a PNG picture/],
    ["\xff\xd8\xff\xe0", "NOT_MEDIA", /a JPEG picture/],
    [box("ftyp", "heic\0\0\0\0mif1heic"), "NOT_MEDIA", /an HEIF or AVIF picture/],
    ["RIFF\x10\0\0\0WEBPVP8 ", "NOT_MEDIA", /a WebP picture/],
    ["\x7fELF\x02\x01", "NOT_MEDIA", /a program/],
    ["some words", "NOT_MEDIA", /of no kind that is known/],
    [ebml("other"), "NOT_MEDIA", /of no kind/],
    [`G${"\0".repeat(187)}G${"\0".repeat(187)}G`, "UNSUPPORTED_CONTAINER", /an MPEG transport stream;/],
    ["FLV\x01\x05", "UNSUPPORTED_CONTAINER", /a Flash video; MP4, MOV, MKV, WebM and AVI are taken/],
    ["RIFF\x10\0\0\0WAVEfmt ", "UNSUPPORTED_CONTAINER", /a WAV file/],
    ["ID3\x04\0", "UNSUPPORTED_CONTAINER", /an MP3 file/],
    ["OggS\0\x02", "UNSUPPORTED_CONTAINER", /an Ogg file/],
  ];
  for (const [text, code, message] of cases) assert.throws(() => sniffContainer(bytes(text)), { code, message });
});

/** Bytes that begin as one of ours does, and go on at random. */
const almost = fc
  .tuple(
    fc.constantFrom(
      "",
      box("ftyp", "isom", 16),
      "\0\0\0\x18ftyp",
      "\x1a\x45\xdf\xa3",
      ebml("webm"),
      "RIFF\xff\xff\xff\xffAVI ",
    ),
    fc.uint8Array({ maxLength: 200 }),
  )
  .map(([head, rest]) => Buffer.concat([bytes(head), rest]));

test("gives a container or a reason for any bytes", () => {
  fc.assert(
    fc.property(almost, (head) => {
      try {
        assert.ok(CONTAINERS.includes(sniffContainer(head)));
      } catch (error) {
        assert.ok(error instanceof DomainError, String(error));
        assert.ok(error.code === "NOT_MEDIA" || error.code === "UNSUPPORTED_CONTAINER");
      }
    }),
  );
});

/** A file that is `data` and, perhaps, nothing but zeros behind it; counts what is read. */
function fileOf(data: Uint8Array, sizeBytes = data.length) {
  const file = {
    sizeBytes,
    readCount: 0,
    async read(first: number, byteCount: number) {
      file.readCount += 1;
      const end = Math.min(first + byteCount, sizeBytes);
      const piece = Buffer.alloc(Math.max(0, end - first));
      piece.set(data.subarray(first, Math.min(end, data.length)));
      return piece;
    },
  };
  return file;
}

test("refuses an MP4 that is cut, or without an index", async () => {
  const brand = box("ftyp", "isom\0\0\x02\0");
  const claimsTenGigabytes = `${brand + box("moov", "x".repeat(40))}\0\0\0\x01mdat\0\0\0\x02\x54\x0b\xe4\0${"x".repeat(100)}`;
  const cases: readonly (readonly [string, RegExp])[] = [
    [brand + box("mdat", "x".repeat(100)), /its index \(moov\) is missing/],
    [brand + box("mdat", "x".repeat(100), 5000), /it has 5016 bytes, and 124 are there/],
    [claimsTenGigabytes, /it says that it has 10000000064 bytes/],
    [brand + box("moov", "x".repeat(40), 400), /ends within its index/],
    [brand + box("moov", "", 0x7fffffff), /its index claims/],
    [brand, /is missing/],
  ];
  for (const [text, message] of cases) {
    await assert.rejects(readExtent("mp4", fileOf(bytes(text))), { code: "MEDIA_DAMAGED", message });
  }
});

test("lets play what can be played as far as it goes", async () => {
  const whole = box("ftyp", "isom\0\0\x02\0") + box("moov", "x".repeat(40));
  const tagged = `${whole + box("mdat", "x".repeat(40))}TAG of some old tool`;
  assert.deepEqual(await readExtent("mp4", fileOf(bytes(tagged))), { isCut: false, isOpenEnded: false });
  const fragment = box("moof", "x") + box("mdat", "x".repeat(30));
  const cut = bytes(whole + fragment + box("moof", "x") + box("mdat", "x".repeat(30), 900));
  assert.deepEqual(await readExtent("mp4", fileOf(cut)), { isCut: true, isOpenEnded: true });
  const segment = (size: string) => bytes(`${ebml("webm")}\x18\x53\x80\x67${size}${"x".repeat(50)}`);
  assert.deepEqual(await readExtent("webm", fileOf(segment("\xb2"))), { isCut: false, isOpenEnded: false });
  assert.deepEqual(await readExtent("webm", fileOf(segment("\x41\x00"))), { isCut: true, isOpenEnded: false });
  assert.deepEqual(await readExtent("webm", fileOf(segment("\x01\xff\xff\xff\xff\xff\xff\xff"))), {
    isCut: false,
    isOpenEnded: true,
  });
  assert.deepEqual(await readExtent("avi", fileOf(bytes("RIFF\x20\0\0\0AVI LIST"))), {
    isCut: true,
    isOpenEnded: false,
  });
});

test("reads few places of a file, whatever it claims to hold", async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...CONTAINERS), almost, fc.nat(1e12), async (container, head, more) => {
      const file = fileOf(Buffer.concat([head, Buffer.alloc(SNIFFED_BYTES)]), SNIFFED_BYTES + head.length + more);
      await readExtent(container, file).catch((error: unknown) =>
        assert.ok(error instanceof DomainError, String(error)),
      );
      assert.ok(file.readCount <= 64);
    }),
  );
});
