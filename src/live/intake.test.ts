import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  AAC_44K,
  AAC_48K,
  audioUnits,
  H264_360P,
  H264_720P,
  interleave,
  MP3_48K,
  videoUnits,
} from "../../test/support/source-units.ts";
import { ManualClock } from "../core/clock.ts";
import { ticksToMs } from "../media/timebase.ts";
import { Intake } from "./intake.ts";
import type { SourceUnit } from "./publication.ts";
import type { LiveReader, Period, Unit } from "./unit.ts";

/** Keeps everything that an intake gives, by period. */
class Recorder implements LiveReader {
  readonly periods: { period: Period; units: Unit[] }[] = [];
  interruptions = 0;
  hasEnded = false;

  onPeriod(period: Period): void {
    this.periods.push({ period, units: [] });
  }
  onUnit(unit: Unit): void {
    this.periods.at(-1)?.units.push(unit);
  }
  onInterrupted(): void {
    this.interruptions++;
  }
  onEnd(): void {
    this.hasEnded = true;
  }

  units(kind: "video" | "audio", index = 0): Unit[] {
    return (this.periods[index]?.units ?? []).filter((unit) => unit.track.format.kind === kind);
  }
}

function setUp() {
  const clock = new ManualClock();
  const sink = new Recorder();
  const jumps: number[] = [];
  const intake = new Intake({
    clock,
    sink,
    sampleCount: () => undefined,
    onTimestampJump: (jumpMs) => jumps.push(jumpMs),
  });
  /** Writes units while the wall clock keeps pace with their stamps. */
  const play = (units: readonly SourceUnit[]) => {
    let atMs = units[0]?.dts ?? 0;
    for (const unit of units) {
      if (unit.dts > atMs) clock.advance(unit.dts - atMs);
      atMs = Math.max(atMs, unit.dts);
      intake.write(unit);
    }
  };
  return { clock, sink, intake, jumps, play };
}

const mp3Units = (fromMs: number, untilMs: number) => audioUnits({ fromMs, untilMs, samplesPerUnit: 1152 });

const startOf = (unit: Unit | undefined) => (unit ? ticksToMs(unit.dts + unit.cts, unit.track.timescale) : Number.NaN);

/** Durations lead from each unit exactly to the next. */
function assertUnbroken(units: readonly Unit[]): void {
  for (const [index, unit] of units.entries()) {
    assert.ok(unit.duration > 0);
    const next = units[index + 1];
    if (next) assert.equal(unit.dts + unit.duration, next.dts);
  }
}

