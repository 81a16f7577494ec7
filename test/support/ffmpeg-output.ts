import { execFile } from "node:child_process";
import { promisify } from "node:util";

const execute = promisify(execFile);
const MOST_OUTPUT_BYTES = 64 * 1024 * 1024;

/** Runs ffmpeg with these arguments, which end in `-f {format} -` or the like, and returns what it writes. */
export async function ffmpegOutput(...args: string[]): Promise<Buffer> {
  const { stdout } = await execute("ffmpeg", ["-hide_banner", "-loglevel", "error", "-nostdin", ...args], {
    encoding: "buffer",
    maxBuffer: MOST_OUTPUT_BYTES,
  });
  return stdout;
}

/** What ffprobe says of bytes given on its standard input, as its JSON. */
export async function ffprobeJson(input: Uint8Array, ...args: string[]): Promise<unknown> {
  const running = execute("ffprobe", ["-loglevel", "error", "-of", "json", ...args, "-"], {
    maxBuffer: MOST_OUTPUT_BYTES,
  });
  running.child.stdin?.end(input);
  const { stdout } = await running;
  return JSON.parse(stdout);
}
