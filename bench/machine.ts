import { execFile } from "node:child_process";
import { cpus, release, totalmem, type } from "node:os";
import { promisify } from "node:util";
import { VERSION } from "../src/app/version.ts";

const execute = promisify(execFile);

/** One line on where figures come from: they mean nothing without. */
export async function describeMachine(): Promise<string> {
  const cores = cpus();
  const memoryGib = (totalmem() / 2 ** 30).toFixed(0);
  const { stdout } = await execute("ffmpeg", ["-version"]);
  const ffmpeg = /^ffmpeg version (\S+)/.exec(stdout)?.[1] ?? "unknown";
  return [
    `${cores.length} cores (${cores[0]?.model.trim() ?? "unknown"}), ${memoryGib} GiB, ${type()} ${release()}`,
    `Headwater ${VERSION}, Node ${process.versions.node}, FFmpeg ${ffmpeg}`,
  ].join("; ");
}
