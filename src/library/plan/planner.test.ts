import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DEFAULT_AUDIO_CODECS } from "../probe/source-limits.ts";
import type { SourceAudio, SourceMedia, SourceText, SourceVideo } from "../probe/source-media.ts";
import type { PlanOptions } from "./plan-options.ts";
import { planVideo } from "./planner.ts";
import { chunkRange, type VideoPlan, videoPlanSchema } from "./video-plan.ts";

const OPTIONS: PlanOptions = {
  profiles: ["2160p", "1080p", "720p", "480p", "360p", "240p"],
  isAskedFor: false,
  copiesVideo: true,
  copiesAudio: true,
  audioCodecs: DEFAULT_AUDIO_CODECS,
  segmentTargetMs: 4_000,
  chunkTargetMs: 20_000,
  zeroTicks: 0,
};

function videoOf(change: Partial<SourceVideo> = {}): SourceVideo {
  const { width = 1920, height = 1080 } = change;
  return {
    index: 0,
    codec: "h264",
    profile: "High",
    level: 41,
    width,
    height,
    shownWidth: width,
    shownHeight: height,
    sampleAspect: { width: 1, height: 1 },
    rotationDegrees: 0,
    isMirrored: false,
    frameRate: { numerator: 30, denominator: 1 },
    realFrameRate: { numerator: 30, denominator: 1 },
    isVariableFrameRate: false,
    pixelFormat: "yuv420p",
    bitDepth: 8,
    colour: { primaries: null, transfer: null, matrix: null, isFullRange: false },
    hdr: null,
    isInterlaced: false,
    fieldOrder: "progressive",
    reorderCount: 2,
    startMs: 0,
    durationMs: 60_000,
    bitrateBps: 6_000_000,
    frameCount: 1_800,
    isDefault: true,
    ...change,
  };
}

function audioOf(change: Partial<SourceAudio> = {}): SourceAudio {
  return {
    index: 1,
    codec: "aac",
    profile: "LC",
    channelCount: 2,
    channelLayout: "stereo",
    sampleRateHz: 48_000,
    bitrateBps: 192_000,
    startMs: 0,
    durationMs: 60_000,
    language: null,
    title: null,
    isDefault: false,
    ...change,
  };
}

function textOf(change: Partial<SourceText>): SourceText {
  const names = { language: null, title: null, isDefault: false, isForced: false, isForHearingImpaired: false };
  return { index: 9, codec: "subrip", isText: true, ...names, ...change };
}

function mediaOf(change: Partial<SourceMedia> = {}): SourceMedia {
  return {
    container: "mp4",
    sizeBytes: 46_500_000,
    startMs: 0,
    durationMs: 60_000,
    bitrateBps: 6_200_000,
    video: [videoOf()],
    audio: [audioOf()],
    text: [],
    pictures: [],
    notes: [],
    ...change,
  };
}

/** A plan in one line: `source+audio_source 720p 1280x720+audio_source | audio_source aac 2ch | text_en`. */
function lineOf({ road, renditions }: VideoPlan): string {
  const words = renditions.map((spec) => {
    if (spec.kind === "text") return `${spec.id}(${spec.label})`;
    if (spec.kind === "audio") return `${spec.id}(${spec.channelCount})`;
    const size = spec.method === "encode" ? `${spec.width}x${spec.height}@${Math.round(spec.bitrateBps / 1000)}k` : "";
    return `${spec.id} ${size}+${spec.audioRenditionId}`;
  });
  return [`${road}:`, ...words].join(" | ");
}

const encoded = (change: Partial<SourceVideo>) =>
  mediaOf({ video: [videoOf({ codec: "hevc", profile: "Main", ...change })] });

