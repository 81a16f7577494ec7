import { Headwater } from "../headwater.ts";
import { findMediamtx } from "../peers/mediamtx.ts";
import { findNginxRtmp } from "../peers/nginx.ts";
import { findNodeMediaServer } from "../peers/node-media-server.ts";
import { absencesOf, type Peer, peersOf } from "../peers/peer.ts";
import { type MemoryUse, readTreeMemory } from "../process-usage.ts";
import type { Scenario, ScenarioContext, ScenarioResult } from "../scenario.ts";
import { median, show } from "../statistics.ts";
import type { RunningProgram } from "../workplace.ts";

const READY_AIM_MS = 1000;
const IDLE_AIM_MB = 110;

interface Start {
  readonly readyMs: number;
  readonly idle: MemoryUse | undefined;
}

interface Subject {
  readonly name: string;
  readonly version: string;
  start(context: ScenarioContext): Promise<{ program: RunningProgram; readyMs: number }>;
}

/** How soon it is ready after `npm start` has nothing left to set up, and what it takes when nobody uses it. */
export const start: Scenario = {
  name: "start",
  title: "start to ready, and idle memory",
  seconds: 5,
  counts: [10],
  async run(context): Promise<ScenarioResult> {
    const found = [await findMediamtx(), await findNodeMediaServer(context.workplace), await findNginxRtmp()];
    const subjects = [...(await headwaterSubjects(context)), ...peersOf(found).map(subjectOf)];
    const measured = [];
    for (const subject of subjects) measured.push({ subject, starts: await measureStarts(subject, context) });
    return describe(measured, absencesOf(found), context);
  },
};

async function headwaterSubjects({ workplace }: ScenarioContext): Promise<Subject[]> {
  const dataDir = await workplace.makeDirectory("kept-data");
  const compileCacheDir = await workplace.makeDirectory("kept-code");
  const again = () => Headwater.start({ workplace, dataDir, compileCacheDir });
  const first = async () => Headwater.start({ workplace, compileCacheDir: await workplace.makeDirectory("no-code") });
  await (await again()).end();
  return [
    { name: "Headwater", version: "", start: again },
    { name: "Headwater, first start of a checkout", version: "", start: first },
  ];
}

function subjectOf(peer: Peer): Subject {
  return { name: peer.name, version: peer.version, start: ({ workplace }) => peer.start(workplace) };
}

/** Subjects one after another, so that none finds the others' files warm in memory. The first start only warms up. */
async function measureStarts(subject: Subject, context: ScenarioContext): Promise<Start[]> {
  const { say, counts, seconds, workplace } = context;
  const count = counts[0] ?? 1;
  const starts: Start[] = [];
  for (let number = 0; number <= count; number++) {
    const { program, readyMs } = await subject.start(context);
    const isLast = number === count;
    if (isLast) await workplace.wait(seconds * 1000);
    const idle = isLast ? await readTreeMemory(program.pid) : undefined;
    if (number > 0) starts.push({ readyMs, idle });
    await program.end();
  }
  say(`${subject.name}: ready after ${show(median(starts.map(({ readyMs }) => readyMs)))} ms`);
  return starts;
}

function describe(
  measured: readonly { subject: Subject; starts: readonly Start[] }[],
  absences: readonly string[],
  { seconds, counts }: ScenarioContext,
): ScenarioResult {
  const figures = measured.map(({ subject, starts }) => {
    const readyMs = starts.map((one) => one.readyMs);
    const idle = starts.at(-1)?.idle;
    return {
      name: subject.name,
      version: subject.version,
      readyMs: median(readyMs),
      worstReadyMs: Math.max(...readyMs),
      pssMb: (idle?.pssBytes ?? Number.NaN) / 1e6,
      rssMb: (idle?.rssBytes ?? Number.NaN) / 1e6,
    };
  });
  const own = figures[0];
  const { readyMs = Number.NaN, pssMb = Number.NaN, rssMb = Number.NaN } = own ?? {};
  return {
    aims: [
      { aim: `ready within ${show(READY_AIM_MS)} ms`, measured: `${show(readyMs)} ms`, isMet: readyMs <= READY_AIM_MS },
      {
        aim: `at most ${IDLE_AIM_MB} MB when idle`,
        measured: `${show(pssMb, 1)} MB (PSS; RSS ${show(rssMb, 1)} MB)`,
        isMet: pssMb <= IDLE_AIM_MB,
      },
    ],
    tables: [
      {
        head: ["server", "ready, median ms", "ready, worst ms", "idle PSS, MB", "idle RSS, MB", "time beside ours"],
        rows: figures.map((one) => [
          one.version || one.name,
          show(one.readyMs),
          show(one.worstReadyMs),
          show(one.pssMb, 1),
          show(one.rssMb, 1),
          `${show(one.readyMs / readyMs, 2)}x`,
        ]),
      },
    ],
    notes: [
      `From the start of the process until it says so (Headwater) or takes an RTMP connection (the others); ${counts[0]} starts after one that does not count.`,
      `Memory of the process and its children, ${seconds} s after it was ready. The same Node runs Headwater and node-media-server.`,
      "The first start of a checkout finds neither data nor compiled code, each later one finds both; to bundle the server, which `npm start` does when its sources have changed, takes a second more and is not in it.",
      "Headwater also opens its catalog, asks ffmpeg what it can do, and serves studio and API; the others do none of that.",
      ...absences,
    ],
    figures,
  };
}
