// `npm run clean-up [-- --dry-run]`: deletes what no video names, as the server does by itself, and says what.
import { buildServer } from "./builds.mjs";
import { installPackages, prepareNode, runInForeground, runSteps } from "./steps.mjs";

await runSteps(async () => {
  await installPackages();
  await runInForeground(await prepareNode(), [await buildServer(), "clean-up", ...process.argv.slice(2)]);
});
