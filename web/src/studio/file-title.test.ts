import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { cutTitle, titleOf } from "./file-title.ts";

test("a file's name becomes a title", () => {
  assert.equal(titleOf("my_holiday-2024.mp4"), "my holiday-2024");
  assert.equal(titleOf("v1.2 final.mkv"), "v1.2 final");
  assert.equal(titleOf("___.mov"), "___.mov");
});

test("a title is what the server takes, however the file is called", () => {
  assert.equal(titleOf(`${"long ".repeat(50)}.mp4`), "long ".repeat(40).trim());
  assert.equal(titleOf("two\nlines\u0085.mp4"), "twolines");
  assert.equal(cutTitle(`${"a".repeat(199)}🎬`), "a".repeat(199), "no half of a character");
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 500 }), (name) => {
      const title = titleOf(name);
      assert.ok(title.length <= 200 && /^\P{Cc}*$/u.test(title));
      assert.equal(title.trim(), title);
    }),
  );
});
