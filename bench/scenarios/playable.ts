import { Headwater } from "../headwater.ts";
import { type FilmCoding, makeFilm } from "../load/film.ts";
import type { Scenario, ScenarioContext, ScenarioResult } from "../scenario.ts";
import { median, show } from "../statistics.ts";

const ASK_MS = 20;
const ROUNDS = 3;
/** Films above this are not waited for until all of them is made: that says how fast encoders are. */
const LONGEST_WHOLE_SECONDS = 60;
const ROADS = [
  { road: "kept as it came", coding: "h264-aac", aimMs: 3_000 },
  { road: "encoded", coding: "mpeg4-mp2", aimMs: 8_000 },
] as const satisfies readonly { road: string; coding: FilmCoding; aimMs: number }[];

interface Measured {
  readonly road: string;
  readonly seconds: number;
  /** From the upload's last byte; medians. */
  readonly answeredMs: number;
  readonly playableMs: number;
  /** NaN where nobody waited for it. */
  readonly readyMs: number;
}

/** How soon a film can be watched after its last byte, by its length. */
export const playable: Scenario = {
  name: "playable",
  title: "from the last byte of an upload to its first picture, by length",
  seconds: 600,
  counts: [10, 60, 600],
  async run(context): Promise<ScenarioResult> {
    const { workplace, counts, say } = context;
    const measured: Measured[] = [];
    for (const { road, coding } of ROADS) {
      for (const seconds of counts) {
        const path = await makeFilm({ directory: workplace.directory, seconds, width: 1920, height: 1080, coding });
        const rounds: Omit<Measured, "road" | "seconds">[] = [];
        for (let round = 0; round < ROUNDS; round++) rounds.push(await measure(path, seconds, context));
        const middle = (of: (round: Omit<Measured, "road" | "seconds">) => number) => median(rounds.map(of));
        const line = {
          answeredMs: middle(({ answeredMs }) => answeredMs),
          playableMs: middle(({ playableMs }) => playableMs),
          readyMs: middle(({ readyMs }) => readyMs),
        };
        measured.push({ road, seconds, ...line });
        say(`${seconds} s, ${road}: playable after ${show(line.playableMs)} ms, ready after ${show(line.readyMs)} ms`);
      }
    }
    return describe(measured);
  },
};

/** Uploads a film to a server of its own, and waits until it can be played and until all of it is there. */
async function measure(
  path: string,
  seconds: number,
  { workplace }: ScenarioContext,
): Promise<Omit<Measured, "road" | "seconds">> {
  const dataDir = await workplace.makeMemoryDirectory();
  const server = await Headwater.start({ workplace, dataDir });
  const { videoId, lastByteAtMs, answeredAtMs } = await server.upload(path);
  const playableAtMs = await server.untilVideo(videoId, ["playable", "ready"], ASK_MS);
  const isAwaited = seconds <= LONGEST_WHOLE_SECONDS;
  const readyAtMs = isAwaited ? await server.untilVideo(videoId, ["ready"], ASK_MS) : Number.NaN;
  await server.end();
  return {
    answeredMs: answeredAtMs - lastByteAtMs,
    playableMs: playableAtMs - lastByteAtMs,
    readyMs: readyAtMs - lastByteAtMs,
  };
}

function describe(measured: readonly Measured[]): ScenarioResult {
  const worstOf = (name: string) =>
    Math.max(...measured.filter(({ road }) => road === name).map(({ playableMs }) => playableMs));
  return {
    aims: ROADS.map(({ road, aimMs }) => ({
      aim: `${road}: playable within ${show(aimMs / 1000)} s, whatever its length`,
      measured: `${show(worstOf(road) / 1000, 2)} s at most`,
      isMet: worstOf(road) <= aimMs,
    })),
    tables: [
      {
        head: ["length", "road", "upload answered, ms", "playable, ms", "ready, ms"],
        rows: measured.map(({ seconds, road, answeredMs, playableMs, readyMs }) => [
          `${show(seconds)} s`,
          road,
          show(answeredMs),
          show(playableMs),
          show(readyMs),
        ]),
      },
    ],
    notes: [
      `1920x1080 at 30 frames per second; kept: H.264 and AAC in MP4; encoded: MPEG-4 and MP2 in AVI, to 1080p, 720p, 480p, 360p and 240p, of which 1080p begins after the others. Medians of ${ROUNDS} rounds, each on a server of its own that first has to start its worker; data in memory.`,
      "From the moment that the last byte of the upload was handed to the socket until the API calls the video playable (ready), asked every 20 ms. Films above a minute were not waited for until they were ready.",
    ],
    figures: measured,
  };
}
