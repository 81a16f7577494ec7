import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as HlsParser from "hls-parser";
import { AAC, H264, ScriptedPresentation } from "../../../test/support/presentation.ts";
import { renderMediaPlaylist } from "./media-playlist.ts";

const STEREO = [
  { id: "source", format: H264, audioRenditionId: "audio_source" },
  { id: "audio_source", format: AAC },
];

function segmentLines(from: number, to: number): string {
  let text = "";
  for (let msn = from; msn <= to; msn++) {
    const date = new Date(Date.UTC(2026, 0, 1, 0, 0, 8 + 2 * msn)).toISOString();
    text += `#EXT-X-PROGRAM-DATE-TIME:${date}\n#EXTINF:2.00000,\ne0-${msn}.m4s\n`;
  }
  return text;
}

describe("renderMediaPlaylist", () => {
  it("lists parts near the end, the open segment, the hint and where the other rendition stands", () => {
    const presentation = new ScriptedPresentation({ renditions: STEREO });
    for (let count = 0; count < 4; count++) presentation.addSegment();
    presentation.addPart("source", { durationMs: 480, isIndependent: true });
    presentation.addPart("source", { durationMs: 500 });
    presentation.addPart("audio_source", { durationMs: 490 });

    assert.equal(
      renderMediaPlaylist(presentation, presentation.rendition("source")),
      `#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5,HOLD-BACK=6,CAN-SKIP-UNTIL=12
#EXT-X-PART-INF:PART-TARGET=0.5
#EXT-X-MEDIA-SEQUENCE:1
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-MAP:URI="e0-0.init.mp4"
${segmentLines(1, 2)}#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:14.000Z
#EXT-X-PART:DURATION=0.50000,URI="e0-3.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.50000,URI="e0-3.1.m4s"
#EXT-X-PART:DURATION=0.50000,URI="e0-3.2.m4s"
#EXT-X-PART:DURATION=0.50000,URI="e0-3.3.m4s"
#EXTINF:2.00000,
e0-3.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:16.000Z
#EXT-X-PART:DURATION=0.50000,URI="e0-4.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.50000,URI="e0-4.1.m4s"
#EXT-X-PART:DURATION=0.50000,URI="e0-4.2.m4s"
#EXT-X-PART:DURATION=0.50000,URI="e0-4.3.m4s"
#EXTINF:2.00000,
e0-4.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:18.000Z
#EXT-X-PART:DURATION=0.48000,URI="e0-5.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.50000,URI="e0-5.1.m4s"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="e0-5.2.m4s"
#EXT-X-RENDITION-REPORT:URI="../audio_source/playlist.m3u8",LAST-MSN=5,LAST-PART=0
`,
    );
  });

  it("lists parts of three segments at most, however short", () => {
    const presentation = new ScriptedPresentation({ renditions: STEREO });
    for (let count = 0; count < 4; count++) presentation.addSegment(1000);
    presentation.addPart("source", { durationMs: 500, isIndependent: true });
    const text = renderMediaPlaylist(presentation, presentation.rendition("source"));
    const parts = text.matchAll(/^#EXT-X-PART:.*URI="e0-([\d.]+)\.m4s"/gm);
    assert.deepEqual(
      Array.from(parts, ([, name]) => name),
      ["3.0", "3.1", "4.0", "4.1", "5.0"],
    );
    HlsParser.setOptions({ strictMode: true });
    assert.ok(HlsParser.parse(text));
  });

  it("lists parts of two whole segments beside a segment of which only the hint is there", () => {
    const presentation = new ScriptedPresentation({ renditions: STEREO });
    for (let count = 0; count < 4; count++) presentation.addSegment(1500);
    const text = renderMediaPlaylist(presentation, presentation.rendition("source"));
    const parts = text.matchAll(/^#EXT-X-PART:.*URI="e0-(\d+)\.\d+\.m4s"/gm);
    assert.deepEqual([...new Set(Array.from(parts, ([, msn]) => msn))], ["3", "4"]);
    HlsParser.setOptions({ strictMode: true });
    assert.ok(HlsParser.parse(text));

    presentation.isInterrupted = true;
    const away = renderMediaPlaylist(presentation, presentation.rendition("source"));
    assert.doesNotMatch(away, /PRELOAD-HINT|e0-2\.\d/, "parts that were taken out do not come back");
  });

  it("restates the map after a discontinuity and after a change of init, and raises the version for a gap", () => {
    const presentation = new ScriptedPresentation({
      renditions: [{ id: "source", format: H264 }],
      options: { windowSegmentCount: 4 },
    });
    const rendition = presentation.rendition("source");
    presentation.addSegment();
    presentation.addSegment();
    rendition.changeInit(H264);
    presentation.addSegment();
    presentation.beginPeriod(2000);
    presentation.addGap("source", 2000);
    presentation.addPart("source", { durationMs: 500, isIndependent: true });
    presentation.addPart("source", { durationMs: 500, isGap: true });
    presentation.endSegment("source");

    assert.equal(
      renderMediaPlaylist(presentation, rendition),
      `#EXTM3U
#EXT-X-VERSION:8
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5,HOLD-BACK=6,CAN-SKIP-UNTIL=12
#EXT-X-PART-INF:PART-TARGET=0.5
#EXT-X-MEDIA-SEQUENCE:2
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-MAP:URI="e0-0.init.mp4"
${segmentLines(2, 2)}#EXT-X-MAP:URI="e0-1.init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:14.000Z
#EXTINF:2.00000,
e0-3.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="e0-1.init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:18.000Z
#EXT-X-GAP
#EXTINF:2.00000,
e0-4.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:20.000Z
#EXT-X-PART:DURATION=0.50000,URI="e0-5.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.50000,URI="e0-5.1.m4s",GAP=YES
#EXTINF:1.00000,
e0-5.m4s
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="e0-6.0.m4s"
`,
    );
  });

  it("counts a discontinuity once the segment that carried it has left", () => {
    const presentation = new ScriptedPresentation({
      renditions: [{ id: "source", format: H264 }],
      options: { windowSegmentCount: 3 },
    });
    const rendition = presentation.rendition("source");
    presentation.addSegment();
    presentation.beginPeriod();
    presentation.addSegment();
    presentation.addSegment();
    presentation.addSegment();
    assert.match(renderMediaPlaylist(presentation, rendition), /DISCONTINUITY-SEQUENCE:0\n#EXT-X-DISCONTINUITY\n/);
    presentation.addSegment();
    assert.match(
      renderMediaPlaylist(presentation, rendition),
      /MEDIA-SEQUENCE:3\n.*DISCONTINUITY-SEQUENCE:1\n#EXT-X-MAP/,
    );
  });

  it("replaces the segments beyond the skip boundary in a delta playlist", () => {
    const presentation = new ScriptedPresentation({ renditions: [{ id: "source", format: H264 }] });
    for (let count = 0; count < 10; count++) presentation.addSegment();
    const rendition = presentation.rendition("source");
    const full = renderMediaPlaylist(presentation, rendition);
    assert.equal(
      renderMediaPlaylist(presentation, rendition, { skip: true }),
      full
        .replace("VERSION:6", "VERSION:9")
        .replace(
          `#EXT-X-MAP:URI="e0-0.init.mp4"\n${segmentLines(1, 4)}`,
          '#EXT-X-SKIP:SKIPPED-SEGMENTS=4\n#EXT-X-MAP:URI="e0-0.init.mp4"\n',
        ),
    );
  });

  it("answers a delta request in full when nothing can be skipped, and when the stream has ended", () => {
    const presentation = new ScriptedPresentation({ renditions: [{ id: "source", format: H264 }] });
    const rendition = presentation.rendition("source");
    for (let count = 0; count < 6; count++) presentation.addSegment();
    assert.equal(
      renderMediaPlaylist(presentation, rendition, { skip: true }),
      renderMediaPlaylist(presentation, rendition),
    );
    for (let count = 0; count < 4; count++) presentation.addSegment();
    presentation.end();
    assert.equal(
      renderMediaPlaylist(presentation, rendition, { skip: true }),
      renderMediaPlaylist(presentation, rendition),
    );
  });

  it("ends with ENDLIST alone: no hint, no report", () => {
    const presentation = new ScriptedPresentation({ renditions: STEREO });
    presentation.addSegment(1000);
    presentation.end();
    assert.equal(
      renderMediaPlaylist(presentation, presentation.rendition("source")),
      `#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5,HOLD-BACK=6,CAN-SKIP-UNTIL=12
#EXT-X-PART-INF:PART-TARGET=0.5
#EXT-X-MEDIA-SEQUENCE:1
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-MAP:URI="e0-0.init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:10.000Z
#EXT-X-PART:DURATION=0.50000,URI="e0-1.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.50000,URI="e0-1.1.m4s"
#EXTINF:1.00000,
e0-1.m4s
#EXT-X-ENDLIST
`,
    );
  });

  it("has neither parts nor an open segment without low latency", () => {
    const presentation = new ScriptedPresentation({
      renditions: STEREO,
      options: { isLowLatency: false, segmentTargetMs: 6000, windowSegmentCount: 5 },
    });
    presentation.addSegment();
    presentation.addPart("source", { durationMs: 3000, isIndependent: true });
    assert.equal(
      renderMediaPlaylist(presentation, presentation.rendition("source")),
      `#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:6
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,HOLD-BACK=18,CAN-SKIP-UNTIL=36
#EXT-X-MEDIA-SEQUENCE:1
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-MAP:URI="e0-0.init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:10.000Z
#EXTINF:6.00000,
e0-1.m4s
`,
    );
  });

  it("never prints a part longer than the part target, whatever the frame length", () => {
    const presentation = new ScriptedPresentation({
      renditions: [{ id: "source", format: H264 }],
      partTargetMs: 48_048 / 90,
    });
    presentation.addPart("source", { durationMs: 48_048 / 90, isIndependent: true });
    const text = renderMediaPlaylist(presentation, presentation.rendition("source"));
    assert.match(text, /PART-HOLD-BACK=1\.60161,/);
    assert.match(text, /PART-TARGET=0\.53387\n/);
    assert.match(text, /DURATION=0\.53387,/);
  });
});
