import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { placeAt } from "../../../test/support/job-queues.ts";
import { type QueuePlace, testJobQueue } from "../job-queue-contract.ts";

async function makePlace(t: TestContext): Promise<QueuePlace> {
  const dataDir = await mkdtemp(join(tmpdir(), "headwater-jobs-"));
  return placeAt(t, { kind: "embedded", dataDir }, { release: () => rm(dataDir, { recursive: true }) });
}

testJobQueue("the embedded job queue on SQLite", { hasServer: false, makePlace });