const PICTURES: readonly (readonly [string, SourceMedia, string])[] = [
  [
    "keeps H.264 as it came, and leaves out the rung of its size that would save nothing",
    mediaOf({ video: [videoOf({ bitrateBps: 5_000_000 })] }),
    "repackage: | source +audio_source | 720p 1280x720@2800k+audio_source | 480p 854x480@1400k+audio_source | 360p 640x360@800k+audio_aac_96 | 240p 426x240@400k+audio_aac_96 | audio_source(2) | audio_aac_96(2)",
  ],
  [
    "makes a rung of the source's size where that saves much",
    mediaOf({ video: [videoOf({ bitrateBps: 20_000_000 })] }),
    "repackage: | source +audio_source | 1080p 1920x1080@5000k+audio_source | 720p 1280x720@2800k+audio_source | 480p 854x480@1400k+audio_source | 360p 640x360@800k+audio_aac_96 | 240p 426x240@400k+audio_aac_96 | audio_source(2) | audio_aac_96(2)",
  ],
  [
    "encodes what players do not know",
    encoded({}),
    "encode: | 1080p 1920x1080@5000k+audio_source | 720p 1280x720@2800k+audio_source | 480p 854x480@1400k+audio_source | 360p 640x360@800k+audio_aac_96 | 240p 426x240@400k+audio_aac_96 | audio_source(2) | audio_aac_96(2)",
  ],
  [
    "fits an upright picture in by its short side",
    encoded({ width: 1920, height: 1080, shownWidth: 1080, shownHeight: 1920, rotationDegrees: 90 }),
    "encode: | 1080p 1080x1920@5000k+audio_source | 720p 720x1280@2800k+audio_source | 480p 480x854@1400k+audio_source | 360p 360x640@800k+audio_aac_96 | 240p 240x426@400k+audio_aac_96 | audio_source(2) | audio_aac_96(2)",
  ],
  [
    "makes a rung for a picture between two",
    encoded({ width: 1600, height: 900 }),
    "encode: | 900p 1600x900@3913k+audio_source | 720p 1280x720@2800k+audio_source | 480p 854x480@1400k+audio_source | 360p 640x360@800k+audio_aac_96 | 240p 426x240@400k+audio_aac_96 | audio_source(2) | audio_aac_96(2)",
  ],
  [
    "makes one rung of a picture below the lowest",
    encoded({ width: 161, height: 121 }),
    "encode: | 240p 160x120@400k+audio_source | audio_source(2)",
  ],
  [
    "keeps a small H.264 alone",
    mediaOf({ video: [videoOf({ width: 160, height: 120, bitrateBps: 100_000 })] }),
    "repackage: | source +audio_source | audio_source(2)",
  ],
  [
    "keeps a wide film wide",
    encoded({ width: 1920, height: 800 }),
    "encode: | 1080p 1920x800@5000k+audio_source | 720p 1280x534@2800k+audio_source | 480p 854x356@1400k+audio_source | 360p 640x266@800k+audio_aac_96 | 240p 426x178@400k+audio_aac_96 | audio_source(2) | audio_aac_96(2)",
  ],
  [
    "gives no more bits than an H.264 source had",
    mediaOf({
      video: [
        videoOf({
          width: 640,
          height: 360,
          bitDepth: 10,
          pixelFormat: "yuv420p10le",
          profile: "High 10",
          bitrateBps: 500_000,
        }),
      ],
    }),
    "encode: | 360p 640x360@500k+audio_source | 240p 426x240@400k+audio_source | audio_source(2)",
  ],
  [
    "goes without sound",
    mediaOf({ video: [videoOf({ width: 426, height: 240, codec: "vp9" })], audio: [], container: "webm" }),
    "encode: | 240p 426x240@400k+null",
  ],
];

test("plans pictures of every shape", () => {
  for (const [behaviour, media, line] of PICTURES) assert.equal(lineOf(planVideo(media, OPTIONS)), line, behaviour);
});

const small = (audio: readonly SourceAudio[], container: SourceMedia["container"] = "mp4") =>
  mediaOf({ container, video: [], audio: [...audio] });

const SOUNDS: readonly (readonly [string, SourceMedia, string])[] = [
  ["keeps AAC-LC and makes a lower rate beside it", small([audioOf()]), "audio_source(2) | audio_aac_96(2)"],
  ["makes no lower rate of what is low", small([audioOf({ bitrateBps: 96_000 })]), "audio_source(2)"],
  [
    "encodes what it cannot carry",
    small([audioOf({ codec: "mp3", profile: null })]),
    "audio_aac_192(2) | audio_aac_96(2)",
  ],
  ["encodes HE-AAC", small([audioOf({ profile: "HE-AAC" })]), "audio_aac_192(2) | audio_aac_96(2)"],
  ["trusts no times of AVI", small([audioOf()], "avi"), "audio_aac_192(2) | audio_aac_96(2)"],
  [
    "keeps 5.1 AC-3 beside a stereo down-mix",
    small([audioOf({ codec: "ac3", profile: null, channelCount: 6 })]),
    "audio_aac_192(2) | audio_aac_96(2) | audio_source(6)",
  ],
  [
    "encodes 5.1 of codecs that players do not know",
    small([audioOf({ codec: "dts", profile: "DTS", channelCount: 6 })]),
    "audio_aac_192(2) | audio_aac_96(2) | audio_aac_384(6)",
  ],
  [
    "keeps Opus and FLAC beside AAC",
    small([audioOf({ codec: "opus", profile: null })], "webm"),
    "audio_aac_192(2) | audio_aac_96(2) | audio_source(2)",
  ],
  [
    "gives one channel half the bits",
    small([audioOf({ codec: "mp3", channelCount: 1 })]),
    "audio_aac_96(1) | audio_aac_48(1)",
  ],
  [
    "names tracks by their language, the default first",
    small([
      audioOf({ index: 1, language: "en" }),
      audioOf({ index: 2, language: "fr", isDefault: true }),
      audioOf({ index: 3, language: "en", title: "Comments" }),
      audioOf({ index: 4 }),
    ]),
    "audio_source(2) | audio_aac_96(2) | audio_en_source(2) | audio_en_aac_96(2) | audio_en2_source(2) | audio_en2_aac_96(2) | audio_4_source(2) | audio_4_aac_96(2)",
  ],
];

