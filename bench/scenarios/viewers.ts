import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Headwater } from "../headwater.ts";
import { PublisherLoad } from "../load/publisher-load.ts";
import { makeSource, ONE_MEGABIT } from "../load/source-media.ts";
import { type ViewerFigures, ViewerLoad } from "../load/viewer-load.ts";
import { startStaticNginx } from "../peers/nginx.ts";
import { readTreeCpuSeconds } from "../process-usage.ts";
import type { Scenario, ScenarioContext, ScenarioResult } from "../scenario.ts";
import { show } from "../statistics.ts";
import { SERVER_CORE, type Workplace } from "../workplace.ts";

const AIM_COUNT = 3000;
const AIM_P99_MS = 250;
const ARRIVALS_PER_SECOND = 250;
const SETTLE_MS = 6000;
/** Until everybody who came has caught up: a busy server takes connections slowly, and who waited has parts to make up for. */
const CATCH_UP_LIMIT_MS = 60_000;
const LOOK_MS = 500;
/** Four connections a viewer. */
const CONNECTION_LIMITS = ["--http-max-connections", "20000", "--http-max-held-requests", "20000"] as const;

interface Step extends ViewerFigures {
  readonly cpuPercent: number;
  /** Renditions whose viewers had not caught up when the measurement began. */
  readonly behindCount: number;
}

interface Sizes {
  readonly playlistBytes: number;
  readonly videoPartBytes: number;
  readonly audioPartBytes: number;
}

/** How many low-latency viewers one core serves, and how late they get what is new. */
export const viewers: Scenario = {
  name: "viewers",
  title: "LL-HLS viewers on one core, one stream of 1 Mbit/s with its audio apart",
  seconds: 20,
  counts: [500, 1000, 2000, 3000],
  async run(context): Promise<ScenarioResult> {
    const { profile, steps } = await measureHeadwater(context);
    const last = steps.at(-1);
    const limit = last && !context.workplace.isProfiled ? await measureStatic(context, last) : undefined;
    return describe(steps, limit, profile, context);
  },
};

async function measureHeadwater(context: ScenarioContext): Promise<{ steps: Step[]; profile: readonly string[] }> {
  const { workplace, counts, say } = context;
  const source = {
    path: await makeSource({ directory: workplace.directory, ...ONE_MEGABIT }),
    seconds: ONE_MEGABIT.seconds,
  };
  const flags = [...CONNECTION_LIMITS, "--transcode-enabled", "false"];
  const server = await Headwater.start({ workplace, core: SERVER_CORE, flags });
  const { streamId, streamKey } = await server.createStream();
  const publisher = await PublisherLoad.start(workplace, source);
  await publisher.add({ port: server.rtmpPort, streamNames: [streamKey] });
  await server.playableUrl(streamId, workplace.signal);
  const playlistPaths = ["source", "audio_source"].map((id) => `/streams/${streamId}/${id}/playlist.m3u8`);
  const load = new ViewerLoad(workplace);
  const port = Number(new URL(server.origin).port);
  const steps: Step[] = [];
  for (const count of counts) {
    const more = count - (steps.at(-1)?.viewerCount ?? 0);
    await load.add({ port, playlistPaths, count: more, perSecond: ARRIVALS_PER_SECOND });
    const step = await measureStep(load, server.pid, context);
    steps.push(step);
    say(
      `${count} viewers: ${show(step.cpuPercent)} % of a core, part p99 ${show(step.partP99Ms)} ms, ${step.errorCount} errors`,
    );
  }
  await load.end();
  await publisher.end();
  return { steps, profile: await server.end() };
}

async function measureStatic(
  context: ScenarioContext,
  sizes: Sizes,
): Promise<{ name: string; steps: Step[] } | undefined> {
  const { workplace, counts, say } = context;
  const directory = await workplace.makeMemoryDirectory();
  const write = (name: string, bytes: number) => writeFile(join(directory, name), Buffer.alloc(Math.round(bytes), 1));
  await Promise.all([
    write("playlist", sizes.playlistBytes),
    write("video", sizes.videoPartBytes),
    write("audio", sizes.audioPartBytes),
  ]);
  const steps: Step[] = [];
  let name = "";
  for (const count of counts) {
    const server = await startStaticNginx(workplace, directory, SERVER_CORE);
    if (!server) return undefined;
    name = server.version;
    const load = new ViewerLoad(workplace);
    await load.addStatic({ port: server.port, playlistPath: "/playlist", partPaths: ["/video", "/audio"], count });
    const step = await measureStep(load, server.program.pid, context);
    steps.push(step);
    say(`${name}, static, ${count} viewers: ${show(step.cpuPercent)} % of a core, part p99 ${show(step.partP99Ms)} ms`);
    await load.end();
    await server.program.end();
  }
  return { name, steps };
}

