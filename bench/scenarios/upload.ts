import { open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { Headwater } from "../headwater.ts";
import { makeFilm } from "../load/film.ts";
import { readTreeMemory } from "../process-usage.ts";
import type { Scenario, ScenarioContext, ScenarioResult } from "../scenario.ts";
import { show } from "../statistics.ts";

const PADDING_BYTES = 96 * 1024 * 1024;
const CHUNK_BYTES = 1024 * 1024;
const SAMPLE_MS = 50;
const AIM_MB = 150;
const WAYS = ["form", "resumable"] as const;

interface Measured {
  readonly way: (typeof WAYS)[number];
  readonly count: number;
  readonly bytesPerSecond: number;
  /** Above what the server had before, at the worst; with the programs that look into the files. */
  readonly growthBytes: number;
  /** The same without them. */
  readonly ownGrowthBytes: number;
}

/** What uploads at once move, and what they cost in memory. */
export const upload: Scenario = {
  name: "upload",
  title: "uploads at once: throughput and memory",
  seconds: 0,
  counts: [1, 20],
  async run(context): Promise<ScenarioResult> {
    const { workplace, counts, say } = context;
    const path = await makeFilm({
      directory: workplace.directory,
      seconds: 10,
      width: 640,
      height: 360,
      coding: "h264-aac",
    });
    const sizeBytes = await pad(path);
    const measured: Measured[] = [];
    for (const way of WAYS) {
      for (const count of counts) {
        const line = await measure({ way, count, path, sizeBytes }, context);
        measured.push(line);
        say(
          `${way}, ${count} at once: ${show(line.bytesPerSecond / 1e6)} MB/s, ${show(line.growthBytes / 1e6)} MB more`,
        );
      }
    }
    return describe(measured, sizeBytes);
  },
};

/** Makes an MP4 large without changing what is in it: a box that players skip. Gives its size. */
async function pad(path: string): Promise<number> {
  await using file = await open(path, "a");
  const head = Buffer.alloc(8);
  head.writeUInt32BE(PADDING_BYTES);
  head.write("free", 4, "latin1");
  await file.write(head);
  for (let at = head.byteLength; at < PADDING_BYTES; at += CHUNK_BYTES) {
    await file.write(Buffer.alloc(Math.min(CHUNK_BYTES, PADDING_BYTES - at), at / CHUNK_BYTES));
  }
  return (await file.stat()).size;
}

interface Load extends Pick<Measured, "way" | "count"> {
  readonly path: string;
  readonly sizeBytes: number;
}

async function measure({ way, count, path, sizeBytes }: Load, { workplace }: ScenarioContext): Promise<Measured> {
  const flags = ["--jobs-worker", "false", "--upload-max-concurrent", String(count + 1)];
  const server = await Headwater.start({ workplace, flags });
  const send = () => (way === "form" ? server.upload(path) : server.uploadResumably(path));
  // The first one also loads what any number of them needs.
  await send();
  const before = await readTreeMemory(server.pid);
  const watch = watchMemory(server.pid);
  const beganMs = performance.now();
  await Promise.all(Array.from({ length: count }, send));
  const seconds = (performance.now() - beganMs) / 1000;
  const most = await watch.end();
  await server.end();
  return {
    ...{ way, count, bytesPerSecond: (count * sizeBytes) / seconds },
    growthBytes: most.treeBytes - before.rssBytes,
    ownGrowthBytes: most.ownBytes - before.ownRssBytes,
  };
}

function watchMemory(pid: number): { end(): Promise<{ treeBytes: number; ownBytes: number }> } {
  let hasEnded = false;
  const watching = (async () => {
    const most = { treeBytes: 0, ownBytes: 0 };
    while (!hasEnded) {
      // A child that ends while it is looked at has no memory any more.
      const use = await readTreeMemory(pid).catch(() => undefined);
      most.treeBytes = Math.max(most.treeBytes, use?.rssBytes ?? 0);
      most.ownBytes = Math.max(most.ownBytes, use?.ownRssBytes ?? 0);
      await sleep(SAMPLE_MS);
    }
    return most;
  })();
  return {
    end: () => {
      hasEnded = true;
      return watching;
    },
  };
}

function describe(measured: readonly Measured[], sizeBytes: number): ScenarioResult {
  const worst = Math.max(...measured.map(({ growthBytes }) => growthBytes));
  const mostCount = Math.max(...measured.map(({ count }) => count));
  return {
    aims: [
      {
        aim: `${mostCount} uploads at once add at most ${AIM_MB} MB`,
        measured: `${show(worst / 1e6)} MB at most`,
        isMet: worst <= AIM_MB * 1e6,
      },
    ],
    tables: [
      {
        head: ["way", "at once", "MB/s together", "memory added, MB", "of it the server's own, MB"],
        rows: measured.map(({ way, count, bytesPerSecond, growthBytes, ownGrowthBytes }) => [
          way,
          show(count),
          show(bytesPerSecond / 1e6),
          show(growthBytes / 1e6),
          show(ownGrowthBytes / 1e6),
        ]),
      },
    ],
    notes: [
      `MP4 files of ${show(sizeBytes / 1e6)} MB, sent by this process on the same machine, from the first byte to the last answer; each is probed before it is answered. Files in the store are synced.`,
      `RSS of the server and the programs that it runs at that time, sampled every ${SAMPLE_MS} ms; above what it was after one upload.`,
    ],
    figures: measured,
  };
}
