// `npm start`: brings the checkout to where it runs, and runs Headwater with the arguments given.
import { join } from "node:path";
import {
  buildWeb,
  findNode,
  installPackages,
  installPrograms,
  ROOT,
  RUN_NEEDS,
  runInForeground,
  runSteps,
} from "./steps.mjs";

await runSteps(async () => {
  await installPackages();
  const node = findNode();
  await installPrograms(RUN_NEEDS);
  await buildWeb(node);
  await runInForeground(node, [join(ROOT, "src", "main.ts"), ...process.argv.slice(2)]);
});
