import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { ManualClock } from "../core/clock.ts";
import { DomainError, type ErrorCode } from "../core/errors.ts";
import { parseStreamId, type StreamId } from "../core/ids.ts";
import { silentLogger } from "../core/logger.ts";
import { Catalog } from "./catalog.ts";
import type { StreamRecord } from "./stream-record.ts";
import type { NewStream } from "./stream-repository.ts";

async function temporaryDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "headwater-catalog-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function openCatalog(t: TestContext, dataDir?: string) {
  const clock = new ManualClock();
  const directory = dataDir ?? (await temporaryDirectory(t));
  const catalog = await Catalog.open({ dataDir: directory, log: silentLogger, clock });
  t.after(() => catalog.close());
  return { catalog, streams: catalog.streams, clock, directory };
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

const idsOf = (streams: readonly StreamRecord[]) => streams.map((stream) => stream.streamId);

test("keeps a stream as it was created, across a restart", async (t) => {
  const dataDir = await temporaryDirectory(t);
  const first = await openCatalog(t, dataDir);
  const settings = { ...newStream("a").settings, qualities: ["720p"], reconnectWindowMs: 5000 };
  const created = await first.streams.create(newStream("a", { name: '{"admin":true}', settings }));
  assert.deepEqual(created, {
    ...newStream("a", { name: '{"admin":true}', settings }),
    status: "pending",
    createdAtMs: Date.UTC(2026, 0, 1),
    updatedAtMs: Date.UTC(2026, 0, 1),
    lastHeartbeatAtMs: null,
    nextMsn: 1,
    discontinuitySequence: 0,
    broadcastStartedAtMs: null,
    broadcastEndedAtMs: null,
    error: null,
  });
  await first.catalog.close();
  const second = await openCatalog(t, dataDir);
  assert.deepEqual(await second.streams.get(id("a")), created);
  assert.deepEqual(await second.streams.findByKeyHash("hash of a"), created);
  assert.equal(await second.streams.get(id("b")), undefined);
  assert.equal(await second.streams.findByKeyHash("hash of b"), undefined);
});

test("refuses a second stream of the same id, and of the same key", async (t) => {
  const { streams } = await openCatalog(t);
  await streams.create(newStream("a"));
  await assert.rejects(
    streams.create(newStream("a", { keyHash: "other" })),
    refusedWith("STREAM_EXISTS", /id a exists/),
  );
  await assert.rejects(streams.create(newStream("b", { keyHash: "hash of a" })), refusedWith("INTERNAL", /key_hash/));
  assert.deepEqual(idsOf((await streams.list({ limit: 10 })).streams), ["a"]);
});

test("changes status, key and heartbeat, and says so when there is no such stream", async (t) => {
  const { streams, clock } = await openCatalog(t);
  await streams.create(newStream("a"));
  clock.advance(1500.7);
  const nowMs = Math.floor(clock.nowMs());
  const live = await streams.updateStatus(id("a"), "live", { broadcastStartedAtMs: clock.nowMs() });
  assert.deepEqual([live?.status, live?.broadcastStartedAtMs, live?.updatedAtMs], ["live", nowMs, nowMs]);
  const failed = await streams.updateStatus(id("a"), "error", { error: "the disk is full", broadcastEndedAtMs: nowMs });
  assert.deepEqual(
    [failed?.status, failed?.error, failed?.broadcastStartedAtMs, failed?.broadcastEndedAtMs],
    ["error", "the disk is full", nowMs, nowMs],
  );
  assert.equal((await streams.updateStatus(id("a"), "pending", { broadcastEndedAtMs: null }))?.error, null);
  assert.equal((await streams.get(id("a")))?.broadcastEndedAtMs, null);
  assert.equal((await streams.heartbeat(id("a")))?.lastHeartbeatAtMs, nowMs);
  await streams.setKeyHash(id("a"), { keyHash: "new", keyHint: "wxyz" });
  assert.equal(await streams.findByKeyHash("hash of a"), undefined);
  assert.equal((await streams.findByKeyHash("new"))?.keyHint, "wxyz");
  assert.equal(await streams.updateStatus(id("b"), "live"), undefined);
  assert.equal(await streams.heartbeat(id("b")), undefined);
});

