import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { renderConfigDocs, renderHelp } from "./config-docs.ts";
import { NAMED_SETTINGS } from "./settings.ts";

test("docs/config.md says what the settings say", async () => {
  const written = await readFile(new URL("../../docs/config.md", import.meta.url), "utf8");
  assert.equal(written, renderConfigDocs(), "write it anew: npx node src/app/config-docs.ts > docs/config.md");
});

test("the help lists every flag once", () => {
  const flags = renderHelp().match(/^ {2}--[a-z0-9-]+/gm);
  assert.deepEqual(
    flags?.map((flag) => flag.trim()),
    NAMED_SETTINGS.map((named) => named.flag),
  );
});
