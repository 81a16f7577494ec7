import { Headwater } from "../headwater.ts";
import { PublisherLoad } from "../load/publisher-load.ts";
import { makeSource, ONE_MEGABIT } from "../load/source-media.ts";
import { findMediamtx } from "../peers/mediamtx.ts";
import { findNodeMediaServer } from "../peers/node-media-server.ts";
import { absencesOf, peersOf } from "../peers/peer.ts";
import { readTreeMemory } from "../process-usage.ts";
import type { Scenario, ScenarioContext, ScenarioResult } from "../scenario.ts";
import { median, show, slope } from "../statistics.ts";
import { WIDE_LIMITS } from "./publishers.ts";

/** Until every window is full and the oldest segments are let go. */
const FILL_MS = 55_000;
/** Until a server that keeps no window has all that it keeps. */
const WARM_MS = 14_000;
const EMPTY_MS = 5000;
const SAMPLE_MS = 500;
/**
 * Ten segments of two seconds are listed and one is open; one that has left the list can be fetched for as long again as
 * a playlist lasts (HLS §6.2.2). At 1 Mbit/s nobody can keep less.
 */
const WINDOW_MB = ((10 + 1 + 11) * 2 * 1_000_000) / 8 / 1e6;

interface Subject {
  readonly name: string;
  readonly pid: number;
  readonly rtmpPort: number;
  readonly keepsWindow: boolean;
  streamName(number: number): Promise<string>;
  end(): Promise<unknown>;
}

/** What each live stream adds to the memory of the process. */
export const memory: Scenario = {
  name: "memory",
  title: "memory for each live stream, passed through at 1 Mbit/s",
  seconds: 10,
  counts: [0, 10, 25, 50],
  async run(context): Promise<ScenarioResult> {
    const { workplace } = context;
    const path = await makeSource({ directory: await workplace.makeDirectory("source"), ...ONE_MEGABIT });
    const found = [await findMediamtx(), await findNodeMediaServer(workplace)];
    const subjects = [
      () => startHeadwater(context),
      ...peersOf(found).map((peer) => async (): Promise<Subject> => {
        const { program, rtmpPort } = await peer.start(workplace);
        const streamName = async (number: number) => `stream-${number}`;
        return {
          name: peer.version,
          pid: program.pid,
          rtmpPort,
          keepsWindow: peer.keepsWindow,
          streamName,
          end: () => program.end(),
        };
      }),
    ];
    const measured = [];
    for (const start of subjects) {
      const subject = await start();
      const { name, keepsWindow } = subject;
      measured.push({ name, keepsWindow, points: await grow(subject, path, context) });
      await subject.end();
    }
    return describe(measured, absencesOf(found));
  },
};

async function startHeadwater({ workplace }: ScenarioContext): Promise<Subject> {
  const server = await Headwater.start({ workplace, flags: [...WIDE_LIMITS, "--transcode-enabled", "false"] });
  return {
    name: "Headwater",
    pid: server.pid,
    rtmpPort: server.rtmpPort,
    keepsWindow: true,
    streamName: async () => (await server.createStream()).streamKey,
    end: () => server.end(),
  };
}

/** RSS in MB at each count. */
async function grow(
  subject: Subject,
  path: string,
  context: ScenarioContext,
): Promise<[count: number, rssMb: number][]> {
  const { workplace, counts, seconds, say } = context;
  const load = await PublisherLoad.start(workplace, { path, seconds: ONE_MEGABIT.seconds });
  const points: [number, number][] = [];
  let running = 0;
  for (const count of counts) {
    const streamNames: string[] = [];
    for (; running < count; running++) streamNames.push(await subject.streamName(running));
    await load.add({ port: subject.rtmpPort, streamNames });
    await workplace.wait(count === 0 ? EMPTY_MS : subject.keepsWindow ? FILL_MS : WARM_MS);
    const samples: number[] = [];
    for (let at = 0; at < seconds * 1000; at += SAMPLE_MS) {
      samples.push((await readTreeMemory(subject.pid)).rssBytes / 1e6);
      await workplace.wait(SAMPLE_MS);
    }
    points.push([count, median(samples)]);
    say(`${subject.name}: ${count} streams, ${show(median(samples))} MB`);
  }
  await load.end();
  return points;
}

function describe(
  measured: readonly { name: string; keepsWindow: boolean; points: readonly [number, number][] }[],
  notes: readonly string[],
): ScenarioResult {
  const counts = measured[0]?.points.map(([count]) => count) ?? [];
  // The first streams also warm the process up; what counts is what a further one costs.
  const perStream = (points: readonly [number, number][]) => slope(points.filter(([count]) => count > 0));
  return {
    aims: [],
    tables: [
      {
        head: ["live streams", ...measured.map(({ name }) => `${name}, RSS in MB`)],
        rows: [
          ...counts.map((count, at) => [
            `${count}`,
            ...measured.map(({ points }) => show(points[at]?.[1] ?? Number.NaN)),
          ]),
          ["for each further one", ...measured.map(({ points }) => show(perStream(points), 2))],
          ["media that has to be kept", ...measured.map(({ keepsWindow }) => show(keepsWindow ? WINDOW_MB : 0, 2))],
        ],
      },
    ],
    notes: [
      "Medians of RSS after the windows were full; the row below is the slope of a straight line through all counts but 0.",
      "Media that has to be kept, at 1 Mbit/s: ten listed segments of two seconds, the open one, and eleven that have left the list and can still be fetched (HLS §6.2.2). MediaMTX lets go of those that left; node-media-server keeps a GOP at most: it packages nothing.",
      ...notes,
    ],
    figures: measured.map(({ name, points }) => ({ name, points, perStreamMb: perStream(points) })),
  };
}
