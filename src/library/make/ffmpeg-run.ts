import type { Writable } from "node:stream";
import { DomainError } from "../../core/errors.ts";
import { type FfmpegExit, FfmpegProcess } from "../../encode/ffmpeg/process.ts";
import type { MakeProgress, MakeTools, SourceAccess } from "./contract.ts";
import { readProgress } from "./progress-report.ts";
import { StallWatch } from "./stall-watch.ts";

/** Without a sign of life for so long, ffmpeg is taken to hang: it reports once a second while it works. */
const STALL_LIMIT_MS = 120_000;
/** No one allocation of ffmpeg may be larger: a file that claims an hour of silence must not take the memory for it. */
const MOST_ALLOCATED_BYTES = 1024 * 1024 * 1024;

/** Reads one output of ffmpeg to its end. What it throws ends the run. */
export type OutputReader = (pieces: AsyncIterable<Uint8Array>) => Promise<void>;

export interface FfmpegRun {
  /** The original, where it is read. */
  readonly access?: Pick<SourceAccess, "failure">;
  /** With `pipe:0` for the first of `feeds` and `pipe:3` for the next, and the pipes behind them for `readers`. */
  readonly arguments: readonly string[];
  /** What ffmpeg reads from us, each on a pipe of its own; it may end before it has read all. What they throw ends the run. */
  readonly feeds?: readonly AsyncIterable<Uint8Array>[];
  readonly readers: readonly OutputReader[];
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: MakeProgress) => void) | undefined;
  readonly stallLimitMs?: number;
}

/**
 * Runs one ffmpeg to its end. Throws what a reader threw, the signal's reason when it aborts, or a DomainError: MEDIA_DAMAGED
 * where ffmpeg cannot read the source, UNAVAILABLE where the source could not be fetched, INTERNAL for all else.
 */
export async function runFfmpeg(tools: MakeTools, run: FfmpegRun): Promise<void> {
  run.signal.throwIfAborted();
  const { feeds = [] } = run;
  const inputCount = Math.max(1, feeds.length);
  const child = new FfmpegProcess({
    program: tools.program,
    arguments: [...globalArguments(inputCount + run.readers.length + 2), ...run.arguments],
    inputCount,
    outputCount: run.readers.length + 1,
    clock: tools.clock,
  });
  if (feeds.length === 0) child.inputs[0]?.end();
  const terminate = () => child.terminate();
  run.signal.addEventListener("abort", terminate, { once: true });
  let problem: unknown;
  const fail = (error: unknown) => {
    problem ??= error;
    child.terminate();
  };
  const limitMs = run.stallLimitMs ?? STALL_LIMIT_MS;
  const onStall = () => fail(new DomainError("INTERNAL", `ffmpeg stood still for ${limitMs / 1000} s`));
  const watch = new StallWatch({ clock: tools.clock, limitMs, onStall });
  const readers = [...run.readers, (pieces: AsyncIterable<Uint8Array>) => readProgress(pieces, run.onProgress)];
  await Promise.all([
    ...readers.map((read, index) => read(watch.follow(child.pieces(index))).catch(fail)),
    ...feeds.map((feed, index) => feedInput(child.inputs[index], feed).catch(fail)),
  ]);
  const exit = await child.exited;
  watch.stop();
  run.signal.removeEventListener("abort", terminate);
  run.signal.throwIfAborted();
  const cause = run.access?.failure;
  if (cause) throw new DomainError("UNAVAILABLE", "the original could not be read", { cause });
  if (problem) throw problem;
  if (exit.code !== 0) throw failureOf(exit);
}

/** Writes a feed to an input as fast as it is read; ends early where nobody reads on. */
async function feedInput(input: Writable | undefined, feed: AsyncIterable<Uint8Array>): Promise<void> {
  if (!input) return;
  for await (const piece of feed) {
    if (input.destroyed) return;
    if (!input.write(piece)) await drained(input);
  }
  input.end();
}

/** Resolves when more can be written, or nobody is there to write to. */
function drained(input: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      input.off("drain", done).off("close", done);
      resolve();
    };
    input.once("drain", done).once("close", done);
    if (input.destroyed) done();
  });
}

/** Times stay the source's own. What a log line may say is told by its level in brackets. */
function globalArguments(progressPipe: number): readonly string[] {
  return [
    ...["-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+warning", "-max_alloc", `${MOST_ALLOCATED_BYTES}`],
    ...["-progress", `pipe:${progressPipe}`, "-stats_period", "1", "-filter_complex_threads", "1", "-copyts"],
  ];
}

/** What ffmpeg prints when it is the file, and not us or the machine, that is at fault. */
const DAMAGE =
  /Invalid data found|moov atom not found|EBML header parsing failed|Could not find codec parameters|matches no streams|Cannot determine format|does not contain any stream/i;

function failureOf(exit: FfmpegExit): DomainError {
  const isDamaged = exit.signal === null && exit.lastLines.some((line) => DAMAGE.test(line));
  const details = { lastLines: exit.lastLines };
  return new DomainError(isDamaged ? "MEDIA_DAMAGED" : "INTERNAL", exit.reason, { details });
}
