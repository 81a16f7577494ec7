import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import {
  decodeErrors,
  joinChunks,
  makeTools,
  openSource,
  sourceDirectory,
  writeSource,
} from "../../../test/support/source-files.ts";
import type { AudioEncodeSpec } from "../plan/video-plan.ts";
import { makeAudio } from "./audio.ts";
import type { AudioOutcome, MadeChunk } from "./contract.ts";
import { repackage } from "./repackage.ts";

const directory = await sourceDirectory();
const tools = await makeTools();
const at = (name: string) => join(directory, name);
const signal = new AbortController().signal;
const execute = promisify(execFile);

const GRID = { segmentTargetMs: 1000, chunkTargetMs: 4000 };
/** A white picture and a beep at these instants, 100 ms long. */
const BEATS_S = [0, 5, 9];
const SECONDS = 10;
const isBeat = BEATS_S.map((second) => `between(t,${second},${second + 0.0999})`).join("+");
const FLASHES = [
  ...["-f", "lavfi", "-i", `color=black:size=64x36:rate=50:duration=${SECONDS}`],
  ...["-f", "lavfi", "-i", `aevalsrc='0.8*sin(2*PI*1000*t)*(${isBeat})':sample_rate=48000:duration=${SECONDS}`],
  ...["-vf", `drawbox=color=white:t=fill:enable='${isBeat}'`, "-c:v", "libx264", "-preset", "ultrafast"],
];
const IN_STEP_MS = 20;

function spec(change: Partial<AudioEncodeSpec> = {}): AudioEncodeSpec {
  return {
    ...{ kind: "audio", method: "encode", id: "aac", streamIndex: 1, channelCount: 2, sampleRateHz: 48_000 },
    ...{ language: null, label: "Sound", isDefault: true, bitrateBps: 128_000 },
    ...change,
  };
}

interface MadeSound {
  readonly outcome: AudioOutcome;
  readonly chunks: readonly MadeChunk[];
  readonly file: string;
}

let runCount = 0;

async function encode(path: string, change: Partial<AudioEncodeSpec> = {}): Promise<MadeSound> {
  runCount += 1;
  const { source, media } = await openSource(tools, path);
  const [audio] = media.audio;
  assert.ok(audio);
  const chunks: MadeChunk[] = [];
  const [outcome] = await makeAudio(tools, {
    ...{ source, audio, grid: GRID, signal },
    targets: [{ renditionId: "aac", keyPrefix: `${runCount}/aac/`, spec: spec(change) }],
    onChunk: async (chunk) => void chunks.push(chunk),
  });
  assert.ok(outcome);
  return { outcome, chunks, file: await joinChunks(tools.store, chunks, at(`made-${runCount}.mp4`)) };
}

/** Seconds at which sound begins after silence; sample 0 of the list is the file's time 0. */
async function beeps(path: string): Promise<number[]> {
  const filters = "aresample=48000:async=1:first_pts=0,pan=mono|c0=c0";
  const raw = ["-i", path, "-map", "0:a:0", "-af", filters, "-f", "f32le", "-c:a", "pcm_f32le", `${path}.raw`];
  await execute("ffmpeg", ["-loglevel", "error", "-y", "-copyts", ...raw]);
  const bytes = await readFile(`${path}.raw`);
  const samples = new Float32Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / 4));
  const found: number[] = [];
  let quietSince = -48_000;
  samples.forEach((sample, index) => {
    if (Math.abs(sample) < 0.1) return;
    if (index - quietSince > 24_000) found.push(index / 48_000);
    quietSince = index;
  });
  return found;
}

function assertInStep(found: readonly number[], expected: readonly number[] = BEATS_S): void {
  assert.equal(found.length, expected.length, `beeps at ${found.join(", ")}`);
  for (const [index, second] of expected.entries()) {
    const offMs = ((found[index] ?? 0) - second) * 1000;
    assert.ok(Math.abs(offMs) < IN_STEP_MS, `the beep of ${second} s is ${offMs.toFixed(1)} ms off`);
  }
}

const SOURCES: Readonly<Record<string, readonly string[]>> = {
  "aac.mp4": ["-c:a", "aac"],
  "aac.mkv": ["-c:a", "aac"],
  "pcm.avi": ["-c:a", "pcm_s16le"],
  "mp3.mp4": ["-c:a", "libmp3lame"],
  "opus.webm.mkv": ["-c:a", "libopus"],
  "pcm.mov": ["-c:a", "pcm_s16le"],
  "cd.mp4": ["-c:a", "aac", "-ar", "44100"],
  "mono.mp4": ["-c:a", "aac", "-ac", "1"],
  "surround.mkv": ["-c:a", "ac3", "-ac", "6"],
  "late-clock.mkv": ["-c:a", "aac", "-output_ts_offset", "1.4"],
};

