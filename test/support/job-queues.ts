import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { silentLogger } from "../../src/core/logger.ts";
import { Database } from "../../src/database/database.ts";
import { BullmqJobQueue } from "../../src/jobs/bullmq/bullmq-job-queue.ts";
import { EmbeddedJobQueue } from "../../src/jobs/embedded/embedded-job-queue.ts";
import type { JobQueue, JobQueueOptions } from "../../src/jobs/job-queue.ts";
import type { QueuePlace, WorkerEvent, WorkerProcess } from "../../src/jobs/job-queue-contract.ts";

/** Which queue, in words that another process can be told. */
export type QueueTarget =
  | { readonly kind: "embedded"; readonly dataDir: string; readonly url?: string }
  | { readonly kind: "bullmq"; readonly url: string; readonly prefix: string };

export interface WorkerProcessStart {
  readonly target: QueueTarget;
  readonly leaseMs: number;
  readonly concurrency: number;
}

const PROGRAM = fileURLToPath(new URL("./job-process.ts", import.meta.url));
const RETENTION = { ageMs: 3_600_000, count: 1000 };

export async function openQueueAt(
  target: QueueTarget,
  options: Partial<Pick<JobQueueOptions, "leaseMs" | "retention" | "lanes">> = {},
): Promise<JobQueue> {
  const common = { leaseMs: 30_000, retention: RETENTION, log: silentLogger, ...options };
  if (target.kind === "bullmq") return BullmqJobQueue.open({ ...target, ...common });
  const database = await Database.open({ ...target, log: silentLogger });
  const queue = await EmbeddedJobQueue.open({ database, ...common });
  const closeQueue = queue.close.bind(queue);
  return Object.assign(queue, {
    close: async () => {
      await closeQueue();
      await database.close();
    },
  });
}

/** A queue for the contract's tests. What is opened there ends with the test, and then `release` is called. */
export function placeAt(
  t: TestContext,
  target: QueueTarget,
  { server, release }: { server?: QueuePlace["server"]; release: () => Promise<void> },
): QueuePlace {
  const opened = new AsyncDisposableStack();
  opened.defer(release);
  t.after(() => opened.disposeAsync());
  return {
    async open(options) {
      const queue = await openQueueAt(target, options);
      opened.defer(() => queue.close());
      return queue;
    },
    async spawnWorker({ leaseMs = 30_000, concurrency = 1 } = {}) {
      const start: WorkerProcessStart = { target, leaseMs, concurrency };
      const stdio = ["ignore", "inherit", "inherit", "ipc"] as const;
      const child = fork(PROGRAM, [JSON.stringify(start)], { execArgv: [], stdio: [...stdio] });
      opened.defer(() => end(child));
      return workerProcess(child);
    },
    ...(server && { server }),
  };
}

async function workerProcess(child: ChildProcess): Promise<WorkerProcess> {
  const told: WorkerEvent[] = [];
  child.on("message", (message: WorkerEvent) => told.push(message));
  await once(child, "message");
  return {
    pid: child.pid ?? 0,
    async until(event, jobId) {
      while (!told.some((each) => each.event === event && each.jobId === jobId)) {
        await once(child, "message", { signal: AbortSignal.timeout(60_000) });
      }
    },
    kill: (signal) => void child.kill(signal),
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}
