import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AAC, H264, type RenditionScript, ScriptedPresentation } from "../../../test/support/presentation.ts";
import type { AudioFormat, VideoFormat } from "../../media/format.ts";
import { renderMultivariantPlaylist } from "./multivariant-playlist.ts";

const OPUS: AudioFormat = { ...AAC, codec: "opus", codecString: "opus", channelCount: 6 };
const HDR: VideoFormat = {
  ...H264,
  codec: "hevc",
  codecString: "hvc1.2.4.L120.B0",
  colour: { primaries: 9, transfer: 16, matrix: 9, isFullRange: false },
};

function presentationOf(...renditions: RenditionScript[]): ScriptedPresentation {
  const presentation = new ScriptedPresentation({ renditions });
  presentation.addSegment();
  return presentation;
}

describe("renderMultivariantPlaylist", () => {
  it("puts the best variant below 4 Mbit/s first, then the others from the best down, each with its audio", () => {
    const presentation = presentationOf(
      {
        id: "source",
        format: { ...H264, width: 1920, height: 1080, codecString: "avc1.640028" },
        audioRenditionId: "audio_source",
        bitrate: { peakBps: 6_000_000.2, averageBps: 5_000_000.4 },
        iframeBitrate: { peakBps: 700_000.5, averageBps: 600_000.5 },
        frameRate: 29.97003,
      },
      {
        id: "720p",
        format: H264,
        origin: "rung",
        audioRenditionId: "aac_128",
        bitrate: { peakBps: 3_000_000, averageBps: 2_800_000 },
      },
      {
        id: "480p",
        format: {
          ...H264,
          width: 720,
          height: 480,
          sampleAspect: { width: 40, height: 33 },
          codecString: "avc1.64001e",
        },
        origin: "rung",
        audioRenditionId: "aac_128",
        bitrate: { peakBps: 1_400_000, averageBps: 1_300_000 },
      },
      { id: "audio_source", format: OPUS, bitrate: { peakBps: 200_000, averageBps: 160_000 } },
      { id: "aac_128", format: AAC, origin: "rung", bitrate: { peakBps: 140_000, averageBps: 130_000 } },
    );
    assert.equal(
      renderMultivariantPlaylist(presentation),
      `#EXTM3U
#EXT-X-VERSION:6
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac_128",NAME="Audio",LANGUAGE="und",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="aac_128/playlist.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio_source",NAME="Audio",LANGUAGE="und",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="6",URI="audio_source/playlist.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=3140000,AVERAGE-BANDWIDTH=2930000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=25.000,AUDIO="aac_128",CLOSED-CAPTIONS=NONE
720p/playlist.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=6200001,AVERAGE-BANDWIDTH=5160001,CODECS="avc1.640028,opus",RESOLUTION=1920x1080,FRAME-RATE=29.970,AUDIO="audio_source",CLOSED-CAPTIONS=NONE
source/playlist.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=1540000,AVERAGE-BANDWIDTH=1430000,CODECS="avc1.64001e,mp4a.40.2",RESOLUTION=873x480,FRAME-RATE=25.000,AUDIO="aac_128",CLOSED-CAPTIONS=NONE
480p/playlist.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=120000,AVERAGE-BANDWIDTH=100000,CODECS="avc1.64001f",RESOLUTION=1280x720,URI="720p/iframes.m3u8"
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=700001,AVERAGE-BANDWIDTH=600001,CODECS="avc1.640028",RESOLUTION=1920x1080,URI="source/iframes.m3u8"
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=120000,AVERAGE-BANDWIDTH=100000,CODECS="avc1.64001e",RESOLUTION=873x480,URI="480p/iframes.m3u8"
`,
    );
  });

  it("offers audio alone as variants of their own", () => {
    assert.equal(
      renderMultivariantPlaylist(presentationOf({ id: "audio_source", format: AAC })),
      `#EXTM3U
#EXT-X-VERSION:6
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-STREAM-INF:BANDWIDTH=1200000,AVERAGE-BANDWIDTH=1000000,CODECS="mp4a.40.2",CLOSED-CAPTIONS=NONE
audio_source/playlist.m3u8
`,
    );
  });

  it("offers video alone without a group, no pictures where there are none yet, and says what range it has as soon as one variant is not SDR", () => {
    const presentation = presentationOf(
      { id: "source", format: HDR },
      {
        id: "720p",
        format: H264,
        origin: "rung",
        bitrate: { peakBps: 900_000, averageBps: 800_000 },
        iframeBitrate: null,
      },
    );
    presentation.isIndependent = false;
    assert.equal(
      renderMultivariantPlaylist(presentation),
      `#EXTM3U
#EXT-X-VERSION:6
#EXT-X-STREAM-INF:BANDWIDTH=1200000,AVERAGE-BANDWIDTH=1000000,CODECS="hvc1.2.4.L120.B0",RESOLUTION=1280x720,FRAME-RATE=25.000,VIDEO-RANGE=PQ,CLOSED-CAPTIONS=NONE
source/playlist.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=900000,AVERAGE-BANDWIDTH=800000,CODECS="avc1.64001f",RESOLUTION=1280x720,FRAME-RATE=25.000,VIDEO-RANGE=SDR,CLOSED-CAPTIONS=NONE
720p/playlist.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=120000,AVERAGE-BANDWIDTH=100000,CODECS="hvc1.2.4.L120.B0",RESOLUTION=1280x720,VIDEO-RANGE=PQ,URI="source/iframes.m3u8"
`,
    );
  });

  it("names every codec that is still listed, and leaves out what has nothing to play", () => {
    const presentation = new ScriptedPresentation({
      renditions: [
        { id: "source", format: H264, audioRenditionId: "audio_source" },
        { id: "audio_source", format: AAC },
      ],
    });
    presentation.addSegment(2000, ["source"]);
    presentation.beginPeriod(0, { source: { ...H264, codecString: "avc1.640028" } });
    presentation.addSegment(2000, ["source"]);
    const text = renderMultivariantPlaylist(presentation);
    assert.match(text, /CODECS="avc1\.64001f,avc1\.640028"/);
    assert.doesNotMatch(text, /AUDIO/);
  });

  it("estimates the bit rate from what is there until a complete segment is measured", () => {
    const presentation = new ScriptedPresentation({
      renditions: [{ id: "source", format: H264, bitrate: { peakBps: 0, averageBps: 0 } }],
      partBytes: () => new Uint8Array(62_500),
    });
    presentation.addPart("source", { durationMs: 500, isIndependent: true });
    assert.match(renderMultivariantPlaylist(presentation), /:BANDWIDTH=1000000,AVERAGE-BANDWIDTH=1000000,/);
  });
});
