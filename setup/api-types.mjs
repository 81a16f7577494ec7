// `npm run api-types`: writes web/src/api/schema.ts anew from what the API of this checkout says of itself.
import { join } from "node:path";
import { installPackages, prepareNode, ROOT, runInForeground, runSteps } from "./steps.mjs";

await runSteps(async () => {
  await installPackages();
  await runInForeground(await prepareNode(), [join(ROOT, "web", "api-types.ts")]);
});
