import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";
import { promisify } from "node:util";
import { DomainError } from "../../core/errors.ts";

const run = promisify(execFile);
const PROBE_LIMIT_MS = 10_000;
const PROBE_OUTPUT_BYTES = 4 * 1024 * 1024;
/** `-fps_mode` came with 5.1. */
const OLDEST_VERSION = [5, 1] as const;

/** An ffmpeg that was found and asked. */
export interface FfmpegProbe {
  readonly path: string;
  /** As it names itself: `5.1.9-0+deb12u1`, `8.0`, `N-120061-g…`. */
  readonly version: string;
  /** Names of its audio and video encoders. */
  readonly encoders: ReadonlySet<string>;
}

/** Absolute path of `command`, looked for in `searchPath` (as PATH is written); undefined when it is not there. */
export async function findProgram(command: string, searchPath: string): Promise<string | undefined> {
  const candidates = isAbsolute(command)
    ? [command]
    : searchPath.split(delimiter).flatMap((directory) => (isAbsolute(directory) ? [join(directory, command)] : []));
  for (const candidate of candidates) {
    if (await isExecutable(candidate)) return candidate;
  }
  return undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Finds ffmpeg and asks what it can do. Throws DomainError FFMPEG_MISSING when there is none, it is older than 5.1, or
 * it has not every one of `requiredEncoders`; the message says which.
 */
export async function probeFfmpeg(options: {
  readonly command: string;
  readonly searchPath: string;
  readonly requiredEncoders: readonly string[];
}): Promise<FfmpegProbe> {
  const path = await findProgram(options.command, options.searchPath);
  if (!path) throw new DomainError("FFMPEG_MISSING", `${options.command} was not found`);
  const answer = await askEncoders(path);
  const probe = { path, version: parseVersion(answer), encoders: parseEncoders(answer) };
  const missing = options.requiredEncoders.filter((name) => !probe.encoders.has(name));
  if (isTooOld(probe.version)) {
    throw new DomainError("FFMPEG_MISSING", `${path} is ffmpeg ${probe.version}; 5.1 or newer is needed`);
  }
  if (missing.length > 0) throw new DomainError("FFMPEG_MISSING", `${path} has no encoder ${missing.join(", ")}`);
  return probe;
}

/** Its banner, which names the version, and its encoders: one start, which takes an ffmpeg of 200 libraries 0.1 s. */
async function askEncoders(path: string): Promise<string> {
  try {
    const limits = { timeout: PROBE_LIMIT_MS, maxBuffer: PROBE_OUTPUT_BYTES, env: {} };
    const { stdout, stderr } = await run(path, ["-encoders"], limits);
    return `${stderr}\n${stdout}`;
  } catch (cause) {
    throw new DomainError("FFMPEG_MISSING", `${path} -encoders failed`, { cause });
  }
}

/** The version out of ffmpeg's banner; empty when it names none. */
export function parseVersion(text: string): string {
  return /^ffmpeg version (\S+)/m.exec(text)?.[1] ?? "";
}

/** The names out of `ffmpeg -encoders`: ` V....D libx264   libx264 H.264 ...`. */
export function parseEncoders(text: string): ReadonlySet<string> {
  return new Set([...text.matchAll(/^ [AV][A-Z.]{5} (\w+)/gm)].map(([, name = ""]) => name));
}

/** Builds from git (`N-…`) carry no release number and are taken to be new. */
function isTooOld(version: string): boolean {
  const match = /^n?(\d+)\.(\d+)/.exec(version);
  if (!match) return false;
  const [major, minor] = [Number(match[1]), Number(match[2])];
  return major < OLDEST_VERSION[0] || (major === OLDEST_VERSION[0] && minor < OLDEST_VERSION[1]);
}
