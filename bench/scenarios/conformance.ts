import { runConformance } from "../../test/support/conformance/run-conformance.ts";
import { Headwater } from "../headwater.ts";
import type { Scenario, ScenarioResult } from "../scenario.ts";

/** A long look at a live stream with all rules of HLS, LL-HLS, DASH and CMAF that our checker knows. */
export const conformance: Scenario = {
  name: "conformance",
  title: "every playlist, MPD, part and segment of a live stream against the rules",
  seconds: 600,
  counts: [],
  async run({ workplace, seconds, say }): Promise<ScenarioResult> {
    const server = await Headwater.start({ workplace });
    const { streamId } = await server.createStream({ ingest_type: "pattern" });
    const masterUrl = await server.playableUrl(streamId, workplace.signal);
    say(`watching for ${seconds} s`);
    const report = await runConformance({ masterUrl, forMs: seconds * 1000, signal: workplace.signal });
    await server.end();
    const { violations, seen } = report;
    return {
      aims: [{ aim: "no rule broken", measured: `${violations.count} violations`, isMet: violations.count === 0 }],
      tables: [
        {
          head: ["looked at", "count"],
          rows: Object.entries(seen).map(([what, count]) => [
            what.replace(/[A-Z]/g, (capital) => ` ${capital.toLowerCase()}`),
            `${count}`,
          ]),
        },
      ],
      notes: [
        `${seconds} s of the built-in picture with the default ladder; the rules are those of test/support/conformance.`,
        ...report.text.split("\n").slice(1),
      ],
      figures: { seen, violations: violations.count, text: report.text },
    };
  },
};
