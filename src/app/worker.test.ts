import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { temporaryDirectory } from "../../test/support/databases.ts";
import { openQueueAt } from "../../test/support/job-queues.ts";
import type { JobHandler } from "../jobs/job-queue.ts";
import { takeJobs } from "./worker.ts";

const LIMIT = { timeout: 60_000 };

test("begins no encode while live is behind, and all else", LIMIT, async (t) => {
  const queue = await openQueueAt({ kind: "embedded", dataDir: await temporaryDirectory(t) });
  t.after(() => queue.close());
  let isBehind = true;
  const done: string[] = [];
  const handler: JobHandler = async ({ job: { kind } }) => void done.push(kind);
  const kinds = [
    "video.encode",
    "video.opening",
    "video.audio",
    "video.prepare",
    "video.repackage",
    "video.delete",
    "video.text",
  ];
  const handlers = Object.fromEntries(kinds.map((kind) => [kind, handler]));
  takeJobs({ jobs: queue, handlers, cores: { coreCount: 2, encodesAtOnce: 2 }, isLiveBehind: () => isBehind });
  for (const kind of kinds) await queue.add({ kind, data: {} });
  const untilDone = async (count: number) => {
    while ((await queue.counts()).completed < count) await delay(20);
  };
  await untilDone(4);
  assert.deepEqual(done.sort(), ["video.delete", "video.prepare", "video.repackage", "video.text"]);
  assert.equal((await queue.counts()).waiting, 3);
  isBehind = false;
  await untilDone(7);
});

for (const [what, kind] of [
  ["makes sound", "video.audio"],
  ["opens another video", "video.opening"],
] as const) {
  test(`${what} beside an encode that takes its time`, LIMIT, async (t) => {
    const queue = await openQueueAt({ kind: "embedded", dataDir: await temporaryDirectory(t) });
    t.after(() => queue.close());
    const { promise: made, resolve } = Promise.withResolvers<void>();
    const handlers: Record<string, JobHandler> = {
      "video.encode": () => made.then(() => undefined),
      [kind]: async () => void resolve(),
    };
    takeJobs({ jobs: queue, handlers, cores: { coreCount: 2, encodesAtOnce: 1 }, isLiveBehind: () => false });
    await queue.add({ kind: "video.encode", data: {} });
    await queue.add({ kind, data: {} });
    await made;
  });
}
