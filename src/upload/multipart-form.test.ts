import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DomainError } from "../core/errors.ts";
import { MultipartForm } from "./multipart-form.ts";

const BOUNDARY = "----a boundary of 2026";
const HEADERS = { "content-type": `multipart/form-data; boundary="${BOUNDARY}"` };

interface ReadForm {
  readonly fileName: string;
  readonly bytes: Buffer;
  readonly fields: Record<string, string>;
}

async function* inPieces(body: Buffer, sizes: readonly number[]) {
  for (let at = 0, i = 0; at < body.byteLength; i++) {
    const end = at + (sizes[i % sizes.length] ?? body.byteLength);
    yield body.subarray(at, end);
    at = end;
  }
}

async function read(body: Buffer, sizes: readonly number[] = [body.byteLength], headers = HEADERS): Promise<ReadForm> {
  const form = new MultipartForm({
    headers,
    bytes: inPieces(body, sizes),
    fileFields: ["video", "file"],
    checkField: (name) => {
      if (name === "refused") throw new DomainError("INVALID_REQUEST", "refused: is never taken");
    },
  });
  const { fileName, bytes } = await form.file();
  const whole = Buffer.concat(await Array.fromAsync(bytes));
  return { fileName, bytes: whole, fields: Object.fromEntries(await form.fields()) };
}

type Part = readonly [head: string, body: Buffer | string];

function formOf(...parts: readonly Part[]): Buffer {
  const pieces = parts.flatMap(([head, body]) => [
    Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; ${head}\r\n\r\n`),
    Buffer.from(body),
    Buffer.from("\r\n"),
  ]);
  return Buffer.concat([...pieces, Buffer.from(`--${BOUNDARY}--\r\n`)]);
}

const filePart = (bytes: Buffer | string, name = "video", fileName = "film.mp4"): Part => [
  `name="${name}"; filename="${fileName}"\r\nContent-Type: video/mp4`,
  bytes,
];
const fieldPart = (name: string, value: string): Part => [`name="${name}"`, value];

test("gives back the file and the fields, in whatever order and pieces they come", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 400_000, size: "max" }),
      fc.string({ unit: "grapheme", maxLength: 300 }),
      fc.boolean(),
      fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1, maxLength: 5 }),
      async (content, title, isFileFirst, sizes) => {
        const parts = [filePart(Buffer.from(content)), fieldPart("title", title)];
        const form = await read(formOf(...(isFileFirst ? parts : parts.toReversed())), sizes);
        assert.ok(form.bytes.equals(content));
        assert.deepEqual(form.fields, { title: title.toWellFormed() });
        assert.equal(form.fileName, "film.mp4");
      },
    ),
    { numRuns: 40 },
  );
});

test("takes a body that is cut anywhere for no form", async () => {
  const body = formOf(fieldPart("title", "A film"), filePart("some bytes", "file"), fieldPart("description", "-"));
  for (let length = 0; length < body.byteLength - 4; length++) {
    await assert.rejects(read(body.subarray(0, length)), DomainError, `cut after ${length} bytes`);
  }
});

test("ends on any bytes, with a form or with a reason", async () => {
  const word = fc.constantFrom(
    `--${BOUNDARY}`,
    `--${BOUNDARY}--`,
    "\r\n",
    "\r\n\r\n",
    "Content-Disposition: form-data; ",
    'name="video"',
    '; filename="a"',
    "Content-Type: application/octet-stream\r\n",
    "Content-Disposition: attachment",
    "--",
  );
  const noise = fc.string({ unit: "binary", maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof({ weight: 4, arbitrary: word }, noise), { maxLength: 25 }), async (words) => {
      try {
        await read(Buffer.from(words.join("")), [7]);
      } catch (error) {
        assert.ok(error instanceof DomainError, String(error));
      }
    }),
    { numRuns: 500 },
  );
});

test("says what is wrong with a form", async () => {
  const film = filePart("bytes");
  const refusals: [Buffer, RegExp][] = [
    [formOf(fieldPart("title", "A")), /no file/],
    [formOf(film, film), /more than one file/],
    [formOf(filePart("bytes", "photo")), /video or file/],
    [formOf(film, fieldPart("title", "x".repeat(70_000))), /title is longer than 65536 bytes/],
    [formOf(...Array.from({ length: 21 }, (_, i) => fieldPart(`f${i}`, "")), film), /too many fields/],
    [formOf(film, fieldPart("refused", "")), /never taken/],
    [formOf(film, fieldPart("n".repeat(101), "")), /no usable name/],
    [Buffer.from("no form at all"), /does not follow/],
  ];
  for (const [body, message] of refusals) await assert.rejects(read(body), { code: "INVALID_REQUEST", message });
  for (const type of ["", "application/json", "multipart/form-data", "application/x-www-form-urlencoded"]) {
    const headers = { "content-type": type };
    await assert.rejects(read(formOf(film), [100], headers), { code: "INVALID_REQUEST" }, type);
  }
});

test("reads no faster than the file is taken", async () => {
  let readBytes = 0;
  async function* bytes() {
    const chunk = Buffer.alloc(16_384);
    yield formOf(filePart("")).subarray(0, -BOUNDARY.length - 8);
    for (;;) {
      readBytes += chunk.byteLength;
      yield chunk;
    }
  }
  const form = new MultipartForm({ headers: HEADERS, bytes: bytes(), fileFields: ["video"], checkField: () => {} });
  const file = (await form.file()).bytes[Symbol.asyncIterator]();
  for (let takenBytes = 0; takenBytes < 3_000_000; ) {
    takenBytes += (await file.next()).value?.byteLength ?? 0;
    assert.ok(readBytes - takenBytes < 400_000, `${readBytes - takenBytes} bytes are held`);
  }
  form.stop();
  await assert.rejects(file.next(), { code: "UPLOAD_INCOMPLETE" });
});

test("hands on what breaks the body off", async () => {
  async function* broken() {
    yield formOf(filePart("half")).subarray(0, -30);
    throw new Error("ECONNRESET");
  }
  const form = new MultipartForm({ headers: HEADERS, bytes: broken(), fileFields: ["video"], checkField: () => {} });
  const { bytes } = await form.file();
  await assert.rejects(Array.fromAsync(bytes), { code: "UPLOAD_INCOMPLETE" });
  await assert.rejects(form.fields(), { code: "UPLOAD_INCOMPLETE" });
});
