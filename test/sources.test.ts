import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ticksToMs } from "../src/media/timebase.ts";
import { type Headwater, soon, startHeadwater, type TestStream } from "./support/headwater.ts";
import { encodeTags, publishTags, type SourceOptions } from "./support/publishers.ts";
import {
  type Decoded,
  decode,
  decodePeriods,
  type ReadPresentation,
  type ReadRendition,
  readPresentation,
  rendition,
  samplesOf,
} from "./support/readers.ts";
import type { FlvTag } from "./support/rtmp-publisher.ts";

// Tags go as fast as the server takes them: what is judged is media time.
const SETTINGS = { "live-max-concurrent-streams": "50", "rtmp-max-bitrate": "1Gbps" };
const STREAM = { transcode: false, reconnect_window_ms: 0, window_segments: 100 };

let server: Headwater;
before(async () => {
  server = await startHeadwater({ settings: SETTINGS });
});
after(() => server[Symbol.asyncDispose]());

interface Outcome {
  readonly stream: TestStream;
  readonly presentation: ReadPresentation;
  readonly decoded: Decoded;
}

/** Publishes tags, and reads and decodes what viewers can have when the broadcast is over. */
async function broadcast(tags: readonly FlvTag[], body: object = {}): Promise<Outcome> {
  const stream = await server.createStream({ ...STREAM, ...body });
  await publishTags(stream, tags);
  await stream.until("ready", soon());
  const [presentation, decoded] = await Promise.all([readPresentation(stream.hlsUrl), decode(stream.hlsUrl)]);
  return { stream, presentation, decoded };
}

async function broadcastSource(options: SourceOptions & { seconds: number }, body: object = {}): Promise<Outcome> {
  return broadcast(await encodeTags(options), body);
}

const shifted = (tags: readonly FlvTag[], byMs: number) =>
  tags.map((tag) => ({ ...tag, timestampMs: tag.timestampMs + byMs }));
const idsOf = ({ renditions }: ReadPresentation) => [...renditions.keys()].sort();
const secondsOf = ({ segments }: ReadRendition) => segments.map(({ durationS }) => Math.round(durationS * 1000) / 1000);
const periodsOf = ({ segments }: ReadRendition) =>
  1 + segments.filter(({ hasDiscontinuity }) => hasDiscontinuity).length;

/** Presentation instants of all frames, in ms from the first. */
function presentedMs(source: ReadRendition): number[] {
  const timescale = source.segments[0]?.track.timescale ?? 1;
  const instants = samplesOf(source).map(({ dts, cts }) => ticksToMs(dts + cts, timescale));
  const sorted = instants.sort((a, b) => a - b);
  return sorted.map((ms) => ms - (sorted[0] ?? 0));
}

/** How far the start of the audio lies behind the start of the video, by decoded media time, in ms. */
function audioOffsetMs(presentation: ReadPresentation): number {
  const [video, audio] = [rendition(presentation, "source"), rendition(presentation, "audio_source")];
  const startMs = ({ segments }: ReadRendition) => {
    const [segment] = segments;
    const sample = segment?.samples[0];
    return sample && segment ? ticksToMs(sample.dts + sample.cts, segment.track.timescale) : Number.NaN;
  };
  return startMs(audio) - startMs(video);
}

/** Decode times rise by exactly the duration of each sample, over segments and parts. */
function assertUnbroken(source: ReadRendition): void {
  const samples = samplesOf(source);
  for (const [index, sample] of samples.entries()) {
    const before = samples[index - 1];
    if (before) assert.equal(sample.dts, before.dts + before.duration, `sample ${index} of ${source.id}`);
  }
}

function assertWhole({ decoded, presentation }: Outcome, counts: { video?: number; audio?: number }): void {
  assert.equal(decoded.complaints, "");
  assert.deepEqual(
    {
      video: decoded.video.map(({ frameCount }) => frameCount),
      audio: decoded.audio.map(({ frameCount }) => frameCount),
    },
    {
      video: counts.video === undefined ? [] : [counts.video],
      audio: counts.audio === undefined ? [] : [counts.audio],
    },
  );
  for (const each of presentation.renditions.values()) assertUnbroken(each);
}

/** Sequence headers and ends hold no frame: packet types 0 and 2. */
const isFrame = ({ body }: FlvTag) => body[1] === 1;

const ctsMs = (body: Uint8Array) => Buffer.from(body).readIntBE(2, 3);
const range = (from: number, until: number) => Array.from({ length: until - from }, (_, index) => from + index);

