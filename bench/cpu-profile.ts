import { readFile } from "node:fs/promises";

const SHOWN_COUNT = 40;

/** What V8 writes; only what is read here. */
interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly children?: readonly number[];
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
}

/** The functions of a .cpuprofile that took most time themselves, as lines: share of the busy time, place, name. */
export async function readHotSpots(path: string): Promise<string[]> {
  const profile: CpuProfile = JSON.parse(await readFile(path, "utf8"));
  const selfUs = new Map<number, number>();
  profile.samples.forEach((id, at) => {
    selfUs.set(id, (selfUs.get(id) ?? 0) + (profile.timeDeltas[at] ?? 0));
  });
  const byPlace = new Map<string, number>();
  for (const node of profile.nodes) {
    const place = placeOf(node);
    byPlace.set(place, (byPlace.get(place) ?? 0) + (selfUs.get(node.id) ?? 0));
  }
  const idleUs = byPlace.get("(idle)") ?? 0;
  byPlace.delete("(idle)");
  const busyUs = [...byPlace.values()].reduce((sum, us) => sum + us, 0);
  const top = [...byPlace].sort((a, b) => b[1] - a[1]).slice(0, SHOWN_COUNT);
  return [
    `busy ${(busyUs / 1e6).toFixed(1)} s, idle ${(idleUs / 1e6).toFixed(1)} s; self time:`,
    ...top.map(([place, us]) => `${((100 * us) / busyUs).toFixed(1).padStart(5)} %  ${place}`),
  ];
}

function placeOf({ callFrame: { functionName, url, lineNumber } }: ProfileNode): string {
  const name = functionName || "(anonymous)";
  if (url === "") return name;
  const file = url.replace(/^file:\/\//, "").replace(/^.*\/(?=(src|node_modules)\/)/, "");
  return `${name}  ${file}:${lineNumber + 1}`;
}
