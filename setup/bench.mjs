// `npm run bench -- live`: brings the checkout to where it is measured, and measures what is named.
import { join } from "node:path";
import { buildServer, buildWeb } from "./builds.mjs";
import {
  installPackages,
  installPrograms,
  prepareNode,
  ROOT,
  runInForeground,
  runSteps,
  TEST_NEEDS,
} from "./steps.mjs";

await runSteps(async () => {
  await installPackages();
  const node = await prepareNode();
  await installPrograms(TEST_NEEDS);
  await buildWeb(node);
  await buildServer();
  await runInForeground(node, [join(ROOT, "bench", "main.ts"), ...process.argv.slice(2)]);
});