test("never takes reserved numbers back", async (t) => {
  const { streams } = await openCatalog(t);
  await streams.create(newStream("a"));
  await streams.reserveNumbers(id("a"), { nextMsn: 100, discontinuitySequence: 3 });
  const late = await streams.reserveNumbers(id("a"), { nextMsn: 50, discontinuitySequence: 4 });
  assert.deepEqual([late?.nextMsn, late?.discontinuitySequence], [100, 4]);
  assert.equal(await streams.reserveNumbers(id("b"), { nextMsn: 1, discontinuitySequence: 0 }), undefined);
});

test("removes a stream for good", async (t) => {
  const { streams } = await openCatalog(t);
  await streams.create(newStream("a"));
  assert.equal(await streams.remove(id("a")), true);
  assert.equal(await streams.remove(id("a")), false);
  assert.equal(await streams.get(id("a")), undefined);
});

test("lets streams wait that a crash left on air", async (t) => {
  const { streams } = await openCatalog(t);
  for (const status of ["live", "processing", "ready", "error", "pending"] as const) {
    await streams.create(newStream(status));
    await streams.updateStatus(id(status), status);
  }
  assert.equal(await streams.resetRunning(), 2);
  const { streams: pending } = await streams.list({ limit: 10, status: "pending" });
  assert.deepEqual(idsOf(pending), ["processing", "pending", "live"]);
});

test("pages newest first, without repeats or holes while streams come and go", async (t) => {
  const { streams, clock } = await openCatalog(t);
  for (let n = 10; n < 20; n++) {
    // Pairs share a millisecond: the id decides between them.
    if (n % 2 === 0) clock.advance(1);
    await streams.create(newStream(`s${n}`));
  }
  const first = await streams.list({ limit: 4 });
  assert.deepEqual(idsOf(first.streams), ["s19", "s18", "s17", "s16"]);
  clock.advance(1);
  await streams.create(newStream("newer"));
  await streams.remove(id("s16"));
  const second = await streams.list({ limit: 4, cursor: first.nextCursor ?? "" });
  assert.deepEqual(idsOf(second.streams), ["s15", "s14", "s13", "s12"]);
  const third = await streams.list({ limit: 2, cursor: second.nextCursor ?? "" });
  assert.deepEqual(idsOf(third.streams), ["s11", "s10"]);
  assert.equal(third.nextCursor, undefined);
  await streams.updateStatus(id("s13"), "live");
  assert.deepEqual(idsOf((await streams.list({ limit: 4, status: "live" })).streams), ["s13"]);
});

test("refuses a cursor that it did not make", async (t) => {
  const { streams } = await openCatalog(t);
  for (const cursor of ["", "?", "MTIz", Buffer.from("1.a b").toString("base64url")]) {
    await assert.rejects(streams.list({ limit: 1, cursor }), refusedWith("INVALID_REQUEST", /cursor/));
  }
});

test("takes writes of 32 callers at once", async (t) => {
  const { streams } = await openCatalog(t);
  const callers = Array.from({ length: 32 }, async (_, caller) => {
    for (let n = 0; n < 10; n++) {
      const name = `c${caller}-${n}`;
      await streams.create(newStream(name));
      assert.ok(await streams.get(id(name)), "a write that was awaited is seen");
    }
  });
  await Promise.all(callers);
  assert.equal((await streams.list({ limit: 1000 })).streams.length, 320);
});

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
  assert.deepEqual(steps, [["0001-stream"]]);
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
  const { streams } = await Catalog.open({ dataDir: process.argv[1], log: silentLogger });
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

test("loses nothing that it acknowledged when the process is killed", async (t) => {
  const dataDir = await temporaryDirectory(t);
  const child = spawn(process.execPath, ["--input-type=module", "--eval", WRITE_FOREVER, dataDir], {
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
  const { streams } = await openCatalog(t, dataDir);
  const kept = new Set<string>(idsOf((await streams.list({ limit: 1_000_000 })).streams));
  assert.deepEqual(
    acknowledged.filter((streamId) => !kept.has(streamId)),
    [],
  );
});
