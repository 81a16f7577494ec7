import { once } from "node:events";
import { join } from "node:path";
import { Headwater } from "../headwater.ts";
import { makeFilm } from "../load/film.ts";
import type { Scenario, ScenarioContext, ScenarioResult } from "../scenario.ts";
import { median, show } from "../statistics.ts";
import { LOAD_CORE, SERVER_CORE } from "../workplace.ts";

const AIM_RATIO = 1.05;
const AIM_SPEED_UP = 1.8;
/** To ask and to answer take processor time that the film then lacks: some 20 ms each time. What is late by it counts as ours. */
const ASK_MS = 1_000;
const PROFILES = [
  { name: "720p", scale: "1280:720", bitrateBps: 2_800_000, profile: "main", level: "3.1" },
  { name: "480p", scale: "854:480", bitrateBps: 1_400_000, profile: "main", level: "3.0" },
  { name: "360p", scale: "640:360", bitrateBps: 800_000, profile: "main", level: "3.0" },
] as const;

/** Wall times. */
interface Round {
  plainMs: number;
  oneWorkerMs: number;
  onePinnedMs: number;
  twoPinnedMs: number;
  /** The command on one core, and two of it at once, each on a core of its own with half of the film: what the machine can give. */
  plainPinnedMs: number;
  plainHalvesMs: number;
}

/** What the making of a film takes beside the command that somebody would write by hand, and what a second worker brings. */
export const transcode: Scenario = {
  name: "transcode",
  title: "three qualities of a film beside one ffmpeg command, and with two workers",
  seconds: 120,
  counts: [4],
  async run(context): Promise<ScenarioResult> {
    const { workplace, seconds, counts, say } = context;
    const { directory } = workplace;
    const path = await makeFilm({ directory, seconds, width: 1280, height: 720, coding: "mpeg4-mp2" });
    const rounds: Round[] = [];
    for (let number = 1; number <= (counts[0] ?? 1); number++) {
      const round = await runAll(path, number % 2 === 1, context);
      rounds.push(round);
      const times = Object.entries(round).map(([name, ms]) => `${name} ${show(ms, 0)}`);
      say(`round ${number}: ${times.join(", ")}`);
    }
    return describe(rounds, context);
  },
};

/** A machine that grows slower or faster meanwhile favours who comes first in one round, and who comes last in the next. */
async function runAll(path: string, isForward: boolean, context: ScenarioContext): Promise<Round> {
  const runs: Record<keyof Round, () => Promise<number>> = {
    plainMs: () => runByHand(path, context),
    oneWorkerMs: () => runWorkers(path, [undefined], context),
    onePinnedMs: () => runWorkers(path, [SERVER_CORE], context),
    twoPinnedMs: () => runWorkers(path, [SERVER_CORE, LOAD_CORE], context),
    plainPinnedMs: () => runByHand(path, context, { core: SERVER_CORE }),
    plainHalvesMs: () => runHalves(path, context),
  };
  const round: Round = {
    plainMs: 0,
    oneWorkerMs: 0,
    onePinnedMs: 0,
    twoPinnedMs: 0,
    plainPinnedMs: 0,
    plainHalvesMs: 0,
  };
  const names = Object.keys(runs) as (keyof Round)[];
  for (const name of isForward ? names : names.toReversed()) round[name] = await runs[name]();
  return round;
}

/** Uploads the film to a server whose workers are started one for each core named, and waits until all is made. */
async function runWorkers(
  path: string,
  cores: readonly (number | undefined)[],
  { workplace }: ScenarioContext,
): Promise<number> {
  const dataDir = await workplace.makeMemoryDirectory();
  const profiles = PROFILES.map(({ name }) => name).join(",");
  const flags = ["--jobs-worker", "false", "--video-profiles", profiles];
  const server = await Headwater.start({ workplace, dataDir, flags });
  const workers = await Promise.all(
    cores.map((core) => Headwater.startWorker({ workplace, dataDir, flags, ...(core !== undefined && { core }) })),
  );
  const { videoId, answeredAtMs } = await server.upload(path);
  const readyAtMs = await server.untilVideo(videoId, ["ready"], ASK_MS);
  for (const worker of workers) await worker.end();
  await server.end();
  return readyAtMs - answeredAtMs;
}

