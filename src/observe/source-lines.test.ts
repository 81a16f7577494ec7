import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { build } from "esbuild";

const run = promisify(execFile);
const MODULE = new URL("./source-lines.ts", import.meta.url);

test("stack traces of a bundle name the lines of its sources, and other code's its own", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "headwater-source-lines-"));
  t.after(() => rm(directory, { recursive: true }));
  await mkdir(join(directory, "src"));
  const lines = [
    `import { nameSourceLines } from ${JSON.stringify(MODULE.pathname)};`,
    "type Thing = { readonly name: string };",
    "function breakIt(thing: Thing): never {",
    "  throw new TypeError(thing.name);",
    "}",
    "nameSourceLines(import.meta.dirname);",
    "try { JSON.parse('{'); } catch (error) { console.log((error as Error).stack); }",
    'setTimeout(() => breakIt({ name: "broken" }));',
  ];
  await writeFile(join(directory, "src", "thing.ts"), lines.join("\n"));
  const outfile = join(directory, "dist", "main.js");
  await build({
    entryPoints: [join(directory, "src", "thing.ts")],
    ...{ outfile, bundle: true, format: "esm", platform: "node", sourcemap: true, minify: true },
  });
  await writeFile(join(directory, "package.json"), '{ "type": "module" }');
  const { stdout, stderr } = await run(process.execPath, [outfile]).catch((failure) => failure);
  assert.match(
    stdout,
    /^SyntaxError: .*\n {4}at JSON\.parse \(<anonymous>\)\n {4}at file:\/\/\/\S*\/src\/thing\.ts:7:12\n/,
  );
  assert.match(stderr, /TypeError: broken\n {4}at \w+ \(file:\/\/\/\S*\/src\/thing\.ts:4:9\)\n/);
  assert.match(stderr, /\n {4}at \S+ \(node:internal\/timers:\d+:\d+\)\n/);
});