async function measureStep(load: ViewerLoad, pid: number, { workplace, seconds }: ScenarioContext): Promise<Step> {
  await workplace.wait(SETTLE_MS);
  const behindCount = await waitForAll(load, workplace);
  await load.figures();
  const [cpuBefore, startMs] = [await readTreeCpuSeconds(pid), performance.now()];
  await workplace.wait(seconds * 1000);
  const cpuPercent = (100_000 * ((await readTreeCpuSeconds(pid)) - cpuBefore)) / (performance.now() - startMs);
  return { ...(await load.figures()), cpuPercent, behindCount };
}

/** Waits until nobody is behind, but not for ever; returns how many are left. */
async function waitForAll(load: ViewerLoad, workplace: Workplace): Promise<number> {
  const endMs = performance.now() + CATCH_UP_LIMIT_MS;
  for (;;) {
    const behindCount = await load.countBehind();
    if (behindCount === 0 || performance.now() > endMs) return behindCount;
    await workplace.wait(LOOK_MS);
  }
}

/** Processor time of the server for each request. */
function requestCostUs({ cpuPercent, requestsPerSecond }: Step): number {
  return (10_000 * cpuPercent) / requestsPerSecond;
}

function describe(
  steps: readonly Step[],
  limit: { name: string; steps: readonly Step[] } | undefined,
  profile: readonly string[],
  { seconds }: ScenarioContext,
): ScenarioResult {
  const inTime = steps.filter(({ partP99Ms, errorCount }) => partP99Ms < AIM_P99_MS && errorCount === 0);
  const most = Math.max(0, ...inTime.map(({ viewerCount }) => viewerCount));
  const atAim = steps.find(({ viewerCount }) => viewerCount === AIM_COUNT);
  const suffix = atAim ? ` (at ${show(AIM_COUNT)}: ${show(atAim.partP99Ms)} ms)` : "";
  return {
    aims: [
      {
        aim: `${show(AIM_COUNT)} viewers a core, parts within ${AIM_P99_MS} ms (p99)`,
        measured: `${show(most)}${suffix}`,
        isMet: most >= AIM_COUNT,
      },
    ],
    tables: [
      table("Headwater:", steps),
      ...(limit ? [table(`The limit: ${limit.name} with files of the same sizes`, limit.steps)] : []),
    ],
    notes: [
      `The server had one core to itself (taskset), viewers and publisher the other; ${seconds} s at each count, once all had caught up after they came.`,
      ...steps
        .filter(({ behindCount }) => behindCount > 0)
        .map(({ viewerCount, behindCount }) => `At ${show(viewerCount)}, ${behindCount} renditions never caught up.`),
      "A viewer asks as hls.js does: a playlist request of video and one of audio always wait (`_HLS_msn`, `_HLS_part`, `_HLS_skip`), each new part is fetched when it is listed; four connections. That is eight requests a second and viewer.",
      "Delay: from the end of the part's last frame by PROGRAM-DATE-TIME to the last byte of the part at the viewer, so it holds the round trip of the playlist too. The load's own queue is in it: when its processor share nears 100 %, it is the load that is late.",
      limit
        ? "nginx is asked for a playlist and then a part by everybody at once, twice a second: nothing waits, nothing is new, no coding is chosen. Its delay counts from the moment of asking."
        : "The limit was left out: nginx is not installed, or this run was a profile.",
      ...profile,
    ],
    figures: { headwater: steps, limit },
  };
}

function table(caption: string, steps: readonly Step[]) {
  return {
    caption,
    head: [
      "viewers",
      "requests/s",
      "server",
      "server, µs a request",
      "load",
      "part p50, ms",
      "part p99, ms",
      "part worst, ms",
      "playlist p50, ms",
      "playlist p99, ms",
      "errors",
    ],
    rows: steps.map((step) => [
      show(step.viewerCount),
      show(step.requestsPerSecond),
      `${show(step.cpuPercent)} %`,
      show(requestCostUs(step), 1),
      `${show(step.clientCpuPercent)} %`,
      show(step.partP50Ms),
      show(step.partP99Ms),
      show(step.partMaxMs),
      show(step.playlistP50Ms),
      show(step.playlistP99Ms),
      step.errorCount === 0 ? "0" : `${step.errorCount} (${step.firstError})`,
    ]),
  };
}
