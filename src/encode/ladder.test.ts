import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { AudioFormat, VideoFormat } from "../media/format.ts";
import { planLadder, QUALITY_NAMES } from "./ladder.ts";

function video(width: number, height: number, more: Partial<VideoFormat> = {}): VideoFormat {
  return {
    kind: "video",
    codec: "h264",
    config: new Uint8Array(),
    codecString: "avc1.640028",
    width,
    height,
    sampleAspect: { width: 1, height: 1 },
    frameRate: { numerator: 30, denominator: 1 },
    colour: undefined,
    bitDepth: 8,
    ...more,
  };
}

function audio(more: Partial<AudioFormat> = {}): AudioFormat {
  return {
    kind: "audio",
    codec: "aac",
    config: new Uint8Array(),
    codecString: "mp4a.40.2",
    sampleRateHz: 48_000,
    channelCount: 2,
    samplesPerUnit: 1024,
    ...more,
  };
}

const OPUS = audio({ codec: "opus", codecString: "opus", samplesPerUnit: undefined });
const TRANSCODE = { transcode: true };

function sizes(width: number, height: number, more: Partial<VideoFormat> = {}, qualities?: string[]): string[] {
  const plan = planLadder({ video: video(width, height, more) }, { qualities, transcode: true });
  return plan.video.map((rung) => `${rung.id} ${rung.width}x${rung.height} ${rung.level}`);
}

test("makes the three rungs of a 1080p source, each with its audio", () => {
  const plan = planLadder({ video: video(1920, 1080), audio: audio() }, TRANSCODE);
  assert.deepEqual(plan, {
    video: [
      {
        id: "high",
        width: 1920,
        height: 1080,
        bitrateBps: 3_500_000,
        profile: "high",
        level: "4.1",
        audioRenditionId: "aac_128",
      },
      {
        id: "medium",
        width: 1280,
        height: 720,
        bitrateBps: 2_000_000,
        profile: "main",
        level: "3.1",
        audioRenditionId: "aac_128",
      },
      {
        id: "low",
        width: 854,
        height: 480,
        bitrateBps: 1_000_000,
        profile: "main",
        level: "3.1",
        audioRenditionId: "aac_96",
      },
    ],
    audio: [
      { id: "aac_128", bitrateBps: 128_000, sampleRateHz: 48_000, channelCount: 2 },
      { id: "aac_96", bitrateBps: 96_000, sampleRateHz: 48_000, channelCount: 2 },
    ],
  });
});

test("skips rungs above the source", () => {
  assert.deepEqual(sizes(1280, 720), ["medium 1280x720 3.1", "low 854x480 3.1"]);
  assert.deepEqual(sizes(1000, 560), ["low 854x478 3.1"]);
});

test("falls back to the lowest rung's settings at the size of a small source", () => {
  const plan = planLadder({ video: video(640, 360) }, TRANSCODE);
  assert.deepEqual(plan.video, [
    {
      id: "low",
      width: 640,
      height: 360,
      bitrateBps: 1_000_000,
      profile: "main",
      level: "3.0",
      audioRenditionId: undefined,
    },
  ]);
  assert.deepEqual(sizes(321, 181, {}, ["720p", "480p"]), ["480p 320x180 3.0"]);
});

test("keeps the shape of wide, narrow, portrait and stretched pictures", () => {
  assert.deepEqual(sizes(2560, 1080), ["high 1920x810 4.1", "medium 1280x540 3.1", "low 854x360 3.0"]);
  assert.deepEqual(sizes(1440, 1080), ["high 1440x1080 4.1", "medium 960x720 3.1", "low 640x480 3.0"]);
  assert.deepEqual(sizes(1080, 1920), ["high 1080x1920 4.1", "medium 720x1280 3.1", "low 480x854 3.1"]);
  const pal = { sampleAspect: { width: 64, height: 45 }, frameRate: { numerator: 25, denominator: 1 } };
  assert.deepEqual(sizes(720, 576, pal), ["low 854x480 3.0"]);
});

test("gives high frame rates half as many bits again and the level they need", () => {
  const plan = planLadder({ video: video(1920, 1080, { frameRate: { numerator: 60, denominator: 1 } }) }, TRANSCODE);
  assert.deepEqual(
    plan.video.map((rung) => [rung.id, rung.bitrateBps, rung.level]),
    [
      ["high", 5_250_000, "4.2"],
      ["medium", 3_000_000, "3.2"],
      ["low", 1_500_000, "3.1"],
    ],
  );
});

test("takes no notice of a frame rate that cannot be", () => {
  assert.deepEqual(sizes(1280, 720, { frameRate: { numerator: 90_000, denominator: 1 } }), sizes(1280, 720));
  assert.deepEqual(sizes(1280, 720, { frameRate: undefined }), sizes(1280, 720));
});

