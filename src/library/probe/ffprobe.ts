import type { Clock } from "../../core/clock.ts";
import { DomainError } from "../../core/errors.ts";
import { FfmpegProcess, type FfmpegProgram } from "../../encode/ffmpeg/process.ts";
import { DEMUXERS } from "./container.ts";
import type { SourceInput } from "./source-input.ts";
import type { Container } from "./source-media.ts";

export interface FfprobeOptions {
  /** `path` is that of ffprobe. */
  readonly program: FfmpegProgram;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}

export interface FfprobeQuestion {
  readonly input: SourceInput;
  readonly container: Container;
  /** What is asked and in which form it is answered: `-show_streams`, `-print_format`. */
  readonly ask: readonly string[];
  readonly limitMs: number;
  /** Takes the answer as it comes; whatever it throws ends the program, and is thrown. */
  readonly take: (bytes: Uint8Array) => void;
}

/** More than any film has, less than what makes ffmpeg slow. */
export const MOST_STREAMS = 100;
/** No single table of an honest file's index is larger. */
const LARGEST_ALLOCATION_BYTES = 256 * 1024 * 1024;
/** ffmpeg's words for a source that cannot be reached now, rather than one that cannot be read at all. */
const NOT_NOW = /Input\/output error|Connection (refused|reset|timed out)|Server returned 5|No such file|Broken pipe/;

/**
 * Asks ffprobe about one file, opened as the container that it is and by the one protocol that its address needs.
 * Throws DomainError MEDIA_DAMAGED when it cannot be read, UNAVAILABLE when it cannot be reached.
 */
export async function askFfprobe(question: FfprobeQuestion, options: FfprobeOptions): Promise<void> {
  const { program, clock, signal } = options;
  signal?.throwIfAborted();
  const child = new FfmpegProcess({ program, arguments: argumentsOf(question), inputCount: 1, outputCount: 1, clock });
  let problem: { readonly error: unknown } | undefined;
  const end = (error: unknown) => {
    problem ??= { error };
    child.kill();
  };
  child.read(0, (bytes) => {
    try {
      if (!problem) question.take(bytes);
    } catch (error) {
      end(error);
    }
  });
  const limitS = question.limitMs / 1000;
  const cancel = clock.after(question.limitMs, () => end(damaged(`it could not be read within ${limitS} s`)));
  const abort = () => end(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  const { code, reason } = await child.exited;
  cancel();
  signal?.removeEventListener("abort", abort);
  if (problem) throw problem.error;
  if (child.pid === undefined) throw new DomainError("FFMPEG_MISSING", `ffprobe could not be started: ${reason}`);
  if (code !== 0) throw NOT_NOW.test(reason) ? unreachable(reason) : damaged(complaint(reason));
}

/** The answer as a text of at most `mostBytes`; a longer one is a file that cannot be meant honestly. */
export async function askFfprobeForText(
  question: Omit<FfprobeQuestion, "take"> & { readonly mostBytes: number },
  options: FfprobeOptions,
): Promise<string> {
  const pieces: Uint8Array[] = [];
  let byteCount = 0;
  const take = (bytes: Uint8Array) => {
    byteCount += bytes.length;
    if (byteCount > question.mostBytes) throw damaged("its description of itself has no end");
    pieces.push(bytes);
  };
  await askFfprobe({ ...question, take }, options);
  return Buffer.concat(pieces).toString("utf8");
}

function argumentsOf({ input, container, ask }: FfprobeQuestion): readonly string[] {
  const demuxer = DEMUXERS[container];
  return [
    ...["-hide_banner", "-loglevel", "level+error", "-max_alloc", `${LARGEST_ALLOCATION_BYTES}`],
    ...["-protocol_whitelist", input.protocols, "-format_whitelist", demuxer, "-max_streams", `${MOST_STREAMS}`],
    ...ask,
    ...["-o", "pipe:3", "-f", demuxer, "-i", input.url],
  ];
}

function damaged(what: string): DomainError {
  return new DomainError("MEDIA_DAMAGED", `the file cannot be played: ${what}`);
}

function unreachable(reason: string): DomainError {
  return new DomainError("UNAVAILABLE", `the file cannot be reached now: ${complaint(reason)}`);
}

/** The last part of what ffmpeg says: who says it and which address is ours means nothing to the file's owner. */
function complaint(reason: string): string {
  return (
    reason
      .split("[error] ")
      .at(-1)
      ?.replace(/^\S*:.*: (?=[A-Z])/, "") ?? reason
  );
}
