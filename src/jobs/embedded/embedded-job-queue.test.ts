import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { servedPostgres } from "../../../test/support/databases.ts";
import { placeAt } from "../../../test/support/job-queues.ts";
import { PostgresServer } from "../../../test/support/postgres-server.ts";
import { testJobQueue, testJobQueueOutages } from "../job-queue-contract.ts";

const postgres = servedPostgres();

testJobQueue("the embedded job queue on SQLite", async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), "headwater-jobs-"));
  return placeAt(t, { kind: "embedded", dataDir }, { release: () => rm(dataDir, { recursive: true }) });
});

testJobQueue("the embedded job queue on PostgreSQL", async (t) => {
  const url = await postgres().createDatabase();
  return placeAt(t, { kind: "embedded", dataDir: "", url }, { release: async () => {} });
});

testJobQueueOutages("the embedded job queue on a PostgreSQL that goes away", async (t) => {
  const server = await PostgresServer.start();
  const url = await server.createDatabase();
  return placeAt(
    t,
    { kind: "embedded", dataDir: "", url },
    {
      server: { stop: () => server.crash(), start: () => server.launch() },
      release: () => server[Symbol.asyncDispose](),
    },
  );
});
