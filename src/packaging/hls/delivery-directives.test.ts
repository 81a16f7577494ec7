import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { H264, ScriptedPresentation } from "../../../test/support/presentation.ts";
import { decide, endsWait, holdLimitMs, isSatisfied, parseDeliveryDirectives } from "./delivery-directives.ts";

/** Segments 5 to 14 complete with parts 0 to 3, segment 15 open with parts 0 and 1. */
function live(isLowLatency = true): ScriptedPresentation {
  const presentation = new ScriptedPresentation({
    renditions: [{ id: "source", format: H264 }],
    options: { isLowLatency },
  });
  for (let count = 0; count < 14; count++) presentation.addSegment();
  presentation.addPart("source", { durationMs: 500, isIndependent: true });
  presentation.addPart("source", { durationMs: 500 });
  return presentation;
}

function answer(presentation: ScriptedPresentation, query: string): string {
  return decide(presentation, presentation.rendition("source"), parseDeliveryDirectives(query)).kind;
}

describe("parseDeliveryDirectives", () => {
  it("reads the directives in any order, beside parameters of others", () => {
    assert.deepEqual(parseDeliveryDirectives("token=a&_HLS_skip=YES&_HLS_part=2&_HLS_msn=120"), {
      msn: 120,
      part: 2,
      skip: true,
      problem: undefined,
    });
  });

  it("takes the second form of skip like the first, and nothing as nothing asked", () => {
    assert.equal(parseDeliveryDirectives(new URLSearchParams({ _HLS_skip: "v2" })).skip, true);
    assert.deepEqual(parseDeliveryDirectives(""), { msn: undefined, part: undefined, skip: false, problem: undefined });
  });

  for (const query of [
    "_HLS_part=1",
    "_HLS_msn=",
    "_HLS_msn=-1",
    "_HLS_msn=1.5",
    "_HLS_msn=abc",
    "_HLS_msn=0x10",
    "_HLS_msn=18446744073709551616",
    "_HLS_msn=1&_HLS_msn=2",
    "_HLS_msn=1&_HLS_part=x",
  ]) {
    it(`finds fault with ${query}`, () => {
      assert.ok(parseDeliveryDirectives(query).problem);
      assert.equal(answer(live(), query), "bad-request");
    });
  }
});

describe("decide", () => {
  const expected: readonly (readonly [query: string, kind: string])[] = [
    ["", "now"],
    ["_HLS_skip=YES", "now"],
    ["_HLS_msn=1", "now"],
    ["_HLS_msn=14", "now"],
    ["_HLS_msn=15", "wait"],
    ["_HLS_msn=16", "wait"],
    ["_HLS_msn=17", "bad-request"],
    ["_HLS_msn=18446744073709551615", "bad-request"],
    ["_HLS_msn=14&_HLS_part=3", "now"],
    ["_HLS_msn=14&_HLS_part=99", "now"],
    ["_HLS_msn=15&_HLS_part=1", "now"],
    ["_HLS_msn=15&_HLS_part=2", "wait"],
    ["_HLS_msn=15&_HLS_part=7", "wait"],
    ["_HLS_msn=15&_HLS_part=8", "bad-request"],
    ["_HLS_msn=16&_HLS_part=0", "wait"],
    ["_HLS_msn=16&_HLS_part=6", "bad-request"],
    ["_HLS_msn=17&_HLS_part=0", "bad-request"],
  ];
  for (const [query, kind] of expected) {
    it(`answers ${query || "no directive"} with ${kind}`, () => assert.equal(answer(live(), query), kind));
  }

  it("looks at the segment alone when the playlist has no parts", () => {
    const presentation = live(false);
    assert.equal(answer(presentation, "_HLS_msn=14&_HLS_part=9"), "now");
    assert.equal(answer(presentation, "_HLS_msn=15&_HLS_part=0"), "wait");
    assert.equal(answer(presentation, "_HLS_msn=15&_HLS_part=99"), "wait");
    assert.equal(answer(presentation, "_HLS_msn=17&_HLS_part=0"), "bad-request");
  });

  it("counts key frames, and no parts, where they alone are listed", () => {
    const presentation = live();
    const kindOf = (query: string) =>
      decide(presentation, presentation.rendition("source"), parseDeliveryDirectives(query), "iframes").kind;
    assert.equal(kindOf("_HLS_msn=113"), "now");
    assert.equal(kindOf("_HLS_msn=113&_HLS_part=9"), "now");
    assert.equal(kindOf("_HLS_msn=114&_HLS_part=0"), "wait");
    assert.equal(kindOf("_HLS_msn=115"), "wait");
    assert.equal(kindOf("_HLS_msn=116"), "bad-request");
    assert.equal(kindOf("_HLS_part=0"), "bad-request");
  });

  it("lets the first segment be waited for", () => {
    const presentation = new ScriptedPresentation({ renditions: [{ id: "source", format: H264 }], firstMsn: 40 });
    assert.equal(answer(presentation, "_HLS_msn=40&_HLS_part=0"), "wait");
    assert.equal(answer(presentation, "_HLS_msn=42"), "bad-request");
  });

  it("ignores every directive once the stream has ended", () => {
    const presentation = live();
    presentation.end();
    for (const query of ["_HLS_part=1", "_HLS_msn=999", "_HLS_msn=x", "_HLS_msn=16&_HLS_part=0"]) {
      assert.equal(answer(presentation, query), "now");
    }
  });
});

describe("isSatisfied", () => {
  it("takes a part beyond the end of a closed segment as the first part of the next", () => {
    const presentation = live();
    const rendition = presentation.rendition("source");
    const directives = parseDeliveryDirectives("_HLS_msn=15&_HLS_part=4");
    presentation.addPart("source", { durationMs: 500 });
    presentation.endSegment("source");
    assert.equal(isSatisfied(presentation, rendition, directives), false);
    presentation.addPart("source", { durationMs: 500, isIndependent: true });
    assert.equal(isSatisfied(presentation, rendition, directives), true);
  });

  it("counts a segment only when it is complete", () => {
    const presentation = live();
    const rendition = presentation.rendition("source");
    const directives = parseDeliveryDirectives("_HLS_msn=15");
    assert.equal(isSatisfied(presentation, rendition, directives), false);
    presentation.endSegment("source");
    assert.equal(isSatisfied(presentation, rendition, directives), true);
  });
});

describe("endsWait", () => {
  it("answers who waits for a part of what turned out to be a gap, and lets wait who asks afterwards", () => {
    const presentation = live();
    const rendition = presentation.rendition("source");
    presentation.endSegment("source");
    const [first, next] = ["_HLS_msn=16&_HLS_part=0", "_HLS_msn=17&_HLS_part=0"].map(parseDeliveryDirectives);
    assert.ok(first && next);
    assert.equal(endsWait(presentation, rendition, first), false);
    presentation.addGap("source", 2000);
    assert.equal(endsWait(presentation, rendition, first), true);
    assert.equal(endsWait(presentation, rendition, next), false);
    assert.equal(answer(presentation, "_HLS_msn=16&_HLS_part=0"), "wait");
    presentation.addPart("source", { durationMs: 500 });
    assert.equal(endsWait(presentation, rendition, next), true);
  });
});

describe("holdLimitMs", () => {
  it("is three target durations", () => assert.equal(holdLimitMs(live()), 6000));
});
