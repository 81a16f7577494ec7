// `npm test [-- path...]`: brings the checkout to where its tests run, and runs them all, or those of the paths.
import { statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { buildServer, buildWeb } from "./builds.mjs";
import {
  installPackages,
  installPrograms,
  keepCompiledCode,
  prepareNode,
  ROOT,
  runInForeground,
  runSteps,
  TEST_NEEDS,
} from "./steps.mjs";

// Half of the time of a whole-path test is the real time of media: three for two cores keep both busy, more make each late.
const CONCURRENCY = Math.min(6, Math.ceil(1.5 * availableParallelism()));
/** For one test; an encoder that starts on a busy machine takes seconds, nothing takes minutes. */
const TEST_LIMIT_MS = 180_000;

await runSteps(async () => {
  await installPackages();
  const node = await prepareNode();
  await installPrograms(TEST_NEEDS);
  await buildWeb(node);
  await buildServer();
  process.chdir(ROOT);
  keepCompiledCode();
  const [flags, paths] = partition(process.argv.slice(2), (argument) => argument.startsWith("-"));
  if (paths.length + flags.length === 0) {
    await runInForeground(node, ["setup/run-tests.mjs", `${CONCURRENCY}`, `${TEST_LIMIT_MS}`]);
    return;
  }
  const tests =
    paths.length > 0 ? paths.map(asGlob) : ["src/**/*.test.ts", "web/src/**/*.test.ts", "test/**/*.test.ts"];
  const options = ["--test", `--test-concurrency=${CONCURRENCY}`, `--test-timeout=${TEST_LIMIT_MS}`];
  await runInForeground(node, [...options, "--test-reporter=spec", ...flags, ...tests]);
});

function partition(items, accept) {
  return [items.filter(accept), items.filter((item) => !accept(item))];
}

function asGlob(path) {
  const isDirectory = statSync(path, { throwIfNoEntry: false })?.isDirectory();
  return isDirectory ? `${path.replace(/\/$/, "")}/**/*.test.ts` : path;
}
