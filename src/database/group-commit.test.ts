import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { GroupCommit, type Outcome } from "./group-commit.ts";
import { openForWriting, toDomainError } from "./sqlite.ts";
import type { Statement, Unit } from "./statement.ts";

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

function unit(...statements: Statement[]): Unit {
  return { statements, isGuarded: false };
}

const insertion = (id: number, body = "x") => ({ sql: "insert into item values (?, ?)", parameters: [id, body] });
const insert = (id: number, body?: string) => unit(insertion(id, body));
const idsIn = (database: DatabaseSync) =>
  database
    .prepare("select id from item order by id")
    .all()
    .map((row) => row.id);
const codesOf = (outcomes: readonly Outcome[]) =>
  outcomes.map((outcome) => ("problem" in outcome ? outcome.problem.resultCode : "done"));

test("lets a statement that fails fail alone", async (t) => {
  const database = await openTable(t);
  const outcomes = new GroupCommit(database).commit([insert(1), insert(1), insert(2)]);
  assert.deepEqual(codesOf(outcomes), ["done", 1555, "done"]);
  assert.deepEqual({ ...database.prepare("select count(*) as n from item").get() }, { n: 2 });
});

test("undoes the whole unit of which a statement fails, and no other", async (t) => {
  const database = await openTable(t);
  const outcomes = new GroupCommit(database).commit([
    insert(1),
    unit(insertion(2), insertion(3), insertion(1)),
    unit(insertion(4), insertion(5)),
  ]);
  assert.deepEqual(codesOf(outcomes), ["done", 1555, "done"]);
  assert.deepEqual(idsIn(database), [1, 4, 5]);
});

test("leaves a guarded unit alone whose first statement gives no row", async (t) => {
  const database = await openTable(t);
  const move = (from: number, to: number) => ({
    sql: "update item set id = ? where id = ? returning id",
    parameters: [to, from],
  });
  const outcomes = new GroupCommit(database).commit([
    insert(1),
    { statements: [move(7, 8), insertion(2)], isGuarded: true },
    { statements: [move(1, 9), insertion(3)], isGuarded: true },
  ]);
  assert.deepEqual(codesOf(outcomes), ["done", "done", "done"]);
  assert.deepEqual(outcomes[1], { result: undefined });
  assert.deepEqual(idsIn(database), [3, 9]);
});

test("gives rows where the statement makes some, and counts changes where it does not", async (t) => {
  const group = new GroupCommit(await openTable(t));
  const [inserted, updated, deleted] = group.commit([
    insert(1),
    unit({ sql: "update item set body = ? returning id, body", parameters: ["y"] }),
    unit({ sql: "delete from item", parameters: [] }),
  ]);
  assert.deepEqual(inserted, { result: [{ rows: [], changedCount: 1 }] });
  assert.ok(updated && "result" in updated);
  assert.deepEqual(
    updated.result?.[0]?.rows.map((row) => ({ ...(row as object) })),
    [{ id: 1, body: "y" }],
  );
  assert.deepEqual(deleted, { result: [{ rows: [], changedCount: 1 }] });
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
  assert.match(toDomainError(first.problem).message, /^the disk that holds the database is full/);
  database.exec("pragma max_page_count = 1000");
  assert.deepEqual(codesOf(group.commit([insert(3)])), ["done"]);
  assert.deepEqual(idsIn(database), [3]);
});
