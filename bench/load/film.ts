import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

const execute = promisify(execFile);

/** How a film is coded: as cameras do it today, which is kept as it is, or in a way that no browser plays. */
export type FilmCoding = "h264-aac" | "mpeg4-mp2";

export interface FilmOptions {
  readonly directory: string;
  readonly seconds: number;
  readonly width: number;
  readonly height: number;
  readonly coding: FilmCoding;
}

/** A film repeats this much of itself: what is made of it takes as long, and making it does not. */
const LOOP_SECONDS = 20;

const CODINGS = {
  "h264-aac": {
    extension: "mp4",
    arguments: [
      ...["-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-g", "60", "-pix_fmt", "yuv420p"],
      ...["-c:a", "aac", "-b:a", "128k"],
    ],
    container: ["-movflags", "+faststart"],
  },
  "mpeg4-mp2": {
    extension: "avi",
    arguments: ["-c:v", "mpeg4", "-q:v", "4", "-g", "60", "-c:a", "mp2", "-b:a", "192k"],
    container: [],
  },
} as const;

/** Makes a film at 30 frames a second that moves and has grain; returns its path. */
export async function makeFilm({ directory, seconds, width, height, coding }: FilmOptions): Promise<string> {
  const { extension, arguments: coded, container } = CODINGS[coding];
  const loop = join(directory, `loop-${width}x${height}-${coding}.${extension}`);
  const path = join(directory, `film-${width}x${height}-${seconds}s-${coding}.${extension}`);
  const ffmpeg = ["-hide_banner", "-nostdin", "-loglevel", "error", "-y"];
  await execute("ffmpeg", [
    ...ffmpeg,
    ...["-f", "lavfi", "-i", `testsrc2=size=${width}x${height}:rate=30,noise=alls=8:allf=t,format=yuv420p`],
    ...["-f", "lavfi", "-i", "anoisesrc=sample_rate=48000:amplitude=0.1,aformat=channel_layouts=stereo"],
    ...["-t", `${Math.min(seconds, LOOP_SECONDS)}`, ...coded, loop],
  ]);
  const times = Math.ceil(seconds / LOOP_SECONDS) - 1;
  await execute("ffmpeg", [
    ...ffmpeg,
    ...["-stream_loop", `${times}`, "-i", loop, "-t", `${seconds}`, "-map", "0", "-c", "copy", ...container, path],
  ]);
  return path;
}