/** The audio that is heard: from the first picture on, where there is one. */
function audibleCount(tags: readonly FlvTag[]): number {
  const first = tags.find((tag) => tag.type === "video" && isFrame(tag));
  const startMs = first ? first.timestampMs + ctsMs(first.body) : 0;
  return tags.filter((tag) => tag.type === "audio" && isFrame(tag) && tag.timestampMs >= startMs).length;
}

describe("media of one kind", { concurrency: 2 }, () => {
  test("audio alone is a presentation of audio, cut at its own frames", async () => {
    const tags = await encodeTags({ seconds: 8, video: false });
    const outcome = await broadcast(tags);
    assert.deepEqual(idsOf(outcome.presentation), ["audio_source"]);
    assertWhole(outcome, { audio: audibleCount(tags) });
    const durations = secondsOf(rendition(outcome.presentation, "audio_source"));
    assert.ok(
      durations.slice(0, -1).every((s) => Math.abs(s - 2) <= 0.03),
      `${durations}`,
    );
    const [variant] = outcome.presentation.multivariant.variants;
    assert.equal(variant?.attributes.get("CODECS"), '"mp4a.40.2"');
    assert.equal(variant?.attributes.has("RESOLUTION"), false);
  });

  test("video alone is a presentation without audio", async () => {
    const outcome = await broadcastSource({ seconds: 6, audio: false });
    assert.deepEqual(idsOf(outcome.presentation), ["source"]);
    assertWhole(outcome, { video: 150 });
    assert.deepEqual(secondsOf(rendition(outcome.presentation, "source")), [2, 2, 2]);
    assert.deepEqual(
      outcome.presentation.multivariant.variants.map(({ attributes }) => attributes.has("AUDIO")),
      [false],
    );
  });

  test("audio that starts within a second is waited for", async () => {
    const tags = (await encodeTags({ seconds: 6 })).filter((tag) => tag.type === "video" || tag.timestampMs >= 700);
    const header = (await encodeTags({ seconds: 1 })).find((tag) => tag.type === "audio");
    assert.ok(header);
    const at = tags.findIndex((tag) => tag.type === "audio");
    const outcome = await broadcast(tags.toSpliced(at, 0, { ...header, timestampMs: 700 }));
    assert.deepEqual(idsOf(outcome.presentation), ["audio_source", "source"]);
    assertWhole(outcome, { video: 150, audio: audibleCount(tags) });
    assert.equal(periodsOf(rendition(outcome.presentation, "source")), 1);
    const offsetMs = audioOffsetMs(outcome.presentation);
    assert.ok(offsetMs >= 680 && offsetMs <= 725, `audio begins ${offsetMs} ms after video`);
  });

  test("audio that joins later begins a period with both at the next key frame", async () => {
    const tags = (await encodeTags({ seconds: 10 })).filter((tag) => tag.type === "video" || tag.timestampMs >= 4300);
    const header = (await encodeTags({ seconds: 1 })).find((tag) => tag.type === "audio");
    assert.ok(header);
    const at = tags.findIndex((tag) => tag.type === "audio");
    const { presentation } = await broadcast(tags.toSpliced(at, 0, { ...header, timestampMs: 4300 }));
    const source = rendition(presentation, "source");
    const audio = rendition(presentation, "audio_source");
    assert.equal(periodsOf(source), 2);
    assert.equal(samplesOf(source).length, 250, "no picture is lost");
    const [joined] = source.segments.filter(({ hasDiscontinuity }) => hasDiscontinuity);
    assert.equal(joined?.msn, audio.segments.find(({ isGap }) => !isGap)?.msn);
    assert.equal(joined?.samples[0]?.isKey, true);
    const periods = await decodePeriods(source);
    assert.deepEqual(
      periods.map(({ video, complaints }) => [video[0]?.frameCount, complaints]),
      [
        [125, ""],
        [125, ""],
      ],
    );
  });
});

