import { execFile } from "node:child_process";
import { mkdtemp, open, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { promisify } from "node:util";
import { systemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { findProgram } from "../../src/encode/ffmpeg/probe.ts";
import type { MadeChunk, MakeTools, TimedSource } from "../../src/library/make/contract.ts";
import { findPresentationZero } from "../../src/library/make/presentation-zero.ts";
import { probeSource } from "../../src/library/probe/probe.ts";
import { mainVideo, type SourceMedia } from "../../src/library/probe/source-media.ts";
import { MemoryObjectStore } from "../../src/storage/memory/memory-object-store.ts";
import type { ObjectStore } from "../../src/storage/object-store.ts";

const execute = promisify(execFile);
const MOST_OUTPUT_BYTES = 64 * 1024 * 1024;

/** A directory for the files of one test file, gone when its tests are done. */
export async function sourceDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "headwater-sources-"));
  after(() => rm(directory, { recursive: true }));
  return directory;
}

async function programPath(name: string): Promise<string> {
  const path = await findProgram(name, process.env.PATH ?? "");
  if (path === undefined) throw new Error(`these tests run ${name}`);
  return path;
}

/** What makes renditions, with a store of its own in memory. */
export async function makeTools(): Promise<MakeTools & { readonly store: MemoryObjectStore }> {
  const path = await programPath("ffmpeg");
  return {
    program: { path, environment: {}, workDir: tmpdir(), niceness: 0 },
    ...{ store: new MemoryObjectStore(), clock: systemClock, logger: silentLogger },
    ...{ coreCount: 2, preset: "ultrafast" },
  };
}

/** Runs ffmpeg with these arguments, the last of which names the file that it writes. */
export async function writeSource(...args: string[]): Promise<string> {
  await execute("ffmpeg", ["-hide_banner", "-loglevel", "error", "-nostdin", "-y", ...args]);
  return args.at(-1) ?? "";
}

/** The tables of ffprobe for a file on disk: `-show_frames` and the like. */
export async function probeFile(path: string, ...args: string[]): Promise<Record<string, Record<string, unknown>[]>> {
  const ask = ["-loglevel", "error", "-of", "json", ...args, path];
  const { stdout } = await execute("ffprobe", ask, { maxBuffer: MOST_OUTPUT_BYTES });
  return JSON.parse(stdout);
}

/** What ffmpeg complains of while it decodes all of a file; nothing when there is nothing. */
export async function decodeErrors(path: string): Promise<string> {
  // The times as they are: rounded to a frame rate, two frames of a variable rate can meet.
  const times = ["-copyts", "-fps_mode", "passthrough", "-enc_time_base", "1:90000"];
  const { stderr } = await execute("ffmpeg", [
    "-xerror",
    "-loglevel",
    "warning",
    "-i",
    path,
    ...times,
    "-f",
    "null",
    "-",
  ]);
  return stderr;
}

/** When each frame of the picture is shown, in ticks of 90 kHz since the first. */
export async function frameTimes(path: string): Promise<number[]> {
  const ask = ["-select_streams", "v:0", "-show_entries", "stream=time_base:frame=best_effort_timestamp"];
  const { streams, frames } = await probeFile(path, ...ask);
  const [numerator = 0, denominator = 1] = String(streams?.[0]?.time_base).split("/").map(Number);
  const times = (frames ?? []).map((frame) => Number(frame.best_effort_timestamp));
  // AVI tells no times: ffprobe has none for frames that come out after the last packet.
  const [before = 0, last = 0] = times.slice(-3, -1);
  if (Number.isNaN(times.at(-1))) times.splice(-1, 1, 2 * last - before);
  const ticks = times.map((time) => Math.round((time * numerator * 90_000) / denominator));
  return ticks.map((time) => time - (ticks[0] ?? 0));
}

export async function readObject(store: ObjectStore, key: string): Promise<Buffer> {
  const object = await store.get(key);
  if (!object) throw new Error(`there is no object ${key}`);
  return Buffer.concat(await Array.fromAsync(object.body));
}

/** Writes the header and all segments of a rendition's chunks as one file. */
export async function joinChunks(store: ObjectStore, chunks: readonly MadeChunk[], path: string): Promise<string> {
  const pieces = [chunks.find(({ init }) => init)?.init?.bytes ?? new Uint8Array()];
  for (const { key } of chunks.flatMap(({ segments }) => segments)) pieces.push(await readObject(store, key));
  await writeFile(path, Buffer.concat(pieces));
  return path;
}

export interface OpenedSource {
  readonly media: SourceMedia;
  readonly source: TimedSource;
}

/** A file as a job has it: probed, and with its presentation zero. */
export async function openSource(tools: MakeTools, path: string): Promise<OpenedSource> {
  const { size: sizeBytes } = await stat(path);
  const input = { url: `file:${path}`, protocols: "file" };
  const file = {
    sizeBytes,
    async read(offset: number, length: number): Promise<Uint8Array> {
      await using handle = await open(path);
      const { buffer, bytesRead } = await handle.read(new Uint8Array(length), 0, length, offset);
      return buffer.subarray(0, bytesRead);
    },
  };
  const signal = new AbortController().signal;
  const program = { ...tools.program, path: await programPath("ffprobe") };
  const media = await probeSource({ input, file }, { program, clock: tools.clock, signal });
  const access = { input, failure: undefined, close: async () => undefined };
  const { container } = media;
  const video = mainVideo(media);
  const stream = {
    kind: video ? ("video" as const) : ("audio" as const),
    index: (video ?? media.audio[0])?.index ?? 0,
  };
  const zeroTicks = await findPresentationZero(tools, { access, container, sizeBytes }, stream, signal);
  return { media, source: { access, container, sizeBytes, zeroTicks, leadTicks: 0 } };
}
