// `npm run move-catalog -- --to postgres://…`: copies the embedded catalog into an empty PostgreSQL database.
import { join } from "node:path";
import { findNode, installPackages, ROOT, runInForeground, runSteps } from "./steps.mjs";

await runSteps(async () => {
  await installPackages();
  await runInForeground(findNode(), [join(ROOT, "src", "main.ts"), "move-catalog", ...process.argv.slice(2)]);
});