test("leaves out a rung of the source's size that would save hardly a bit, unless asked for by name", () => {
  const source = { video: video(1920, 1080), sourceBitrate: { videoBps: 4_000_000 } };
  const ids = (choice: { qualities?: string[] }) =>
    planLadder(source, { ...choice, transcode: true }).video.map((rung) => rung.id);
  assert.deepEqual(ids({}), ["medium", "low"]);
  assert.deepEqual(ids({ qualities: ["1080p", "480p"] }), ["1080p", "480p"]);
  const rich = planLadder({ ...source, sourceBitrate: { videoBps: 6_000_000 } }, TRANSCODE);
  assert.equal(rich.video[0]?.id, "high");
  const hevc = planLadder({ ...source, video: video(1920, 1080, { codec: "hevc" }) }, TRANSCODE);
  assert.equal(hevc.video[0]?.id, "high");
});

test("spends no more bits than an H.264 source has", () => {
  const plan = planLadder({ video: video(640, 360), sourceBitrate: { videoBps: 500_000 } }, TRANSCODE);
  assert.equal(plan.video[0]?.bitrateBps, 500_000);
});

test("does not believe in a bit rate that makes no picture", () => {
  const plan = planLadder({ video: video(1920, 1080), sourceBitrate: { videoBps: 64_000 } }, TRANSCODE);
  assert.deepEqual(plan, planLadder({ video: video(1920, 1080) }, TRANSCODE));
});

test("orders named qualities from the best, once each", () => {
  assert.deepEqual(sizes(3840, 2160, {}, ["240p", "2160p", "720p", "240p"]), [
    "2160p 3840x2160 5.1",
    "720p 1280x720 3.1",
    "240p 426x240 2.1",
  ]);
});

test("refuses a quality that it does not know", () => {
  assert.throws(() => sizes(1920, 1080, {}, ["999p"]), { code: "INVALID_REQUEST" });
});

test("lets source AAC serve where a rung would have no fewer bits", () => {
  const plan = planLadder(
    { video: video(1920, 1080), audio: audio(), sourceBitrate: { audioBps: 127_500 } },
    TRANSCODE,
  );
  assert.deepEqual(
    plan.video.map((rung) => rung.audioRenditionId),
    ["audio_source", "audio_source", "aac_96"],
  );
  assert.deepEqual(
    plan.audio.map((rung) => rung.id),
    ["aac_96"],
  );
});

test("always makes AAC of other audio, in stereo at a rate that every player takes", () => {
  const quiet = planLadder({ audio: OPUS, sourceBitrate: { audioBps: 32_000 } }, TRANSCODE);
  assert.deepEqual(
    quiet.audio.map((rung) => rung.id),
    ["aac_128", "aac_96"],
  );
  const surround = audio({ codec: "flac", codecString: "fLaC", sampleRateHz: 96_000, channelCount: 6 });
  const [rung] = planLadder({ audio: surround }, TRANSCODE).audio;
  assert.deepEqual(rung, { id: "aac_128", bitrateBps: 128_000, sampleRateHz: 48_000, channelCount: 2 });
  const mono = audio({ sampleRateHz: 44_100, channelCount: 1 });
  assert.deepEqual(planLadder({ audio: mono }, TRANSCODE).audio[1], {
    id: "aac_96",
    bitrateBps: 96_000,
    sampleRateHz: 44_100,
    channelCount: 1,
  });
});

test("makes nothing beside the source when transcoding is off", () => {
  assert.deepEqual(planLadder({ video: video(1920, 1080), audio: OPUS }, { transcode: false }), {
    video: [],
    audio: [],
  });
});

test("never enlarges, always keeps sizes even and within two pixels of the shape", () => {
  const dimension = fc.integer({ min: 16, max: 4320 });
  const aspect = fc.constantFrom({ width: 1, height: 1 }, { width: 4, height: 3 }, { width: 8, height: 9 });
  fc.assert(
    fc.property(dimension, dimension, aspect, (width, height, sampleAspect) => {
      const shownWidth = (width * sampleAspect.width) / sampleAspect.height;
      const source = { video: video(width, height, { sampleAspect }) };
      for (const rung of planLadder(source, { qualities: [...QUALITY_NAMES], transcode: true }).video) {
        assert.equal((rung.width % 2) + (rung.height % 2), 0);
        assert.ok(rung.width <= shownWidth && rung.height <= height);
        const wanted = (rung.width * height) / shownWidth;
        const tolerance = 2 + (2 * height) / shownWidth;
        assert.ok(Math.abs(wanted - rung.height) <= tolerance, `${rung.width}x${rung.height}`);
      }
    }),
  );
});