/** The same qualities with the same settings of the encoder, as HLS with fragmented MP4 in memory. */
async function runByHand(
  path: string,
  { workplace }: ScenarioContext,
  { core, part = [] }: { readonly core?: number; readonly part?: readonly string[] } = {},
): Promise<number> {
  const directory = await workplace.makeMemoryDirectory();
  const labels = PROFILES.map((_, index) => `[s${index}]`).join("");
  const scales = PROFILES.map(
    ({ scale }, index) => `[s${index}]scale=${scale}:flags=bicubic,format=yuv420p[v${index}]`,
  );
  const outputs = PROFILES.flatMap(({ name, bitrateBps, profile, level }, index) => [
    ...["-map", `[v${index}]`, "-c:v", "libx264", "-preset", "veryfast", "-profile:v", profile, "-level:v", level],
    ...["-crf", "22", "-maxrate", `${bitrateBps}`, "-bufsize", `${bitrateBps * 2}`],
    ...["-force_key_frames", "expr:gte(t,n_forced*4)", "-x264-params", "keyint=infinite:open-gop=0"],
    ...hls(join(directory, name)),
  ]);
  const sound = [192, 96].flatMap((kbps) => [
    ...["-map", "0:a", "-c:a", "aac", "-b:a", `${kbps}k`, ...hls(join(directory, `audio${kbps}`))],
  ]);
  const startMs = performance.now();
  const command = [
    ...["ffmpeg", "-hide_banner", "-nostdin", "-nostats", "-loglevel", "error", ...part, "-i", path],
    ...["-filter_complex", [`[0:v]split=${PROFILES.length}${labels}`, ...scales].join(";")],
    ...outputs,
    ...sound,
  ];
  const { child, output } = workplace.run(command, core === undefined ? {} : { core });
  const [code] = await once(child, "exit", { signal: workplace.signal });
  if (code !== 0) throw new Error(`the command failed:\n${output()}`);
  return performance.now() - startMs;
}

async function runHalves(path: string, context: ScenarioContext): Promise<number> {
  const half = `${context.seconds / 2}`;
  const times = await Promise.all([
    runByHand(path, context, { core: SERVER_CORE, part: ["-t", half] }),
    runByHand(path, context, { core: LOAD_CORE, part: ["-ss", half] }),
  ]);
  return Math.max(...times);
}

function hls(stem: string): readonly string[] {
  return [
    ...["-f", "hls", "-hls_segment_type", "fmp4", "-hls_time", "4", "-hls_playlist_type", "vod"],
    ...["-hls_fmp4_init_filename", `${stem.slice(stem.lastIndexOf("/") + 1)}.mp4`, `${stem}.m3u8`],
  ];
}

function describe(rounds: readonly Round[], { seconds }: ScenarioContext): ScenarioResult {
  const ratio = median(rounds.map(({ oneWorkerMs, plainMs }) => oneWorkerMs / plainMs));
  const speedUp = median(rounds.map(({ onePinnedMs, twoPinnedMs }) => onePinnedMs / twoPinnedMs));
  const machineSpeedUp = median(rounds.map(({ plainPinnedMs, plainHalvesMs }) => plainPinnedMs / plainHalvesMs));
  return {
    aims: [
      {
        aim: `one worker: at most ${show(AIM_RATIO, 2)}x of the time of plain ffmpeg`,
        measured: `${show(ratio, 3)}x`,
        isMet: ratio <= AIM_RATIO,
      },
      {
        aim: `two workers on two cores: at least ${show(AIM_SPEED_UP, 1)}x as fast as one on one`,
        measured: `${show(speedUp, 2)}x, where two of the command bring ${show(machineSpeedUp, 2)}x`,
        isMet: speedUp >= AIM_SPEED_UP,
      },
    ],
    tables: [
      {
        caption: `Seconds until ${show(seconds)} s of film are made:`,
        head: [
          ...["round", "by hand", "one worker", "one worker on one core", "two workers on two cores"],
          ...["by hand on one core", "by hand, a half on each core"],
        ],
        rows: rounds.map((round, at) => {
          const { plainMs, oneWorkerMs, onePinnedMs, twoPinnedMs, plainPinnedMs, plainHalvesMs } = round;
          const times = [plainMs, oneWorkerMs, onePinnedMs, twoPinnedMs, plainPinnedMs, plainHalvesMs];
          return [`${at + 1}`, ...times.map((ms) => show(ms / 1000, 2))];
        }),
      },
    ],
    notes: [
      "Source: 1280x720 at 30 frames per second, MPEG-4 and MP2 in AVI; to 720p, 480p and 360p (libx264 veryfast, quality 22, limits of the profiles) and two bit rates of AAC.",
      "By hand: one ffmpeg that decodes once and writes all of it as HLS with fragmented MP4 to memory. Ours: from the answer to the upload until the video is ready, with the worker running, every second round in reverse order; the film is found out about, cut into chunks, encoded, stored and listed meanwhile.",
    ],
    figures: { rounds, ratio, speedUp, machineSpeedUp },
  };
}
