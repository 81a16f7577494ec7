import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DomainError } from "../core/errors.ts";
import { parseUploadMetadata } from "./upload-metadata.ts";

const encode = (text: string) => Buffer.from(text).toString("base64");

test("reads names with values, and without", () => {
  const header = `filename ${encode("Café.mp4")}, is_private,title ${encode("")}`;
  assert.deepEqual(Object.fromEntries(parseUploadMetadata(header)), {
    filename: "Café.mp4",
    is_private: "",
    title: "",
  });
  for (const none of [undefined, "", " "]) assert.equal(parseUploadMetadata(none).size, 0);
});

test("gives back what was written", () => {
  const name = fc.stringMatching(/^[a-zA-Z0-9_.-]{1,20}$/);
  fc.assert(
    fc.property(fc.dictionary(name, fc.string({ unit: "grapheme" }), { noNullPrototype: true }), (values) => {
      const entries = Object.entries(values).map(([key, value]) => [key, value.toWellFormed()] as const);
      const header = entries.map(([key, value]) => `${key} ${encode(value)}`).join(",");
      assert.deepEqual([...parseUploadMetadata(header)], entries);
    }),
  );
});

test("refuses what is no such header, and never anything but so", () => {
  for (const header of [
    "filename x",
    "filename  YQ==",
    "a YQ==,a YQ==",
    ",",
    "é YQ==",
    "a b c",
    "filename YQ=",
    "a YQ==,",
  ]) {
    assert.throws(() => parseUploadMetadata(header), { code: "INVALID_REQUEST" }, header);
  }
  fc.assert(
    fc.property(fc.string({ unit: "binary-ascii" }), (header) => {
      try {
        parseUploadMetadata(header);
      } catch (error) {
        assert.ok(error instanceof DomainError && error.code === "INVALID_REQUEST");
      }
    }),
  );
});
