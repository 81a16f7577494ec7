/** When a picture is white for 100 ms while a tone is heard: at its start, in its middle, and near its end. */
const FLASH_TIMES_S = [0.4, 3, 5.6] as const;
const FLASHED_S = 6;

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
