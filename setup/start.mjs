// `npm start`: brings the checkout to where it runs, and runs Headwater with the arguments given.
import { buildServer, buildWeb } from "./builds.mjs";
import {
  installPackages,
  installPrograms,
  keepCompiledCode,
  prepareNode,
  RUN_NEEDS,
  runInForeground,
  runSteps,
} from "./steps.mjs";

/** What is short-lived here is small (media lie outside the heap), so the space for it need not grow to 16 MB. */
const MEMORY_FLAGS = ["--max-semi-space-size=4"];

await runSteps(async () => {
  await installPackages();
  const node = await prepareNode();
  await installPrograms(RUN_NEEDS);
  // A worker serves no pages.
  if (process.argv[2] !== "worker") await buildWeb(node);
  const main = await buildServer();
  keepCompiledCode();
  await runInForeground(node, [...MEMORY_FLAGS, main, ...process.argv.slice(2)]);
});
