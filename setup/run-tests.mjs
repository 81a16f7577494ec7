// Runs every test, by the Node of the checkout: `node setup/run-tests.mjs CONCURRENCY TIMEOUT_MS`. `node --test` takes
// files in the order of their names, in which those that need the processor stand together, and a long one at the end.
import { globSync, statSync } from "node:fs";
import { run } from "node:test";
import { spec } from "node:test/reporters";

const PATTERNS = ["src/**/*.test.ts", "web/src/**/*.test.ts", "test/**/*.test.ts"];
/** The longest, by turns those that wait for media and those that make some. */
const FIRST = [
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
for (const file of FIRST) statSync(file); // one that was renamed is to be renamed here
const files = [...new Set([...FIRST, ...globSync(PATTERNS).sort()])];
const results = run({ files, concurrency, execArgv: [`--test-timeout=${timeoutMs}`] });
results.on("test:fail", () => {
  process.exitCode = 1;
});
results.compose(new spec()).pipe(process.stdout);
