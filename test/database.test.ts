import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Headwater, runHeadwaterCommand, startHeadwater } from "./support/headwater.ts";
import { PostgresServer } from "./support/postgres-server.ts";

async function temporaryDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "headwater-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** No event tells of readiness, so it is asked for. */
async function untilReadiness(server: Headwater, status: number): Promise<string> {
  for (;;) {
    const response = await server.get("/readyz");
    if (response.status === status) return response.text();
    await delay(100);
  }
}

describe("on PostgreSQL", () => {
  let postgres: PostgresServer;
  before(async () => {
    postgres = await PostgresServer.start();
  });
  after(() => postgres[Symbol.asyncDispose]());

  test("goes on with the catalog that was moved there from the data directory", async (t) => {
    const dataDir = await temporaryDirectory(t);
    const url = await postgres.createDatabase();
    const place = { "data-dir": dataDir };
    const created = await startHeadwater({ dataDir });
    const stream = await created.createStream({ name: "kept" });
    const whileRunning = await runHeadwaterCommand("move-catalog", { ...place, to: url });
    assert.equal(whileRunning.code, 1);
    assert.match(whileRunning.stderr, /Another Headwater runs/);
    await created.stop();

    const moved = await runHeadwaterCommand("move-catalog", { ...place, to: url });
    assert.equal(moved.code, 0, moved.stderr);
    assert.match(moved.stdout, /^stream: 1 rows$/m);
    const again = await runHeadwaterCommand("move-catalog", { ...place, to: url });
    assert.equal(again.code, 1);
    assert.match(again.stderr, /the target is not empty/);
    const migrated = await runHeadwaterCommand("migrate", { ...place, "database-url": url });
    assert.match(migrated.stdout, /the PostgreSQL database is up to date/);

    await using server = await startHeadwater({ dataDir, settings: { "database-url": url } });
    assert.equal((await server.stream(stream.id)).stream_id, stream.id);
    await server.createStream({ name: "new" });
  });

  test("stays up while PostgreSQL is away, says so, and works when it is back", async () => {
    const url = await postgres.createDatabase();
    await using server = await startHeadwater({ settings: { "database-url": url } });
    const before = await server.createStream();
    await untilReadiness(server, 200);
    await postgres.crash();
    assert.match(await untilReadiness(server, 503), /the database cannot be reached/);
    const refused = await server.get("/api/v1/streams", { headers: { authorization: `Bearer ${server.adminToken}` } });
    assert.equal(refused.status, 503);
    await postgres.launch();
    await untilReadiness(server, 200);
    assert.equal((await server.stream(before.id)).stream_id, before.id);
    await server.createStream();
    const { stdout, stderr } = await server.stop();
    assert.doesNotMatch(stdout + stderr, /headwater@localhost/, "the URL is a secret");
  });
});