test("plans sound of every kind", () => {
  for (const [behaviour, media, line] of SOUNDS) {
    const plan = planVideo(media, OPTIONS);
    assert.equal(lineOf(plan).split(": | ")[1], line, behaviour);
    assert.equal(plan.chunkCount, 0);
  }
});

test("labels tracks so that no two of a language are alike", () => {
  const tracks = [
    audioOf({ language: "fr" }),
    audioOf({ language: "fr" }),
    audioOf({ language: "pt-BR" }),
    audioOf({ title: "Director" }),
    audioOf(),
  ];
  const plan = planVideo(small(tracks.map((track, index) => ({ ...track, index, bitrateBps: 64_000 }))), OPTIONS);
  assert.deepEqual(
    plan.renditions.map((spec) => (spec.kind === "audio" ? [spec.id, spec.label, spec.isDefault] : [])),
    [
      ["audio_source", "French", true],
      ["audio_fr_source", "French 2", false],
      ["audio_pt-br_source", "Brazilian Portuguese", false],
      ["audio_4_source", "Director", false],
      ["audio_5_source", "Audio 5", false],
    ],
  );
});

test("keeps text, and names what is no text", () => {
  const text = [
    textOf({ index: 2, language: "en" }),
    textOf({ index: 3, language: "en", isForced: true }),
    textOf({ index: 4, language: "en", isForHearingImpaired: true }),
    textOf({ index: 5, codec: "hdmv_pgs_subtitle", isText: false, language: "de" }),
    textOf({ index: 6 }),
  ];
  const plan = planVideo(mediaOf({ video: [], text }), OPTIONS);
  assert.equal(
    lineOf(plan).split("audio_aac_96(2) | ")[1],
    "text_en(English) | text_en_forced(English 2) | text_en_3(For the hard of hearing) | text_und(Subtitles 4)",
  );
  assert.deepEqual(plan.notes, ["Subtitles of stream 5 are left out: they are no text, but hdmv_pgs_subtitle."]);
});

test("says how a picture is treated, and why it is not kept", () => {
  const treat = (change: Partial<SourceVideo>) => {
    const plan = planVideo(mediaOf({ video: [videoOf(change)] }), OPTIONS);
    return [plan.road, plan.picture, plan.notes];
  };
  const none = { deinterlace: false, toneMapFrom: null, frameRateLimit: null };
  assert.deepEqual(treat({}), ["repackage", none, []]);
  assert.deepEqual(treat({ isInterlaced: true, fieldOrder: "tt" }), [
    "encode",
    { ...none, deinterlace: true },
    ["The picture is not kept as it came: it is interlaced.", "Interlaced pictures are made progressive."],
  ]);
  assert.deepEqual(treat({ codec: "hevc", hdr: "pq" }), [
    "encode",
    { ...none, toneMapFrom: "pq" },
    ["High dynamic range is mapped to the standard range."],
  ]);
  const [, fast] = treat({ frameRate: { numerator: 120_000, denominator: 1001 } });
  assert.deepEqual(fast, { ...none, frameRateLimit: { numerator: 120_000, denominator: 2002 } });
  assert.deepEqual(treat({ frameRate: { numerator: 60, denominator: 1 } }), ["repackage", none, []]);
  for (const change of [
    { rotationDegrees: 90 as const },
    { isMirrored: true },
    { pixelFormat: "yuv422p", profile: "High 4:2:2" },
    { profile: "High 10" },
    { level: 60 },
  ]) {
    assert.equal(treat(change)[0], "encode", JSON.stringify(change));
  }
});

