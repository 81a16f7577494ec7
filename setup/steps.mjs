// The steps that bring a checkout to where it runs. Each does nothing when it is done already, says in one line what it
// does otherwise, and throws SetupProblem when it cannot. Plain JavaScript for Node 20: nothing is installed yet.
import { spawn } from "node:child_process";
import { accessSync, existsSync, constants as fileConstants } from "node:fs";
import { readFile } from "node:fs/promises";
import { constants } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** The checkout. */
export const ROOT = fileURLToPath(new URL("..", import.meta.url));

const NODE_MAJOR = 26;
/** Not in every minimal system. */
const NODE_LIBRARY = { file: "libatomic.so", package: "libatomic1" };
const APT_LOCK_WAIT_S = 300;

/** Something that the person at the keyboard has to do; `message` says what. */
export class SetupProblem extends Error {}

/** One line about a step that is being done. */
export function say(line) {
  process.stdout.write(`setup: ${line}\n`);
}

/** Installs what package-lock.json names, unless node_modules holds just that. */
export async function installPackages() {
  if (await isInstalled()) return;
  say("installing packages (npm ci)");
  // Vite and the other tools are development packages and needed here whatever NODE_ENV says.
  const { code, output } = await capture("npm", ["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"]);
  if (code !== 0) throw new SetupProblem(`npm ci failed:\n${excerptOf(output)}`);
}

/** npm writes what it installed beside it, last of all; the two lists agree when an installation was completed. */
async function isInstalled() {
  const wanted = await readPackages(join(ROOT, "package-lock.json"));
  const installed = await readPackages(join(ROOT, "node_modules", ".package-lock.json"));
  if (!wanted || !installed) return false;
  return Object.entries(wanted).every(([path, { version, optional }]) => {
    if (path === "") return true;
    return installed[path] ? installed[path].version === version : optional === true;
  });
}

async function readPackages(path) {
  try {
    return JSON.parse(await readFile(path, "utf8")).packages;
  } catch {
    return undefined; // missing or torn: as good as not installed
  }
}

/** Code is compiled once, not at every start of Node. */
export function keepCompiledCode() {
  process.env.NODE_COMPILE_CACHE ??= join(ROOT, ".cache", "node");
}

/** The path of a Node that runs TypeScript: the packaged one, with the library that it needs, else the one that runs this. */
export async function prepareNode() {
  const node = findNode();
  let problem = await problemOf(node);
  if (problem?.includes(NODE_LIBRARY.file)) {
    await installByApt([NODE_LIBRARY.package]);
    problem = await problemOf(node);
  }
  if (problem !== undefined) throw new SetupProblem(`${node} does not run here:\n${excerptOf(problem)}`);
  return node;
}

/** What it says instead of its version. */
async function problemOf(node) {
  const { code, output } = await capture(node, ["--version"]);
  return code === 0 ? undefined : output;
}

function findNode() {
  const packaged = join(ROOT, "node_modules", `node-${process.platform}-${process.arch}`, "bin", "node");
  if (existsSync(packaged)) return packaged;
  if (Number.parseInt(process.versions.node, 10) >= NODE_MAJOR) return process.execPath;
  throw new SetupProblem(
    `no packaged Node ${NODE_MAJOR} for ${process.platform}-${process.arch}: install Node ${NODE_MAJOR} or newer and run this again`,
  );
}

/** What running needs: a program to look for, and the Debian package that has it. */
export const RUN_NEEDS = [
  { program: "ffmpeg", package: "ffmpeg" },
  { program: "ffprobe", package: "ffmpeg" },
];

/** What the tests need beside that. Plug-ins and fonts have no program of their own: dpkg is asked for them. */
export const TEST_NEEDS = [
  ...RUN_NEEDS,
  { program: "chromium", package: "chromium" },
  { program: "gst-launch-1.0", package: "gstreamer1.0-tools" },
  { package: "gstreamer1.0-plugins-base" },
  { package: "gstreamer1.0-plugins-good" },
  { package: "gstreamer1.0-plugins-bad" },
  { package: "gstreamer1.0-plugins-ugly" },
  { package: "gstreamer1.0-libav" },
  { program: "rtmpdump", package: "rtmpdump" },
  { program: "mpv", package: "mpv" },
  { program: "streamlink", package: "streamlink" },
  { program: "nginx", package: "nginx-light" },
  { program: "varnishd", package: "varnish" },
  { program: "redis-server", package: "redis-server" },
  { package: "fonts-dejavu-core" },
  { package: "postgresql" },
];

/** Installs by apt the packages of `needs` that are missing, as root or by a sudo that asks no password. */
export async function installPrograms(needs) {
  const missing = await missingPackages(needs);
  if (missing.length > 0) await installByApt(missing);
}

async function installByApt(missing) {
  const install = ["install", "-y", "--no-install-recommends", ...missing];
  const byHand = `sudo apt-get update && sudo apt-get ${install.join(" ")}`;
  if (!findProgram("apt-get")) throw new SetupProblem(`install these and run this again: ${missing.join(", ")}`);
  const asRoot = await rootPrefix();
  if (!asRoot) throw new SetupProblem(`some programs are missing; install them and run this again:\n\n    ${byHand}\n`);
  say(`installing ${missing.join(", ")} (apt-get)`);
  await apt(asRoot, ["update"], byHand);
  await apt(asRoot, install, byHand);
}

