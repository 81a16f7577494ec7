import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

const execute = promisify(execFile);

export interface SourceOptions {
  readonly directory: string;
  /** A multiple of 16, so that pictures at 30 a second, two-second GOPs and AAC frames at 48 kHz end together. */
  readonly seconds: number;
  readonly width: number;
  readonly height: number;
  readonly videoBps: number;
  readonly audioBps: number;
}

/** What the publishers of the load send: 1 Mbit/s in all. */
export const ONE_MEGABIT = { seconds: 16, width: 640, height: 360, videoBps: 872_000, audioBps: 128_000 } as const;
/** What the ladder is made of. */
export const HD_SOURCE = { width: 1280, height: 720, videoBps: 4_000_000, audioBps: 128_000 } as const;

/** Makes an FLV file of H.264 and AAC as encoders send it; returns its path. */
export async function makeSource(options: SourceOptions): Promise<string> {
  const { directory, seconds, width, height, videoBps, audioBps } = options;
  const path = join(directory, `source-${width}x${height}-${seconds}s.flv`);
  await execute("ffmpeg", [
    ...["-hide_banner", "-nostdin", "-loglevel", "error", "-y"],
    // Noise, so that the bit rate is used up: test patterns alone are too easy.
    ...["-f", "lavfi", "-i", `testsrc2=size=${width}x${height}:rate=30,noise=alls=24:allf=t,format=yuv420p`],
    ...["-f", "lavfi", "-i", "anoisesrc=sample_rate=48000:amplitude=0.1,aformat=channel_layouts=stereo"],
    ...["-t", `${seconds}`, "-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-profile:v", "main"],
    ...[
      "-b:v",
      `${videoBps}`,
      "-maxrate",
      `${videoBps}`,
      "-bufsize",
      `${videoBps / 2}`,
      "-g",
      "60",
      "-sc_threshold",
      "0",
    ],
    ...["-c:a", "aac", "-b:a", `${audioBps}`, "-f", "flv", path],
  ]);
  return path;
}