test("leads by the pictures that are held back, up to a tenth of a second", () => {
  const leadOf = (...video: SourceVideo[]) => planVideo(mediaOf({ video }), OPTIONS).leadTicks;
  const rate = (numerator: number, denominator = 1) => ({ frameRate: { numerator, denominator } });
  assert.equal(leadOf(), 0);
  assert.equal(leadOf(videoOf({ ...rate(25), reorderCount: 0 })), 2 * 3600 + 90, "what is encoded beside it");
  assert.equal(leadOf(videoOf({ ...rate(60), reorderCount: 4 })), 4 * 1500 + 90);
  assert.equal(leadOf(videoOf({ ...rate(120), reorderCount: 0 })), 2 * 1500 + 90, "every second picture is kept");
  assert.equal(leadOf(videoOf(rate(1))), 9000);
  assert.equal(leadOf(videoOf({ frameRate: null })), 90);
});

test("makes what is asked for by name, and nothing larger than the source", () => {
  const asked = (profiles: PlanOptions["profiles"]) =>
    planVideo(mediaOf({ video: [videoOf({ bitrateBps: 1_000_000 })] }), { ...OPTIONS, profiles, isAskedFor: true })
      .renditions.filter(({ kind }) => kind === "video")
      .map(({ id }) => id);
  assert.deepEqual(asked(["480p", "1080p"]), ["source", "1080p", "480p"]);
  assert.deepEqual(asked(["2160p"]), ["source"]);
});

test("splits a video into chunks that leave nothing out", () => {
  const lengths: readonly (readonly [number, readonly number[]])[] = [
    [1_000, [0]],
    [5_000, [0]],
    [5_001, [0, 4_000]],
    [23_999, [0, 4_000]],
    [24_000, [0, 4_000, 20_000]],
    [60_000, [0, 4_000, 20_000, 40_000]],
    [64_000, [0, 4_000, 20_000, 40_000, 60_000]],
  ];
  for (const [durationMs, starts] of lengths) {
    const plan = planVideo(mediaOf({ durationMs, video: [videoOf({ durationMs })] }), OPTIONS);
    const ranges = Array.from({ length: plan.chunkCount }, (_, index) => chunkRange(plan, index));
    assert.deepEqual(
      ranges.map(({ startMs }) => startMs),
      starts,
      `${durationMs}`,
    );
    assert.deepEqual(
      ranges.map(({ endMs }) => endMs),
      [...starts.slice(1), undefined],
    );
  }
});

const anyVideo = fc
  .record({
    width: fc.integer({ min: 16, max: 8192 }),
    height: fc.integer({ min: 16, max: 8192 }),
    bitrateBps: fc.option(fc.integer({ min: 1, max: 1e9 })),
    codec: fc.constantFrom("h264", "hevc", "vp8"),
    frameRate: fc.option(
      fc
        .tuple(fc.integer({ min: 1, max: 1e6 }), fc.integer({ min: 1, max: 1e5 }))
        .map(([numerator, denominator]) => ({ numerator, denominator })),
    ),
    durationMs: fc.option(fc.integer({ min: 1, max: 1e8 })),
  })
  .map(videoOf);

test("plans something sound for any source", () => {
  fc.assert(
    fc.property(
      fc.array(anyVideo, { maxLength: 2 }),
      fc.array(fc.integer({ min: 1, max: 8 }), { maxLength: 10 }),
      (video, channels) => {
        const audio = channels.map((channelCount, index) =>
          audioOf({ index: index + 5, channelCount, language: index % 2 ? "en" : null }),
        );
        fc.pre(video.length + audio.length > 0);
        const plan = planVideo(mediaOf({ video, audio, container: "matroska" }), OPTIONS);
        assert.deepEqual(videoPlanSchema.parse(JSON.parse(JSON.stringify(plan))), plan);
        const ids = plan.renditions.map(({ id }) => id);
        assert.equal(new Set(ids).size, ids.length, ids.join());
        for (const spec of plan.renditions) {
          if (spec.kind !== "video") continue;
          assert.ok(audio.length === 0 ? spec.audioRenditionId === null : ids.includes(spec.audioRenditionId ?? ""));
          if (spec.method === "copy") continue;
          const [picture] = video;
          assert.ok(picture && spec.width <= picture.width && spec.height <= picture.height, "never larger");
          assert.ok(spec.width % 2 === 0 && spec.height % 2 === 0, "even");
        }
      },
    ),
  );
});
