import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import * as HlsParser from "hls-parser";
import { Parser as M3u8Parser } from "m3u8-parser";
import { renderIframePlaylist } from "../../../src/packaging/hls/iframe-playlist.ts";
import { renderMediaPlaylist } from "../../../src/packaging/hls/media-playlist.ts";
import { renderMultivariantPlaylist } from "../../../src/packaging/hls/multivariant-playlist.ts";
import { AAC, H264, ScriptedPresentation } from "../presentation.ts";
import { anyStream, playSteps } from "../presentation-steps.ts";
import { HlsConformance } from "./hls-conformance.ts";

function observeIframes(
  conformance: HlsConformance,
  bases: Map<string, string>,
  presentation: ScriptedPresentation,
  rendition: ScriptedPresentation["renditions"][number],
): void {
  const uri = `${rendition.id}/iframes.m3u8`;
  const full = renderIframePlaylist(presentation, rendition);
  conformance.observeIframes(uri, full, presentation.endMs);
  const delta = renderIframePlaylist(presentation, rendition, { skip: true });
  conformance.observeDelta(uri, bases.get(uri) ?? full, delta, full);
  bases.set(uri, full);
}

describe("playlists of any stream", () => {
  it("break no rule, whatever happens to the stream", () => {
    fc.assert(
      fc.property(anyStream, (stream) => {
        const conformance = new HlsConformance({ slackMs: Number.POSITIVE_INFINITY });
        const bases = new Map<string, string>();
        playSteps(stream, (presentation) => {
          conformance.observeMultivariant(renderMultivariantPlaylist(presentation));
          for (const rendition of presentation.renditions) {
            const uri = `${rendition.id}/playlist.m3u8`;
            const full = renderMediaPlaylist(presentation, rendition);
            conformance.observeMedia(uri, full, presentation.endMs);
            const delta = renderMediaPlaylist(presentation, rendition, { skip: true });
            conformance.observeDelta(uri, bases.get(uri) ?? full, delta, full);
            bases.set(uri, full);
            if (rendition.kind === "video") observeIframes(conformance, bases, presentation, rendition);
          }
        });
        assert.equal(conformance.violations.report(), "");
      }),
      { numRuns: 150 },
    );
  });

  it("pass a strict parser in every form", () => {
    HlsParser.setOptions({ strictMode: true, allowClosedCaptionsNone: true, silent: true });
    for (const isLowLatency of [true, false]) {
      const presentation = new ScriptedPresentation({
        renditions: [
          { id: "source", format: H264, audioRenditionId: "audio" },
          { id: "audio", format: AAC },
        ],
        options: { isLowLatency },
      });
      const read = () =>
        presentation.renditions.flatMap((rendition) =>
          [renderMediaPlaylist, rendition.kind === "video" ? renderIframePlaylist : renderMediaPlaylist].flatMap(
            (render) => [false, true].map((skip) => HlsParser.parse(render(presentation, rendition, { skip }))),
          ),
        );
      for (let count = 0; count < 10; count++) presentation.addSegment();
      for (const playlist of read()) assert.equal(playlist.isMasterPlaylist, false);
      presentation.beginPeriod(500);
      presentation.addGap("source", 2000);
      presentation.addSegment(2000, ["audio"]);
      presentation.addPart("source", { durationMs: 500, isIndependent: true });
      presentation.addPart("audio", { durationMs: 500 });
      for (const playlist of read()) assert.equal(playlist.isMasterPlaylist, false);
      presentation.end();
      for (const playlist of read()) assert.ok("endlist" in playlist && playlist.endlist);
    }
  });

  it("are read by two independent parsers as they were meant", () => {
    HlsParser.setOptions({ strictMode: true, allowClosedCaptionsNone: true, silent: true });
    fc.assert(
      fc.property(anyStream, (stream) => {
        playSteps(stream, (presentation) => {
          assert.ok(HlsParser.parse(renderMultivariantPlaylist(presentation)).isMasterPlaylist);
        });
        const presentation = playSteps(stream, () => {});
        for (const rendition of presentation.renditions) {
          const parser = new M3u8Parser();
          parser.push(renderMediaPlaylist(presentation, rendition));
          parser.end();
          assert.deepEqual(
            parser.manifest.segments.map(({ uri }) => uri),
            rendition.segments.map(({ name }) => name),
          );
          assert.equal(parser.manifest.mediaSequence, rendition.segments[0]?.msn ?? rendition.nextPart.msn);
        }
      }),
      { numRuns: 40 },
    );
  });
});
