import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parse } from "mpd-parser";
import { renderMpd } from "../../../src/packaging/dash/mpd.ts";
import { AAC, H264, ScriptedPresentation } from "../presentation.ts";
import { anyStream, playSteps } from "../presentation-steps.ts";
import { DashConformance, objectUris } from "./dash-conformance.ts";

const OPTIONS = { timeUrl: "/time", publishTimeMs: Date.UTC(2026, 0, 1) };

function mpd(presentation: ScriptedPresentation): string {
  return renderMpd(presentation, OPTIONS);
}

/** Wall clock at which the newest media of the presentation came in. */
function nowMs({ availabilityStartMs, endMs }: ScriptedPresentation): number {
  return availabilityStartMs + endMs;
}

/** Two periods; in the second, three segments and an open one. */
function stream(): ScriptedPresentation {
  const presentation = new ScriptedPresentation({
    renditions: [
      { id: "source", format: H264, audioRenditionId: "audio" },
      { id: "audio", format: AAC },
    ],
  });
  for (let count = 0; count < 4; count++) presentation.addSegment();
  presentation.beginPeriod(1000);
  for (const durationMs of [2000, 1920, 2000]) presentation.addSegment(durationMs);
  for (const { id } of presentation.renditions) presentation.addPart(id, { durationMs: 500, isIndependent: true });
  return presentation;
}

describe("the MPD of any stream", () => {
  it("breaks no rule, and names the objects that the playlists name", () => {
    fc.assert(
      fc.property(anyStream, (any) => {
        const conformance = new DashConformance({ slackMs: Number.POSITIVE_INFINITY });
        playSteps(any, (presentation) => {
          const observed = conformance.observe(mpd(presentation), nowMs(presentation));
          assert.ok(observed);
          const listed = new Set(
            presentation.renditions.flatMap(({ id, segments }) => segments.map(({ name }) => `${id}/${name}`)),
          );
          for (const uri of objectUris(observed).segments) assert.ok(listed.has(uri), uri);
        });
        // Where every segment was cut short by its period's end, nothing tells what is usual: D20 cannot be kept.
        assert.deepEqual(
          conformance.violations.rules.filter((rule) => rule !== "D20"),
          [],
          conformance.violations.report(),
        );
      }),
      { numRuns: 150 },
    );
  });

  it("is read by an independent parser as it was meant", () => {
    const presentation = stream();
    const { playlists, mediaGroups } = parse(mpd(presentation), { manifestUri: "http://h/streams/a/manifest.mpd" });
    const read = [...playlists, ...Object.values(mediaGroups.AUDIO.audio ?? {}).flatMap((one) => one.playlists)];
    assert.equal(read.length, 2);
    for (const [index, { segments }] of read.entries()) {
      const rendition = presentation.renditions[index];
      assert.deepEqual(
        segments.map(({ uri, map }) => [uri, map.uri]),
        rendition?.segments.map(({ name, init }) => [`${rendition.id}/${name}`, `${rendition.id}/${init.name}`]),
      );
      assert.deepEqual(
        segments.map(({ duration }) => duration),
        [2, 2, 2, 2, 2, 1.92, 2, 2],
      );
    }
  });
});

type Edit = readonly [rule: string, found: string | RegExp, replacement: string];

function edited(text: string, [rule, found, replacement]: Edit): string {
  const result = text.replace(found, replacement);
  assert.notEqual(result, text, `the edit for ${rule} found nothing`);
  return result;
}

