import { Headwater } from "../headwater.ts";
import { readPartList } from "../load/part-list.ts";
import { type PublisherFigures, PublisherLoad } from "../load/publisher-load.ts";
import { makeSource, ONE_MEGABIT } from "../load/source-media.ts";
import { findMediamtx } from "../peers/mediamtx.ts";
import { findNginxRtmp } from "../peers/nginx.ts";
import { findNodeMediaServer } from "../peers/node-media-server.ts";
import { absencesOf, peersOf } from "../peers/peer.ts";
import { readTreeCpuSeconds, readTreeMemory } from "../process-usage.ts";
import type { Scenario, ScenarioContext, ScenarioResult } from "../scenario.ts";
import { show } from "../statistics.ts";
import { SERVER_CORE } from "../workplace.ts";

const AIM_COUNT = 150;
/** Beyond it a core is full: what is left goes away in bursts. */
const FULL_CPU_PERCENT = 90;
/** A server that takes frames later than that, or makes fewer parts than time has passed, does not keep up. */
const MOST_LATE_MS = 500;
const LEAST_PART_RATIO = 0.97;
const SETTLE_MS = 4000;
const PARTS = 'headwater_packaging_parts_total{kind="video"}';
const PARTS_PER_STREAM_SECOND = 2;
const LOOP_LAG = "headwater_nodejs_eventloop_lag_p99_seconds";
const SAMPLED_COUNT = 5;

/** More than enough of everything: it is the processor that is to be the limit. */
export const WIDE_LIMITS = [
  ...["--rtmp-max-connections", "5000", "--rtmp-max-pending-connections", "5000"],
  ...["--live-max-concurrent-streams", "5000"],
] as const;

interface Subject {
  readonly name: string;
  readonly pid: number;
  readonly rtmpPort: number;
  /** Names to publish under. */
  streamNames(count: number): Promise<string[]>;
  /** Called at the beginning of a measurement; the function it gives is called at the end. */
  watch?(): Promise<() => Promise<OwnFigures>>;
  end(): Promise<readonly string[]>;
}

interface OwnFigures {
  /** Parts of video made beside those that time has made due. */
  readonly partRatio: number;
  /** From the end of the newest listed part to now, the worst of some streams: at most a part's length when all is well. */
  readonly edgeAgeMs: number;
  readonly loopLagP99Ms: number;
}

interface Step {
  readonly count: number;
  readonly cpuPercent: number;
  readonly rssMb: number;
  readonly load: PublisherFigures;
  readonly own: OwnFigures | undefined;
  readonly keepsUp: boolean;
}

/** How many publishers of 1 Mbit/s one core takes. */
export const publishers: Scenario = {
  name: "publishers",
  title: "publishers on one core, 1 Mbit/s H.264 and AAC each",
  seconds: 20,
  counts: [25, 50, 100, 150, 200, 250, 300, 400, 500],
  async run(context): Promise<ScenarioResult> {
    const { workplace } = context;
    const path = await makeSource({ directory: await workplace.makeDirectory("source"), ...ONE_MEGABIT });
    const found = [await findMediamtx(), await findNodeMediaServer(workplace), await findNginxRtmp()];
    const starts = [
      () => startHeadwater(context),
      ...peersOf(found).map((peer) => async (): Promise<Subject> => {
        const { program, rtmpPort } = await peer.start(workplace, SERVER_CORE);
        return {
          ...plainNames(),
          name: peer.version,
          pid: program.pid,
          rtmpPort,
          end: () => program.end().then(() => []),
        };
      }),
    ];
    const measured: { name: string; steps: Step[] }[] = [];
    const profile: string[] = [];
    for (const start of starts) {
      const subject = await start();
      measured.push({ name: subject.name, steps: await ramp(subject, path, context) });
      profile.push(...(await subject.end()));
      if (workplace.isProfiled) break;
    }
    return describe(measured, [...profile, ...absencesOf(found)], context);
  },
};

function plainNames(): Pick<Subject, "streamNames"> {
  let named = 0;
  return { streamNames: async (count) => Array.from({ length: count }, () => `stream-${named++}`) };
}

async function startHeadwater({ workplace }: ScenarioContext): Promise<Subject> {
  const server = await Headwater.start({
    workplace,
    core: SERVER_CORE,
    flags: [...WIDE_LIMITS, "--transcode-enabled", "false"],
  });
  const ids: string[] = [];
  return {
    name: "Headwater, LL-HLS and DASH",
    pid: server.pid,
    rtmpPort: server.rtmpPort,
    async streamNames(count) {
      const keys: string[] = [];
      for (let made = 0; made < count; made++) {
        const { streamId, streamKey } = await server.createStream();
        ids.push(streamId);
        keys.push(streamKey);
      }
      return keys;
    },
    async watch() {
      const startMs = performance.now();
      const before = await server.metrics(PARTS, LOOP_LAG);
      return async () => {
        const after = await server.metrics(PARTS, LOOP_LAG);
        const due = (ids.length * PARTS_PER_STREAM_SECOND * (performance.now() - startMs)) / 1000;
        return {
          partRatio: (after[PARTS] - before[PARTS]) / due,
          loopLagP99Ms: 1000 * after[LOOP_LAG],
          edgeAgeMs: await worstEdgeAge(server, ids),
        };
      };
    },
    end: () => server.end(),
  };
}

