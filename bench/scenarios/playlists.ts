import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { writeLongFilm } from "../../test/support/long-film.ts";
import { Headwater } from "../headwater.ts";
import type { AskedCounts } from "../load/asking-process.ts";
import { LoadProcess } from "../load/load-process.ts";
import { startStaticNginx } from "../peers/nginx.ts";
import { readTreeMemory } from "../process-usage.ts";
import type { Scenario, ScenarioContext, ScenarioResult } from "../scenario.ts";
import { show } from "../statistics.ts";
import { SERVER_CORE } from "../workplace.ts";

const HOURS = 3;
const CONNECTION_COUNT = 32;
/** Share of nginx' rate that is hoped for. */
const AIM_SHARE = 0.5;
const CODINGS = ["gzip", "identity"] as const;

interface Rate extends AskedCounts {
  readonly server: string;
  readonly what: string;
}

/** How often the playlists of a film of three hours are given out, beside nginx with the same bytes in a file. */
export const playlists: Scenario = {
  name: "playlists",
  title: "playlists of a film of three hours, in a second on one core",
  seconds: 5,
  counts: [CONNECTION_COUNT],
  async run(context): Promise<ScenarioResult> {
    const { workplace, say } = context;
    const dataDir = await workplace.makeDirectory("data");
    const videoId = await writeLongFilm(dataDir, HOURS * 3_600_000);
    say("the film is written");
    const headwater = await Headwater.start({
      workplace,
      dataDir,
      core: SERVER_CORE,
      flags: ["--jobs-worker", "false"],
    });
    const base = `/videos/${videoId}`;
    const before = await readTreeMemory(headwater.pid);
    const coldMs = await firstAnswerMs(`${headwater.origin}${base}/1080p/playlist.m3u8`);
    const after = await readTreeMemory(headwater.pid);
    const load = new LoadProcess(workplace, "asking-process.ts");
    const port = Number(new URL(headwater.origin).port);
    const rates: Rate[] = [];
    for (const name of ["1080p/playlist.m3u8", "1080p/iframes.m3u8", "master.m3u8", "manifest.mpd"]) {
      for (const accepts of CODINGS) {
        const asked = await ask(load, context, { port, path: `${base}/${name}`, accepts });
        rates.push({ server: "Headwater", what: name, ...asked });
        say(`${name} (${accepts}): ${show(asked.perSecond)} a second, ${show(asked.bodyBytes)} bytes`);
      }
    }
    const text = await (await fetch(`${headwater.origin}${base}/1080p/playlist.m3u8`)).text();
    await headwater.end();
    rates.push(...(await askNginx(context, load, text)));
    await load.end();
    return report(rates, { coldMs, memoryBytes: after.rssBytes - before.rssBytes });
  },
};

async function firstAnswerMs(url: string): Promise<number> {
  const beganMs = performance.now();
  const answer = await fetch(url);
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}: ${text}`);
  return performance.now() - beganMs;
}

function ask(
  load: LoadProcess,
  { seconds, counts }: ScenarioContext,
  what: { readonly port: number; readonly path: string; readonly accepts: string },
): Promise<AskedCounts> {
  const connectionCount = counts[0] ?? CONNECTION_COUNT;
  return load.ask("ask", { ...what, connectionCount, seconds }) as Promise<AskedCounts>;
}

/** The same text as a file, and once more as it is when it is packed: nginx packs nothing for this. */
async function askNginx(context: ScenarioContext, load: LoadProcess, text: string): Promise<Rate[]> {
  const directory = await context.workplace.makeMemoryDirectory();
  await writeFile(join(directory, "playlist.m3u8"), text);
  await writeFile(join(directory, "playlist.m3u8.gz"), gzipSync(text));
  const nginx = await startStaticNginx(context.workplace, directory, SERVER_CORE);
  if (!nginx) return [];
  const rates: Rate[] = [];
  for (const [what, encoding] of [
    ["playlist.m3u8.gz", "gzip"],
    ["playlist.m3u8", ""],
  ] as const) {
    const asked = await ask(load, context, { port: nginx.port, path: `/${what}`, accepts: "identity" });
    rates.push({ server: nginx.version, what, ...asked, encoding });
    context.say(`${nginx.version}, ${what}: ${show(asked.perSecond)} a second`);
  }
  await nginx.program.end();
  return rates;
}

function report(
  rates: readonly Rate[],
  { coldMs, memoryBytes }: { readonly coldMs: number; readonly memoryBytes: number },
): ScenarioResult {
  const own = rates.find(({ what, encoding }) => what === "1080p/playlist.m3u8" && encoding === "gzip");
  const peer = rates.find(({ server, encoding }) => server !== "Headwater" && encoding === "gzip");
  const share = own && peer ? own.perSecond / peer.perSecond : 0;
  const aim = `at least ${show(AIM_SHARE, 1)} of nginx' rate with the same packed bytes`;
  return {
    aims: peer ? [{ aim, measured: show(share, 2), isMet: share >= AIM_SHARE }] : [],
    tables: [
      {
        head: ["server", "what", "coding", "bytes", "requests/s", "faults"],
        rows: rates.map(({ server, what, encoding, bodyBytes, perSecond, faultCount }) => [
          ...[server, what, encoding || "identity", show(bodyBytes), show(perSecond), show(faultCount)],
        ]),
      },
    ],
    notes: [
      `The server had one core to itself, ${CONNECTION_COUNT} connections that asked again at once the other. Seven renditions of 2,700 segments.`,
      `The first answer of all, with the whole film read from the catalog, took ${show(coldMs)} ms and ${show(memoryBytes / 1e6)} MB.`,
      ...(peer ? [] : ["nginx was left out: it is not installed."]),
    ],
    figures: { rates, coldMs, memoryBytes },
  };
}
