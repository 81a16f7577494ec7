import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as HlsParser from "hls-parser";
import { Parser as M3u8Parser } from "m3u8-parser";
import { parse as parseMpd } from "mpd-parser";
import { AAC, H264 } from "../../test/support/presentation.ts";
import { storedAudio, storedRendition, storedVideo } from "../../test/support/stored-script.ts";
import type { AudioFormat, VideoFormat } from "../media/format.ts";
import { renderMpd } from "./dash/mpd.ts";
import { renderIframePlaylist } from "./hls/iframe-playlist.ts";
import { renderImagePlaylist } from "./hls/image-playlist.ts";
import { renderMediaPlaylist } from "./hls/media-playlist.ts";
import { renderMultivariantPlaylist } from "./hls/multivariant-playlist.ts";
import { renderTextPlaylist } from "./hls/subtitles.ts";
import { StoredPresentation } from "./stored-presentation.ts";
import type { StoredRendition, StoredText, Storyboard } from "./stored-rendition.ts";

const SURROUND: AudioFormat = { ...AAC, codec: "ac3", codecString: "ac-3", channelCount: 6 };
const SMALL: VideoFormat = { ...H264, codecString: "avc1.64001e", width: 640, height: 360 };
const ENGLISH = { language: "en", label: "English" };
const GERMAN = { language: "de", label: "Deutsch" };
const TEXT: StoredText = {
  id: "text_en",
  epoch: "t0",
  language: "en",
  label: "English",
  isForced: false,
  key: "videos/v/text_en/t0/a/1.vtt",
  sizeBytes: 3_000,
};
const STORYBOARD: Storyboard = {
  tileWidth: 160,
  tileHeight: 90,
  columnCount: 2,
  rowCount: 2,
  intervalMs: 2_000,
  imageNames: ["storyboard-1.jpg", "storyboard-2.jpg"],
  sizeBytes: 30_000,
};

const film = () =>
  storedVideo({
    renditions: [
      storedRendition({ id: "720p", segmentCount: 3, audioRenditionId: "audio_en" }),
      storedRendition({
        id: "360p",
        format: SMALL,
        segmentCount: 3,
        bytesPerSegment: 200_000,
        audioRenditionId: "audio_en",
      }),
      storedAudio({ id: "audio_en", epoch: "e7", segmentCount: 3, ...ENGLISH }),
      storedAudio({ id: "audio_de", segmentCount: 3, ...GERMAN }),
    ],
    texts: [TEXT],
    storyboard: STORYBOARD,
  });

const mpdOf = (presentation: StoredPresentation, base?: string) =>
  renderMpd(presentation, { timeUrl: "", publishTimeMs: Date.UTC(2026, 0, 1), base });

function playlistOf(presentation: StoredPresentation, id: string): string {
  const track = presentation.track(id);
  assert(track);
  return renderMediaPlaylist(presentation, track);
}

function growing(rendition: StoredRendition, segmentCount: number): StoredRendition {
  return { ...rendition, segments: rendition.segments.slice(0, segmentCount), isComplete: false };
}

function offeredIds(...renditions: StoredRendition[]): string[] {
  return new StoredPresentation(storedVideo({ renditions })).renditions.map(({ id }) => id);
}

