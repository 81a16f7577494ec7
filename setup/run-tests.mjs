// Runs every test, by the Node of the checkout: `node setup/run-tests.mjs CONCURRENCY TIMEOUT_MS`. `node --test` takes
// files in the order of their names, in which those that need the processor stand together, and a long one at the end;
// and it starts a process for each, which takes longer than most of those that stand beside the code.
import { globSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { pathToFileURL } from "node:url";
import { ROOT } from "./steps.mjs";

/** The longest, each in a process of its own, by turns those that wait for media and those that make some. */
const LONG = [
  "test/reconnect.test.ts",
  "test/video-faults.test.ts",
  "test/playback.test.ts",
  "test/video-shapes.test.ts",
  "test/recording.test.ts",
  "test/video-artifacts.test.ts",
  "test/periods.test.ts",
  "src/library/make/video-chunk.test.ts",
  "test/studio-videos.test.ts",
  "test/ladder.test.ts",
  "test/proxy.test.ts",
  "test/process.test.ts",
  "src/storage/s3/s3-object-store.test.ts",
  "test/worker.test.ts",
  "test/publish.test.ts",
  "test/video-road.test.ts",
  "test/watch-videos.test.ts",
  "test/video-faults-kills.test.ts",
  "test/video.test.ts",
  "test/sources.test.ts",
];

const [concurrency, timeoutMs] = process.argv.slice(2).map(Number);
for (const file of LONG) statSync(file); // one that was renamed is to be renamed here
const isShort = (file) => !LONG.includes(file);
const wholePaths = globSync("test/**/*.test.ts").sort().filter(isShort);
const besideCode = globSync(["src/**/*.test.ts", "web/src/**/*.test.ts"]).sort().filter(isShort);
const rooms = Object.entries(Object.groupBy(besideCode, (file) => /^(?:src\/)?[^/]+/.exec(file)[0]));
const files = [...LONG, ...rooms.map(([room, inRoom]) => together(room, inRoom)), ...wholePaths];

const results = run({ files, concurrency, execArgv: [`--test-timeout=${timeoutMs}`] });
results.on("test:fail", () => {
  process.exitCode = 1;
});
results.compose(new spec()).pipe(process.stdout);

/** The path of a file that runs all of these in one process. */
function together(room, inRoom) {
  const directory = join(ROOT, ".cache", "tests");
  mkdirSync(directory, { recursive: true });
  const path = join(directory, `${room.replace("/", "-")}.mjs`);
  const lines = inRoom.map((file) => `describe("${file}", () => import("${pathToFileURL(join(ROOT, file))}"));\n`);
  writeFileSync(path, `import { describe } from "node:test";\n${lines.join("")}`);
  return path;
}
