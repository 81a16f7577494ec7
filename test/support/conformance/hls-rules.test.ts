import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { renderIframePlaylist } from "../../../src/packaging/hls/iframe-playlist.ts";
import { renderMediaPlaylist } from "../../../src/packaging/hls/media-playlist.ts";
import { renderMultivariantPlaylist } from "../../../src/packaging/hls/multivariant-playlist.ts";
import { AAC, H264, ScriptedPresentation } from "../presentation.ts";
import { HlsConformance } from "./hls-conformance.ts";

/** Ten complete segments of four parts, the eleventh open with two parts, in two variants with one audio. */
function stream(): ScriptedPresentation {
  const presentation = new ScriptedPresentation({
    renditions: [
      { id: "source", format: H264, audioRenditionId: "audio" },
      { id: "720p", format: H264, origin: "rung", audioRenditionId: "audio_2" },
      { id: "audio", format: AAC },
      { id: "audio_2", format: { ...AAC, channelCount: 6 }, origin: "rung" },
    ],
  });
  for (let count = 0; count < 10; count++) presentation.addSegment();
  addPart(presentation, true);
  addPart(presentation);
  return presentation;
}

function addPart(presentation: ScriptedPresentation, isIndependent = false): void {
  for (const { id } of presentation.renditions) presentation.addPart(id, { durationMs: 500, isIndependent });
}

function endSegment(presentation: ScriptedPresentation): void {
  for (const { id } of presentation.renditions) presentation.endSegment(id);
}

const SOURCE = "source/playlist.m3u8";

function media(presentation: ScriptedPresentation, id = "source"): string {
  return renderMediaPlaylist(presentation, presentation.rendition(id));
}

function rulesOf(look: (conformance: HlsConformance) => void): string[] {
  const conformance = new HlsConformance();
  look(conformance);
  return conformance.violations.rules;
}

type Edit = readonly [rule: string, found: string | RegExp, replacement: string];

function edited(text: string, [rule, found, replacement]: Edit): string {
  const result = text.replace(found, replacement);
  assert.notEqual(result, text, `the edit for ${rule} found nothing`);
  return result;
}

