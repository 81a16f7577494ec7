import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { H264, ScriptedPresentation } from "../../../test/support/presentation.ts";
import { renderIframePlaylist } from "./iframe-playlist.ts";

function video(options: { isLowLatency?: boolean; windowSegmentCount?: number } = {}): ScriptedPresentation {
  return new ScriptedPresentation({ renditions: [{ id: "source", format: H264 }], options });
}

function iframes(presentation: ScriptedPresentation, skip = false): string {
  return renderIframePlaylist(presentation, presentation.rendition("source"), { skip });
}

/** Two seconds that have a key frame after `keyMs` too. */
function addSegmentWithTwo(presentation: ScriptedPresentation, keyMs: number): void {
  for (let atMs = 0; atMs < 2000; atMs += 500) {
    presentation.addPart("source", { durationMs: 500, isIndependent: atMs === 0 || atMs === keyMs });
  }
  presentation.endSegment("source");
}

describe("renderIframePlaylist", () => {
  it("lists the key frames of complete segments as byte ranges, each until the next", () => {
    const presentation = video();
    presentation.addSegment();
    addSegmentWithTwo(presentation, 500);
    presentation.addPart("source", { durationMs: 500, isIndependent: true });
    assert.equal(
      iframes(presentation),
      `#EXTM3U
#EXT-X-VERSION:5
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5,HOLD-BACK=6,CAN-SKIP-UNTIL=12
#EXT-X-I-FRAMES-ONLY
#EXT-X-MEDIA-SEQUENCE:100
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-MAP:URI="e0-0.init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:10.000Z
#EXT-X-BYTERANGE:1@1
#EXTINF:2.00000,
e0-1.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:12.000Z
#EXT-X-BYTERANGE:1@1
#EXTINF:0.50000,
e0-2.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:12.500Z
#EXT-X-BYTERANGE:1@3
#EXTINF:1.50000,
e0-2.m4s
`,
    );
  });

  it("says where there is no picture, restates the map after a break, and ends", () => {
    const presentation = video({ isLowLatency: false, windowSegmentCount: 3 });
    presentation.addSegment();
    presentation.addPart("source", { durationMs: 2000 });
    presentation.endSegment("source");
    presentation.beginPeriod(1000, { source: { ...H264, width: 640 } });
    presentation.addGap("source", 2000);
    presentation.addPart("source", { durationMs: 500 });
    presentation.addPart("source", { durationMs: 1500, isIndependent: true });
    presentation.end();
    assert.equal(
      iframes(presentation, true),
      `#EXTM3U
#EXT-X-VERSION:8
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,HOLD-BACK=6,CAN-SKIP-UNTIL=12
#EXT-X-I-FRAMES-ONLY
#EXT-X-MEDIA-SEQUENCE:101
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-MAP:URI="e0-0.init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:12.000Z
#EXT-X-GAP
#EXTINF:2.00000,
e0-2.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="e0-1.init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:15.000Z
#EXT-X-GAP
#EXTINF:2.00000,
e0-3.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:17.000Z
#EXT-X-GAP
#EXTINF:0.50000,
e0-4.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:17.500Z
#EXT-X-BYTERANGE:1@3
#EXTINF:1.50000,
e0-4.m4s
#EXT-X-ENDLIST
`,
    );
  });

  it("counts entries, not segments, in a delta playlist", () => {
    const presentation = video();
    for (let count = 0; count < 10; count++) addSegmentWithTwo(presentation, 1000);
    const full = iframes(presentation);
    const entries = full.slice(full.indexOf("#EXT-X-PROGRAM-DATE-TIME"));
    const kept = entries.slice(entries.indexOf("e0-4.m4s\n", entries.indexOf("e0-4.m4s\n") + 1) + "e0-4.m4s\n".length);
    assert.equal(
      iframes(presentation, true),
      full
        .replace("VERSION:5", "VERSION:9")
        .replace("#EXT-X-MAP", "#EXT-X-SKIP:SKIPPED-SEGMENTS=8\n#EXT-X-MAP")
        .replace(entries, kept),
    );
  });
});
