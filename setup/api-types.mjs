// `npm run api-types`: writes web/src/api/schema.ts anew from what the API of this checkout says of itself.
import { join } from "node:path";
import { findNode, installPackages, ROOT, runInForeground, runSteps } from "./steps.mjs";

await runSteps(async () => {
  await installPackages();
  await runInForeground(findNode(), [join(ROOT, "web", "api-types.ts")]);
});
