import { randomUUID } from "node:crypto";
import type { TestContext } from "node:test";
import { placeAt } from "../../../test/support/job-queues.ts";
import { RedisServer } from "../../../test/support/redis-server.ts";
import { type QueuePlace, testJobQueue, testJobQueueOutages } from "../job-queue-contract.ts";

async function makePlace(t: TestContext): Promise<QueuePlace> {
  const redis = await RedisServer.start();
  const server = { stop: () => redis.kill(), start: () => redis.start() };
  const target = { kind: "bullmq", url: redis.url, prefix: `test-${randomUUID()}` } as const;
  return placeAt(t, target, { server, release: () => redis[Symbol.asyncDispose]() });
}

testJobQueue("the job queue on Redis", makePlace);
testJobQueueOutages("the job queue on a Redis that goes away", makePlace);
