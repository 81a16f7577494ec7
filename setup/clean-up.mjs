// `npm run clean-up [-- --dry-run]`: deletes what no video names, as the server does by itself, and says what.
import { join } from "node:path";
import { installPackages, prepareNode, ROOT, runInForeground, runSteps } from "./steps.mjs";

await runSteps(async () => {
  await installPackages();
  await runInForeground(await prepareNode(), [join(ROOT, "src", "main.ts"), "clean-up", ...process.argv.slice(2)]);
});
