import { dirname, join } from "node:path";
import { DomainError } from "../core/errors.ts";
import { type FfmpegProbe, findProgram, probeFfmpeg } from "../encode/ffmpeg/probe.ts";
import type { Config } from "./settings.ts";

/** The configured ffmpeg, looked for in `searchPath` (as PATH is written). Throws FFMPEG_MISSING, as `probeFfmpeg` does. */
export function askFfmpeg({ transcode }: Config, searchPath: string): Promise<FfmpegProbe> {
  const requiredEncoders = [transcode.encoder, "aac"];
  return probeFfmpeg({ command: transcode.ffmpegPath, searchPath, requiredEncoders });
}

/** The ffprobe that came with this ffmpeg, else the first that PATH finds. Throws FFMPEG_MISSING. */
export async function findFfprobe(ffmpegPath: string, searchPath: string): Promise<string> {
  const path =
    (await findProgram(join(dirname(ffmpegPath), "ffprobe"), searchPath)) ?? (await findProgram("ffprobe", searchPath));
  if (path === undefined) throw new DomainError("FFMPEG_MISSING", "ffprobe was not found; it belongs to ffmpeg");
  return path;
}
