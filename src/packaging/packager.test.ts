import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { readMediaPlaylist } from "../../test/support/conformance/media-playlist.ts";
import { checkMediaPlaylist } from "../../test/support/conformance/media-rules.ts";
import {
  AAC_48K,
  type AudioStamps,
  audioUnits,
  H264_360P,
  H264_720P,
  interleave,
  MP3_48K,
  type VideoStamps,
  videoUnits,
} from "../../test/support/source-units.ts";
import { ManualClock } from "../core/clock.ts";
import { Intake } from "../live/intake.ts";
import type { SourceUnit } from "../live/publication.ts";
import type { Period, Unit } from "../live/unit.ts";
import { CmafReader } from "../media/cmaf/reader.ts";
import type { MediaFormat } from "../media/format.ts";
import { PRESENTATION_START_MS, ticksToMs, VIDEO_TIMESCALE } from "../media/timebase.ts";
import { renderMediaPlaylist } from "./hls/media-playlist.ts";
import { Packager, partTargetFor } from "./packager.ts";
import { completeSegments, type PackagingOptions, type Rendition, type Segment } from "./presentation.ts";

const LOW_LATENCY: PackagingOptions = {
  isLowLatency: true,
  segmentTargetMs: 2000,
  partTargetMs: 500,
  windowSegmentCount: 10,
};

function setUp(options: Partial<PackagingOptions> = {}) {
  const packager = new Packager({
    epoch: "e1",
    packaging: { ...LOW_LATENCY, ...options },
    firstMsn: 1,
    firstDiscontinuitySequence: 0,
  });
  const intake = new Intake({ clock: new ManualClock(), sink: packager, sampleCount: () => undefined });
  const play = (formats: readonly MediaFormat[], ...units: readonly SourceUnit[][]) => {
    const kinds = formats.map((format) => format.kind);
    intake.expect({ video: kinds.includes("video"), audio: kinds.includes("audio") });
    for (const format of formats) intake.setFormat(format);
    for (const unit of interleave(...units)) intake.write(unit);
  };
  const rendition = (id: string): Rendition => {
    const found = packager.renditions.find((each) => each.id === id);
    assert.ok(found, `rendition ${id} is listed`);
    return found;
  };
  return { packager, intake, play, rendition };
}

const CAMERA: VideoStamps = { fromMs: 0, untilMs: 9000, framesPerSecond: 30, gopFrames: 60 };

const mp3Units = (stamps: AudioStamps) => audioUnits({ ...stamps, samplesPerUnit: 1152 });

function durationMs(rendition: Rendition, segment: { duration: number }): number {
  return ticksToMs(segment.duration, rendition.timescale);
}

/** What every playlist relies on: numbers without holes, parts that add up, nothing longer than was promised. */
function assertSound(packager: Packager): void {
  for (const rendition of packager.renditions) {
    for (const [index, segment] of rendition.segments.entries()) {
      const next = rendition.segments[index + 1];
      if (next) assert.equal(next.msn, segment.msn + 1);
      assertPartsAddUp(segment);
      for (const part of segment.parts) {
        assert.ok(durationMs(rendition, part) <= packager.partTargetMs + 0.001, `${part.name} exceeds the part target`);
      }
      if (segment.isComplete) {
        assert.ok(
          Math.round(durationMs(rendition, segment) / 1000) <= packager.targetDurationS,
          `${segment.name} is too long`,
        );
      }
    }
  }
}

function assertPartsAddUp(segment: Segment): void {
  let end = segment.start;
  for (const part of segment.parts) {
    assert.equal(part.start, end, `${part.name} starts where the part before ends`);
    end = part.start + part.duration;
  }
  if (!segment.isGap) assert.equal(segment.start + segment.duration, end);
  assert.equal(
    segment.byteLength,
    segment.parts.reduce((sum, part) => sum + part.bytes.byteLength, 0),
  );
}

/** When each picture is shown, in ms since the presentation began. */
function shownMs({ segments, timescale }: Rendition): number[] {
  const reader = new CmafReader();
  const parts = segments.flatMap((segment) => segment.parts.map((part) => part.bytes));
  return [...(segments[0] ? [segments[0].init.bytes] : []), ...parts]
    .flatMap((bytes) => reader.push(bytes))
    .flatMap((event) => (event.kind === "sample" ? [event.dts + event.cts] : []))
    .map((ticks) => Math.round(ticksToMs(ticks, timescale)) - PRESENTATION_START_MS);
}

