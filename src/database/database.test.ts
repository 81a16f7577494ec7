import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { type DatabasePlace, servedPostgres, temporaryDirectory, testOnEach } from "../../test/support/databases.ts";
import { PostgresServer } from "../../test/support/postgres-server.ts";
import { DomainError, type ErrorCode } from "../core/errors.ts";
import { silentLogger } from "../core/logger.ts";
import { Database } from "./database.ts";
import { type MigrationList, tableOf } from "./migrations.ts";
import { isForeignKeyViolation, isUniqueViolation } from "./violations.ts";

const onEach = testOnEach(servedPostgres());

interface Schema {
  readonly item: { readonly id: string; readonly amount: number };
  readonly part: { readonly item_id: string };
}

const ITEMS: MigrationList = {
  table: "item_migration",
  steps: {
    "0001-item": async (db, types) => {
      await tableOf(db, "item", types)
        .addColumn("id", types.key, (column) => column.primaryKey().notNull())
        .addColumn("amount", types.wholeNumber, (column) => column.notNull())
        .execute();
    },
    "0002-part": async (db, types) => {
      await tableOf(db, "part", types)
        .addColumn("item_id", types.key, (column) => column.notNull().references("item.id"))
        .execute();
    },
  },
};

async function openItems(t: TestContext, place: DatabasePlace) {
  const database = await Database.open({ ...place, log: silentLogger });
  t.after(() => database.close());
  await database.migrate(ITEMS);
  const { reader, writer } = database.tables<Schema>();
  const insert = (id: string, amount = 1) => writer.insertInto("item").values({ id, amount });
  const ids = async () => (await reader.selectFrom("item").select("id").orderBy("id").execute()).map((row) => row.id);
  return { database, reader, writer, insert, ids };
}

function refusedWith(code: ErrorCode, message: RegExp) {
  return (problem: unknown) => {
    assert.ok(problem instanceof DomainError, String(problem));
    assert.equal(problem.code, code, problem.message);
    assert.match(problem.message, message);
    return true;
  };
}

