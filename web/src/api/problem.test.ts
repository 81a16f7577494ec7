import assert from "node:assert/strict";
import { test } from "node:test";
import { problemOf, sentenceOf } from "./problem.ts";

test("a problem body speaks by its detail", () => {
  const problem = problemOf(409, { title: "A stream with this id exists", detail: "The id studio-1 is taken" });
  assert.equal(problem.status, 409);
  assert.equal(problem.title, "A stream with this id exists");
  assert.equal(sentenceOf(problem), "The id studio-1 is taken.");
});

test("a problem body without detail speaks by its title", () => {
  assert.equal(problemOf(404, { title: "No stream has this id" }).message, "No stream has this id");
});

test("an answer that is no problem body is named by its status", () => {
  for (const body of [undefined, null, "<html>", { detail: 7 }, { title: "" }]) {
    assert.equal(problemOf(502, body).message, "The server answered 502");
  }
});