describe("Packager", () => {
  it("cuts the source at key frames into segments of whole parts", () => {
    const { packager, play, rendition } = setUp();
    play([H264_360P, AAC_48K], videoUnits(CAMERA), audioUnits(CAMERA));

    const video = rendition("source");
    assert.deepEqual(
      completeSegments(video).map((segment) => [segment.msn, durationMs(video, segment), segment.parts.length]),
      [
        [1, 2000, 4],
        [2, 2000, 4],
        [3, 2000, 4],
        [4, 2000, 4],
      ],
    );
    assert.equal(packager.targetDurationS, 2);
    assert.equal(packager.partTargetMs, 500);
    assert.equal(packager.isIndependent, true);
    assertSound(packager);
  });

  it("cuts audio at the same instants, to the frame", () => {
    const { play, rendition } = setUp();
    play([H264_360P, AAC_48K], videoUnits(CAMERA), audioUnits(CAMERA));
    const [video, audio] = [rendition("source"), rendition("audio_source")];
    for (const [index, segment] of completeSegments(audio).entries()) {
      const beside = video.segments[index];
      assert.ok(beside);
      const lateMs = ticksToMs(segment.start, audio.timescale) - ticksToMs(beside.start, video.timescale);
      assert.ok(lateMs >= 0 && lateMs < 22, `audio of ${segment.msn} starts ${lateMs} ms after the picture`);
    }
    assert.equal(video.audioRenditionId, "audio_source");
  });

  it("announces every part before it comes, and withdraws none", () => {
    const { packager, play, rendition } = setUp();
    const hints = new Map<string, string>();
    packager.events.on("advance", (advanced) => {
      const newest = advanced.segments.at(-1)?.parts.at(-1)?.name;
      const hinted = hints.get(advanced.id);
      if (hinted && newest) assert.equal(newest, hinted);
      hints.set(advanced.id, advanced.nextPart.name);
    });
    play([H264_360P, AAC_48K], videoUnits(CAMERA), audioUnits(CAMERA));
    assert.ok(rendition("source").segments.length > 3);
    const next = rendition("source").nextPart;
    assert.equal(packager.object("source", next.name)?.kind, "hinted");
    assert.equal(packager.object("source", "e1-99.0.m4s"), undefined);
  });

  it("makes segments of the GOP when the publisher's is longer than the target", () => {
    const { packager, play, rendition } = setUp();
    play([H264_360P], videoUnits({ ...CAMERA, untilMs: 31_000, gopFrames: 300 }));
    assert.equal(packager.targetDurationS, 10);
    assert.deepEqual(
      new Set(completeSegments(rendition("source")).map((segment) => durationMs(rendition("source"), segment))),
      new Set([10_000]),
    );
    assert.equal(packager.isIndependent, true);
  });

  it("cuts between key frames rather than break the promised target duration", () => {
    const { packager, play, rendition } = setUp();
    play(
      [H264_360P],
      videoUnits({ ...CAMERA, untilMs: 4000 }),
      videoUnits({ ...CAMERA, fromMs: 4000, untilMs: 20_000, gopFrames: 1000 }),
    );
    assert.equal(packager.targetDurationS, 2);
    assert.equal(packager.isIndependent, false);
    assert.ok(rendition("source").segments.some((segment) => !segment.isIndependent));
    assertSound(packager);
  });

  for (const [name, framesPerSecond] of [
    ["1 fps", 1],
    ["3 fps", 3],
    ["12 fps", 12],
    ["29.97 fps", 30_000 / 1001],
    ["60 fps", 60],
  ] as const) {
    it(`fills at least 85 % of every part at ${name}`, () => {
      const { packager, play, rendition } = setUp();
      const frameRate = { numerator: Math.round(framesPerSecond * 1001), denominator: 1001 };
      play(
        [{ ...H264_360P, frameRate }, AAC_48K],
        videoUnits({ ...CAMERA, untilMs: 21_000, framesPerSecond, gopFrames: Math.round(framesPerSecond * 2) }),
        audioUnits({ ...CAMERA, untilMs: 21_000 }),
      );
      for (const each of [rendition("source"), rendition("audio_source")]) {
        for (const segment of completeSegments(each)) {
          for (const part of segment.parts.slice(0, -1)) {
            assert.ok(
              durationMs(each, part) >= packager.partTargetMs * 0.85,
              `${part.name}: ${durationMs(each, part)} of ${packager.partTargetMs}`,
            );
          }
        }
      }
      assertSound(packager);
    });
  }

  it("fills parts before and after frames that the source has dropped, and shows each picture when it was", () => {
    const frames = videoUnits({ ...CAMERA, untilMs: 8000 });
    const anyHole = fc.record({
      at: fc.integer({ min: 1, max: frames.length }),
      frameCount: fc.integer({ min: 1, max: 13 }),
    });
    fc.assert(
      fc.property(fc.array(anyHole, { minLength: 1, maxLength: 8 }), fc.constantFrom(0, 66), (holes, ctsMs) => {
        const { packager, play, rendition } = setUp();
        const isDropped = (frame: number) => holes.some(({ at, frameCount }) => frame >= at && frame < at + frameCount);
        // Two drops that touch would be a hole that is longer than a part.
        const isOne = (frame: number) => frame % 15 !== 0;
        const sent = frames
          .filter((_, frame) => !isDropped(frame) || !isOne(frame))
          .map((unit) => ({ ...unit, cts: ctsMs }));
        play([H264_360P, AAC_48K], sent, audioUnits({ ...CAMERA, untilMs: 8000 }));
        for (const each of packager.renditions) {
          const text = renderMediaPlaylist(packager, each);
          assert.deepEqual(checkMediaPlaylist(readMediaPlaylist(text)), [], text);
        }
        assertSound(packager);
        const shown = shownMs(rendition("source"));
        assert.deepEqual(
          shown,
          sent.slice(0, shown.length).map(({ dts }) => dts),
        );
      }),
      { numRuns: 60 },
    );
  });

  it("lets audio lead when there is no picture", () => {
    const { packager, play, rendition } = setUp();
    play([AAC_48K], audioUnits(CAMERA));
    assert.deepEqual(
      packager.renditions.map((each) => each.id),
      ["audio_source"],
    );
    for (const segment of completeSegments(rendition("audio_source"))) {
      assert.ok(Math.abs(durationMs(rendition("audio_source"), segment) - 2000) < 22);
    }
    assertSound(packager);
  });

  it("goes on with audio, and gaps for the picture, when video stops", () => {
    const { packager, play, rendition } = setUp();
    play([H264_360P, AAC_48K], videoUnits({ ...CAMERA, untilMs: 4000 }), audioUnits({ ...CAMERA, untilMs: 16_000 }));
    const video = rendition("source");
    assert.ok(video.segments.some((segment) => segment.isGap));
    assert.ok(completeSegments(rendition("audio_source")).length >= 5);
    assertSound(packager);
  });

  it("marks a new period as a discontinuity with a new init, and goes on counting", () => {
    const { packager, intake, play, rendition } = setUp();
    play([H264_360P], videoUnits({ ...CAMERA, untilMs: 5000 }));
    intake.interrupt();
    play([H264_720P], videoUnits({ ...CAMERA, untilMs: 5000 }));
    const { segments } = rendition("source");
    assert.deepEqual(
      segments.map((segment) => [segment.msn, segment.isDiscontinuity, segment.init.name]),
      [
        [1, false, "e1-1.init.mp4"],
        [2, false, "e1-1.init.mp4"],
        [3, false, "e1-1.init.mp4"],
        [4, true, "e1-4.init.mp4"],
        [5, false, "e1-4.init.mp4"],
        [6, false, "e1-4.init.mp4"],
      ],
    );
    assert.equal(packager.periods.length, 2);
    assertSound(packager);
  });

  it("lists time without a publisher as gaps, and goes on after them", () => {
    const { packager, intake, play, rendition } = setUp();
    play([H264_360P, AAC_48K], videoUnits({ ...CAMERA, untilMs: 4000 }), audioUnits({ ...CAMERA, untilMs: 4000 }));
    const announced = rendition("source").nextPart.name;
    intake.interrupt();
    assert.equal(packager.object("source", rendition("source").nextPart.name), undefined, "no part is on its way");
    assert.notEqual(packager.object("source", announced), undefined, "what was announced came");
    packager.passGap();
    packager.passGap();
    play([H264_360P, AAC_48K], videoUnits({ ...CAMERA, untilMs: 4000 }), audioUnits({ ...CAMERA, untilMs: 4000 }));
    for (const id of ["source", "audio_source"]) {
      assert.deepEqual(
        completeSegments(rendition(id)).map((segment) => [segment.msn, segment.isGap, segment.isDiscontinuity]),
        [
          [1, false, false],
          [2, false, false],
          [3, true, false],
          [4, true, false],
          [5, false, true],
        ],
      );
    }
    assertSound(packager);
  });

  it("offers audio that a later period brings", () => {
    const { packager, intake, play, rendition } = setUp();
    play([H264_360P], videoUnits({ ...CAMERA, untilMs: 4000 }));
    intake.interrupt();
    play([H264_360P, AAC_48K], videoUnits({ ...CAMERA, untilMs: 6000 }), audioUnits({ ...CAMERA, untilMs: 6000 }));
    assert.equal(rendition("source").audioRenditionId, "audio_source");
    assert.equal(completeSegments(rendition("audio_source"))[0]?.msn, 3);
    assertSound(packager);
  });

  for (const [missing, id, formats] of [
    ["audio", "audio_source", [H264_360P]],
    ["a picture", "source", [MP3_48K]],
  ] as const) {
    it(`goes on with gaps where a later period has not ${missing} any more`, () => {
      const { packager, intake, play, rendition } = setUp();
      const units = ({ kind }: MediaFormat) => (kind === "video" ? videoUnits(CAMERA) : mp3Units(CAMERA));
      play([H264_360P, MP3_48K], videoUnits(CAMERA), mp3Units(CAMERA));
      intake.interrupt();
      const firstMissing = packager.nextMsn;
      play(formats, ...formats.map(units));
      const { segments } = rendition(id);
      assert.ok(packager.nextMsn > firstMissing + 2);
      assert.equal(segments.at(-1)?.msn, packager.nextMsn - 2);
      assert.ok(segments.every(({ msn, isGap }) => isGap === msn >= firstMissing));
      assert.equal(rendition("source").audioRenditionId, missing === "audio" ? undefined : "audio_source");
      assertSound(packager);
    });
  }

  for (const [missing, id, formats] of [
    ["audio", "audio_source", [H264_360P]],
    ["a picture", "source", [MP3_48K]],
  ] as const) {
    it(`leaves ${missing} out once all that is listed of it is gaps, and takes it in again when it returns`, () => {
      const { packager, intake, play, rendition } = setUp({ windowSegmentCount: 3 });
      const units = ({ kind }: MediaFormat) => (kind === "video" ? videoUnits(CAMERA) : mp3Units(CAMERA));
      const offered: string[] = [];
      packager.events.on("renditions", () => offered.push(packager.renditions.map((each) => each.id).join("+")));
      play([H264_360P, MP3_48K], videoUnits(CAMERA), mp3Units(CAMERA));
      intake.interrupt();
      play(formats, ...formats.map(units));
      assert.ok(!packager.renditions.some((each) => each.id === id), "it is left out");
      assert.equal(packager.renditions.length, 1);
      intake.interrupt();
      play([H264_360P, MP3_48K], videoUnits(CAMERA), mp3Units(CAMERA));
      const { segments } = rendition(id);
      assert.equal(segments.at(-1)?.isGap, false);
      assert.ok((segments.at(-1)?.msn ?? 0) >= packager.nextMsn - 2);
      assert.equal(offered.at(-1), "source+audio_source");
      assertSound(packager);
    });
  }

  it("keeps every rendition and what it has while the publisher is away, however long", () => {
    const { packager, intake, play } = setUp({ windowSegmentCount: 3 });
    play([H264_360P, MP3_48K], videoUnits(CAMERA), mp3Units(CAMERA));
    intake.interrupt();
    for (let gap = 0; gap < 8; gap++) packager.passGap();
    const shown = () =>
      packager.renditions.map(({ id, segments }) => [id, segments.map(({ isGap }) => (isGap ? "-" : "m")).join("")]);
    assert.deepEqual(shown(), [
      ["source", "mmmm--------"],
      ["audio_source", "mmmm--------"],
    ]);
    play([H264_360P, MP3_48K], videoUnits(CAMERA), mp3Units(CAMERA));
    assert.deepEqual(shown(), [
      ["source", "mmmm"],
      ["audio_source", "mmmm"],
    ]);
  });

  it("goes on with silence where a later period has no audio any more", () => {
    const { packager, intake, play, rendition } = setUp();
    play([H264_360P, AAC_48K], videoUnits(CAMERA), audioUnits(CAMERA));
    intake.interrupt();
    const firstSilent = packager.nextMsn;
    play([H264_360P], videoUnits(CAMERA));
    const audio = rendition("audio_source");
    assert.ok(audio.segments.every(({ isGap }) => !isGap));
    assert.equal(new Set(audio.segments.map(({ init }) => init)).size, 1);
    const silent = completeSegments(audio).filter(({ msn }) => msn > firstSilent);
    assert.ok(silent.length >= 2);
    for (const segment of silent) assert.ok(Math.abs(durationMs(audio, segment) - 2000) < 43, segment.name);
    assert.equal(rendition("source").audioRenditionId, "audio_source");
    assertSound(packager);
  });

  it("lists gaps that open a period under the init of that period", () => {
    const { packager, intake, play, rendition } = setUp();
    play([H264_360P, MP3_48K], videoUnits(CAMERA), mp3Units(CAMERA));
    intake.interrupt();
    const mono = { ...MP3_48K, channelCount: 1 };
    play([H264_360P, mono], videoUnits(CAMERA), mp3Units({ fromMs: 2900, untilMs: 9000 }));
    const audio = rendition("audio_source");
    const opening = audio.segments.find(({ isDiscontinuity }) => isDiscontinuity);
    assert.equal(opening?.isGap, true);
    assert.equal(opening?.init, audio.segments.at(-1)?.init);
    assert.match(opening?.init.name ?? "", new RegExp(`-${opening?.msn}\\.`));
    assertSound(packager);
  });

  it("does not let a stall at the start make parts longer than segments", () => {
    const { packager, play } = setUp();
    const format = { ...H264_360P, frameRate: undefined };
    const [first, ...later] = videoUnits({ ...CAMERA, fromMs: 0, untilMs: 9000 });
    assert.ok(first);
    play([format], [first, ...later.map((unit) => ({ ...unit, dts: unit.dts + 2700 }))]);
    assert.ok(packager.partTargetMs <= 1000, `${packager.partTargetMs} ms`);
  });

  it("moves its window, counts discontinuities that left it, and keeps what left it for as long again", () => {
    const { packager, intake, play, rendition } = setUp({ windowSegmentCount: 3 });
    play([H264_360P], videoUnits({ ...CAMERA, untilMs: 3000 }));
    intake.interrupt();
    play([H264_360P], videoUnits({ ...CAMERA, untilMs: 21_000 }));
    const video = rendition("source");
    assert.equal(completeSegments(video).length, 3);
    assert.equal(video.discontinuitySequence, 1);
    const first = video.segments[0]?.msn ?? 0;
    assert.equal(packager.object("source", `e1-${first - 3}.m4s`)?.kind, "segment");
    assert.equal(packager.object("source", "e1-1.m4s"), undefined);
    assert.equal(packager.object("source", "e1-1.0.m4s"), undefined);
  });

  it("lists at least three target durations, however short segments were cut", () => {
    const { packager, intake, play, rendition } = setUp({ windowSegmentCount: 3 });
    play([H264_360P], videoUnits({ ...CAMERA, untilMs: 8000 }));
    for (let i = 0; i < 12; i++) {
      intake.interrupt();
      play([H264_360P], videoUnits({ ...CAMERA, untilMs: 700 }));
    }
    intake.interrupt();
    const listed = completeSegments(rendition("source"));
    const listedMs = listed.reduce((sum, segment) => sum + durationMs(rendition("source"), segment), 0);
    assert.ok(listedMs >= 3000 * packager.targetDurationS, `${listedMs} ms are listed`);
    assertSound(packager);
  });

  it("cuts rungs where the source was cut, and fills what their encoder missed with gaps", () => {
    const { packager, play, rendition } = setUp();
    const seen: { period: Period; unit: Unit }[] = [];
    let period: Period | undefined;
    const { onPeriod, onUnit } = packager;
    packager.onPeriod = (each) => {
      period = each;
      onPeriod.call(packager, each);
    };
    packager.onUnit = (unit) => {
      if (period) seen.push({ period, unit });
      onUnit.call(packager, unit);
    };
    play([H264_360P], videoUnits({ ...CAMERA, untilMs: 13_000 }));
    const track = { timescale: VIDEO_TIMESCALE, format: H264_360P };
    const rung = { id: "low", kind: "video" as const, audioRenditionId: undefined };
    for (const each of seen) {
      const atMs = ticksToMs(each.unit.dts, VIDEO_TIMESCALE) - 10_000;
      const isMissing = atMs >= 4000 && atMs < 8000;
      if (!isMissing) packager.writeRung(rung, each.period, { ...each.unit, track });
    }
    const low = rendition("low");
    assert.deepEqual(
      completeSegments(low).map((segment) => [segment.msn, segment.isGap, durationMs(low, segment)]),
      [1, 2, 3, 4, 5, 6].map((msn) => [msn, msn === 3 || msn === 4, 2000]),
    );
    packager.dropRungs(["low"]);
    assert.deepEqual(
      packager.renditions.map((each) => each.id),
      ["source"],
    );
  });

  it("lets no rung that was cut short fix the target duration", () => {
    const { packager, intake, play } = setUp();
    const frames = videoUnits({ fromMs: 0, untilMs: 8000, framesPerSecond: 10, gopFrames: 25 });
    const track = { timescale: VIDEO_TIMESCALE, format: H264_360P };
    const { onUnit } = packager;
    let period: Period | undefined;
    const { onPeriod } = packager;
    packager.onPeriod = (each) => {
      period = each;
      onPeriod.call(packager, each);
    };
    packager.onUnit = (unit) => {
      onUnit.call(packager, unit);
      if (period)
        packager.writeRung({ id: "low", kind: "video", audioRenditionId: undefined }, period, { ...unit, track });
    };
    play([H264_360P], frames.slice(0, 24));
    packager.loseRungs(["low"]);
    for (const frame of frames.slice(24)) intake.write(frame);
    assert.equal(packager.targetDurationS, 3);
    assertSound(packager);
  });

  it("completes everything and says so when it is finished", () => {
    const { packager, intake, play, rendition } = setUp();
    let endings = 0;
    packager.events.on("ended", () => endings++);
    play([H264_360P], videoUnits({ ...CAMERA, untilMs: 3000 }));
    intake.end();
    packager.finish();
    packager.finish();
    assert.equal(endings, 1);
    assert.ok(packager.isEnded);
    assert.deepEqual(
      rendition("source").segments.map((segment) => segment.isComplete),
      [true, true],
    );
  });

  it("makes no parts without low latency", () => {
    const { play, rendition } = setUp({ isLowLatency: false, segmentTargetMs: 6000, windowSegmentCount: 5 });
    play([H264_360P], videoUnits({ ...CAMERA, untilMs: 20_000 }));
    for (const segment of completeSegments(rendition("source"))) assert.equal(segment.parts.length, 1);
  });

  it("stays sound for any frame rate, GOP and reorder depth", () => {
    const stamps = fc.record({
      framesPerSecond: fc.integer({ min: 1, max: 60 }),
      gopFrames: fc.integer({ min: 1, max: 300 }),
      ctsMs: fc.integer({ min: 0, max: 200 }),
    });
    fc.assert(
      fc.property(stamps, (each) => {
        const { packager, play } = setUp();
        play(
          [H264_360P, AAC_48K],
          videoUnits({ fromMs: 0, untilMs: 20_000, ...each }),
          audioUnits({ fromMs: 0, untilMs: 20_000 }),
        );
        assertSound(packager);
      }),
      { numRuns: 40 },
    );
  });
});

describe("partTargetFor", () => {
  it("keeps the configured target when whole frames fill it, and raises it when they do not", () => {
    assert.equal(partTargetFor(500, 1000 / 30), 500);
    assert.equal(partTargetFor(500, 1001 / 30), 501);
    assert.equal(partTargetFor(500, 40), 520);
    assert.equal(partTargetFor(500, 1000), 1000);
    assert.equal(partTargetFor(500, 1000 / 3), 667);
    assert.equal(partTargetFor(200, 1000 / 30), 200);
  });
});