describe("how often pictures and key frames come", { concurrency: 2 }, () => {
  test("1 frame a second keeps every frame, in parts of one frame", async () => {
    const outcome = await broadcastSource({ seconds: 10, rate: "1", gopFrames: 2 });
    const source = rendition(outcome.presentation, "source");
    assert.equal(source.playlist.partTargetS, 1);
    assert.deepEqual(outcome.decoded.video[0]?.frameCount, 10);
    assertUnbroken(source);
    assert.deepEqual(
      presentedMs(source),
      Array.from({ length: 10 }, (_, second) => second * 1000),
    );
    assert.deepEqual(secondsOf(source), [2, 2, 2, 2, 2]);
  });

  test("a GOP of 10 s makes segments of 10 s, in parts as configured", async () => {
    const outcome = await broadcastSource({ seconds: 30, gopFrames: 250 });
    const source = rendition(outcome.presentation, "source");
    assert.equal(source.playlist.targetDurationS, 10);
    assert.equal(source.playlist.partTargetS, 0.52);
    assert.deepEqual(secondsOf(source), [10, 10, 10]);
    assertWhole(outcome, { video: 750, audio: outcome.decoded.audio[0]?.frameCount ?? 0 });
  });

  test("a GOP that grows beyond the target duration is cut between key frames, and no more called independent", async () => {
    const short = await encodeTags({ seconds: 6 });
    const long = await encodeTags({ seconds: 10, gopFrames: 250 });
    const outcome = await broadcast([...short, ...shifted(withoutHeaders(long), 6000)]);
    const source = rendition(outcome.presentation, "source");
    assert.equal(source.playlist.targetDurationS, 2);
    assert.ok(source.segments.every(({ durationS }) => durationS < 2.5));
    assert.equal(outcome.presentation.multivariant.isIndependent, false);
    assert.equal(samplesOf(source).length, 400);
    assert.equal(outcome.decoded.video[0]?.frameCount, 400);
  });

  test("frames that an encoder drops up to the next key frame leave the others where they were", async () => {
    const tags = await encodeTags({ seconds: 12, gopFrames: 50, bFrames: 2 });
    const pictures = tags.filter((tag) => tag.type === "video" && isFrame(tag));
    // No other frame needs these: what is dropped in the middle of a group spoils the pictures after it.
    const dropped = new Set([...range(29, 50), ...range(66, 100), ...range(127, 150), ...range(189, 200)]);
    const sent = tags.filter((tag) => !dropped.has(pictures.indexOf(tag)));
    const outcome = await broadcast(sent);
    const source = rendition(outcome.presentation, "source");
    assertWhole(outcome, { video: 300 - dropped.size, audio: outcome.decoded.audio[0]?.frameCount ?? 0 });
    const stamps = sent
      .filter((tag) => pictures.includes(tag))
      .map(({ timestampMs, body }) => timestampMs + ctsMs(body));
    const shown = stamps.sort((a, b) => a - b).map((ms) => ms - (stamps[0] ?? 0));
    assert.deepEqual(presentedMs(source).map(Math.round), shown);
    assert.deepEqual(secondsOf(source), [2, 2, 2, 2, 2, 2]);
  });

  test("B-frames keep their presentation times, and segments begin at their key frame's", async () => {
    const outcome = await broadcastSource({ seconds: 6, bFrames: 3, gopFrames: 50 });
    const source = rendition(outcome.presentation, "source");
    assertWhole(outcome, { video: 150, audio: outcome.decoded.audio[0]?.frameCount ?? 0 });
    assert.deepEqual(
      presentedMs(source),
      Array.from({ length: 150 }, (_, frame) => frame * 40),
    );
    assert.ok(samplesOf(source).some(({ cts }) => cts !== 0));
    for (const { samples } of source.segments) {
      const first = samples[0];
      const earliest = Math.min(...samples.map(({ dts, cts }) => dts + cts));
      assert.ok(first?.isKey);
      assert.equal(first.dts + first.cts, earliest);
    }
    assert.ok(Math.abs(audioOffsetMs(outcome.presentation)) <= 25);
  });

  test("29.97 frames a second do not drift", async () => {
    const outcome = await broadcastSource({ seconds: 20, rate: "30000/1001", gopFrames: 30 });
    const source = rendition(outcome.presentation, "source");
    const instants = presentedMs(source);
    assert.equal(outcome.decoded.video[0]?.frameCount, instants.length);
    assertUnbroken(source);
    assert.equal(source.playlist.partTargetS, 0.501);
    for (const [frame, ms] of instants.entries()) {
      assert.ok(Math.abs(ms - (frame * 1001) / 30) <= 1, `frame ${frame} at ${ms} ms`);
    }
    const { attributes } = outcome.presentation.multivariant.variants[0] ?? {};
    assert.equal(attributes?.get("FRAME-RATE"), "29.970");
  });
});

describe("audio of other kinds", { concurrency: 2 }, () => {
  test("44.1 kHz runs on its sample count", async () => {
    const tags = await encodeTags({ seconds: 20, sampleRateHz: 44_100 });
    const outcome = await broadcast(tags);
    const audio = rendition(outcome.presentation, "audio_source");
    assert.equal(audio.segments[0]?.track.timescale, 44_100);
    assertWhole(outcome, { video: 500, audio: audibleCount(tags) });
    assert.deepEqual([...new Set(samplesOf(audio).map(({ duration }) => duration))], [1024]);
    assert.equal(outcome.decoded.audio[0]?.sampleRateHz, 44_100);
  });

  test("mono stays mono", async () => {
    const tags = await encodeTags({ seconds: 6, channelCount: 1 });
    const outcome = await broadcast(tags);
    assertWhole(outcome, { video: 150, audio: audibleCount(tags) });
    assert.equal(outcome.decoded.audio[0]?.channelCount, 1);
    const [audio] = outcome.presentation.multivariant.media;
    assert.equal(audio?.get("CHANNELS"), '"1"');
  });
});

