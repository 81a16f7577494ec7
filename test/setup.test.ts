import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Says what it was given, and each signal; ends with 7 at the second one, or at once when told so. */
const MAIN = `
  let count = 0;
  const hear = (signal: string) => {
    process.stdout.write(signal + " " + ++count + "\\n");
    if (count === 2) process.exit(7);
  };
  process.on("SIGTERM", hear);
  process.on("SIGINT", hear);
  setInterval(() => {}, 1000);
  process.stdout.write("started " + JSON.stringify(process.argv.slice(2)) + " on " + process.versions.node + "\\n");
  if (process.argv.includes("--once")) process.exit(7);
`;

/** A checkout with the real set-up, a small server, nothing to install, and `programs` that do nothing. */
async function makeCheckout(t: TestContext, programs: Record<string, string>) {
  const directory = await mkdtemp(join(tmpdir(), "headwater-setup-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  await cp(join(ROOT, "setup"), join(directory, "setup"), { recursive: true });
  const lock = JSON.stringify({ packages: {} });
  for (const name of ["src", "bin", "node_modules"]) await mkdir(join(directory, name));
  await writeFile(join(directory, "package-lock.json"), lock);
  await writeFile(join(directory, "node_modules", ".package-lock.json"), lock);
  await mkdir(join(directory, "src", "database"));
  await writeFile(join(directory, "src", "main.ts"), MAIN);
  await writeFile(join(directory, "src", "database", "writer-thread.ts"), "");
  await writeFile(join(directory, "package.json"), '{ "type": "module" }');
  for (const name of ["esbuild", "@esbuild"]) {
    await symlink(join(ROOT, "node_modules", name), join(directory, "node_modules", name));
  }
  const packaged = join("node_modules", `node-${process.platform}-${process.arch}`, "bin");
  await mkdir(join(directory, packaged), { recursive: true });
  await symlink(process.execPath, join(directory, packaged, "node"));
  for (const [name, script] of Object.entries(programs)) {
    await writeFile(join(directory, "bin", name), `#!/bin/sh\n${script}\n`);
    await chmod(join(directory, "bin", name), 0o755);
  }
  return directory;
}

function start(directory: string, args: string[] = []) {
  const child = spawn(process.execPath, [join(directory, "setup", "start.mjs"), ...args], {
    cwd: directory,
    env: { PATH: join(directory, "bin"), LOG: join(directory, "log") },
    stdio: ["ignore", "pipe", "pipe"],
  });
  return { child, ended: endOf(child), said: sayingsOf(child) };
}

async function endOf(child: ChildProcess): Promise<{ code: number | null; output: string }> {
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const [code] = await once(child, "close");
  return { code, output };
}

/** Resolves when the child has printed `text`; fails when it ends before. */
function sayingsOf(child: ChildProcess): (text: string) => Promise<void> {
  let output = "";
  child.stdout?.on("data", (chunk: string) => {
    output += chunk;
    child.emit("said");
  });
  child.on("close", () => child.emit("said"));
  return async (text) => {
    while (!output.includes(text)) {
      assert.ok(child.stdout?.readable, `ended without "${text}" after ${JSON.stringify(output)}`);
      await once(child, "said");
    }
  };
}

const NOTHING = "exit 0";
const BUILT = "setup: building the server (esbuild)\n";

/** Only time tells a second press of Ctrl-C from the first one's echo. */
const secondPress = () => setTimeout(250);

test("starts without a word when everything is there, and passes arguments on", async (t) => {
  const directory = await makeCheckout(t, { ffmpeg: NOTHING, ffprobe: NOTHING });
  await start(directory, ["--once"]).ended;
  const { child, ended, said } = start(directory, ["--http-port", "0"]);
  await said("started");
  child.kill("SIGTERM");
  await said("SIGTERM 1");
  await secondPress();
  child.kill("SIGINT");
  assert.deepEqual(await ended, {
    code: 7,
    output: `started ["--http-port","0"] on ${process.versions.node}\nSIGTERM 1\nSIGINT 2\n`,
  });
});

test("passes on that a worker is to be started", async (t) => {
  const directory = await makeCheckout(t, { ffmpeg: NOTHING, ffprobe: NOTHING });
  const { ended } = start(directory, ["worker", "--once"]);
  assert.equal((await ended).output, `${BUILT}started ["worker","--once"] on ${process.versions.node}\n`);
});

test("builds the server anew when its sources change, and keeps what may still run", async (t) => {
  const directory = await makeCheckout(t, { ffmpeg: NOTHING, ffprobe: NOTHING });
  const outputs: string[] = [];
  for (const word of ["one", "two", "three", "four", "four"]) {
    await writeFile(join(directory, "src", "main.ts"), `process.stdout.write("${word}\\n");`);
    outputs.push((await start(directory).ended).output);
  }
  assert.deepEqual(outputs, [`${BUILT}one\n`, `${BUILT}two\n`, `${BUILT}three\n`, `${BUILT}four\n`, "four\n"]);
  assert.equal((await readdir(join(directory, "dist"))).length, 3);
});

test("builds once what two starts ask for at the same time", async (t) => {
  const directory = await makeCheckout(t, { ffmpeg: NOTHING, ffprobe: NOTHING });
  const ends = await Promise.all([1, 2, 3].map(() => start(directory, ["--once"]).ended));
  for (const { code, output } of ends) assert.match(`${code} ${output}`, /^7 (setup: .*\n)?started /);
  assert.equal((await readdir(join(directory, "dist"))).length, 1);
});

test("says what is wrong with a source that cannot be built, and where", async (t) => {
  const directory = await makeCheckout(t, { ffmpeg: NOTHING, ffprobe: NOTHING });
  await writeFile(join(directory, "src", "main.ts"), 'import "./nowhere.ts";');
  const { code, output } = await start(directory).ended;
  assert.equal(code, 1);
  assert.match(
    output,
    /setup: esbuild failed:\n(?:.*\n)*.*src\/main\.ts:1:7: ERROR: Could not resolve "\.\/nowhere\.ts"/,
  );
});

test("takes what npm repeats of one Ctrl-C as one", async (t) => {
  const directory = await makeCheckout(t, { ffmpeg: NOTHING, ffprobe: NOTHING });
  const { child, ended, said } = start(directory);
  await said("started");
  child.kill("SIGINT");
  child.kill("SIGTERM");
  await said(" 1");
  await secondPress();
  child.kill("SIGINT");
  assert.equal((await ended).code, 7);
});

test("installs a missing ffmpeg by apt-get, and waits while another apt holds the lock", async (t) => {
  const aptGet = `
    echo "$@" >> "$LOG.apt"
    case "$*" in
      *update*) if [ ! -e "$LOG.tried" ]; then : > "$LOG.tried"; echo "E: Could not get lock" >&2; exit 100; fi ;;
      *install*) for name in ffmpeg ffprobe; do printf '#!/bin/sh\\n' > "\${LOG%log}bin/$name"; /bin/chmod 755 "\${LOG%log}bin/$name"; done ;;
    esac`;
  const programs = { "apt-get": aptGet, sudo: 'shift; exec "$@"', env: 'shift; exec "$@"', true: NOTHING };
  const { ended } = start(await makeCheckout(t, programs), ["--once"]);
  const { code, output } = await ended;
  assert.match(output, /^setup: installing ffmpeg \(apt-get\)\nsetup: building .*\nstarted /);
  assert.equal(code, 7);
});

test("installs the library that the packaged Node lacks on a minimal system, and says when Node does not run", async (t) => {
  const aptGet = `case "$*" in *install*libatomic1*) : > "$LOG.atomic" ;; esac`;
  const programs = {
    ...{ ffmpeg: NOTHING, ffprobe: NOTHING, "apt-get": aptGet, true: NOTHING },
    ...{ sudo: 'shift; exec "$@"', env: 'shift; exec "$@"' },
  };
  const lacking = "error while loading shared libraries: libatomic.so.1: cannot open shared object file";
  for (const [complaint, expected] of [
    [lacking, /^setup: installing libatomic1 \(apt-get\)\nsetup: building .*\nstarted /],
    ["GLIBC_2.28 not found", /^setup: .*node does not run here:\n {2}GLIBC_2.28 not found\n$/],
  ] as const) {
    const directory = await makeCheckout(t, programs);
    const node = join(directory, "node_modules", `node-${process.platform}-${process.arch}`, "bin", "node");
    await rm(node);
    const script = `[ -e "$LOG.atomic" ] || { echo "${complaint}" >&2; exit 127; }\nexec ${process.execPath} "$@"`;
    await writeFile(node, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    assert.match((await start(directory, ["--once"]).ended).output, expected);
  }
});

test("names the one command to run when it may not install", async (t) => {
  const programs = { "apt-get": NOTHING, sudo: "exit 1" };
  const directory = await makeCheckout(t, programs);
  await chmod(directory, 0o755);
  const child = spawn(process.execPath, [join(directory, "setup", "start.mjs")], {
    cwd: directory,
    env: { PATH: join(directory, "bin") },
    // Root needs no sudo; "nobody" does.
    ...(process.getuid?.() === 0 && { uid: 65_534, gid: 65_534 }),
  });
  assert.deepEqual(await endOf(child), {
    code: 1,
    output:
      "setup: some programs are missing; install them and run this again:\n\n" +
      "    sudo apt-get update && sudo apt-get install -y --no-install-recommends ffmpeg\n\n",
  });
});

test("says what apt-get said when it fails, without the addresses it asked", async (t) => {
  const aptGet = "echo 'E: Failed to fetch https://mirror.example/debian/x 404' >&2; exit 100";
  const programs = { "apt-get": aptGet, sudo: 'shift; exec "$@"', env: 'shift; exec "$@"', true: NOTHING };
  const { ended } = start(await makeCheckout(t, programs));
  const { code, output } = await ended;
  assert.equal(code, 1);
  assert.match(output, /apt-get update failed:\n {2}E: Failed to fetch https:\/\/…\/debian\/x 404/);
  assert.doesNotMatch(output, /mirror\.example/);
});

interface LockedPackage {
  readonly dependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
}

/** Whether node's resolution from `path` finds `name` among `packages`. */
function isLocked(packages: Record<string, LockedPackage>, path: string, name: string): boolean {
  const inside = path === "" ? `node_modules/${name}` : `${path}/node_modules/${name}`;
  if (inside in packages) return true;
  return path !== "" && isLocked(packages, path.slice(0, Math.max(0, path.lastIndexOf("/node_modules/"))), name);
}

// npm leaves out of the lock what a registry did not have for another platform, and then `npm ci` refuses the lock.
test("the lock names every package, those of other platforms too", async () => {
  const lock: { packages: Record<string, LockedPackage> } = JSON.parse(
    await readFile(join(ROOT, "package-lock.json"), "utf8"),
  );
  const missing = Object.entries(lock.packages).flatMap(([path, { dependencies, optionalDependencies }]) =>
    Object.keys({ ...dependencies, ...optionalDependencies }).filter((name) => !isLocked(lock.packages, path, name)),
  );
  assert.deepEqual(missing, []);
  assert.ok(Object.keys(lock.packages).length > 100);
});
