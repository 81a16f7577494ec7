// `npm run migrate`: brings the tables of the database up to date, as every start does too, and says what it did.
import { join } from "node:path";
import { installPackages, prepareNode, ROOT, runInForeground, runSteps } from "./steps.mjs";

await runSteps(async () => {
  await installPackages();
  await runInForeground(await prepareNode(), [join(ROOT, "src", "main.ts"), "migrate", ...process.argv.slice(2)]);
});
