import { RunningProgram } from "./publishers.ts";

/** When a picture is white for 100 ms while a tone is heard: at its start, in its middle, and near its end. */
const FLASH_TIMES_S = [0.4, 3, 5.6] as const;
export const FLASHED_S = 6;

const IS_FLASH = FLASH_TIMES_S.map((second) => `between(t,${second},${second + 0.0999})`).join("+");

/** Two inputs of ffmpeg, first the picture, which is black between its flashes, and then the sound, silent between its beeps. */
export function flashes({ size = "160x90", rate = "25", seconds = FLASHED_S, sampleRateHz = 48_000 } = {}): {
  readonly picture: readonly string[];
  readonly sound: readonly string[];
} {
  const white = `drawbox=color=white:t=fill:enable='${IS_FLASH}'`;
  const beep = `aevalsrc='0.8*sin(2*PI*1000*t)*(${IS_FLASH})'`;
  return {
    picture: ["-f", "lavfi", "-i", `color=black:size=${size}:rate=${rate}:duration=${seconds},${white}`],
    sound: ["-f", "lavfi", "-i", `${beep}:sample_rate=${sampleRateHz}:duration=${seconds}`],
  };
}

/** The pictures of a file or address as ffmpeg shows them. */
export interface ShownPictures {
  /** Of each picture, in seconds of the file's own clock. */
  readonly timesS: readonly number[];
  /** At which the picture turns white. */
  readonly flashesS: readonly number[];
  /** What the decoder complained of. */
  readonly complaints: string;
}

const QUIET = ["-nostdin", "-v", "warning", "-xerror", "-copyts"];
const CLOCK_HZ = 90_000;
/** Of what pictures are brought down to: their bytes add up to less than 16 bits hold. */
const SIDE = 16;

export async function readPictures(input: string): Promise<ShownPictures> {
  const small = `scale=${SIDE}:${SIDE}:flags=area,format=gray,setsar=1`;
  const times = ["-fps_mode", "passthrough", "-enc_time_base", `1:${CLOCK_HZ}`];
  const output = ["-map", "0:v:0", "-vf", small, ...times, "-c:v", "rawvideo", "-f", "framecrc", "-"];
  await using ffmpeg = new RunningProgram("ffmpeg", [...QUIET, "-i", input, ...output]);
  const { code, stdout, stderr } = await ffmpeg.ended;
  if (code !== 0) throw new Error(`${input} cannot be shown: ${stderr.slice(0, 2000)}`);
  const lines = stdout.split("\n").filter((line) => /^0,/.test(line));
  const pictures = lines.map((line) => {
    const fields = line.split(",");
    // The lower half of a checksum (Adler-32 that begins with 0) is the sum of all bytes.
    return { timeS: Number(fields[2]) / CLOCK_HZ, luma: Number(fields[5]?.trim()) & 0xffff };
  });
  const lumas = pictures.map(({ luma }) => luma);
  const middle = (Math.max(...lumas) + Math.min(...lumas)) / 2;
  const flashesS = pictures
    .filter(({ luma }, index) => luma > middle && (lumas[index - 1] ?? 0) <= middle)
    .map(({ timeS }) => timeS);
  return { timesS: pictures.map(({ timeS }) => timeS), flashesS, complaints: stderr };
}

const PCM_HZ = 48_000;
/** Beside the loudest sample. */
const LOUD = 0.2;
/** Beeps are further apart, whatever a codec makes of their ends. */
const LEAST_SILENCE_S = 0.5;

/** When the beeps begin that are heard from `zeroS` of the file's own clock on, in seconds since then. */
export async function readBeeps(input: string, zeroS = 0, track = 0): Promise<readonly number[]> {
  const filters = `asetpts=PTS-(${zeroS})/TB,aresample=${PCM_HZ}:async=1:first_pts=0,aformat=channel_layouts=mono`;
  const output = ["-map", `0:a:${track}`, "-af", filters, "-f", "f32le", "-c:a", "pcm_f32le", "-"];
  await using ffmpeg = new RunningProgram("ffmpeg", [...QUIET, "-i", input, ...output]);
  const [bytes, { code, stderr }] = await Promise.all([ffmpeg.output, ffmpeg.ended]);
  if (code !== 0) throw new Error(`${input} cannot be heard: ${stderr.slice(0, 2000)}`);
  const samples = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  const loud = LOUD * samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  const beeps: number[] = [];
  let quietSince = Number.NEGATIVE_INFINITY;
  for (const [index, sample] of samples.entries()) {
    if (Math.abs(sample) <= loud) continue;
    const atS = index / PCM_HZ;
    if (atS - quietSince > LEAST_SILENCE_S) beeps.push(atS);
    quietSince = atS;
  }
  return beeps;
}
