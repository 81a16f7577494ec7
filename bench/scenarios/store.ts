import { createReadStream, createWriteStream } from "node:fs";
import { open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { CachedObjectStore } from "../../src/storage/cached/cached-object-store.ts";
import { FileObjectStore } from "../../src/storage/files/file-object-store.ts";
import { MemoryObjectStore } from "../../src/storage/memory/memory-object-store.ts";
import type { ObjectStore } from "../../src/storage/object-store.ts";
import type { Scenario, ScenarioContext, ScenarioResult } from "../scenario.ts";
import { median, show } from "../statistics.ts";

const LARGE_BYTES = 512 * 1024 * 1024;
const SMALL_BYTES = 1024 * 1024;
const AIM_SHARE = 0.8;

interface Rates {
  readonly name: string;
  /** MB/s; medians. */
  readonly putLarge: number;
  readonly getLarge: number;
  readonly putSmall: number;
  readonly getSmall: number;
}

interface Subject {
  readonly name: string;
  put(key: string, path: string): Promise<void>;
  get(key: string): Promise<void>;
  remove(key: string): Promise<void>;
}

/** What the stores move in a second beside plain files. */
export const store: Scenario = {
  name: "store",
  title: "objects in and out of the stores beside plain copies",
  seconds: 0,
  counts: [5],
  async run(context): Promise<ScenarioResult> {
    const { workplace, counts, say } = context;
    const directory = await workplace.makeDirectory("store");
    const large = await makeFile(join(directory, "large"), LARGE_BYTES);
    const small = await makeFile(join(directory, "small"), SMALL_BYTES);
    const files = await FileObjectStore.open({ directory: await workplace.makeDirectory("files") });
    const cached = new CachedObjectStore({
      store: files,
      capacityBytes: 256 * 1024 * 1024,
      ttlMs: 60_000,
      segmentTtlMs: 60_000,
    });
    const subjects = [
      plainFiles(await workplace.makeDirectory("plain")),
      ofStore("files", files),
      ofStore("files behind the cache", cached),
      ofStore("memory", new MemoryObjectStore()),
    ];
    const measured: Rates[] = [];
    for (const subject of subjects) {
      const rates = await measure(subject, { large, small }, counts[0] ?? 1, context);
      measured.push(rates);
      say(`${subject.name}: put ${show(rates.putLarge)} MB/s, get ${show(rates.getLarge)} MB/s`);
    }
    await cached.close();
    return describe(measured, counts[0] ?? 1);
  },
};

async function measure(
  subject: Subject,
  { large, small }: { readonly large: string; readonly small: string },
  rounds: number,
  { workplace }: ScenarioContext,
): Promise<Rates> {
  const times = { putLarge: [], getLarge: [], putSmall: [], getSmall: [] } as Record<
    keyof Omit<Rates, "name">,
    number[]
  >;
  const timed = async (kind: keyof typeof times, byteCount: number, work: () => Promise<void>) => {
    workplace.signal.throwIfAborted();
    const startMs = performance.now();
    await work();
    times[kind].push(byteCount / 1000 / (performance.now() - startMs));
  };
  for (let round = 0; round < rounds; round++) {
    await timed("putLarge", LARGE_BYTES, () => subject.put("large", large));
    await timed("getLarge", LARGE_BYTES, () => subject.get("large"));
    await subject.remove("large");
    const keys = Array.from({ length: 64 }, (_, index) => `small-${index}`);
    await timed("putSmall", SMALL_BYTES * keys.length, () => inTurn(keys, (key) => subject.put(key, small)));
    await timed("getSmall", SMALL_BYTES * keys.length, () => inTurn(keys, (key) => subject.get(key)));
    await inTurn(keys, (key) => subject.remove(key));
  }
  const { putLarge, getLarge, putSmall, getSmall } = times;
  return {
    name: subject.name,
    putLarge: median(putLarge),
    getLarge: median(getLarge),
    putSmall: median(putSmall),
    getSmall: median(getSmall),
  };
}

async function inTurn(keys: readonly string[], work: (key: string) => Promise<void>): Promise<void> {
  for (const key of keys) await work(key);
}

async function makeFile(path: string, byteCount: number): Promise<string> {
  const file = await open(path, "w");
  const block = Buffer.alloc(1024 * 1024, "headwater");
  for (let at = 0; at < byteCount; at += block.length) await file.write(block);
  await file.close();
  return path;
}

function ofStore(name: string, objects: ObjectStore): Subject {
  return {
    name,
    put: async (key, path) => void (await objects.put(key, createReadStream(path))),
    async get(key) {
      const object = await objects.get(key);
      if (!object) throw new Error(`${key} is not there`);
      for await (const _ of object.body);
    },
    remove: (key) => objects.delete([key]),
  };
}

/** A copy that is on disk when it is called done, as the stores promise. */
function plainFiles(directory: string): Subject {
  const pathOf = (key: string) => join(directory, key);
  return {
    name: "plain copy",
    async put(key, path) {
      await pipeline(createReadStream(path), createWriteStream(pathOf(key), { flush: true }));
    },
    get: async (key) => {
      if (key === "large") for await (const _ of createReadStream(pathOf(key)));
      else await readFile(pathOf(key));
    },
    remove: (key) => rm(pathOf(key)),
  };
}

function describe(measured: readonly Rates[], rounds: number): ScenarioResult {
  const [plain, files] = measured;
  const share = (of: (rates: Rates) => number) => (plain && files ? of(files) / of(plain) : Number.NaN);
  const [put, get] = [share(({ putLarge }) => putLarge), share(({ getLarge }) => getLarge)];
  return {
    aims: [
      {
        aim: `files: at least ${show(AIM_SHARE * 100)} % of a plain copy, in and out`,
        measured: `${show(put * 100)} % in, ${show(get * 100)} % out`,
        isMet: Math.min(put, get) >= AIM_SHARE,
      },
    ],
    tables: [
      {
        caption: "MB/s:",
        head: ["store", "put 512 MiB", "get 512 MiB", "put 1 MiB", "get 1 MiB"],
        rows: measured.map(({ name, putLarge, getLarge, putSmall, getSmall }) => [
          name,
          ...[putLarge, getLarge, putSmall, getSmall].map((rate) => show(rate)),
        ]),
      },
    ],
    notes: [
      `Medians of ${rounds} rounds on one disk, from the page cache; small objects one after the other, 64 in a round. Everything but memory is on disk when a put ends (fsync).`,
    ],
    figures: measured,
  };
}
