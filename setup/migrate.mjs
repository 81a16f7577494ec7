// `npm run migrate`: brings the tables of the database up to date, as every start does too, and says what it did.
import { buildServer } from "./builds.mjs";
import { installPackages, prepareNode, runInForeground, runSteps } from "./steps.mjs";

await runSteps(async () => {
  await installPackages();
  await runInForeground(await prepareNode(), [await buildServer(), "migrate", ...process.argv.slice(2)]);
});
