import assert from "node:assert/strict";
import { test } from "node:test";
import { asSentence } from "./sentence.ts";

test("half a line becomes a sentence, and a sentence stays one", () => {
  assert.equal(asSentence("the file is damaged"), "The file is damaged.");
  assert.equal(asSentence("It failed. Try again!"), "It failed. Try again!");
  assert.equal(asSentence(" éclair "), "Éclair.");
  assert.equal(asSentence(""), "");
});
