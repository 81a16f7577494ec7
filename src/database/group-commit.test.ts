import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { GroupCommit, type Outcome } from "./group-commit.ts";
import { openForWriting, toDomainError } from "./sqlite.ts";

async function openTable(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), "headwater-group-"));
  const database = openForWriting(join(directory, "test.sqlite"));
  t.after(async () => {
    database.close();
    await rm(directory, { recursive: true });
  });
  database.exec("create table item (id integer primary key, body text) strict");
  return database;
}

const insert = (id: number, body = "x") => ({ sql: "insert into item values (?, ?)", parameters: [id, body] });
const codesOf = (outcomes: readonly Outcome[]) =>
  outcomes.map((outcome) => ("problem" in outcome ? outcome.problem.resultCode : "done"));

test("lets a statement that fails fail alone", async (t) => {
  const database = await openTable(t);
  const outcomes = new GroupCommit(database).commit([insert(1), insert(1), insert(2)]);
  assert.deepEqual(codesOf(outcomes), ["done", 1555, "done"]);
  assert.deepEqual({ ...database.prepare("select count(*) as n from item").get() }, { n: 2 });
});

test("gives rows where the statement makes some, and counts changes where it does not", async (t) => {
  const group = new GroupCommit(await openTable(t));
  const [inserted, updated, deleted] = group.commit([
    insert(1),
    { sql: "update item set body = ? returning id, body", parameters: ["y"] },
    { sql: "delete from item", parameters: [] },
  ]);
  assert.deepEqual(inserted, { result: { rows: [], changedCount: 1 } });
  assert.ok(updated && "result" in updated);
  assert.deepEqual(
    updated.result.rows.map((row) => ({ ...(row as object) })),
    [{ id: 1, body: "y" }],
  );
  assert.deepEqual(deleted, { result: { rows: [], changedCount: 1 } });
});

test("fails every statement of a batch that the disk has no room for, and goes on when there is room", async (t) => {
  const database = await openTable(t);
  const group = new GroupCommit(database);
  database.exec("pragma max_page_count = 4");
  const outcomes = group.commit([insert(1), insert(2, "x".repeat(100_000))]);
  assert.ok(outcomes.every((outcome) => "problem" in outcome));
  const [first] = outcomes;
  assert.ok(first && "problem" in first);
  assert.equal(first.problem.resultCode, 13);
  assert.match(toDomainError(first.problem).message, /^the disk that holds the catalog is full/);
  database.exec("pragma max_page_count = 1000");
  assert.deepEqual(codesOf(group.commit([insert(3)])), ["done"]);
  assert.deepEqual(
    database
      .prepare("select id from item")
      .all()
      .map((row) => row.id),
    [3],
  );
});
