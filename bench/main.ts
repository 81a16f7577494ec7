import { parseArgs } from "node:util";
import { describeMachine } from "./machine.ts";
import { printResult, saveResult } from "./results.ts";
import type { Scenario, ScenarioResult } from "./scenario.ts";
import { conformance } from "./scenarios/conformance.ts";
import { delay } from "./scenarios/delay.ts";
import { ladder } from "./scenarios/ladder.ts";
import { memory } from "./scenarios/memory.ts";
import { playable } from "./scenarios/playable.ts";
import { playlists } from "./scenarios/playlists.ts";
import { publishers } from "./scenarios/publishers.ts";
import { start } from "./scenarios/start.ts";
import { store } from "./scenarios/store.ts";
import { transcode } from "./scenarios/transcode.ts";
import { upload } from "./scenarios/upload.ts";
import { viewers } from "./scenarios/viewers.ts";
import { Workplace } from "./workplace.ts";

const SUITES: Readonly<Record<string, readonly Scenario[]>> = {
  live: [start, memory, publishers, viewers, delay, ladder, conformance],
  video: [playable, upload, transcode, store, playlists],
};

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: "string" },
    counts: { type: "string" },
    profile: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    "no-save": { type: "boolean", default: false },
  },
});

const [suiteName = "", ...names] = positionals;
const suite = SUITES[suiteName];
const strangers = names.filter((name) => !suite?.some((scenario) => scenario.name === name));
const selected = (suite ?? []).filter(({ name }) => names.length === 0 || names.includes(name));
// The same numbers would mean publishers here, seconds of a part there.
const isCountShared = values.counts !== undefined && selected.length > 1;
if (!suite || strangers.length > 0 || isCountShared) {
  const known = Object.entries(SUITES).map(
    ([name, scenarios]) => `  ${name}  ${scenarios.map((one) => one.name).join(" ")}`,
  );
  process.stderr.write(
    [
      "usage: npm run bench -- <suite> [scenario...] [options]",
      ...known,
      "  --seconds N     how long each measurement lasts",
      "  --counts A,B    how many publishers, viewers or streams are tried; of one scenario only",
      "  --profile       print where the server's processor time goes (the figures are worse then, and not kept)",
      "  --json          print figures for machines",
      "  --no-save       leave bench/RESULTS.md as it is",
      "",
    ].join("\n"),
  );
  process.exit(2);
}

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    // The second time nobody is asked any more: what still runs is killed on the way out.
    if (stop.signal.aborted) process.exit(1);
    stop.abort(new Error(signal));
  });
}

for (const scenario of selected) {
  if (!(await measure(scenario))) process.exitCode = 1;
  if (stop.signal.aborted) break;
}

/** Runs a scenario in a workplace of its own; false when it failed. */
async function measure(scenario: Scenario): Promise<boolean> {
  await using workplace = await Workplace.open({ isProfiled: values.profile, signal: stop.signal });
  try {
    process.stderr.write(`${scenario.name}: ${scenario.title}\n`);
    const result = await scenario.run({
      workplace,
      seconds: values.seconds === undefined ? scenario.seconds : Number(values.seconds),
      counts: values.counts?.split(",").map(Number) ?? scenario.counts,
      say: (line) => process.stderr.write(`  ${line}\n`),
    });
    await keep(scenario, result);
    return true;
  } catch (error) {
    process.stderr.write(`${scenario.name} failed: ${error instanceof Error ? error.stack : error}\n`);
    return false;
  }
}

async function keep(scenario: Scenario, result: ScenarioResult): Promise<void> {
  const about = {
    scenario,
    result,
    command: `npm run bench -- ${process.argv.slice(2).join(" ")}`,
    machine: await describeMachine(),
    date: new Date(),
  };
  process.stdout.write(
    values.json ? `${JSON.stringify({ scenario: scenario.name, ...result })}\n` : printResult(about),
  );
  if (!values["no-save"] && !values.profile) await saveResult(about);
}
