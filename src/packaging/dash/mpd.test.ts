import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AAC, H264, ScriptedPresentation } from "../../../test/support/presentation.ts";
import { renderMpd } from "./mpd.ts";

const STEREO = [
  { id: "source", format: H264, audioRenditionId: "audio_source" },
  { id: "audio_source", format: AAC },
];
const PUBLISH = { timeUrl: "/time?a=1&b=2", publishTimeMs: Date.UTC(2026, 0, 2) };

function mpd(presentation: ScriptedPresentation): string {
  return renderMpd(presentation, PUBLISH);
}

/** The S elements of a Representation in each Period, without indent. */
function timelines(text: string, id: string): string[][] {
  return text
    .split("<Representation ")
    .filter((part) => part.startsWith(`id="${id}"`))
    .map((part) => part.match(/<S .*\/>/g) ?? []);
}

describe("renderMpd", () => {
  it("lets everything listed be sought, also while the publisher is away for longer than the window", () => {
    const presentation = new ScriptedPresentation({ renditions: STEREO });
    presentation.addSegment();
    for (let gap = 0; gap < 9; gap++) {
      for (const { id } of STEREO) presentation.addGap(id, 3000);
    }
    assert.match(mpd(presentation), / timeShiftBufferDepth="PT29S"/);
    assert.deepEqual(timelines(mpd(presentation), "source"), [['<S t="900000" d="180000"/>']]);
  });

  it("lists the open segment with the length of the one before it, and a period for each break", () => {
    const presentation = new ScriptedPresentation({ renditions: STEREO });
    presentation.addSegment();
    presentation.addSegment();
    presentation.beginPeriod(3000, { source: { ...H264, width: 1920, height: 1080, codecString: "avc1.640028" } });
    presentation.addSegment(1920);
    presentation.addPart("source", { durationMs: 480, isIndependent: true });
    presentation.addPart("audio_source", { durationMs: 490 });

    assert.equal(
      mpd(presentation),
      `<?xml version="1.0" encoding="UTF-8"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011,http://www.dashif.org/guidelines/low-latency-live-v5" minBufferTime="PT0.5S" type="dynamic" availabilityStartTime="2026-01-01T00:00:00.000Z" publishTime="2026-01-02T00:00:00.000Z" minimumUpdatePeriod="PT0.5S" timeShiftBufferDepth="PT20S" suggestedPresentationDelay="PT2S">
  <ServiceDescription id="0">
    <Latency target="2000" min="1000" max="6000"/>
    <PlaybackRate min="0.96" max="1.1"/>
  </ServiceDescription>
  <Period id="p0" start="PT10S" duration="PT4S">
    <AdaptationSet id="1" contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1" maxWidth="1280" maxHeight="720">
      <SegmentTemplate media="$RepresentationID$/e0-$Number$.m4s" availabilityTimeOffset="1.5" availabilityTimeComplete="false"/>
      <Representation id="source" codecs="avc1.64001f" bandwidth="1200000" width="1280" height="720" sar="1:1" frameRate="25">
        <ProducerReferenceTime id="0" inband="true" type="encoder" wallClockTime="2026-01-01T00:00:10.000Z" presentationTime="900000">
          <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="/time?a=1&amp;b=2"/>
        </ProducerReferenceTime>
        <Resync type="0" dT="45000"/>
        <SegmentTemplate timescale="90000" presentationTimeOffset="900000" initialization="$RepresentationID$/e0-0.init.mp4" startNumber="1">
          <SegmentTimeline>
            <S t="900000" d="180000" r="1"/>
          </SegmentTimeline>
        </SegmentTemplate>
      </Representation>
    </AdaptationSet>
    <AdaptationSet id="11" contentType="audio" mimeType="audio/mp4" lang="und" segmentAlignment="true" startWithSAP="1">
      <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
      <SegmentTemplate media="$RepresentationID$/e0-$Number$.m4s" availabilityTimeOffset="1.5" availabilityTimeComplete="false"/>
      <Representation id="audio_source" codecs="mp4a.40.2" bandwidth="1200000" audioSamplingRate="48000">
        <AudioChannelConfiguration schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011" value="2"/>
        <ProducerReferenceTime id="1" inband="false" type="encoder" wallClockTime="2026-01-01T00:00:10.000Z" presentationTime="480000">
          <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="/time?a=1&amp;b=2"/>
        </ProducerReferenceTime>
        <Resync type="1" dT="24000"/>
        <SegmentTemplate timescale="48000" presentationTimeOffset="480000" initialization="$RepresentationID$/e0-0.init.mp4" startNumber="1">
          <SegmentTimeline>
            <S t="480000" d="96000" r="1"/>
          </SegmentTimeline>
        </SegmentTemplate>
      </Representation>
    </AdaptationSet>
  </Period>
  <Period id="p1" start="PT17S">
    <AdaptationSet id="1" contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1" maxWidth="1920" maxHeight="1080">
      <SegmentTemplate media="$RepresentationID$/e0-$Number$.m4s" availabilityTimeOffset="1.5" availabilityTimeComplete="false"/>
      <Representation id="source" codecs="avc1.640028" bandwidth="1200000" width="1920" height="1080" sar="1:1" frameRate="25">
        <ProducerReferenceTime id="0" inband="true" type="encoder" wallClockTime="2026-01-01T00:00:17.000Z" presentationTime="1530000">
          <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="/time?a=1&amp;b=2"/>
        </ProducerReferenceTime>
        <Resync type="0" dT="45000"/>
        <SegmentTemplate timescale="90000" presentationTimeOffset="1530000" initialization="$RepresentationID$/e0-1.init.mp4" startNumber="3">
          <SegmentTimeline>
            <S t="1530000" d="172800" r="1"/>
          </SegmentTimeline>
        </SegmentTemplate>
      </Representation>
    </AdaptationSet>
    <AdaptationSet id="11" contentType="audio" mimeType="audio/mp4" lang="und" segmentAlignment="true" startWithSAP="1">
      <SupplementalProperty schemeIdUri="urn:mpeg:dash:period-connectivity:2015" value="p0"/>
      <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
      <SegmentTemplate media="$RepresentationID$/e0-$Number$.m4s" availabilityTimeOffset="1.5" availabilityTimeComplete="false"/>
      <Representation id="audio_source" codecs="mp4a.40.2" bandwidth="1200000" audioSamplingRate="48000">
        <AudioChannelConfiguration schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011" value="2"/>
        <ProducerReferenceTime id="1" inband="false" type="encoder" wallClockTime="2026-01-01T00:00:17.000Z" presentationTime="816000">
          <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="/time?a=1&amp;b=2"/>
        </ProducerReferenceTime>
        <Resync type="1" dT="24000"/>
        <SegmentTemplate timescale="48000" presentationTimeOffset="816000" initialization="$RepresentationID$/e0-0.init.mp4" startNumber="3">
          <SegmentTimeline>
            <S t="816000" d="92160" r="1"/>
          </SegmentTimeline>
        </SegmentTemplate>
      </Representation>
    </AdaptationSet>
  </Period>
  <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="/time?a=1&amp;b=2"/>
</MPD>
`,
    );
  });

  it("asks players to stay four parts behind, and never so near that dash.js runs dry", () => {
    for (const [partTargetMs, target] of [
      [500, 2000],
      [1000, 4000],
      [300, 1400],
      [200, 1200],
    ] as const) {
      const presentation = new ScriptedPresentation({ renditions: STEREO, partTargetMs });
      presentation.addSegment(2000);
      assert.match(mpd(presentation), new RegExp(`<Latency target="${target}"`));
      assert.match(mpd(presentation), new RegExp(`suggestedPresentationDelay="PT${target / 1000}S"`));
    }
  });

  it("offers a segment before its end by less than it lasts, when GOPs make segments short", () => {
    for (const [segmentMs, offset] of [
      [2000, "1.5"],
      [1600, "1.5"],
      [1400, "0.9"],
      [600, "0.3"],
    ] as const) {
      const presentation = new ScriptedPresentation({ renditions: STEREO });
      for (let count = 0; count < 4; count++) presentation.addSegment(segmentMs);
      assert.match(mpd(presentation), new RegExp(`availabilityTimeOffset="${offset}"`), `${segmentMs} ms`);
    }
  });

  it("keeps to the plain live profile, complete segments and no chunk attribute without low latency", () => {
    const presentation = new ScriptedPresentation({
      renditions: [{ id: "source", format: { ...H264, frameRate: undefined }, frameRate: 29.9701 }],
      options: { isLowLatency: false, segmentTargetMs: 6000, windowSegmentCount: 5 },
    });
    presentation.addSegment();
    presentation.addPart("source", { durationMs: 3000, isIndependent: true });
    assert.equal(
      mpd(presentation),
      `<?xml version="1.0" encoding="UTF-8"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011" minBufferTime="PT6S" type="dynamic" availabilityStartTime="2026-01-01T00:00:00.000Z" publishTime="2026-01-02T00:00:00.000Z" minimumUpdatePeriod="PT6S" timeShiftBufferDepth="PT30S" suggestedPresentationDelay="PT18S">
  <Period id="p0" start="PT10S">
    <AdaptationSet id="1" contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1" maxWidth="1280" maxHeight="720">
      <SegmentTemplate media="$RepresentationID$/e0-$Number$.m4s"/>
      <Representation id="source" codecs="avc1.64001f" bandwidth="1200000" width="1280" height="720" sar="1:1" frameRate="30000/1001">
        <SegmentTemplate timescale="90000" presentationTimeOffset="900000" initialization="$RepresentationID$/e0-0.init.mp4" startNumber="1">
          <SegmentTimeline>
            <S t="900000" d="540000"/>
          </SegmentTimeline>
        </SegmentTemplate>
      </Representation>
    </AdaptationSet>
  </Period>
  <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="/time?a=1&amp;b=2"/>
</MPD>
`,
    );
  });

  it("becomes static when the stream has ended, with its periods where they were", () => {
    const presentation = new ScriptedPresentation({ renditions: [{ id: "audio_source", format: AAC }] });
    presentation.addSegment();
    presentation.beginPeriod(1000);
    presentation.addSegment(1500);
    presentation.end();
    assert.equal(
      mpd(presentation),
      `<?xml version="1.0" encoding="UTF-8"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011" minBufferTime="PT2S" type="static" mediaPresentationDuration="PT14.5S">
  <Period id="p0" start="PT10S" duration="PT2S">
    <AdaptationSet id="11" contentType="audio" mimeType="audio/mp4" lang="und" segmentAlignment="true" startWithSAP="1">
      <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
      <SegmentTemplate media="$RepresentationID$/e0-$Number$.m4s"/>
      <Representation id="audio_source" codecs="mp4a.40.2" bandwidth="1200000" audioSamplingRate="48000">
        <AudioChannelConfiguration schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011" value="2"/>
        <SegmentTemplate timescale="48000" presentationTimeOffset="480000" initialization="$RepresentationID$/e0-0.init.mp4" startNumber="1">
          <SegmentTimeline>
            <S t="480000" d="96000"/>
          </SegmentTimeline>
        </SegmentTemplate>
      </Representation>
    </AdaptationSet>
  </Period>
  <Period id="p1" start="PT13S" duration="PT1.5S">
    <AdaptationSet id="11" contentType="audio" mimeType="audio/mp4" lang="und" segmentAlignment="true" startWithSAP="1">
      <SupplementalProperty schemeIdUri="urn:mpeg:dash:period-connectivity:2015" value="p0"/>
      <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
      <SegmentTemplate media="$RepresentationID$/e0-$Number$.m4s"/>
      <Representation id="audio_source" codecs="mp4a.40.2" bandwidth="1200000" audioSamplingRate="48000">
        <AudioChannelConfiguration schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011" value="2"/>
        <SegmentTemplate timescale="48000" presentationTimeOffset="624000" initialization="$RepresentationID$/e0-0.init.mp4" startNumber="2">
          <SegmentTimeline>
            <S t="624000" d="72000"/>
          </SegmentTimeline>
        </SegmentTemplate>
      </Representation>
    </AdaptationSet>
  </Period>
</MPD>
`,
    );
  });

  it("merges equal durations and states a time only where it cannot be derived", () => {
    const presentation = new ScriptedPresentation({ renditions: [{ id: "source", format: H264 }] });
    for (const durationMs of [2000, 2000, 1920, 2000]) presentation.addSegment(durationMs);
    assert.deepEqual(timelines(mpd(presentation), "source"), [
      ['<S t="900000" d="180000" r="1"/>', '<S d="172800"/>', '<S d="180000"/>'],
    ]);
  });

  it("lists what came after a gap alone, under its own numbers, and keeps the rest while the gap lasts", () => {
    const presentation = new ScriptedPresentation({
      renditions: [
        { id: "source", format: H264 },
        { id: "720p", format: H264, origin: "rung" },
      ],
    });
    presentation.addSegment();
    presentation.addSegment(2000, ["source"]);
    presentation.addGap("720p", 2000);
    assert.deepEqual(timelines(mpd(presentation), "720p"), [['<S t="900000" d="180000"/>']]);
    presentation.addSegment();
    assert.deepEqual(timelines(mpd(presentation), "720p"), [['<S t="1260000" d="180000"/>']]);
    assert.match(mpd(presentation), /<Representation id="720p"[\s\S]*startNumber="3"/);
    assert.deepEqual(timelines(mpd(presentation), "source"), [['<S t="900000" d="180000" r="2"/>']]);
  });

  it("starts anew under another init", () => {
    const presentation = new ScriptedPresentation({ renditions: [{ id: "source", format: H264 }] });
    presentation.addSegment();
    presentation.rendition("source").changeInit(H264);
    presentation.addSegment();
    assert.match(mpd(presentation), /initialization="\$RepresentationID\$\/e0-1\.init\.mp4" startNumber="2"/);
  });

  it("says what goes on from the Period before: with its init, without a tick between, or neither", () => {
    const links = (presentation: ScriptedPresentation) =>
      mpd(presentation)
        .match(/(period-\w+):2015" value="\w+/g)
        ?.map((text) => text.replace(':2015" value="', " "));
    const presentation = new ScriptedPresentation({ renditions: [{ id: "source", format: H264 }] });
    presentation.addSegment();
    presentation.beginPeriod();
    assert.equal(links(presentation), undefined, "nothing of it is listed");
    presentation.addSegment();
    assert.deepEqual(links(presentation), ["period-continuity p0"]);
    presentation.beginPeriod(0, { source: { ...H264, width: 640 } });
    presentation.addSegment();
    assert.deepEqual(links(presentation), ["period-continuity p0"], "another init");
    presentation.beginPeriod(500);
    presentation.addSegment();
    presentation.beginPeriod();
    presentation.addGap("source", 2000);
    presentation.addSegment();
    assert.deepEqual(links(presentation), ["period-continuity p0", "period-connectivity p2", "period-connectivity p3"]);
    for (let count = 0; count < 9; count++) presentation.addSegment();
    assert.deepEqual(links(presentation), undefined, "those before have left");
  });

  it("calls Periods of two clocks connected, not continuous", () => {
    const presentation = new ScriptedPresentation({ renditions: [{ id: "source", format: H264 }] });
    presentation.addSegment();
    presentation.beginPeriod();
    presentation.period = { ...presentation.period, wallZeroMs: presentation.period.wallZeroMs + 40 };
    presentation.addSegment();
    assert.match(mpd(presentation), /period-connectivity:2015" value="p0"/);
    assert.doesNotMatch(mpd(presentation), /period-continuity/);
  });

  it("stretches the guess for an open segment that has outgrown it", () => {
    const presentation = new ScriptedPresentation({ renditions: [{ id: "source", format: H264 }] });
    presentation.addPart("source", { durationMs: 500, isIndependent: true });
    assert.deepEqual(timelines(mpd(presentation), "source"), [['<S t="900000" d="180000"/>']]);
    for (let count = 0; count < 3; count++) presentation.addPart("source", { durationMs: 500 });
    assert.deepEqual(timelines(mpd(presentation), "source"), [['<S t="900000" d="225000"/>']]);
    presentation.endSegment("source");
    assert.deepEqual(timelines(mpd(presentation), "source"), [['<S t="900000" d="180000"/>']]);
  });

  it("keeps codecs apart and lets players switch between them", () => {
    const presentation = new ScriptedPresentation({
      renditions: [
        { id: "source", format: { ...H264, codec: "hevc", codecString: "hvc1.1.6.L93.B0" } },
        { id: "720p", format: H264, origin: "rung" },
      ],
    });
    presentation.addSegment();
    const text = mpd(presentation);
    assert.match(
      text,
      /<AdaptationSet id="2"[^>]*>\s*<SupplementalProperty schemeIdUri="[^"]*switching:2016" value="1"\/>/,
    );
    assert.match(
      text,
      /<AdaptationSet id="1"[^>]*>\s*<SupplementalProperty schemeIdUri="[^"]*switching:2016" value="2"\/>/,
    );
  });

  it("has no period before there is anything to play", () => {
    assert.doesNotMatch(mpd(new ScriptedPresentation({ renditions: STEREO })), /<Period/);
  });
});