describe("a stored video that is whole", () => {
  test("is offered as HLS with every quality, language, text and picture", () => {
    assert.equal(
      renderMultivariantPlaylist(new StoredPresentation(film())),
      `#EXTM3U
#EXT-X-VERSION:6
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac_2ch",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="audio_en/playlist.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac_2ch",NAME="Deutsch",LANGUAGE="de",DEFAULT=NO,AUTOSELECT=YES,CHANNELS="2",URI="audio_de/playlist.m3u8"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="text",NAME="English",LANGUAGE="en",DEFAULT=NO,AUTOSELECT=YES,FORCED=NO,URI="text_en/playlist.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=1128000,AVERAGE-BANDWIDTH=1128000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=25.000,AUDIO="aac_2ch",SUBTITLES="text",CLOSED-CAPTIONS=NONE
720p/playlist.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=528000,AVERAGE-BANDWIDTH=528000,CODECS="avc1.64001e,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=25.000,AUDIO="aac_2ch",SUBTITLES="text",CLOSED-CAPTIONS=NONE
360p/playlist.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=48000,AVERAGE-BANDWIDTH=40000,CODECS="avc1.64001f",RESOLUTION=1280x720,URI="720p/iframes.m3u8"
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=48000,AVERAGE-BANDWIDTH=40000,CODECS="avc1.64001e",RESOLUTION=640x360,URI="360p/iframes.m3u8"
#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=20000,CODECS="jpeg",RESOLUTION=160x90,URI="storyboard.m3u8"
`,
    );
  });

  test("is listed as VOD, without dates and promises", () => {
    assert.equal(
      playlistOf(new StoredPresentation(film()), "audio_en"),
      `#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:4
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-MEDIA-SEQUENCE:1
#EXT-X-MAP:URI="e7-1.init.mp4"
#EXTINF:4.00000,
e7-1.m4s
#EXTINF:4.00000,
e7-2.m4s
#EXTINF:4.00000,
e7-3.m4s
#EXT-X-ENDLIST
`,
    );
  });

  test("names the bytes of every key frame", () => {
    const presentation = new StoredPresentation(
      storedVideo({ renditions: [storedRendition({ id: "720p", segmentCount: 2 })] }),
    );
    const track = presentation.track("720p");
    assert(track);
    assert.equal(
      renderIframePlaylist(presentation, track),
      `#EXTM3U
#EXT-X-VERSION:5
#EXT-X-TARGETDURATION:4
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-I-FRAMES-ONLY
#EXT-X-MEDIA-SEQUENCE:1
#EXT-X-MAP:URI="e0-1.init.mp4"
#EXT-X-BYTERANGE:12000@32
#EXTINF:2.00000,
e0-1.m4s
#EXT-X-BYTERANGE:8000@250000
#EXTINF:2.00000,
e0-1.m4s
#EXT-X-BYTERANGE:12000@32
#EXTINF:2.00000,
e0-2.m4s
#EXT-X-BYTERANGE:8000@250000
#EXTINF:2.00000,
e0-2.m4s
#EXT-X-ENDLIST
`,
    );
  });

  test("has a static MPD with a set for each track, text and storyboard", () => {
    assert.equal(
      mpdOf(new StoredPresentation(film())),
      `<?xml version="1.0" encoding="UTF-8"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011" minBufferTime="PT4S" type="static" mediaPresentationDuration="PT12S">
  <Period id="p0" start="PT0S" duration="PT12S">
    <AdaptationSet id="1" contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1" maxWidth="1280" maxHeight="720">
      <Representation id="720p" codecs="avc1.64001f" bandwidth="1000000" width="1280" height="720" sar="1:1" frameRate="25">
        <SegmentTemplate timescale="90000" presentationTimeOffset="0" media="$RepresentationID$/e0-$Number$.m4s" initialization="$RepresentationID$/e0-1.init.mp4" startNumber="1">
          <SegmentTimeline>
            <S t="0" d="360000" r="2"/>
          </SegmentTimeline>
        </SegmentTemplate>
      </Representation>
      <Representation id="360p" codecs="avc1.64001e" bandwidth="400000" width="640" height="360" sar="1:1" frameRate="25">
        <SegmentTemplate timescale="90000" presentationTimeOffset="0" media="$RepresentationID$/e0-$Number$.m4s" initialization="$RepresentationID$/e0-1.init.mp4" startNumber="1">
          <SegmentTimeline>
            <S t="0" d="360000" r="2"/>
          </SegmentTimeline>
        </SegmentTemplate>
      </Representation>
    </AdaptationSet>
    <AdaptationSet id="102" contentType="audio" mimeType="audio/mp4" lang="en" segmentAlignment="true" startWithSAP="1">
      <Label>English</Label>
      <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
      <Representation id="audio_en" codecs="mp4a.40.2" bandwidth="128000" audioSamplingRate="48000">
        <AudioChannelConfiguration schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011" value="2"/>
        <SegmentTemplate timescale="48000" presentationTimeOffset="0" media="$RepresentationID$/e7-$Number$.m4s" initialization="$RepresentationID$/e7-1.init.mp4" startNumber="1">
          <SegmentTimeline>
            <S t="0" d="192000" r="2"/>
          </SegmentTimeline>
        </SegmentTemplate>
      </Representation>
    </AdaptationSet>
    <AdaptationSet id="103" contentType="audio" mimeType="audio/mp4" lang="de" segmentAlignment="true" startWithSAP="1">
      <Label>Deutsch</Label>
      <Role schemeIdUri="urn:mpeg:dash:role:2011" value="alternate"/>
      <Representation id="audio_de" codecs="mp4a.40.2" bandwidth="128000" audioSamplingRate="48000">
        <AudioChannelConfiguration schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011" value="2"/>
        <SegmentTemplate timescale="48000" presentationTimeOffset="0" media="$RepresentationID$/e0-$Number$.m4s" initialization="$RepresentationID$/e0-1.init.mp4" startNumber="1">
          <SegmentTimeline>
            <S t="0" d="192000" r="2"/>
          </SegmentTimeline>
        </SegmentTemplate>
      </Representation>
    </AdaptationSet>
    <AdaptationSet id="200" contentType="text" mimeType="text/vtt" lang="en">
      <Label>English</Label>
      <Role schemeIdUri="urn:mpeg:dash:role:2011" value="subtitle"/>
      <Representation id="text_en" bandwidth="2000">
        <BaseURL>text_en/t0-1.vtt</BaseURL>
      </Representation>
    </AdaptationSet>
    <AdaptationSet id="300" contentType="image" mimeType="image/jpeg">
      <SegmentTemplate media="storyboard-$Number$.jpg" timescale="1000" duration="8000" startNumber="1"/>
      <Representation id="storyboard" bandwidth="20000" width="320" height="180">
        <EssentialProperty schemeIdUri="http://dashif.org/guidelines/thumbnail_tile" value="2x2"/>
      </Representation>
    </AdaptationSet>
  </Period>
</MPD>
`,
    );
  });

  test("begins at the lead of its media in an MPD", () => {
    const renditions = [
      storedRendition({ id: "720p", segmentCount: 2, leadTicks: 7200, audioRenditionId: "audio" }),
      storedAudio({ id: "audio", segmentCount: 2, leadTicks: 3840 }),
    ];
    const mpd = mpdOf(new StoredPresentation(storedVideo({ renditions })));
    assert.deepEqual(mpd.match(/presentationTimeOffset="\d+"|<S [^>]*>/g), [
      'presentationTimeOffset="7200"',
      '<S t="7200" d="360000" r="1"/>',
      'presentationTimeOffset="3840"',
      '<S t="3840" d="192000" r="1"/>',
    ]);
  });

  test("lists a text as one segment and a storyboard as images", () => {
    assert.equal(
      renderTextPlaylist(TEXT, 12_000),
      `#EXTM3U
#EXT-X-VERSION:3
#EXT-X-TARGETDURATION:12
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-MEDIA-SEQUENCE:1
#EXTINF:12.000,
t0-1.vtt
#EXT-X-ENDLIST
`,
    );
    assert.equal(
      renderImagePlaylist(STORYBOARD, 12_000),
      `#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:8
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-MEDIA-SEQUENCE:1
#EXT-X-IMAGES-ONLY
#EXTINF:8.000,
#EXT-X-TILES:RESOLUTION=160x90,LAYOUT=2x2,DURATION=2
storyboard-1.jpg
#EXTINF:4.000,
#EXT-X-TILES:RESOLUTION=160x90,LAYOUT=2x2,DURATION=2
storyboard-2.jpg
#EXT-X-ENDLIST
`,
    );
  });

  test("is read by independent parsers", () => {
    const presentation = new StoredPresentation(film());
    HlsParser.setOptions({ strictMode: true });
    const master = HlsParser.parse(renderMultivariantPlaylist(presentation)) as HlsParser.types.MasterPlaylist;
    assert.deepEqual(
      master.variants.map(({ uri, audio, subtitles }) => [uri, audio.length, subtitles.length]),
      [
        ["720p/playlist.m3u8", 2, 1],
        ["360p/playlist.m3u8", 2, 1],
        ["720p/iframes.m3u8", 0, 0],
        ["360p/iframes.m3u8", 0, 0],
      ],
    );
    const media = HlsParser.parse(playlistOf(presentation, "720p")) as HlsParser.types.MediaPlaylist;
    assert.deepEqual([media.playlistType, media.endlist, media.segments.length], ["VOD", true, 3]);
    const parser = new M3u8Parser();
    parser.push(renderTextPlaylist(TEXT, 12_000));
    parser.end();
    assert.deepEqual(
      parser.manifest.segments.map(({ uri, duration }) => [uri, duration]),
      [["t0-1.vtt", 12]],
    );
    const mpd = parseMpd(mpdOf(presentation), { manifestUri: "https://host/videos/v/manifest.mpd" });
    assert.deepEqual(
      mpd.playlists.map(({ segments }) => segments.map(({ uri }) => uri)),
      ["720p", "360p"].map((id) => [1, 2, 3].map((msn) => `${id}/e0-${msn}.m4s`)),
    );
    assert.deepEqual(Object.keys(mpd.mediaGroups.AUDIO.audio ?? {}), ["English", "Deutsch"]);
  });

  test("is found from another address by a base", () => {
    const presentation = new StoredPresentation(film());
    const base = "../../../../videos/v/";
    const beside = renderMultivariantPlaylist(presentation);
    const elsewhere = renderMultivariantPlaylist(presentation, { base });
    assert.equal(elsewhere.replaceAll(base, ""), beside);
    const addresses = elsewhere.split("\n").filter((line) => /URI=|^[^#]/.test(line));
    assert.equal(addresses.length, 8);
    assert.ok(addresses.every((line) => line.startsWith(base) || line.includes(`URI="${base}`)));
    assert.equal(mpdOf(presentation, base).replace(`  <BaseURL>${base}</BaseURL>\n`, ""), mpdOf(presentation));
  });
});

describe("a stored video that grows", () => {
  const grown = () => {
    const whole = film();
    return { ...whole, isFinal: false, renditions: whole.renditions.map((rendition) => growing(rendition, 2)) };
  };

  test("is an EVENT that players begin at its beginning, until it is whole", () => {
    const presentation = new StoredPresentation(grown());
    assert.equal(
      playlistOf(presentation, "720p"),
      `#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:4
#EXT-X-PLAYLIST-TYPE:EVENT
#EXT-X-START:TIME-OFFSET=0.001,PRECISE=YES
#EXT-X-MEDIA-SEQUENCE:1
#EXT-X-MAP:URI="e0-1.init.mp4"
#EXTINF:4.00000,
e0-1.m4s
#EXTINF:4.00000,
e0-2.m4s
`,
    );
    assert.match(renderMultivariantPlaylist(presentation), /^#EXT-X-START:TIME-OFFSET=0.001,PRECISE=YES$/m);
    presentation.update(film());
    assert.equal(playlistOf(presentation, "720p"), playlistOf(new StoredPresentation(film()), "720p"));
    assert.equal(renderMultivariantPlaylist(presentation), renderMultivariantPlaylist(new StoredPresentation(film())));
    assert.equal(mpdOf(presentation), mpdOf(new StoredPresentation(film())));
  });

  test("has a dynamic MPD that knows its end and forgets nothing", () => {
    const [, head, description, period] = mpdOf(new StoredPresentation(grown())).split(/\n(?=<MPD| {2}<[SP])/);
    assert.equal(
      head,
      '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011" minBufferTime="PT4S"' +
        ' type="dynamic" availabilityStartTime="1970-01-01T00:00:00.000Z" publishTime="2026-01-01T00:00:00.000Z"' +
        ' minimumUpdatePeriod="PT4S" suggestedPresentationDelay="PT8S">',
    );
    assert.match(description ?? "", /<Latency target="12000"\/>\n.*<PlaybackRate min="1" max="1"\/>/);
    assert.match(period ?? "", /^ {2}<Period id="p0" start="PT0S" duration="PT12S">/);
    assert.match(period ?? "", /<S t="0" d="360000" r="1"\/>/);
    assert.match(
      period ?? "",
      /<UTCTiming schemeIdUri="urn:mpeg:dash:utc:direct:2014" value="2026-01-01T00:00:00.000Z"\/>/,
    );
  });

  test("keeps the objects of what was there, and takes a rendition that is made anew for another", () => {
    const presentation = new StoredPresentation(grown());
    const before = presentation.track("720p");
    presentation.update(film());
    assert.equal(presentation.track("720p"), before);
    assert.deepEqual(
      before?.segments.map(({ msn, iframeMsn }) => [msn, iframeMsn]),
      [
        [1, 1],
        [2, 3],
        [3, 5],
      ],
    );
    presentation.update(
      storedVideo({ renditions: [storedRendition({ id: "720p", epoch: "e1", segmentCount: 1, isComplete: false })] }),
    );
    assert.deepEqual(
      presentation.track("720p")?.segments.map(({ name }) => name),
      ["e1-1.m4s"],
    );
  });

  test("raises its target rather than break it when a picture stands for longer than planned", () => {
    const video = storedVideo({ renditions: [storedRendition({ id: "720p", segmentCount: 1 })] });
    const [rendition] = video.renditions;
    assert(rendition);
    const segments = rendition.segments.map((segment) => ({ ...segment, duration: 9.6 * 90_000 }));
    const presentation = new StoredPresentation({ ...video, renditions: [{ ...rendition, segments }] });
    assert.match(playlistOf(presentation, "720p"), /^#EXT-X-TARGETDURATION:10$/m);
  });
});

describe("what is offered of a stored video", () => {
  const beside = { audioRenditionId: "audio" };
  const audio = storedAudio({ id: "audio", segmentCount: 30 });
  const source = storedRendition({ id: "source", origin: "source", segmentCount: 30, ...beside });
  const rung = storedRendition({ id: "720p", segmentCount: 30, ...beside });
  const other = storedRendition({ id: "360p", segmentCount: 30, ...beside });

  test("is a source that is there to its end, alone until others are", () => {
    assert.deepEqual(offeredIds(source, growing(rung, 25), growing(other, 5), audio), ["source", "audio"]);
    assert.deepEqual(offeredIds(source, rung, growing(other, 29), audio), ["source", "720p", "audio"]);
  });

  test("is what grows together, without what is far behind", () => {
    assert.deepEqual(offeredIds(growing(rung, 9), growing(other, 8), growing(audio, 20)), ["720p", "360p", "audio"]);
    assert.deepEqual(offeredIds(rung, growing(other, 3), audio), ["720p", "audio"]);
    assert.deepEqual(offeredIds(rung, growing(other, 25), audio), ["720p", "360p", "audio"]);
  });

  test("is no video without its sound, and sound alone when there is no video", () => {
    assert.deepEqual(offeredIds(growing(rung, 1), growing(audio, 0)), []);
    assert.deepEqual(offeredIds(growing(rung, 1)), []);
    assert.deepEqual(offeredIds(growing(audio, 1)), ["audio"]);
    assert.deepEqual(offeredIds(storedRendition({ id: "720p", segmentCount: 1 })), ["720p"]);
  });

  test("ends when all of it has ended, whatever else is being made", () => {
    const isEnded = (...renditions: StoredRendition[]) => new StoredPresentation(storedVideo({ renditions })).isEnded;
    assert.equal(isEnded(source, growing(rung, 2), audio), true);
    assert.equal(isEnded(rung, growing(other, 29), audio), false);
    assert.equal(isEnded(growing(rung, 0), audio), false);
  });
});

describe("audio of a stored video", () => {
  const video = storedRendition({ id: "720p", segmentCount: 1, audioRenditionId: "stereo_en" });
  const stereo = storedAudio({ id: "stereo_en", segmentCount: 1, ...ENGLISH });
  const surround = storedAudio({ id: "surround_en", format: SURROUND, segmentCount: 1, ...ENGLISH });
  const german = storedAudio({ id: "stereo_de", segmentCount: 1, ...GERMAN });
  const lines = (renditions: StoredRendition[], pattern: RegExp) =>
    renderMultivariantPlaylist(new StoredPresentation(storedVideo({ renditions })))
      .split("\n")
      .flatMap((line) => pattern.exec(line)?.slice(1).join(" ") ?? []);

  test("has the same members in every group, in the group's own encoding where there is one", () => {
    assert.deepEqual(
      lines(
        [video, surround, german, stereo],
        /GROUP-ID="(\w+)",NAME="(\w+)".*DEFAULT=(\w+).*CHANNELS="(\d)",URI="(\w+)/,
      ),
      [
        "aac_2ch English YES 2 stereo_en",
        "aac_2ch Deutsch NO 2 stereo_de",
        "ac3_6ch English YES 6 surround_en",
        "ac3_6ch Deutsch NO 2 stereo_de",
      ],
    );
    assert.deepEqual(lines([video, surround, german, stereo], /STREAM-INF:.*CODECS="([^"]+)".*AUDIO="(\w+)"/), [
      "avc1.64001f,mp4a.40.2 aac_2ch",
      "avc1.64001f,ac-3,mp4a.40.2 ac3_6ch",
    ]);
  });

  test("is offered in the bit rate that belongs to each quality", () => {
    const low = storedAudio({ id: "stereo_en_low", segmentCount: 1, bytesPerSegment: 32_000, ...ENGLISH });
    const small = storedRendition({
      id: "360p",
      format: SMALL,
      segmentCount: 1,
      bytesPerSegment: 200_000,
      audioRenditionId: "stereo_en_low",
    });
    assert.deepEqual(lines([video, small, stereo, low], /STREAM-INF:BANDWIDTH=(\d+).*AUDIO="(\w+)"/), [
      "1128000 aac_2ch",
      "464000 aac_2ch_2",
    ]);
  });

  test("alone needs a group only when there is a choice", () => {
    assert.deepEqual(lines([stereo], /STREAM-INF:BANDWIDTH=(\d+),AVERAGE-BANDWIDTH=\d+,(.*)/), [
      '128000 CODECS="mp4a.40.2",CLOSED-CAPTIONS=NONE',
    ]);
    assert.deepEqual(lines([stereo, german], /STREAM-INF:BANDWIDTH=(\d+),AVERAGE-BANDWIDTH=\d+,(.*)/), [
      '128000 CODECS="mp4a.40.2",AUDIO="aac_2ch",CLOSED-CAPTIONS=NONE',
    ]);
  });

  test("is called as its owner wrote, but for what no playlist can hold", () => {
    const label = '\tThe "Director\'s"\r\n cut <&> \u0000';
    const named = [video, { ...stereo, label, language: undefined }];
    assert.deepEqual(lines(named, /NAME="([^"]*)",LANGUAGE="(\w+)"/), ["The 'Director's'  cut <&> und"]);
    const mpd = mpdOf(new StoredPresentation(storedVideo({ renditions: named })));
    assert.match(mpd, /<Label>The 'Director's' {2}cut &lt;&amp;&gt;<\/Label>/);
  });
});

test("a storyboard of images that are not counted is left out of the MPD, one alone is named", () => {
  const withImages = (...imageNames: string[]) => {
    const renditions = [storedRendition({ id: "720p", segmentCount: 3 })];
    const mpd = mpdOf(new StoredPresentation(storedVideo({ renditions, storyboard: { ...STORYBOARD, imageNames } })));
    return /contentType="image".*\n.*media="([^"]+)"/.exec(mpd)?.[1];
  };
  assert.equal(withImages("storyboard.jpg"), "storyboard.jpg");
  assert.equal(withImages("s-01.jpg", "s-02.jpg"), "s-$Number%02d$.jpg");
  assert.equal(withImages("s-1.jpg", "s-3.jpg"), undefined);
});