describe("rules of one media playlist", () => {
  it("find nothing in a good one", () => {
    const presentation = stream();
    presentation.beginPeriod(1000, { source: { ...H264, width: 640 } });
    presentation.addSegment();
    assert.deepEqual(
      rulesOf((conformance) => conformance.observeMedia(SOURCE, media(presentation), 0)),
      [],
    );
  });

  const edits: readonly Edit[] = [
    ["H1", "#EXTM3U\n", "\ufeff#EXTM3U\n"],
    ["H1", /\n$/, ""],
    ["H1", "#EXTINF:2.00000,", "#EXTINF:2.00000,\u0001"],
    ["H5", "#EXT-X-VERSION:6\n", ""],
    ["H5", "#EXT-X-VERSION:6\n", "#EXT-X-VERSION:6\n#EXT-X-VERSION:6\n"],
    ["H6", "#EXT-X-MEDIA-SEQUENCE", "#EXT-X-STREAM-INF:BANDWIDTH=1\n#EXT-X-MEDIA-SEQUENCE"],
    ["H6", "#EXTINF:2.00000,\n", ""],
    ["T8", "#EXT-X-MEDIA-SEQUENCE", "#EXT-X-NONSENSE\n#EXT-X-MEDIA-SEQUENCE"],
    ["H7", "CAN-BLOCK-RELOAD=YES,", "CAN-BLOCK-RELOAD=YES, "],
    ["H7", "PART-TARGET=0.5", "PART-TARGET=5e-1"],
    ["H7", 'URI="e0-0.init.mp4"', 'URI="e0-0.init.mp4'],
    ["H7", "CAN-BLOCK-RELOAD=YES,", "CAN-BLOCK-RELOAD=YES,CAN-BLOCK-RELOAD=YES,"],
    ["H11", "#EXT-X-VERSION:6", "#EXT-X-VERSION:5"],
    ["Z1", "#EXT-X-VERSION:6", "#EXT-X-VERSION:9"],
    ["H12", "#EXT-X-TARGETDURATION:2\n", ""],
    ["H12", "#EXT-X-TARGETDURATION:2\n", "#EXT-X-TARGETDURATION:2.5\n"],
    ["H12", "#EXTINF:2.00000,", "#EXTINF:2.50000,"],
    ["H13", "#EXTINF:2.00000,", "#EXTINF:2.60000,"],
    ["H16", /(#EXT-X-MEDIA-SEQUENCE:1\n)([\s\S]*e0-1\.m4s\n)/, "$2$1"],
    ["H17", "#EXT-X-DISCONTINUITY-SEQUENCE:0\n", ""],
    ["H20", "#EXT-X-MEDIA-SEQUENCE", "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-MEDIA-SEQUENCE"],
    ["H23", "e0-1.m4s\n", 'e0-1.m4s\n#EXT-X-MAP:URI="other.mp4"\n'],
    ["H24", '#EXT-X-MAP:URI="e0-0.init.mp4"\n', ""],
    ["H25", "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:14.000Z\n", ""],
    ["H25", "2026-01-01T00:00:14.000Z", "2026-01-01T00:00:14Z"],
    ["H25", "2026-01-01T00:00:14.000Z", "2026-01-01T00:00:14.100Z"],
    ["H31", /$/, "#EXT-X-ENDLIST\n"],
    ["L1", /#EXT-X-PART-INF.*\n/, ""],
    ["L1", "PART-HOLD-BACK=1.5,", ""],
    ["L2", "PART-HOLD-BACK=1.5,", "PART-HOLD-BACK=1.4,"],
    ["L3", "HOLD-BACK=6,", "HOLD-BACK=5,"],
    ["L3", "CAN-SKIP-UNTIL=12", "CAN-SKIP-UNTIL=11"],
    ["L3", "CAN-SKIP-UNTIL=12", "CAN-SKIP-DATERANGES=YES"],
    ["L4", /DURATION=0.50000,URI="e0-10.1/, 'DURATION=0.50100,URI="e0-10.1'],
    ["L4", /DURATION=0.50000,URI="e0-10.1/, 'DURATION=0.42000,URI="e0-10.1'],
    ["L7", /(#EXT-X-PROGRAM-DATE-TIME.*\n)(.*e0-10\.0.*\n)/, "$2$1"],
    ["L8", /DURATION=0.50000,URI="e0-10.1/, 'DURATION=0.49000,URI="e0-10.1'],
    [
      "L9",
      "#EXTINF:2.00000,\ne0-2.m4s",
      '#EXT-X-PART:DURATION=0.5,URI="e0-2.0.m4s",INDEPENDENT=YES\n#EXTINF:2.00000,\ne0-2.m4s',
    ],
    ["L11", /#EXT-X-PRELOAD-HINT.*\n/, ""],
    ["L11", /(#EXT-X-PRELOAD-HINT.*\n)/, "$1$1"],
    ["L11", /HINT:TYPE=PART,URI=".*"/, "HINT:TYPE=PART"],
    ["L12", 'URI="../audio/', 'URI="http://elsewhere/audio/'],
    ["L12", "LAST-MSN=11,", ""],
    ["Z5", "#EXT-X-MAP", "#EXT-X-SKIP:SKIPPED-SEGMENTS=0\n#EXT-X-MAP"],
  ];
  for (const edit of edits) {
    it(`see ${edit[0]} broken by ${JSON.stringify(edit[2]).slice(0, 60)}`, () => {
      const rules = rulesOf((conformance) => conformance.observeMedia(SOURCE, edited(media(stream()), edit), 0));
      assert.ok(rules.includes(edit[0]), `${edit[0]} is not among ${rules}`);
    });
  }
});

describe("rules of the multivariant playlist", () => {
  it("find nothing in a good one", () => {
    assert.deepEqual(
      rulesOf((conformance) => conformance.observeMultivariant(renderMultivariantPlaylist(stream()))),
      [],
    );
  });

  const edits: readonly Edit[] = [
    ["H36", /RESOLUTION=\d+x\d+,/, ""],
    ["H36", "source/playlist.m3u8\n", ""],
    ["H36", /#EXT-X-STREAM-INF.*\n.*\n#EXT-X-STREAM-INF.*\n.*\n/, ""],
    ["H37", /AVERAGE-BANDWIDTH=\d+/, "AVERAGE-BANDWIDTH=99000000"],
    ["H37", /:BANDWIDTH=\d+/, ":BANDWIDTH=0"],
    ["H39", ",mp4a.40.2", ""],
    ["H39", "mp4a.40.2", "flac"],
    ["H40", "FRAME-RATE=25.000", "FRAME-RATE=25"],
    ["H41", "FRAME-RATE", "VIDEO-RANGE=PQ,FRAME-RATE"],
    ["H42", "FRAME-RATE", "SCORE=2,FRAME-RATE"],
    ["H43", "FRAME-RATE", 'STABLE-VARIANT-ID="a b",FRAME-RATE'],
    ["H44", 'LANGUAGE="und",', ""],
    ["H44", /AUTOSELECT=YES/, "AUTOSELECT=NO"],
    ["H44", /(#EXT-X-MEDIA.*\n)/, "$1$1"],
    ["H45", 'NAME="Audio"', 'NAME="Other"'],
    ["H46", 'AUDIO="audio"', 'AUDIO="none"'],
    ["H46", ',URI="audio/playlist.m3u8"', ""],
    ["H47", ",CLOSED-CAPTIONS=NONE", ""],
    ["H37", /(I-FRAME-STREAM-INF:BANDWIDTH=)\d+/, "$10"],
    ["H41", /(I-FRAME-STREAM-INF:)/, "$1VIDEO-RANGE=PQ,"],
    ["H50", /#EXT-X-I-FRAME-STREAM-INF.*\n/g, ""],
    ["H50", /,URI="source\/iframes.m3u8"/, ""],
    ["H50", /(I-FRAME.*),RESOLUTION=\d+x\d+/, "$1"],
    ["H50", /(I-FRAME-STREAM-INF:)/, "$1FRAME-RATE=25.000,"],
    ["H50", /(I-FRAME.*CODECS="avc1.64001f)/, "$1,mp4a.40.2"],
    ["H48", /$/, '#EXT-X-STREAM-INF:BANDWIDTH=1,AVERAGE-BANDWIDTH=1,CODECS="opus",CLOSED-CAPTIONS=NONE\na.m3u8\n'],
  ];
  for (const edit of edits) {
    it(`see ${edit[0]} broken by ${JSON.stringify(edit[2]).slice(0, 60)}`, () => {
      const text = edited(renderMultivariantPlaylist(stream()), edit);
      const rules = rulesOf((conformance) => conformance.observeMultivariant(text));
      assert.ok(rules.includes(edit[0]), `${edit[0]} is not among ${rules}`);
    });
  }
});

describe("rules of I-frame playlists", () => {
  /** The playlist beside it, then two looks at the key frames; the second is edited. */
  function looks(edit?: Edit): string[] {
    return rulesOf((conformance) => {
      const presentation = stream();
      conformance.observeMedia(SOURCE, media(presentation), 0);
      const iframes = () => renderIframePlaylist(presentation, presentation.rendition("source"));
      conformance.observeIframes("source/iframes.m3u8", iframes(), 0);
      endSegment(presentation);
      conformance.observeMedia(SOURCE, media(presentation), 1);
      conformance.observeIframes("source/iframes.m3u8", edit ? edited(iframes(), edit) : iframes(), 1);
    });
  }

  it("find nothing in good ones", () => assert.deepEqual(looks(), []));

  const edits: readonly Edit[] = [
    ["H11", "VERSION:5", "VERSION:4"],
    ["Z1", "VERSION:5", "VERSION:6"],
    ["H14", "EXTINF:2.00000", "EXTINF:1.99900"],
    ["H15", /MEDIA-SEQUENCE:\d+/, "MEDIA-SEQUENCE:7"],
    ["H16", "DISCONTINUITY-SEQUENCE:0", "DISCONTINUITY-SEQUENCE:1"],
    ["H24", /#EXT-X-MAP.*\n/, ""],
    ["H25", /#EXT-X-PROGRAM-DATE-TIME.*\n/, ""],
    ["H26", /00:00:(\d\d)\.000Z/g, "00:00:$1.300Z"],
    ["H50", "#EXT-X-I-FRAMES-ONLY\n", ""],
    ["H50", /#EXT-X-BYTERANGE.*\n/, ""],
    ["H50", "BYTERANGE:1@1", "BYTERANGE:1"],
    ["H50", "BYTERANGE:1@1", "BYTERANGE:0@1"],
    ["H50", /(e0-)3(\.m4s[\s\S]*)e0-4\.m4s/, "$13$2e0-3.m4s"],
    ["H51", "TARGETDURATION:2", "TARGETDURATION:3"],
    ["H51", "PART-HOLD-BACK=1.5,", ""],
    ["H51", "DISCONTINUITY-SEQUENCE:0", "DISCONTINUITY-SEQUENCE:1"],
    ["L14", "#EXT-X-BYTERANGE", '#EXT-X-PART:DURATION=0.5,URI="e0-1.0.m4s"\n#EXT-X-BYTERANGE'],
  ];
  for (const edit of edits) {
    it(`see ${edit[0]} broken by ${JSON.stringify(edit[2]).slice(0, 60)}`, () => {
      const rules = looks(edit);
      assert.ok(rules.includes(edit[0]), `${edit[0]} is not among ${rules}`);
    });
  }
});

describe("rules over time", () => {
  /** Two looks at the source, one part apart; the second is edited. */
  function twoLooks(edit: Edit, apartMs = 500): string[] {
    return rulesOf((conformance) => {
      const presentation = stream();
      conformance.observeMedia(SOURCE, media(presentation), 1000);
      addPart(presentation);
      conformance.observeMedia(SOURCE, edited(media(presentation), edit), 1000 + apartMs);
    });
  }

  const edits: readonly Edit[] = [
    ["H12", "TARGETDURATION:2", "TARGETDURATION:3"],
    ["H14", "EXTINF:2.00000", "EXTINF:1.99900"],
    ["H15", "MEDIA-SEQUENCE:1\n", "MEDIA-SEQUENCE:0\n"],
    ["H15", "e0-4.m4s", "e0-44.m4s"],
    ["H16", "DISCONTINUITY-SEQUENCE:0", "DISCONTINUITY-SEQUENCE:1"],
    ["H24", "e0-0.init.mp4", "e0-9.init.mp4"],
    ["H25", /00:00:(\d\d)\.000Z/g, "00:00:$1.001Z"],
    ["L8", 'URI="e0-11.0.m4s"', 'URI="e0-11.7.m4s"'],
    ["L11", '"e0-11.2.m4s"', '"e0-11.7.m4s"'],
    ["Z7", "PART-TARGET=0.5", "PART-TARGET=0.6"],
    ["Z7", "PART-HOLD-BACK=1.5", "PART-HOLD-BACK=1.6"],
  ];
  for (const edit of edits) {
    it(`see ${edit[0]} broken by ${JSON.stringify(edit[2])}`, () => {
      const rules = twoLooks(edit);
      assert.ok(rules.includes(edit[0]), `${edit[0]} is not among ${rules}`);
    });
  }

  it("see a playlist that went back", () => {
    const presentation = stream();
    const old = media(presentation);
    addPart(presentation);
    const rules = rulesOf((conformance) => {
      conformance.observeMedia(SOURCE, media(presentation), 0);
      conformance.observeMedia(SOURCE, old, 1);
    });
    assert.deepEqual(rules, ["H15"]);
  });

  it("see a part or a segment that comes late", () => {
    const presentation = stream();
    const rules = rulesOf((conformance) => {
      conformance.observeMedia(SOURCE, media(presentation), 0);
      endSegment(presentation);
      presentation.addSegment();
      conformance.observeMedia(SOURCE, media(presentation), 4000);
    });
    assert.deepEqual(rules, ["H21", "L10"]);
  });

  it("see too much evicted, and a change after the end", () => {
    const presentation = stream();
    const text = media(presentation);
    endSegment(presentation);
    presentation.end();
    const ended = media(presentation);
    const rules = rulesOf((conformance) => {
      conformance.observeMedia(SOURCE, text, 0);
      conformance.observeMedia(SOURCE, ended, 1);
      conformance.observeMedia(
        SOURCE,
        ended.replace(/(SEQUENCE:2)\n[\s\S]*(?=e0-9)/, "SEQUENCE:9\n#EXTINF:2,\n").replace("#EXT-X-ENDLIST\n", ""),
        2,
      );
    });
    assert.ok(rules.includes("H18") && rules.includes("H31"), `${rules}`);
  });
});

describe("rules across renditions", () => {
  function together(edit?: Edit): string[] {
    return rulesOf((conformance) => {
      const presentation = stream();
      conformance.observeMultivariant(renderMultivariantPlaylist(presentation));
      for (const { id } of presentation.renditions) {
        const text = media(presentation, id);
        const isEdited = edit && id === "source";
        conformance.observeMedia(`${id}/playlist.m3u8`, isEdited ? edited(text, edit) : text, 0);
      }
      conformance.observeMedia(SOURCE, edit ? edited(media(presentation), edit) : media(presentation), 0);
    });
  }

  it("find nothing in a good stream", () => assert.deepEqual(together(), []));

  const edits: readonly Edit[] = [
    ["H26", /00:00:(\d\d)\.000Z/g, "00:00:$1.300Z"],
    ["H49", ",INDEPENDENT=YES", ""],
    ["H51", "TARGETDURATION:2", "TARGETDURATION:3"],
    ["H51", "PART-HOLD-BACK=1.5", "PART-HOLD-BACK=1.6"],
    ["H51", "DISCONTINUITY-SEQUENCE:0", "DISCONTINUITY-SEQUENCE:1"],
    ["L12", /#EXT-X-RENDITION-REPORT:URI="..\/audio\/.*\n/, ""],
    ["L12", 'URI="../audio/', 'URI="../other/'],
    ["L12", 'URI="../audio/', 'URI="../audio_2/'],
    ["L12", /LAST-MSN=11,LAST-PART=1/, "LAST-MSN=10,LAST-PART=2"],
    ["L13", /LAST-MSN=11,LAST-PART=1/, "LAST-MSN=13,LAST-PART=0"],
  ];
  for (const edit of edits) {
    it(`see ${edit[0]} broken by ${JSON.stringify(edit[2])}`, () => {
      const rules = together(edit);
      assert.ok(rules.includes(edit[0]), `${edit[0]} is not among ${rules}`);
    });
  }
});

describe("rules of delta playlists", () => {
  function deltas(edit?: Edit, base = (text: string) => text): string[] {
    return rulesOf((conformance) => {
      const presentation = stream();
      const before = media(presentation);
      addPart(presentation);
      const delta = renderMediaPlaylist(presentation, presentation.rendition("source"), { skip: true });
      conformance.observeDelta(SOURCE, base(before), edit ? edited(delta, edit) : delta, media(presentation));
    });
  }

  it("find nothing in a good one", () => assert.deepEqual(deltas(), []));

  const edits: readonly Edit[] = [
    ["L25", /SKIPPED-SEGMENTS=4\n(#EXT-X-MAP.*\n)[\s\S]*?e0-5.m4s\n/, "SKIPPED-SEGMENTS=5\n$1"],
    ["L25", ",CAN-SKIP-UNTIL=12", ""],
    ["L27", "EXTINF:2.00000,\ne0-6", "EXTINF:1.99000,\ne0-6"],
    ["L27", 'HINT:TYPE=PART,URI="e0-11.3.m4s"', 'HINT:TYPE=PART,URI="e0-11.4.m4s"'],
    ["H11", "VERSION:9", "VERSION:6"],
    ["Z5", /#EXT-X-SKIP.*\n/, ""],
  ];
  for (const edit of edits) {
    it(`see ${edit[0]} broken by ${JSON.stringify(edit[2])}`, () => {
      const rules = deltas(edit);
      assert.ok(rules.includes(edit[0]), `${edit[0]} is not among ${rules}`);
    });
  }

  it("see segments skipped that the player never had", () => {
    const rules = deltas(undefined, (text) => text.replace("SEQUENCE:1\n", "SEQUENCE:3\n"));
    assert.ok(rules.includes("L25"), `${rules}`);
  });
});