describe("changes within one session", { concurrency: 2 }, () => {
  test("another picture size begins a period with an init of its own, and loses nothing", async () => {
    const small = await encodeTags({ seconds: 6 });
    const large = await encodeTags({ seconds: 6, size: "640x360" });
    const stream = await server.createStream(STREAM);
    await publishTags(stream, [...small, ...shifted(large, 6000)]);
    await stream.until("ready", soon());
    const presentation = await readPresentation(stream.hlsUrl);
    const source = rendition(presentation, "source");
    const inits = new Set(source.playlist.complete.map(({ map }) => map));
    assert.equal(inits.size, 2);
    assert.deepEqual(
      (await decodePeriods(source)).map(({ video: [video], complaints }) => [
        video?.width,
        video?.frameCount,
        complaints,
      ]),
      [
        [320, 150, ""],
        [640, 150, ""],
      ],
    );
    assertRises(source);
  });

  for (const [what, jumpMs] of [
    ["forward by an hour", 3_600_000],
    ["back to zero", -6000],
  ] as const) {
    test(`a clock that jumps ${what} begins a period where the wall clock stands`, async () => {
      const first = await encodeTags({ seconds: 6 });
      const second = withoutHeaders(await encodeTags({ seconds: 6 }));
      const { presentation, stream } = await broadcast([...first, ...shifted(second, 6000 + jumpMs)]);
      const source = rendition(presentation, "source");
      assert.equal(periodsOf(source), 2);
      assertRises(source);
      const spanMs = presentedMs(source).at(-1) ?? 0;
      assert.ok(spanMs >= 11_900 && spanMs < 16_000, `the jump is not media: ${spanMs} ms`);
      assert.deepEqual(
        (await decodePeriods(source)).map(({ video: [video], complaints }) => [video?.frameCount, complaints]),
        [
          [150, ""],
          [150, ""],
        ],
      );
      assert.equal((await stream.now()).state, "ready");
    });
  }

  test("a jump is told in the stream's health", async () => {
    const first = await encodeTags({ seconds: 4 });
    const stream = await server.createStream({ ...STREAM, reconnect_window_ms: 10_000 });
    await publishTags(stream, [...first, ...shifted(withoutHeaders(first), 600_000)]);
    const { health } = await stream.until("reconnecting", soon());
    assert.ok(
      health.some(({ code }) => code === "timestamp_jump"),
      JSON.stringify(health),
    );
    await server.ask("DELETE", `/api/v1/streams/${stream.id}`);
  });
});

describe("clocks that begin anywhere", { concurrency: 2 }, () => {
  for (const [what, startMs] of [
    ["just below 2^24, where the extended timestamp begins", 2 ** 24 - 3000],
    ["just below 2^31, where a signed number would turn", 2 ** 31 - 3000],
    ["just below 2^32, where the timestamp wraps", 2 ** 32 - 3000],
  ] as const) {
    test(`a clock that begins ${what} is one unbroken period`, async () => {
      const tags = await encodeTags({ seconds: 8 });
      const wrapped = shifted(tags, startMs).map((tag) => ({ ...tag, timestampMs: tag.timestampMs % 2 ** 32 }));
      const outcome = await broadcast(wrapped);
      assertWhole(outcome, { video: 200, audio: audibleCount(tags) });
      assert.equal(periodsOf(rendition(outcome.presentation, "source")), 1);
      assert.ok(Math.abs(audioOffsetMs(outcome.presentation)) <= 25);
    });
  }
});

/** Without sequence headers, as an encoder goes on that has not changed its parameters. */
function withoutHeaders(tags: readonly FlvTag[]): FlvTag[] {
  return tags.filter(({ body }) => body[1] !== 0);
}

/** Numbers without a hole, names without repetition, decode times that never go back. */
function assertRises(source: ReadRendition): void {
  const numbers = source.segments.map(({ msn }) => msn);
  assert.deepEqual(
    numbers,
    numbers.map((_, index) => (numbers[0] ?? 0) + index),
  );
  const samples = samplesOf(source);
  for (const [index, sample] of samples.entries()) {
    const before = samples[index - 1];
    if (before)
      assert.ok(sample.dts >= before.dts + before.duration, `sample ${index} begins before the one before ends`);
  }
}
