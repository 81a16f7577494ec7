import assert from "node:assert/strict";
import { glob, readFile } from "node:fs/promises";
import { posix, resolve } from "node:path";
import { test } from "node:test";

/** What each room of `src/` may import beside itself. `app` may import all, and nobody imports it. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  media: ["core"],
  live: ["core", "media"],
  ingest: ["core", "media", "live"],
  encode: ["core", "media", "live"],
  packaging: ["core", "media", "live"],
  database: ["core"],
  storage: ["core"],
  cache: ["core"],
  catalog: ["core", "database"],
  jobs: ["core", "database"],
  http: ["core"],
  access: ["core"],
  observe: ["core"],
  library: ["core", "media", "live", "encode", "packaging", "storage", "catalog", "jobs"],
  upload: ["core", "storage", "jobs", "library"],
  delivery: ["core", "media", "live", "packaging", "storage", "http"],
  api: [
    "core",
    "media",
    "live",
    "packaging",
    "catalog",
    "storage",
    "jobs",
    "library",
    "upload",
    "http",
    "access",
    "encode",
    "observe",
    "database",
  ],
};
/** Where a room may see only these files of another: the API knows the ladder's words, not the encoder; its tests open a database. */
const ONLY_FILES: Readonly<Record<string, readonly string[]>> = {
  "api -> encode": ["encode/ladder.ts"],
  "api -> database": ["database/database.ts"],
};
const SEES_ALL = ["app", "main.ts"];

interface Import {
  readonly from: string;
  readonly to: string;
  readonly isTypeOnly: boolean;
}

const SOURCE = resolve(import.meta.dirname, "../src");
// From the keyword to the path; a comment that quotes an import would have to quote its path too.
const IMPORT =
  /^(?:import|export)\s(?<clause>[^"';]*?)\s*from\s*"(?<static>[^"]+)"|\bimport\("(?<dynamic>[^"]+)"\)|^import\s*"(?<bare>[^"]+)"|new URL\("(?<url>\.[^"]*\.ts)"/gm;

async function readImports(): Promise<{ files: string[]; imports: Import[] }> {
  const files = (await Array.fromAsync(glob("**/*.ts", { cwd: SOURCE }))).map((path) => path.replaceAll("\\", "/"));
  const imports = await Promise.all(
    files.map(async (file) => importsOf(file, await readFile(resolve(SOURCE, file), "utf8"))),
  );
  return { files, imports: imports.flat() };
}

function importsOf(from: string, text: string): Import[] {
  return [...text.matchAll(IMPORT)].flatMap(({ groups = {} }) => {
    const path = groups.static ?? groups.dynamic ?? groups.bare ?? groups.url ?? "";
    if (!path.startsWith(".")) return [];
    const to = posix.join(posix.dirname(from), path);
    return [{ from, to, isTypeOnly: groups.clause?.startsWith("type ") ?? false }];
  });
}

const roomOf = (file: string) => file.split("/")[0] ?? "";
const isTest = (file: string) => file.endsWith(".test.ts");

function isAllowed({ from, to }: Import): boolean {
  const [room, other] = [roomOf(from), roomOf(to)];
  if (room === other || SEES_ALL.includes(room)) return true;
  // A test runs the real neighbours of what it tests, and shares test/support.
  if (isTest(from)) return other !== "app";
  const files = ONLY_FILES[`${room} -> ${other}`] ?? [to];
  return (MAY_IMPORT[room]?.includes(other) ?? false) && files.includes(to);
}

/** Follows imports until one leads back to where it was; undefined when none does. */
function findCycle(imports: readonly Import[]): readonly string[] | undefined {
  const targets = Map.groupBy(
    imports.filter((each) => !each.isTypeOnly),
    (each) => each.from,
  );
  const done = new Set<string>();
  const follow = (file: string, path: readonly string[]): readonly string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return undefined;
    for (const { to } of targets.get(file) ?? []) {
      const cycle = follow(to, [...path, file]);
      if (cycle) return cycle;
    }
    done.add(file);
    return undefined;
  };
  for (const file of targets.keys()) {
    const cycle = follow(file, []);
    if (cycle) return cycle;
  }
  return undefined;
}

test("sees the imports of every form", () => {
  const text = [
    'import { a } from "../core/a.ts";',
    'import type { B } from "./b.ts";',
    'import {\n  type C,\n  d,\n} from "../live/c.ts";',
    'export * from "../media/e.ts";',
    'import "./f.ts";',
    'const g = await import("../http/g.ts");',
    'new Worker(new URL("./h.ts", import.meta.url));',
    'import { z } from "zod";',
  ].join("\n");
  assert.deepEqual(
    importsOf("live/x.ts", text).map(({ to, isTypeOnly }) => [to, isTypeOnly]),
    [
      ["core/a.ts", false],
      ["live/b.ts", true],
      ["live/c.ts", false],
      ["media/e.ts", false],
      ["live/f.ts", false],
      ["http/g.ts", false],
      ["live/h.ts", false],
    ],
  );
});

test("imports between rooms run one way", async () => {
  const { files, imports } = await readImports();
  assert.ok(files.length > 30 && imports.length > 60, `saw ${files.length} files and ${imports.length} imports`);
  const strangers = files.map(roomOf).filter((room) => !(room in MAY_IMPORT) && !SEES_ALL.includes(room));
  assert.deepEqual(strangers, [], "a room that the table does not know");
  assert.deepEqual(
    imports.filter((each) => !isAllowed(each)).map(({ from, to }) => `${from} -> ${to}`),
    [],
  );
});

test("nothing that runs imports a test", async () => {
  const { imports } = await readImports();
  assert.deepEqual(
    imports.filter(({ from, to }) => isTest(to) && !isTest(from)),
    [],
  );
});

test("no file imports itself by way of others", async () => {
  assert.deepEqual(
    findCycle([
      { from: "a", to: "b", isTypeOnly: false },
      { from: "b", to: "a", isTypeOnly: false },
    ]),
    ["a", "b", "a"],
  );
  const { imports } = await readImports();
  assert.equal(findCycle(imports), undefined);
});
