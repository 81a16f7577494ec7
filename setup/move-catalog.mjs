// `npm run move-catalog -- --to postgres://…`: copies the embedded catalog into an empty PostgreSQL database.
import { join } from "node:path";
import { installPackages, prepareNode, ROOT, runInForeground, runSteps } from "./steps.mjs";

await runSteps(async () => {
  await installPackages();
  await runInForeground(await prepareNode(), [join(ROOT, "src", "main.ts"), "move-catalog", ...process.argv.slice(2)]);
});
