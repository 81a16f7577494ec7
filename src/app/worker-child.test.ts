import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { on, once } from "node:events";
import { type TestContext, test } from "node:test";
import { ManualClock } from "../core/clock.ts";
import { type Logger, silentLogger } from "../core/logger.ts";
import { WorkerChild, type WorkerMessage } from "./worker-child.ts";

/** Says when it stands and what it is told; ends with its channel, unless it is deaf. */
const ECHO = `
  process.on("message", (message) => process.send(message));
  process.on("disconnect", () => process.argv.includes("deaf") || process.exit());
  setInterval(() => {}, 1000);
  process.send({ ended: { kind: "standing", outcome: "completed", seconds: 2 } });
`;
const LIMIT = { timeout: 60_000 };

/** A WorkerChild over small processes. */
function keep(t: TestContext, { isDeaf = false } = {}) {
  const clock = new ManualClock();
  const live = { isBehind: false };
  const children: ChildProcess[] = [];
  const said = new Map<ChildProcess, NodeJS.AsyncIterator<unknown[]>>();
  const delays: unknown[] = [];
  const ends: unknown[] = [];
  const log: Logger = { ...silentLogger, error: ({ retryInMs }) => delays.push(retryInMs) };
  const spawnWorker = () => {
    const argv = ["-e", ECHO, isDeaf ? "deaf" : "hearing"];
    const child = spawn(process.execPath, argv, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    t.after(() => child.kill("SIGKILL"));
    children.push(child);
    // Two that come together are both kept, whenever somebody looks.
    said.set(child, on(child, "message"));
    return child;
  };
  const worker = new WorkerChild({
    spawn: spawnWorker,
    isLiveBehind: () => live.isBehind,
    onJobEnd: (end) => ends.push(end),
    clock,
    log,
  });
  const newest = () => children.at(-1) ?? assert.fail("none was started");
  /** The next message of the newest worker. */
  const heard = async (): Promise<unknown> => (await said.get(newest())?.next())?.value?.[0];
  const kill = async () => {
    const child = newest();
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  return { worker, clock, live, children, delays, ends, newest, heard, kill };
}

test("starts one worker, however often it is asked to", LIMIT, async (t) => {
  const { worker, children, newest, heard } = keep(t);
  assert.equal(worker.pid, undefined);
  worker.start();
  worker.start();
  assert.equal(children.length, 1);
  assert.equal(worker.pid, newest().pid);
  await heard();
  await worker.close();
  assert.equal(newest().exitCode, 0);
  worker.start();
  assert.equal(children.length, 1);
});

test("hears what the worker is done with", LIMIT, async (t) => {
  const { worker, ends, heard } = keep(t);
  worker.start();
  await heard();
  assert.deepEqual(ends, [{ kind: "standing", outcome: "completed", seconds: 2 }]);
  await worker.close();
});

test("starts it again when it dies, later each time, and soon again after a stable minute", LIMIT, async (t) => {
  const { worker, clock, children, delays, kill } = keep(t);
  worker.start();
  for (const delayMs of [500, 1_000, 2_000]) {
    const count = children.length;
    await kill();
    assert.equal(worker.pid, undefined);
    clock.advance(delayMs - 1);
    assert.equal(children.length, count);
    clock.advance(1);
    assert.equal(children.length, count + 1);
  }
  clock.advance(60_000);
  await kill();
  assert.deepEqual(delays, [500, 1_000, 2_000, 500]);
});

test("starts none again that died on the way to the end", LIMIT, async (t) => {
  const { worker, clock, children, kill } = keep(t);
  worker.start();
  await kill();
  await worker.close();
  clock.advance(60_000);
  assert.equal(children.length, 1);
});

test("tells the worker when live falls behind and when it has caught up, and a new one anew", LIMIT, async (t) => {
  const { worker, clock, live, kill, heard } = keep(t);
  worker.start();
  await heard();
  for (const isLiveBehind of [true, false, true]) {
    live.isBehind = isLiveBehind;
    clock.advance(1_000);
    assert.deepEqual(await heard(), { isLiveBehind } satisfies WorkerMessage);
  }
  await kill();
  clock.advance(500);
  // What is said while it starts waits for it.
  await heard();
  assert.deepEqual(await heard(), { isLiveBehind: true } satisfies WorkerMessage);
  await worker.close();
});

test("ends one that does not end by itself", LIMIT, async (t) => {
  const { worker, clock, newest, heard } = keep(t, { isDeaf: true });
  worker.start();
  await heard();
  const closed = worker.close();
  clock.advance(7_000);
  await closed;
  assert.equal(newest().signalCode, "SIGKILL");
});