async function worstEdgeAge(server: Headwater, ids: readonly string[]): Promise<number> {
  const every = Math.max(1, Math.floor(ids.length / SAMPLED_COUNT));
  const ages: number[] = [];
  for (const id of ids.filter((_, at) => at % every === 0)) {
    const response = await fetch(`${server.origin}/streams/${id}/source/playlist.m3u8`);
    const edgeMs = readPartList(await response.text()).parts.at(-1)?.endMs ?? Number.NaN;
    ages.push(performance.timeOrigin + performance.now() - edgeMs);
  }
  return Math.max(...ages);
}

async function ramp(
  subject: Subject,
  path: string,
  { workplace, seconds, counts, say }: ScenarioContext,
): Promise<Step[]> {
  const load = await PublisherLoad.start(workplace, { path, seconds: ONE_MEGABIT.seconds });
  const steps: Step[] = [];
  for (const count of counts) {
    const more = count - (steps.at(-1)?.count ?? 0);
    await load.add({ port: subject.rtmpPort, streamNames: await subject.streamNames(more) });
    await workplace.wait(SETTLE_MS);
    const step = await measureStep(subject, load, count, seconds * 1000, workplace.wait.bind(workplace));
    steps.push(step);
    say(
      `${subject.name}: ${count} publishers, ${show(step.cpuPercent)} % of a core${step.keepsUp ? "" : ", does not keep up"}`,
    );
    if (!step.keepsUp || step.cpuPercent >= FULL_CPU_PERCENT) break;
  }
  await load.end();
  return steps;
}

async function measureStep(
  subject: Subject,
  load: PublisherLoad,
  count: number,
  forMs: number,
  wait: (ms: number) => Promise<void>,
): Promise<Step> {
  await load.figures();
  const finish = await subject.watch?.();
  const [cpuBefore, startMs] = [await readTreeCpuSeconds(subject.pid), performance.now()];
  await wait(forMs);
  const cpuSeconds = (await readTreeCpuSeconds(subject.pid)) - cpuBefore;
  const cpuPercent = (100_000 * cpuSeconds) / (performance.now() - startMs);
  const own = await finish?.();
  const figures = await load.figures();
  const { rssBytes } = await readTreeMemory(subject.pid);
  const isComplete = figures.publisherCount === count && figures.lateP99Ms < MOST_LATE_MS;
  const keepsUp = isComplete && (own === undefined || own.partRatio > LEAST_PART_RATIO);
  return { count, cpuPercent, rssMb: rssBytes / 1e6, load: figures, own, keepsUp };
}

function describe(
  measured: readonly { name: string; steps: readonly Step[] }[],
  notes: readonly string[],
  { seconds }: ScenarioContext,
): ScenarioResult {
  const most = ({ steps }: { steps: readonly Step[] }) =>
    Math.max(0, ...steps.filter((step) => step.keepsUp).map(({ count }) => count));
  const own = measured[0];
  const ownMost = own ? most(own) : 0;
  const counts = [...new Set(measured.flatMap(({ steps }) => steps.map(({ count }) => count)))].sort((a, b) => a - b);
  const cell = (steps: readonly Step[], count: number) => {
    const step = steps.find((one) => one.count === count);
    return step ? `${show(step.cpuPercent)} %${step.keepsUp ? "" : " (behind)"}` : "";
  };
  return {
    aims: [{ aim: `${AIM_COUNT} publishers a core`, measured: `${ownMost}`, isMet: ownMost >= AIM_COUNT }],
    tables: [
      {
        caption: "Processor time, 100 % being one core:",
        head: ["publishers", ...measured.map(({ name }) => name)],
        rows: [
          ...counts.map((count) => [`${count}`, ...measured.map(({ steps }) => cell(steps, count))]),
          ["most that it kept up with", ...measured.map((one) => `${most(one)}`)],
        ],
      },
      {
        caption: "Headwater in detail:",
        head: [
          "publishers",
          "parts made of those due",
          "edge, worst ms",
          "event loop p99, ms",
          "frames sent late p99, ms",
          "RSS, MB",
        ],
        rows: (own?.steps ?? []).map((step) => [
          `${step.count}`,
          `${show(100 * (step.own?.partRatio ?? Number.NaN), 1)} %`,
          show(step.own?.edgeAgeMs ?? Number.NaN),
          show(step.own?.loopLagP99Ms ?? Number.NaN),
          show(step.load.lateP99Ms),
          show(step.rssMb),
        ]),
      },
    ],
    notes: [
      `Each server had one core to itself (taskset), the load the other; ${seconds} s at each count. A ramp ends at ${FULL_CPU_PERCENT} % or when media fall behind.`,
      "Behind: a publisher was cut off, frames went out more than half a second late, or parts were missing.",
      "Headwater cuts every stream to LL-HLS parts of 0.5 s and CMAF segments of 2 s; MediaMTX the same to LL-HLS; nginx-rtmp writes HLS fragments of 2 s to memory; node-media-server packages nothing at all.",
      "Edge: from the end of the newest listed part to the moment of asking; up to the length of a part when all is well.",
      ...notes,
    ],
    figures: measured,
  };
}
