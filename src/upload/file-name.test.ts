import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { cleanFileName } from "./file-name.ts";

test("keeps a name as people read it", () => {
  for (const name of ["film.mp4", "Été à Nîmes (2024).mov", "映画.mkv", "👩‍👩‍👧.webm", "..", "a b.avi"]) {
    assert.equal(cleanFileName(name, "upload"), name);
  }
});

test("leaves out what is no name", () => {
  assert.equal(cleanFileName("C:\\Users\\me\\film.mp4", "upload"), "film.mp4");
  assert.equal(cleanFileName("../../etc/passwd", "upload"), "passwd");
  assert.equal(cleanFileName("a\0b\nc\u007f.mp4", "upload"), "abc.mp4");
  assert.equal(cleanFileName("half \ud800 of it", "upload"), "half \ufffd of it");
  for (const nothing of [undefined, "", " ", "folder/", "\0"]) assert.equal(cleanFileName(nothing, "upload"), "upload");
});

test("gives a name that can be kept, whatever it is given", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 600 }), (given) => {
      const name = cleanFileName(given, "upload");
      assert.ok(name.length > 0 && Array.from(name).length <= 255);
      assert.ok(name.isWellFormed() && !/[\\/\p{Cc}]/u.test(name));
      assert.equal(cleanFileName(name, "upload"), name);
    }),
  );
});
