// `npm run check`: format and lint, types, unused code, import directions; all at once, telling only what is wrong.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { capture, installPackages, prepareNode, ROOT, runSteps } from "./steps.mjs";

await runSteps(async () => {
  await installPackages();
  const node = await prepareNode();
  const tool = (name) => join(ROOT, "node_modules", ".bin", name);
  const checks = [
    ["format and lint", tool("biome"), ["check", "--error-on-warnings"]],
    ["types", tool("tsc"), ["--noEmit"]],
    ...(existsSync(join(ROOT, "web", "tsconfig.json"))
      ? [["types of the web pages", tool("tsc"), ["--noEmit", "--project", "web"]]]
      : []),
    ["unused code", tool("knip"), []],
    ["import directions", node, ["--test", "test/architecture.test.ts"]],
  ];
  const results = await Promise.all(checks.map(run));
  process.exitCode = results.every((isClean) => isClean) ? 0 : 1;
});

async function run([title, program, args]) {
  const startMs = performance.now();
  const { code, output } = await capture(program, args);
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  const verdict = code === 0 ? "clean" : "NOT CLEAN";
  process.stdout.write(`${title}: ${verdict} (${seconds} s)\n${code === 0 ? "" : `${output.trim()}\n`}`);
  return code === 0;
}