/** Runs a module that is given what `place` says; it dies with the test. */
function runModule(
  t: TestContext,
  text: string,
  { dataDir, url }: DatabasePlace,
): ChildProcess & { stdout: NodeJS.ReadableStream } {
  const imports = `
    import { Database } from ${JSON.stringify(new URL("./database.ts", import.meta.url))};
    import { tableOf } from ${JSON.stringify(new URL("./migrations.ts", import.meta.url))};
    import { silentLogger } from ${JSON.stringify(new URL("../core/logger.ts", import.meta.url))};
    const [, dataDir, url] = process.argv;
  `;
  const places = url === undefined ? [dataDir] : [dataDir, url];
  const child = spawn(process.execPath, ["--input-type=module", "--eval", imports + text, ...places], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  return child;
}

onEach("commits all statements of a unit or none, and gives the rows of each", async (t, place) => {
  const { database, insert, writer, ids } = await openItems(t, place);
  const [, changed, found] = await database.transact([
    insert("a", 2),
    writer
      .updateTable("item")
      .set((eb) => ({ amount: eb("amount", "+", 40) }))
      .returning(["id", "amount"]),
    writer.selectFrom("item").select("amount"),
  ]);
  assert.deepEqual([{ ...changed[0] }, { ...found[0] }], [{ id: "a", amount: 42 }, { amount: 42 }]);
  await assert.rejects(database.transact([insert("b"), insert("c"), insert("a")]), isUniqueViolation);
  assert.deepEqual(await ids(), ["a"]);
});

onEach("leaves a unit alone whose guard gives no row", async (t, place) => {
  const { database, insert, writer, ids } = await openItems(t, place);
  await insert("a").execute();
  const take = (amount: number) =>
    writer.updateTable("item").set({ amount: 9 }).where("amount", "=", amount).returning("id");
  assert.equal(await database.transactIf(take(7), [insert("b")]), undefined);
  const [taken] = (await database.transactIf(take(1), [insert("c")])) ?? [];
  assert.deepEqual(
    taken?.map((row) => row.id),
    ["a"],
  );
  assert.deepEqual(await ids(), ["a", "c"]);
});

onEach("lets one of many callers take what there is once", async (t, place) => {
  const { database, insert, writer } = await openItems(t, place);
  await insert("a", 1).execute();
  const take = () => writer.updateTable("item").set({ amount: 0 }).where("amount", "=", 1).returning("id");
  const outcomes = await Promise.all(
    Array.from({ length: 16 }, (_, n) => database.transactIf(take(), [insert(`n${n}`, 5)])),
  );
  assert.equal(outcomes.filter((outcome) => outcome !== undefined).length, 1);
});

onEach("goes on when units hold rows that others want in another order", async (t, place) => {
  const { database, insert, writer, reader } = await openItems(t, place);
  await database.transact([insert("a", 0), insert("b", 0)]);
  const raise = (id: string) =>
    writer
      .updateTable("item")
      .set((eb) => ({ amount: eb("amount", "+", 1) }))
      .where("id", "=", id);
  const units = Array.from({ length: 10 }, (_, n) =>
    database.transact(n % 2 === 0 ? [raise("a"), raise("b")] : [raise("b"), raise("a")]),
  );
  await Promise.all(units);
  const rows = await reader.selectFrom("item").select("amount").execute();
  assert.deepEqual(
    rows.map((row) => row.amount),
    [10, 10],
  );
});

onEach("counts what a statement changed, and knows whole numbers up to 2^53", async (t, place) => {
  const { insert, writer, reader } = await openItems(t, place);
  await insert("a", 2 ** 53 - 1).execute();
  const { amount } = await reader.selectFrom("item").select("amount").executeTakeFirstOrThrow();
  assert.equal(amount, 2 ** 53 - 1);
  const { numUpdatedRows } = await writer.updateTable("item").set({ amount: 1 }).executeTakeFirstOrThrow();
  assert.equal(numUpdatedRows, 1n);
  const sums = reader.selectFrom("item").select((eb) => [eb.fn.sum("amount").as("sum"), eb.fn.countAll().as("count")]);
  assert.deepEqual({ ...(await sums.executeTakeFirst()) }, { sum: 1, count: 1 });
  const { numDeletedRows } = await writer.deleteFrom("item").where("id", "=", "b").executeTakeFirstOrThrow();
  assert.equal(numDeletedRows, 0n);
});

onEach("tells violations apart", async (t, place) => {
  const { insert, writer } = await openItems(t, place);
  await insert("a").execute();
  const unique = await insert("a")
    .execute()
    .catch((thrown: unknown) => thrown);
  assert.deepEqual([isUniqueViolation(unique), isForeignKeyViolation(unique)], [true, false]);
  const foreign = await writer
    .insertInto("part")
    .values({ item_id: "x" })
    .execute()
    .catch((thrown: unknown) => thrown);
  assert.deepEqual([isUniqueViolation(foreign), isForeignKeyViolation(foreign)], [false, true]);
  assert.equal(isUniqueViolation(new Error("other")), false);
});

onEach("leads the stack of a failed statement back to its caller", async (t, place) => {
  const { insert } = await openItems(t, place);
  async function storeTwice() {
    await insert("a").execute();
    await insert("a").execute();
  }
  const problem = await storeTwice().catch((thrown: unknown) => thrown);
  assert.ok(problem instanceof DomainError && problem.cause instanceof Error);
  assert.match(problem.stack ?? "", /storeTwice/);
});

onEach("sorts keys byte by byte", async (t, place) => {
  const { database, insert, ids } = await openItems(t, place);
  await database.transact(["b", "B", "a", "_", "é", "1"].map((id) => insert(id)));
  assert.deepEqual(await ids(), ["1", "B", "_", "a", "b", "é"]);
});

onEach("runs the missing steps of each list, once, all or none", async (t, place) => {
  const { database, ids } = await openItems(t, place);
  assert.deepEqual(await database.migrate(ITEMS), []);
  const grown: MigrationList = {
    ...ITEMS,
    steps: {
      ...ITEMS.steps,
      "0003-more": async (db, types) => {
        await tableOf(db, "more", types).addColumn("id", types.key).execute();
      },
      "0004-fails": async () => {
        throw new Error("no");
      },
    },
  };
  await assert.rejects(database.migrate(grown), /no$/);
  const { "0004-fails": _, ...steps } = grown.steps;
  assert.deepEqual(await database.migrate({ ...grown, steps }), ["0003-more"], "its table was not left behind");
  await assert.rejects(database.migrate(ITEMS), refusedWith("UNAVAILABLE", /newer Headwater/));
  const others: MigrationList = { table: "other_migration", steps: { "0001-other": async () => undefined } };
  assert.deepEqual(await database.migrate(others), ["0001-other"]);
  assert.deepEqual(await ids(), []);
});

const MIGRATE = `
  process.stdin.once("data", async () => {
    const database = await Database.open({ dataDir, url, log: silentLogger });
    const step = (name) => async (db, types) => {
      await tableOf(db, name, types).addColumn("id", types.key).execute();
      await new Promise((resolve) => setTimeout(resolve, 50));
    };
    const list = { table: "made_migration", steps: { "0001-a": step("a"), "0002-b": step("b") } };
    console.log(JSON.stringify(await database.migrate(list)));
    await database.close();
    process.exit();
  });
  console.log("waiting");
`;

onEach("migrates once when several processes start at the same instant", async (t, place) => {
  const children = [1, 2, 3].map(() => runModule(t, MIGRATE, place));
  const lines = children.map((child) => createInterface({ input: child.stdout })[Symbol.asyncIterator]());
  for (const line of lines) assert.equal((await line.next()).value, "waiting");
  for (const child of children) child.stdin?.end("go");
  const steps = await Promise.all(lines.map(async (line) => JSON.parse(String((await line.next()).value))));
  assert.deepEqual(steps.flat(), ["0001-a", "0002-b"]);
  await Promise.all(children.map(async (child) => child.exitCode ?? (await once(child, "exit"))));
});

const WRITE_IN_STEP = `
  const database = await Database.open({ dataDir, url, log: silentLogger });
  const { writer } = database.tables();
  for (let n = 0; n < 300; n++)
    await database.transact([
      writer.insertInto("item").values({ id: "child-" + String(n).padStart(3, "0"), amount: n }),
      writer.updateTable("item").set((eb) => ({ amount: eb("amount", "+", 1) })).where("id", "=", "shared"),
    ]);
  console.log("written");
  process.exit();
`;

onEach("takes writes of two processes at once, and each sees the other's", async (t, place) => {
  const { database, insert, writer, reader, ids } = await openItems(t, place);
  await insert("shared", 0).execute();
  const child = runModule(t, WRITE_IN_STEP, place);
  let isOver = false;
  const over = once(child.stdout, "data").then(() => {
    isOver = true;
  });
  let count = 0;
  for (; !isOver || count < 300; count++)
    await database.transact([
      insert(`parent-${count}`),
      writer
        .updateTable("item")
        .set((eb) => ({ amount: eb("amount", "+", 1) }))
        .where("id", "=", "shared"),
    ]);
  await over;
  const shared = await reader.selectFrom("item").select("amount").where("id", "=", "shared").executeTakeFirst();
  assert.equal(shared?.amount, 300 + count);
  assert.equal((await ids()).length, 1 + 300 + count);
});

onEach("closes with what it was given on disk, and then refuses more", async (t, place) => {
  const { database, insert } = await openItems(t, place);
  await database.check();
  const writes = Array.from({ length: 50 }, (_, n) => insert(`s${n}`).execute());
  await database.close();
  assert.equal((await Promise.all(writes)).length, 50);
  await assert.rejects(insert("late").execute(), refusedWith("UNAVAILABLE", /clos/));
  await assert.rejects(database.check());
  assert.equal((await (await openItems(t, place)).ids()).length, 50);
});

test("works on when the PostgreSQL server was away, and loses nothing that it acknowledged", async (t) => {
  await using server = await PostgresServer.start();
  const place = { dataDir: await temporaryDirectory(t), url: await server.createDatabase() };
  const { database, insert, ids } = await openItems(t, place);
  const acknowledged: string[] = [];
  const problems: unknown[] = [];
  let isStopped = false;
  const write = async (name: string) => {
    for (let n = 0; !isStopped; n++) {
      const id = `${name}-${n}`;
      await database.transact([insert(id), insert(`${id}+`)]).then(
        () => acknowledged.push(id, `${id}+`),
        (problem: unknown) => problems.push(problem),
      );
    }
  };
  const until = async (isSo: () => boolean) => {
    while (!isSo()) await new Promise(setImmediate);
  };
  const writers = ["a", "b", "c", "d"].map(write);
  await until(() => acknowledged.length > 200);
  await server.crash();
  await until(() => problems.length > 20);
  await assert.rejects(database.check(), refusedWith("UNAVAILABLE", /cannot be reached|stopping/));
  await server.launch();
  const countBefore = acknowledged.length;
  await until(() => acknowledged.length > countBefore + 200);
  isStopped = true;
  await Promise.all(writers);
  for (const problem of problems) refusedWith("UNAVAILABLE", /database/)(problem);
  const kept = new Set(await ids());
  assert.deepEqual(
    acknowledged.filter((id) => !kept.has(id)),
    [],
  );
  const halves = [...kept].filter((id) => !kept.has(id.endsWith("+") ? id.slice(0, -1) : `${id}+`));
  assert.deepEqual(halves, [], "no unit was kept by half");
  await database.check();
});

test("says in words why PostgreSQL cannot be used", async (t) => {
  await using server = await PostgresServer.start();
  const dataDir = await temporaryDirectory(t);
  const url = await server.createDatabase();
  const open = (wrong: string) => Database.open({ dataDir, url: wrong, log: silentLogger });
  await assert.rejects(open(url.replace("test_1", "none")), refusedWith("UNAVAILABLE", /no such database/));
  await assert.rejects(open(url.replace("headwater@", "nobody:geheim@")), (problem: unknown) => {
    assert.ok(problem instanceof DomainError);
    assert.match(problem.message, /refuses this user/);
    assert.doesNotMatch(`${problem.message} ${problem.stack}`, /geheim/);
    return true;
  });
  await server.crash();
  await assert.rejects(open(url), refusedWith("UNAVAILABLE", /cannot be reached/));
});
