// `npm run move-catalog -- --to postgres://…`: copies the embedded catalog into an empty PostgreSQL database.
import { buildServer } from "./builds.mjs";
import { installPackages, prepareNode, runInForeground, runSteps } from "./steps.mjs";

await runSteps(async () => {
  await installPackages();
  await runInForeground(await prepareNode(), [await buildServer(), "move-catalog", ...process.argv.slice(2)]);
});
