import { type FfmpegProbe, probeFfmpeg } from "../encode/ffmpeg/probe.ts";
import type { Config } from "./settings.ts";

/** The configured ffmpeg, looked for in `searchPath` (as PATH is written). Throws FFMPEG_MISSING, as `probeFfmpeg` does. */
export function askFfmpeg({ transcode }: Config, searchPath: string): Promise<FfmpegProbe> {
  const requiredEncoders = [transcode.encoder, "aac"];
  return probeFfmpeg({ command: transcode.ffmpegPath, searchPath, requiredEncoders });
}
