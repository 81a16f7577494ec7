import assert from "node:assert/strict";
import { it } from "node:test";
import { startPacedOrigin } from "../paced-origin.ts";
import { runConformance } from "./run-conformance.ts";

it("finds nothing in a live stream, and looks at all of it", async (t) => {
  const { masterUrl } = await startPacedOrigin(t);
  const { seen, text, violations } = await runConformance({ masterUrl, untilSegments: 4 });
  assert.equal(violations.report(), "", text);
  assert.equal(seen.renditions, 2);
  for (const [what, count] of Object.entries(seen)) assert.ok(count > 0, `${what}: ${text}`);
});
