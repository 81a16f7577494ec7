// A worker in a process of its own. Its argument says which queue; it tells its parent what happens.
import type { JobAttempt } from "../../src/jobs/job-queue.ts";
import type { WorkerEvent } from "../../src/jobs/job-queue-contract.ts";
import { openQueueAt, type WorkerProcessStart } from "./job-queues.ts";

const { target, leaseMs, concurrency }: WorkerProcessStart = JSON.parse(process.argv[2] ?? "");

function tell(event: WorkerEvent["event"] | "ready", jobId = ""): void {
  process.send?.({ event, jobId });
}

/** Takes no notice of an abort but to say so, and gives its result all the same. */
async function hold({ job, signal }: JobAttempt) {
  tell("begun", job.jobId);
  const parentIsThere = setInterval(() => {}, 60_000);
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  clearInterval(parentIsThere);
  tell("aborted", job.jobId);
  setImmediate(() => tell("ended", job.jobId));
  return { late: true };
}

const queue = await openQueueAt(target, { leaseMs });
queue.work({ handlers: { hold, echo: async () => ({ pid: process.pid }) }, concurrency });
tell("ready");
