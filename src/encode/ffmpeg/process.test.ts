import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../core/clock.ts";
import { findProgram } from "./probe.ts";
import { FfmpegProcess, type FfmpegProgram } from "./process.ts";

const path = await findProgram("ffmpeg", process.env.PATH ?? "");
assert.ok(path, "these tests run ffmpeg");
const PROGRAM: FfmpegProgram = { path, environment: {}, workDir: tmpdir(), niceness: 5 };
/** Reads raw pictures without end and writes them again. */
const COPY =
  "-hide_banner -nostdin -nostats -loglevel level+error -f rawvideo -s 16x16 -pix_fmt gray -i pipe:0 -f rawvideo pipe:3".split(
    " ",
  );

function start(args: readonly string[], program = PROGRAM): FfmpegProcess {
  return new FfmpegProcess({ program, arguments: args, inputCount: 1, outputCount: 1, clock: systemClock });
}

function ignore(): void {}

test("finishes by itself once its input ends, and every byte has been read", { timeout: 90_000 }, async () => {
  const child = start(COPY);
  let byteCount = 0;
  child.read(0, (bytes) => {
    byteCount += bytes.length;
  });
  child.inputs[0]?.write(new Uint8Array(256 * 100));
  const exit = await child.finish(10_000);
  assert.deepEqual([exit.code, exit.signal, byteCount], [0, null, 25_600]);
  assert.ok(child.hasExited);
});

test("keeps what it wrote for a reader that comes after its end", { timeout: 90_000 }, async () => {
  const child = start(COPY);
  child.inputs[0]?.end(new Uint8Array(512));
  assert.ok(child.pid);
  await untilGone(child.pid);
  let byteCount = 0;
  child.read(0, (bytes) => {
    byteCount += bytes.length;
  });
  await child.exited;
  assert.equal(byteCount, 512);
});

test("tells the last error as the reason, and keeps few lines of a long log", { timeout: 90_000 }, async () => {
  const child = start("-hide_banner -loglevel level+error -f mp4 -i pipe:0 -f null -".split(" "));
  child.inputs[0]?.end("this is no MP4 file at all");
  const exit = await child.exited;
  assert.notEqual(exit.code, 0);
  assert.match(exit.reason, /^ffmpeg ended with code \d+: .*\[(error|fatal)\].*Invalid data/);
  const wordy = start("-hide_banner -loglevel level+debug -f lavfi -i color=d=2:s=16x16 -f null -".split(" "));
  assert.ok((await wordy.exited).lastLines.length <= 21);
});

test("kills a child that takes no notice", { timeout: 90_000 }, async () => {
  const child = start(COPY);
  child.read(0, ignore);
  assert.ok(child.pid);
  process.kill(child.pid, "SIGSTOP");
  const exit = await child.finish(50);
  assert.equal(exit.signal, "SIGKILL");
  assert.equal(exit.reason, "ffmpeg was ended by SIGKILL");
});

test("says why a program could not be started", { timeout: 90_000 }, async () => {
  const child = start(COPY, { ...PROGRAM, path: "/nowhere/ffmpeg" });
  const exit = await child.exited;
  assert.equal(child.pid, undefined);
  assert.match(exit.reason, /ENOENT/);
});

test("steps back behind this process and gets nothing of its environment", { timeout: 90_000 }, async () => {
  const child = start(COPY);
  child.read(0, ignore);
  const stat = await readFile(`/proc/${child.pid}/stat`, "latin1");
  const niceness = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16]);
  assert.equal(niceness, 5);
  assert.equal(await readFile(`/proc/${child.pid}/environ`, "latin1"), "");
  await child.finish(10_000);
});

test("is gone when its parent is killed with SIGKILL", { timeout: 90_000 }, async () => {
  const code = `
    import { systemClock } from ${JSON.stringify(new URL("../../core/clock.ts", import.meta.url).href)};
    import { FfmpegProcess } from ${JSON.stringify(new URL("./process.ts", import.meta.url).href)};
    const child = new FfmpegProcess({
      program: ${JSON.stringify(PROGRAM)}, arguments: ${JSON.stringify(COPY)}, inputCount: 1, outputCount: 1, clock: systemClock,
    });
    let isTold = false;
    child.read(0, () => { if (!isTold) console.log(child.pid); isTold = true; });
    child.inputs[0].write(new Uint8Array(256 * 200));
    setInterval(() => child.inputs[0].write(new Uint8Array(256)), 20);
  `;
  const parent = spawn(process.execPath, ["--input-type=module-typescript", "-e", code], {
    cwd: fileURLToPath(new URL(".", import.meta.url)),
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(parent.stdout, "data");
  const pid = Number(String(line));
  assert.ok(pid > 0);
  const gone = untilGone(pid);
  parent.kill("SIGKILL");
  await gone;
});

/** `tail --pid` ends when the process does; a child that is not ours sends no event. */
async function untilGone(pid: number): Promise<void> {
  const watcher = spawn("tail", [`--pid=${pid}`, "-s", "0.05", "-f", "/dev/null"], { stdio: "ignore" });
  await once(watcher, "exit");
}

test("tells that there were too many open files, and harms nobody", { timeout: 90_000 }, async () => {
  const script = `
    import { openSync } from "node:fs";
    import { FfmpegProcess } from ${JSON.stringify(new URL("./process.ts", import.meta.url).href)};
    import { systemClock } from ${JSON.stringify(new URL("../../core/clock.ts", import.meta.url).href)};
    const program = ${JSON.stringify(PROGRAM)};
    try { for (;;) openSync("/dev/null"); } catch {}
    const child = new FfmpegProcess({ program, arguments: ["-version"], inputCount: 1, outputCount: 1, clock: systemClock });
    child.read(0, () => {});
    child.terminate();
    process.stdout.write((await child.finish(1000)).reason);`;
  const limited = 'ulimit -n 128; exec "$0" --input-type=module --eval "$1"';
  const child = spawn("sh", ["-c", limited, process.execPath, script], { stdio: ["ignore", "pipe", "pipe"] });
  let written = "";
  for (const output of [child.stdout, child.stderr]) output.on("data", (text) => (written += text));
  const [code] = await once(child, "close");
  assert.match(written, /^spawn \S+ffmpeg EMFILE$/);
  assert.equal(code, 0);
});
