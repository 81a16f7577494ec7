import { readdir, readFile } from "node:fs/promises";

/** Linux counts processor time in hundredths of a second, whatever the kernel's own tick is. */
const TICKS_PER_SECOND = 100;

export interface CpuSeconds {
  /** Of the process itself. */
  readonly own: number;
  /** Of its children that have ended and were waited for. */
  readonly endedChildren: number;
}

/** Processor time that a process has used since it began. */
export async function readCpuSeconds(pid: number): Promise<CpuSeconds> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  // The name in parentheses may hold anything; the third field follows it.
  const fields = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number);
  const [userTicks = 0, systemTicks = 0, childUserTicks = 0, childSystemTicks = 0] = fields.slice(11, 15);
  return {
    own: (userTicks + systemTicks) / TICKS_PER_SECOND,
    endedChildren: (childUserTicks + childSystemTicks) / TICKS_PER_SECOND,
  };
}

/** Processor time of a process and all its living descendants. */
export async function readTreeCpuSeconds(pid: number): Promise<number> {
  const pids = await descendantsOf(pid);
  const times = await Promise.all(pids.map((one) => readCpuSeconds(one)));
  return times.reduce((sum, { own }) => sum + own, 0);
}

export interface MemoryUse {
  readonly rssBytes: number;
  /** With each shared page divided among those who share it. */
  readonly pssBytes: number;
}

export interface TreeMemoryUse extends MemoryUse {
  /** Of the first process alone. */
  readonly ownRssBytes: number;
}

/** Memory of a process and all its living descendants. */
export async function readTreeMemory(pid: number): Promise<TreeMemoryUse> {
  const uses = await Promise.all((await descendantsOf(pid)).map(readMemory));
  return {
    rssBytes: uses.reduce((sum, { rssBytes }) => sum + rssBytes, 0),
    pssBytes: uses.reduce((sum, { pssBytes }) => sum + pssBytes, 0),
    ownRssBytes: uses[0]?.rssBytes ?? 0,
  };
}

async function readMemory(pid: number): Promise<MemoryUse> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, "utf8");
  const bytesOf = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(rollup)?.[1]) * 1024;
  return { rssBytes: bytesOf("Rss"), pssBytes: bytesOf("Pss") };
}

async function descendantsOf(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`);
  const lists = await Promise.all(threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/children`, "utf8")));
  const children = lists.flatMap((list) => list.split(" ").filter(Boolean).map(Number));
  return [pid, ...(await Promise.all(children.map(descendantsOf))).flat()];
}