async function missingPackages(needs) {
  const absent = needs.filter((need) => need.program && !findProgram(need.program)).map((need) => need.package);
  const unseen = needs.filter((need) => !need.program).map((need) => need.package);
  return [...new Set([...absent, ...(await notInstalledByDpkg(unseen))])];
}

async function notInstalledByDpkg(packages) {
  // Where there is no dpkg nobody can say; the tests that need a plug-in name it then.
  if (packages.length === 0 || !findProgram("dpkg-query")) return [];
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg's own placeholders
  const { output } = await capture("dpkg-query", ["-W", "-f", "${Package} ${db:Status-Status}\n", ...packages]);
  return packages.filter((name) => !output.split("\n").includes(`${name} installed`));
}

/** Debian keeps servers where only root's PATH leads. */
const SERVER_PLACES = ["/usr/sbin", "/sbin"];

function findProgram(name) {
  return [...(process.env.PATH ?? "").split(delimiter), ...SERVER_PLACES]
    .map((directory) => join(directory || ".", name))
    .find((path) => isExecutable(path));
}

function isExecutable(path) {
  try {
    accessSync(path, fileConstants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** What to put before a command so that it runs as root; undefined when that takes a password. */
async function rootPrefix() {
  if (process.getuid?.() === 0) return [];
  if (!findProgram("sudo")) return undefined;
  const { code } = await capture("sudo", ["-n", "true"]);
  return code === 0 ? ["sudo", "-n"] : undefined;
}

async function apt(asRoot, args, byHand) {
  const command = [...asRoot, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"];
  const options = ["-q", "-o", `DPkg::Lock::Timeout=${APT_LOCK_WAIT_S}`, "-o", "Acquire::Retries=3"];
  const [program, ...rest] = [...command, ...options, ...args];
  const giveUpAtMs = Date.now() + APT_LOCK_WAIT_S * 1000;
  for (;;) {
    const { code, output } = await capture(program, rest);
    if (code === 0) return;
    // DPkg::Lock::Timeout does not cover the lock of `update`, which another apt may hold for minutes.
    const isLocked = output.includes("Could not get lock") && Date.now() < giveUpAtMs;
    if (!isLocked) throw new SetupProblem(`apt-get ${args[0]} failed:\n${excerptOf(output)}\nBy hand: ${byHand}`);
    await sleep(2000);
  }
}

/** Runs a program to its end. Resolves with its exit code (127 when there is none to run) and all that it printed. */
export function capture(program, args) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
    const chunks = [];
    child.stdout.on("data", (chunk) => chunks.push(chunk));
    child.stderr.on("data", (chunk) => chunks.push(chunk));
    child.on("error", (problem) => resolve({ code: 127, output: problem.message }));
    child.on("close", (code) => resolve({ code: code ?? 1, output: Buffer.concat(chunks).toString() }));
  });
}

const EXCERPT_LINES = 8;

/**
 * The ends of a tool's output (npm says at the beginning what is wrong, apt-get at the end), without the addresses that
 * it talked to: they differ by machine and explain nothing.
 */
export function excerptOf(output) {
  const lines = output.trim().split("\n");
  const isShort = lines.length <= 2 * EXCERPT_LINES;
  const kept = isShort ? lines : [...lines.slice(0, EXCERPT_LINES), "...", ...lines.slice(-EXCERPT_LINES)];
  return kept.map((line) => `  ${line.replace(/\b(https?:\/\/|ftp:\/\/)[^\s/]+/g, "$1…")}`).join("\n");
}

// A terminal sends Ctrl-C to npm and to us, and npm passes it on: what comes within this time is one press.
const SAME_PRESS_MS = 200;

/**
 * Runs `node args` in the foreground, passing signals on, and ends as it ends. It stands in a process group of its own,
 * so that it hears each signal once: from us.
 */
export function runInForeground(node, args) {
  // A group of its own also means that what kills ours without warning misses it; the kernel tells it then.
  const untilWeDie = findProgram("setpriv") ? ["setpriv", "--pdeathsig", "TERM"] : [];
  const [program, ...rest] = [...untilWeDie, node, ...args];
  const child = spawn(program, rest, { stdio: "inherit", detached: true });
  let lastSignalAtMs = Number.NEGATIVE_INFINITY;
  const passOn = (signal) => {
    const nowMs = performance.now();
    if (nowMs - lastSignalAtMs > SAME_PRESS_MS) child.kill(signal);
    lastSignalAtMs = nowMs;
  };
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => passOn(signal));
  process.on("SIGHUP", () => passOn("SIGTERM")); // the terminal was closed
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      process.exitCode = code ?? 128 + constants.signals[signal];
      resolve();
    });
  });
}

/** Runs a command's steps; a SetupProblem becomes its text and exit code 1. */
export async function runSteps(steps) {
  try {
    await steps();
  } catch (problem) {
    if (!(problem instanceof SetupProblem)) throw problem;
    process.stderr.write(`setup: ${problem.message}\n`);
    process.exitCode = 1;
  }
}
