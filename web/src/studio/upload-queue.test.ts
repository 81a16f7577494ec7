import assert from "node:assert/strict";
import { test } from "node:test";
import { titleOf } from "./upload-queue.ts";

test("a file's name becomes a title", () => {
  assert.equal(titleOf("my_holiday-2024.mp4"), "my holiday-2024");
  assert.equal(titleOf("v1.2 final.mkv"), "v1.2 final");
  assert.equal(titleOf("___.mov"), "___.mov");
});
