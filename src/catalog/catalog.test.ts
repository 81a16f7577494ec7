import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { servedPostgres, temporaryDirectory, testOnEach } from "../../test/support/databases.ts";
import { DomainError, type ErrorCode } from "../core/errors.ts";
import { parseStreamId, type StreamId } from "../core/ids.ts";
import { silentLogger } from "../core/logger.ts";
import { Catalog } from "./catalog.ts";
import type { NewStream } from "./stream-repository.ts";

const onEach = testOnEach(servedPostgres());

async function openCatalog(t: TestContext) {
  const directory = await temporaryDirectory(t);
  const catalog = await Catalog.open({ dataDir: directory, log: silentLogger });
  t.after(() => catalog.close());
  return { catalog, streams: catalog.streams, directory };
}

function id(text: string): StreamId {
  return parseStreamId(text) ?? assert.fail(`${text} is no stream id`);
}

function newStream(name: string, rest: Partial<NewStream> = {}): NewStream {
  const settings = { qualities: null, enableHls: true, enableDash: true, lowLatency: true, transcode: true };
  const key = { keyHash: `hash of ${name}`, keyHint: "abcd" };
  return { streamId: id(name), name: null, ingestType: "rtmp", ...key, settings, ...rest };
}

function refusedWith(code: ErrorCode, message: RegExp) {
  return (problem: unknown) => {
    assert.ok(problem instanceof DomainError, String(problem));
    assert.equal(problem.code, code);
    assert.match(problem.message, message);
    return true;
  };
}

test("leads the stack of a failed write back to its caller, with SQLite's own as the cause", async (t) => {
  const { streams } = await openCatalog(t);
  await streams.create(newStream("a"));
  const problem = await streams.create(newStream("b", { keyHash: "hash of a" })).catch((thrown: unknown) => thrown);
  assert.ok(problem instanceof DomainError && problem.cause instanceof Error);
  assert.match(problem.stack ?? "", /StreamRepository\.create/);
  assert.match(problem.cause.stack ?? "", /GroupCommit/);
});

test("migrates once, and refuses tables of a newer Headwater", async (t) => {
  const dataDir = await temporaryDirectory(t);
  const steps: unknown[] = [];
  const log = { ...silentLogger, info: (fields: Record<string, unknown>) => void steps.push(fields.steps) };
  for (let start = 0; start < 2; start++) await (await Catalog.open({ dataDir, log })).close();
  assert.deepEqual(steps, [["0001-stream", "0002-video", "0003-stream-video", "0004-rendition-begun"]]);
  const database = new DatabaseSync(join(dataDir, "catalog.sqlite"));
  database.exec("insert into kysely_migration values ('9999-of-tomorrow', '2030-01-01')");
  database.close();
  await assert.rejects(Catalog.open({ dataDir, log }), refusedWith("UNAVAILABLE", /may be of a newer Headwater/));
});

test("refuses what is not a catalog, and a place that cannot be written", async (t) => {
  const dataDir = await temporaryDirectory(t);
  await writeFile(join(dataDir, "catalog.sqlite"), "no database".repeat(1000));
  const open = (directory: string) => Catalog.open({ dataDir: directory, log: silentLogger });
  await assert.rejects(open(dataDir), refusedWith("UNAVAILABLE", /not a database/));
  await assert.rejects(
    open(join(dataDir, "catalog.sqlite", "below")),
    refusedWith("DATA_DIR_UNWRITABLE", /cannot be written \(ENOTDIR\)$/),
  );
});

test("commits what it was given before it closes, and then refuses more", async (t) => {
  const { catalog, streams, directory } = await openCatalog(t);
  await catalog.check();
  const writes = Array.from({ length: 50 }, (_, n) => streams.create(newStream(`s${n}`)));
  await catalog.close();
  assert.equal((await Promise.all(writes)).length, 50);
  await assert.rejects(streams.create(newStream("late")), refusedWith("UNAVAILABLE", /closed|closing/));
  await assert.rejects(catalog.check());
  assert.deepEqual(await readdir(directory), ["catalog.sqlite"]);
  assert.equal((await stat(join(directory, "catalog.sqlite"))).mode & 0o777, 0o600);
});

const WRITE_FOREVER = `
  import { Catalog } from ${JSON.stringify(new URL("./catalog.ts", import.meta.url))};
  import { silentLogger } from ${JSON.stringify(new URL("../core/logger.ts", import.meta.url))};
  const { streams } = await Catalog.open({ dataDir: process.argv[1], databaseUrl: process.argv[2], log: silentLogger });
  const settings = { qualities: null, enableHls: true, enableDash: true, lowLatency: true, transcode: true };
  const write = async (writer) => {
    for (let n = 0; ; n++) {
      const streamId = "w" + writer + "-" + n;
      await streams.create({ streamId, name: null, ingestType: "rtmp", keyHash: streamId, keyHint: "abcd", settings });
      process.stdout.write(streamId + "\\n");
    }
  };
  await Promise.all(Array.from({ length: 8 }, (_, writer) => write(writer)));
`;

onEach("loses nothing that it acknowledged when the process is killed", async (t, { dataDir, url }) => {
  const places = url === undefined ? [dataDir] : [dataDir, url];
  const child = spawn(process.execPath, ["--input-type=module", "--eval", WRITE_FOREVER, ...places], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const acknowledged: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(line);
    if (acknowledged.length === 200) child.kill("SIGKILL");
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  assert.equal(child.signalCode, "SIGKILL");
  assert.ok(acknowledged.length >= 200);
  const catalog = await Catalog.open({ dataDir, databaseUrl: url, log: silentLogger });
  t.after(() => catalog.close());
  const kept = new Set<string>(
    (await catalog.streams.list({ limit: 1_000_000 })).streams.map(({ streamId }) => streamId),
  );
  assert.deepEqual(
    acknowledged.filter((streamId) => !kept.has(streamId)),
    [],
  );
});