describe("Intake", () => {
  it("starts a period at the first key frame, with both tracks on one timeline", () => {
    const { intake, sink, play } = setUp();
    intake.setFormat(H264_360P);
    intake.setFormat(AAC_48K);
    const video = videoUnits({ fromMs: 5000, untilMs: 7000, framesPerSecond: 25, gopFrames: 50 });
    play(interleave(video, audioUnits({ fromMs: 4900, untilMs: 7000 })));
    intake.end();

    assert.equal(sink.periods.length, 1);
    assert.equal(sink.periods[0]?.period.startMs, 10_000);
    assert.equal(startOf(sink.units("video")[0]), 10_000);
    assert.ok(Math.abs(startOf(sink.units("audio")[0]) - 10_000) < 22, "audio from before the picture is left out");
    assert.equal(sink.units("video").length, 50);
    assertUnbroken(sink.units("video"));
    assertUnbroken(sink.units("audio"));
    assert.ok(sink.hasEnded);
  });

  it("keeps presentation times to the tick and starts decode time at the first of them", () => {
    const { intake, sink, play } = setUp();
    intake.expect({ video: true, audio: false });
    intake.setFormat(H264_360P);
    const video = videoUnits({ fromMs: 0, untilMs: 1000, framesPerSecond: 29.97, gopFrames: 60, ctsMs: 67 });
    play(video);
    intake.end();

    const units = sink.units("video");
    assert.equal(units[0]?.dts, 900_000);
    assert.equal(units[0]?.cts, 0);
    assert.deepEqual(
      units.map((unit) => unit.dts + unit.cts - 900_000),
      video.map((unit) => unit.dts * 90),
    );
  });

  it("runs audio on its sample count, so that millisecond stamps do not make it stutter", () => {
    const { intake, sink, play } = setUp();
    intake.expect({ video: false, audio: true });
    intake.setFormat(AAC_44K);
    play(audioUnits({ fromMs: 0, untilMs: 60_000, sampleRateHz: 44_100 }));
    intake.end();

    const durations = new Set(sink.units("audio").map((unit) => unit.duration));
    assert.deepEqual([...durations], [1024]);
  });

  it("fills a hole in audio with silence, to the place where audio goes on, and drops audio that overlaps", () => {
    const { intake, sink, play } = setUp();
    intake.expect({ video: false, audio: true });
    intake.setFormat(AAC_48K);
    play([...audioUnits({ fromMs: 0, untilMs: 1000 }), ...audioUnits({ fromMs: 3500, untilMs: 4000 })]);
    play(audioUnits({ fromMs: 3600, untilMs: 4500 }));
    intake.end();

    const units = sink.units("audio");
    assertUnbroken(units);
    assert.deepEqual([...new Set(units.map(({ duration }) => duration))], [1024]);
    const filledMs = units.filter(({ isFill }) => isFill).length * (1024 / 48);
    assert.ok(Math.abs(filledMs - 2500) < 43, `${filledMs} ms of silence`);
    assert.equal(sink.periods.length, 1);
    assert.ok(Math.abs(startOf(units.at(-1)) - 14_500) < 43);
  });

  it("begins a new period behind a hole in audio that cannot be filled", () => {
    const { intake, sink, play } = setUp();
    intake.expect({ video: false, audio: true });
    intake.setFormat(MP3_48K);
    play([...mp3Units(0, 1000), ...mp3Units(1500, 2000), ...mp3Units(2060, 2500)]);
    intake.end();

    assert.deepEqual(
      sink.periods.map(({ period }) => Math.round(period.startMs / 50) * 50),
      [10_000, 11_500],
    );
    for (const index of [0, 1]) assertUnbroken(sink.units("audio", index));
  });

  it("loses no picture to a hole in audio that cannot be filled", () => {
    const { intake, sink, play } = setUp();
    intake.expect({ video: true, audio: true });
    intake.setFormat(H264_360P);
    intake.setFormat(MP3_48K);
    const video = videoUnits({ fromMs: 0, untilMs: 6000, framesPerSecond: 25, gopFrames: 50 });
    play(interleave(video, mp3Units(0, 2500), mp3Units(3000, 6000)));
    intake.end();

    assert.deepEqual(
      sink.periods.map(({ period }) => period.startMs),
      [10_000, 14_000],
    );
    assert.equal(sink.units("video", 0).length + sink.units("video", 1).length, 150);
    assert.ok(sink.units("audio", 0).every(({ duration }) => duration === 1152));
  });

  it("lets silence be heard where a publisher that returns brings no audio, and its audio once that comes", () => {
    const { clock, intake, sink, play } = setUp();
    const video = (fromMs: number, untilMs: number) =>
      videoUnits({ fromMs, untilMs, framesPerSecond: 25, gopFrames: 50 });
    intake.expect({ video: true, audio: true });
    intake.setFormat(H264_360P);
    intake.setFormat(AAC_48K);
    play(interleave(video(0, 2000), audioUnits({ fromMs: 0, untilMs: 2000 })));
    intake.interrupt();
    clock.advance(3000);
    intake.expect({ video: true, audio: false });
    intake.setFormat(H264_360P);
    play(video(0, 2000));
    intake.setFormat(AAC_48K);
    play(interleave(video(2000, 4000), audioUnits({ fromMs: 2000, untilMs: 4000 })));
    intake.end();

    assert.equal(sink.periods.length, 2, "the format is the same: audio goes on in its period");
    assert.equal(sink.periods[1]?.period.audio?.format, AAC_48K);
    const units = sink.units("audio", 1);
    assertUnbroken(units);
    assert.ok(units.slice(0, 90).every(({ isFill }) => isFill));
    assert.ok(units.slice(95).every(({ isFill }) => !isFill));
    const [picture, sound] = [sink.units("video", 1), units].map((list) => startOf(list.at(-1)));
    assert.ok(Math.abs((picture ?? 0) - (sound ?? 0)) < 60);
  });

  it("lets silence be heard when audio stops beside the picture, and takes its return for no jump", () => {
    const { intake, sink, jumps, play } = setUp();
    intake.setFormat(H264_360P);
    intake.setFormat(AAC_48K);
    const video = videoUnits({ fromMs: 0, untilMs: 20_000, framesPerSecond: 25, gopFrames: 50 });
    const audio = [...audioUnits({ fromMs: 0, untilMs: 4000 }), ...audioUnits({ fromMs: 14_000, untilMs: 20_000 })];
    play(interleave(video, audio));
    intake.end();

    assert.deepEqual(jumps, []);
    assert.equal(sink.periods.length, 1);
    assertUnbroken(sink.units("audio"));
    const filledMs = sink.units("audio").filter(({ isFill }) => isFill).length * (1024 / 48);
    assert.ok(Math.abs(filledMs - 10_000) < 60, `${filledMs} ms of silence`);
  });

  it("begins with audio alone when the video that was announced does not come, and anew when it does", () => {
    for (const announce of ["metadata", "configuration"]) {
      const { intake, sink, play } = setUp();
      intake.expect({ video: true, audio: true });
      if (announce === "configuration") intake.setFormat(H264_360P);
      intake.setFormat(AAC_48K);
      play(audioUnits({ fromMs: 0, untilMs: 4900 }));
      assert.equal(sink.periods.length, 0, announce);
      play(audioUnits({ fromMs: 4900, untilMs: 7000 }));
      assert.equal(sink.periods.length, 1, announce);
      assert.equal(sink.periods[0]?.period.video, undefined);
      assert.ok(sink.units("audio").length > 300, "nothing of the wait is lost");
      intake.setFormat(H264_360P);
      const video = videoUnits({ fromMs: 7000, untilMs: 9000, framesPerSecond: 25, gopFrames: 50 });
      play(interleave(video, audioUnits({ fromMs: 7000, untilMs: 9000 })));
      intake.end();
      assert.equal(sink.periods.length, 2, announce);
      assert.equal(sink.periods[1]?.period.video?.format, H264_360P);
      assert.equal(sink.units("video", 1).length, 50);
    }
  });

  it("goes on with audio alone in a new period when pictures come no more, and with both when they do again", () => {
    const { intake, sink, play } = setUp();
    intake.setFormat(H264_360P);
    intake.setFormat(AAC_48K);
    const video = (fromMs: number, untilMs: number) =>
      videoUnits({ fromMs, untilMs, framesPerSecond: 25, gopFrames: 50 });
    play(
      interleave(
        video(0, 4000),
        audioUnits({ fromMs: 0, untilMs: 4000 }),
        audioUnits({ fromMs: 4000, untilMs: 14_000 }),
      ),
    );
    assert.deepEqual(
      sink.periods.map(({ period }) => period.video !== undefined),
      [true, false],
    );
    play(interleave(video(14_000, 16_000), audioUnits({ fromMs: 14_000, untilMs: 16_000 })));
    intake.end();
    assert.deepEqual(
      sink.periods.map(({ period }) => period.video !== undefined),
      [true, false, true],
    );
  });

  it("takes many small steps back for a jump, but not the jitter of a clock", () => {
    const { intake, sink, jumps, play } = setUp();
    intake.expect({ video: true, audio: false });
    intake.setFormat(H264_360P);
    const stretch = (fromMs: number, untilMs: number) =>
      videoUnits({ fromMs, untilMs, framesPerSecond: 25, gopFrames: 25 });
    for (let round = 0; round < 100; round++) play(stretch(round * 990, round * 990 + 1000));
    assert.deepEqual(jumps, []);
    for (let round = 0; round < 4; round++) play(stretch(200_000 + round * 100, 201_000 + round * 100));
    intake.end();
    assert.ok(jumps.length >= 2 && jumps.slice(1).every((jumpMs) => jumpMs < -1000), JSON.stringify(jumps));
    assert.ok(sink.periods.length >= 3);
  });

  it("says with which bit rate a period begins: as announced, else as measured before", () => {
    const { intake, sink, play } = setUp();
    const video = videoUnits({ fromMs: 0, untilMs: 10_000, framesPerSecond: 25, gopFrames: 50 });
    intake.expect({ video: true, audio: false });
    intake.setFormat(H264_360P);
    play(video);
    intake.interrupt();
    intake.expect({ video: true, audio: false });
    intake.setFormat(H264_360P);
    play(video);
    intake.interrupt();
    intake.expect({ video: true, audio: false, videoBps: 2_500_000 });
    intake.setFormat(H264_360P);
    play(video);
    const [first, second, third] = sink.periods.map(({ period }) => period.video?.sourceBps);
    assert.equal(first, undefined);
    assert.ok(second && Math.abs(second - 106_000) < 2000, `${second} bit/s`);
    assert.equal(third, 2_500_000);
  });

  it("waits for announced audio, but not for ever", () => {
    const { intake, sink, play } = setUp();
    intake.expect({ video: true, audio: true });
    intake.setFormat(H264_360P);
    play(videoUnits({ fromMs: 0, untilMs: 900, framesPerSecond: 25, gopFrames: 50 }));
    assert.equal(sink.periods.length, 0);
    play(videoUnits({ fromMs: 900, untilMs: 1500, framesPerSecond: 25, gopFrames: 50 }));
    assert.equal(sink.periods.length, 1);
    assert.equal(sink.periods[0]?.period.audio, undefined);
    assert.equal(startOf(sink.units("video")[0]), 10_000, "nothing of the wait is lost");
  });

  it("takes in audio that starts late with a new period at the next key frame", () => {
    const { intake, sink, play } = setUp();
    intake.expect({ video: true, audio: false });
    intake.setFormat(H264_360P);
    play(videoUnits({ fromMs: 0, untilMs: 3000, framesPerSecond: 25, gopFrames: 50 }));
    intake.setFormat(AAC_48K);
    const video = videoUnits({ fromMs: 4000, untilMs: 6000, framesPerSecond: 25, gopFrames: 50 });
    play(
      interleave(
        videoUnits({ fromMs: 3000, untilMs: 4000, framesPerSecond: 25, gopFrames: 50 }).map((u) => ({
          ...u,
          isKey: false,
        })),
        video,
        audioUnits({ fromMs: 3000, untilMs: 6000 }),
      ),
    );
    intake.end();

    assert.equal(sink.periods.length, 2);
    assert.equal(sink.periods[1]?.period.startMs, 14_000);
    assert.equal(sink.periods[1]?.period.audio?.format, AAC_48K);
    assertUnbroken(sink.units("video", 0));
    assert.equal(startOf(sink.units("video", 1)[0]), 14_000, "the picture goes on without a hole");
  });

  it("begins a new period when the video's configuration changes", () => {
    const { intake, sink, play } = setUp();
    intake.expect({ video: true, audio: false });
    intake.setFormat(H264_360P);
    play(videoUnits({ fromMs: 0, untilMs: 2000, framesPerSecond: 25, gopFrames: 50 }));
    intake.setFormat(H264_720P);
    play(videoUnits({ fromMs: 2000, untilMs: 4000, framesPerSecond: 25, gopFrames: 50 }));
    intake.end();

    assert.deepEqual(
      sink.periods.map(({ period }) => [period.startMs, period.video?.format.width]),
      [
        [10_000, 640],
        [12_000, 1280],
      ],
    );
  });

  it("goes on in the same period when the same configuration is sent again", () => {
    const { intake, sink, play } = setUp();
    intake.expect({ video: true, audio: false });
    intake.setFormat(H264_360P);
    play(videoUnits({ fromMs: 0, untilMs: 2000, framesPerSecond: 25, gopFrames: 50 }));
    intake.setFormat({ ...H264_360P });
    play(videoUnits({ fromMs: 2000, untilMs: 4000, framesPerSecond: 25, gopFrames: 50 }));
    assert.equal(sink.periods.length, 1);
  });

  for (const [name, jumpMs] of [
    ["forward", 3_600_000],
    ["back", -90_000],
  ] as const) {
    it(`begins one new period, at wall time, when the publisher's clock jumps ${name}`, () => {
      const { intake, sink, jumps, play } = setUp();
      intake.setFormat(H264_360P);
      intake.setFormat(AAC_48K);
      const from = 100_000;
      const stretch = (fromMs: number) =>
        interleave(
          videoUnits({ fromMs, untilMs: fromMs + 4000, framesPerSecond: 25, gopFrames: 50 }),
          audioUnits({ fromMs, untilMs: fromMs + 4000 }),
        );
      play(stretch(from));
      const after = stretch(from + 4000 + jumpMs);
      // The audio's jump comes a little after the video's, as encoders interleave.
      const strays = audioUnits({ fromMs: from + 4000, untilMs: from + 4060 });
      play([...after.slice(0, 1), ...strays, ...after.slice(1)]);
      intake.end();

      assert.equal(sink.periods.length, 2);
      assert.equal(jumps.length, 1);
      const second = sink.periods[1]?.period;
      assert.ok(second && Math.abs(second.startMs - 14_000) < 100, `starts at ${second?.startMs}`);
      assert.ok(sink.units("audio", 1).length > 150);
      assertUnbroken(sink.units("audio", 1));
    });
  }

  for (const [name, rate] of [
    ["slow", 0.9995],
    ["fast", 1.0005],
  ] as const) {
    it(`stays with the wall clock when the publisher's clock is ${name}`, () => {
      const { clock, intake, sink } = setUp();
      intake.expect({ video: true, audio: false });
      intake.setFormat(H264_360P);
      for (const unit of videoUnits({ fromMs: 0, untilMs: 4 * 3_600_000, framesPerSecond: 10, gopFrames: 20 })) {
        intake.write(unit);
        clock.advance(100 / rate);
      }
      intake.end();
      assert.ok(sink.periods.length > 3);
      for (const { period, units } of sink.periods) {
        const last = units.at(-1);
        assert.ok(last);
        const lateMs = last.arrivedAtMs - period.wallZeroMs - ticksToMs(last.dts, last.track.timescale);
        assert.ok(Math.abs(lateMs) < 2000, `${lateMs} ms from the wall clock`);
      }
    });
  }

  it("continues after an interruption at the wall clock's place, with the same wall zero", () => {
    const { clock, intake, sink, play } = setUp();
    intake.expect({ video: true, audio: false });
    intake.setFormat(H264_360P);
    play(videoUnits({ fromMs: 0, untilMs: 2000, framesPerSecond: 25, gopFrames: 50 }));
    intake.interrupt();
    clock.advance(7000);
    intake.expect({ video: true, audio: false });
    intake.setFormat(H264_360P);
    play(videoUnits({ fromMs: 0, untilMs: 2000, framesPerSecond: 25, gopFrames: 50 }));
    intake.end();

    const [first, second] = sink.periods.map(({ period }) => period);
    assert.equal(sink.interruptions, 1);
    assert.equal(first?.wallZeroMs, second?.wallZeroMs);
    assert.equal(second?.startMs, 10_000 + 1960 + 7000);
  });

  it("never gives broken time, whatever stamps come", () => {
    const unit = fc.record({
      kind: fc.constantFrom("video" as const, "audio" as const),
      dts: fc.integer({ min: -100_000, max: 5_000_000 }),
      cts: fc.integer({ min: -500, max: 500 }),
      isKey: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 200 }), (units) => {
        const { intake, sink } = setUp();
        intake.setFormat(H264_360P);
        intake.setFormat(AAC_48K);
        for (const each of units) intake.write({ ...each, timescale: 1000, data: new Uint8Array(10) });
        intake.end();
        let endMs = 0;
        for (const [index, { period }] of sink.periods.entries()) {
          assert.ok(period.startMs >= endMs, "periods follow each other");
          for (const kind of ["video", "audio"] as const) {
            const of = sink.units(kind, index);
            assertUnbroken(of);
            const last = of.at(-1);
            if (last) endMs = Math.max(endMs, Math.floor(ticksToMs(last.dts + last.duration, last.track.timescale)));
          }
        }
      }),
    );
  });
});