for (const [name, args] of Object.entries(SOURCES)) {
  test(`keeps sound in step with the picture: ${name}`, { timeout: 120_000 }, async () => {
    const path = await writeSource(...FLASHES, ...args, at(name));
    const { outcome, chunks, file } = await encode(path);
    assertInStep(await beeps(file));
    assert.equal(await decodeErrors(file), "");
    assert.ok(Math.abs(outcome.endTicks / outcome.timescale - SECONDS) < 0.05);
    assert.equal(chunks.length, outcome.chunkCount);
    assert.deepEqual(
      chunks.map(({ index, isLast }) => [index, isLast]),
      [0, 1, 2, 3].map((i) => [i, i === 3]),
    );
    const segments = chunks.flatMap((chunk) => chunk.segments);
    assert.equal(segments[0]?.start, 0);
    segments.slice(1).forEach(({ start }, index) => {
      const before = segments[index];
      assert.equal(start, (before?.start ?? 0) + (before?.duration ?? 0), "segments join without a seam");
      const second = Math.ceil(((index + 1) * 48_000) / 1024) * 1024;
      assert.equal(start, second, "a segment begins with the first unit at or after its second");
    });
  });
}

test("says silence before sound that begins late, and where it is missing", { timeout: 120_000 }, async () => {
  const gap = "aselect='not(between(t,2,4))'";
  const path = await writeSource(...FLASHES, "-af", gap, "-c:a", "aac", at("gap.mkv"));
  assertInStep(await beeps((await encode(path)).file));
  const [, , , , ...rest] = FLASHES;
  const picture = FLASHES.slice(0, 4);
  const late = await writeSource(...picture, "-itsoffset", "0.8", ...rest, "-c:a", "aac", at("late.mp4"));
  const { file, chunks } = await encode(late);
  assert.equal(chunks[0]?.segments[0]?.start, 0);
  assertInStep(
    await beeps(file),
    BEATS_S.map((second) => second + 0.8),
  );
});

test("leaves out sound from before the picture", { timeout: 120_000 }, async () => {
  const path = await writeSource("-itsoffset", "0.6", ...FLASHES, "-c:a", "aac", at("early.mkv"));
  assertInStep(await beeps((await encode(path)).file), [5 - 0.6, 9 - 0.6]);
});

test("makes as many channels and samples as asked for", { timeout: 120_000 }, async () => {
  const path = await writeSource(...FLASHES, "-c:a", "ac3", "-ac", "6", at("six.mkv"));
  const { chunks } = await encode(path, { channelCount: 6, bitrateBps: 384_000 });
  const format = chunks[0]?.init?.format;
  assert.ok(format?.kind === "audio");
  assert.deepEqual([format.channelCount, format.codecString], [6, "mp4a.40.2"]);
  const down = (await encode(path, { channelCount: 2, sampleRateHz: 44_100 })).chunks[0]?.init;
  assert.equal(down?.timescale, 44_100);
});

test("makes all of the picture's sound when the picture is longer", { timeout: 120_000 }, async () => {
  const path = await writeSource(...FLASHES, "-af", "atrim=end=6", "-c:a", "aac", at("short.mp4"));
  const { outcome } = await encode(path);
  assert.ok(Math.abs(outcome.endTicks / outcome.timescale - 6) < 0.05);
});

for (const name of ["aac.mp4", "aac.mkv", "cd.mp4"]) {
  test(`copies sound in step with the picture: ${name}`, { timeout: 120_000 }, async () => {
    const path = await writeSource(...FLASHES, ...(SOURCES[name] ?? []), at(`copied-${name}`));
    const { source } = await openSource(tools, path);
    const chunks: MadeChunk[] = [];
    const [outcome] = await repackage(tools, {
      ...{ source, grid: GRID, signal },
      tracks: [{ kind: "audio", renditionId: "a", streamIndex: 1, keyPrefix: `copied/${name}/` }],
      onChunk: async (chunk) => void chunks.push(chunk),
    });
    assert.equal(outcome?.kind, "made");
    assertInStep(await beeps(await joinChunks(tools.store, chunks, at(`copied-${name}.made.mp4`))));
  });
}