describe("rules of one MPD", () => {
  function rulesOf(text: string, atMs: number): string[] {
    const conformance = new DashConformance();
    conformance.observe(text, atMs);
    return conformance.violations.rules;
  }

  it("find nothing in a good one, live or ended", () => {
    const presentation = stream();
    assert.deepEqual(rulesOf(mpd(presentation), nowMs(presentation)), []);
    presentation.end();
    assert.deepEqual(rulesOf(mpd(presentation), nowMs(presentation)), []);
  });

  const edits: readonly Edit[] = [
    ["D1", / publishTime="[^"]*"/, ""],
    ["D1", / minimumUpdatePeriod="[^"]*"/, ' minimumUpdatePeriod="2"'],
    ["D1", / {2}<UTCTiming[^>]*>\n<\/MPD>/, "</MPD>"],
    ["D1", ' id="p0"', ""],
    ["D1", '<AdaptationSet id="11"', '<AdaptationSet id="1"'],
    ["D1", '<Representation id="audio"', '<Representation id="source"'],
    ["D5", 'suggestedPresentationDelay="PT2S"', 'suggestedPresentationDelay="PT60S"'],
    ["D7", 'media="$RepresentationID$/e0-$Number$.m4s"', 'media="$RepresentationID$/e0-$Number$-$Time$.m4s"'],
    ["D7", ' startNumber="1"', ""],
    ["D7", 'd="180000"', 'n="1" d="180000"'],
    ["D8", ' startNumber="1"', ' startNumber="1" duration="1"'],
    ["D9", 'd="180000" r="3"', 'd="180000.5" r="3"'],
    ["D9", '<S d="172800"/>', '<S t="7" d="172800"/>'],
    ["D9", '<S d="172800"/>', '<S d="180000"/>'],
    ["D10", 'start="PT19S"', 'start="PT17S"'],
    ["D10", 'start="PT19S"', ""],
    ["D10", 'presentationTimeOffset="900000"', 'presentationTimeOffset="1900000"'],
    ["D11", 'connectivity:2015" value="p0"', 'connectivity:2015" value="p7"'],
    ["D11", "connectivity:2015", "continuity:2015"],
    ["D11", /(initialization="\$RepresentationID\$\/e0-)0/, "$18"],
    ["D11", /(<SupplementalProperty .*\/>)/, "$1$1"],
    ["D13", 'type="dynamic"', 'type="static"'],
    ["D16", /<Latency[^>]*>/, ""],
    ["D16", 'target="2000"', 'target="200"'],
    ["D18", /<ProducerReferenceTime [\s\S]*?<\/ProducerReferenceTime>/, ""],
    ["D18", 'ProducerReferenceTime id="1"', 'ProducerReferenceTime id="0"'],
    ["D18", 'type="encoder"', 'type="application"'],
    ["D20", ' availabilityTimeComplete="false"', ""],
    ["D20", 'availabilityTimeOffset="1.5"', 'availabilityTimeOffset="2.5"'],
    ["D30", ' codecs="mp4a.40.2"', ""],
    ["D30", 'maxHeight="720"', 'maxHeight="480"'],
    ["D30", "</MPD>", ""],
    ["D30", 'value="/time"', 'value="/time?a&b"'],
    ["Z9", /,http:[^"]*/, ""],
    ["Z10", /http-iso:2014/g, "ntp:2014"],
  ];
  for (const edit of edits) {
    it(`see ${edit[0]} broken by ${JSON.stringify(edit[1].toString())}`, () => {
      const presentation = stream();
      const rules = rulesOf(edited(mpd(presentation), edit), nowMs(presentation));
      assert.ok(rules.includes(edit[0]), `${edit[0]} is not among ${rules}`);
    });
  }

  it("see media that ends long before or after now", () => {
    const presentation = stream();
    assert.deepEqual(rulesOf(mpd(presentation), nowMs(presentation) + 8000), ["D3"]);
    assert.deepEqual(rulesOf(mpd(presentation), nowMs(presentation) - 8000), ["D12"]);
  });
});

describe("rules of MPDs over time", () => {
  function twoLooks(edit?: Edit): string[] {
    const conformance = new DashConformance();
    const presentation = stream();
    conformance.observe(mpd(presentation), nowMs(presentation));
    for (const { id } of presentation.renditions) {
      presentation.addPart(id, { durationMs: 500 });
      presentation.endSegment(id);
      presentation.addPart(id, { durationMs: 500, isIndependent: true });
    }
    const text = mpd(presentation);
    conformance.observe(edit ? edited(text, edit) : text, nowMs(presentation));
    return conformance.violations.rules;
  }

  it("find nothing in good ones", () => {
    assert.deepEqual(twoLooks(), []);
  });

  const edits: readonly Edit[] = [
    ["D1", 'availabilityStartTime="2026-01-01T00:00:00.000Z"', 'availabilityStartTime="2026-01-01T00:00:01.000Z"'],
    ["D1", 'publishTime="2026', 'publishTime="2025'],
    ["D2", 'start="PT10S"', 'start="PT9.9S"'],
    ["D2", /id="11"/g, 'id="12"'],
    ["D2", 'presentationTimeOffset="900000"', 'presentationTimeOffset="900001"'],
    ["D6", 'id="p0"', 'id="p7"'],
    ["D6", 'r="3"', 'r="4"'],
    ["D6", 'd="180000" r="3"', 'd="180000" r="1"'],
    ["D7", 'startNumber="1"', 'startNumber="2"'],
  ];
  for (const edit of edits) {
    it(`see ${edit[0]} broken by ${edit[2]}`, () => {
      const rules = twoLooks(edit);
      assert.ok(rules.includes(edit[0]), `${edit[0]} is not among ${rules}`);
    });
  }

  it("see a stream that comes back after it was static", () => {
    const conformance = new DashConformance();
    const presentation = stream();
    const live = mpd(presentation);
    presentation.end();
    conformance.observe(mpd(presentation), nowMs(presentation));
    conformance.observe(live, nowMs(presentation));
    assert.ok(conformance.violations.rules.includes("D13"));
  });
});
