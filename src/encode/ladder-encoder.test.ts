import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { afterEach, test } from "node:test";
import { type EncodedSource, encodeSource } from "../../test/support/encoded-source.ts";
import { ffmpegOutput } from "../../test/support/ffmpeg-output.ts";
import { ManualClock, systemClock } from "../core/clock.ts";
import { Emitter } from "../core/emitter.ts";
import { silentLogger } from "../core/logger.ts";
import type { Period, Unit } from "../live/unit.ts";
import { writeChunk } from "../media/cmaf/chunk.ts";
import { writeInitSegment } from "../media/cmaf/init-segment.ts";
import { ticksToMs } from "../media/timebase.ts";
import { DEFAULT_ENCODER_SETTINGS } from "./encoder-arguments.ts";
import { findProgram } from "./ffmpeg/probe.ts";
import { type LadderRung, planLadder } from "./ladder.ts";
import { LadderEncoder, type LadderEncoderOptions, type RungSink } from "./ladder-encoder.ts";

const path = await findProgram("ffmpeg", process.env.PATH ?? "");
assert.ok(path, "these tests run ffmpeg");

const TIMEOUT = { timeout: 180_000 };
const TINY: readonly LadderRung[] = [
  { id: "top", width: 320, height: 180, videoBps: 300_000, audioBps: 96_000, profile: "main", level: "3.0" },
  { id: "bottom", width: 160, height: 90, videoBps: 100_000, audioBps: 48_000, profile: "main", level: "3.0" },
];

/** Keeps all that comes. */
class KeptRungs implements RungSink {
  readonly events = new Emitter<{ unit: { renditionId: string; period: Period; unit: Unit }; lost: string[] }>();
  readonly units: { renditionId: string; period: Period; unit: Unit }[] = [];
  readonly lost: { renditionIds: readonly string[]; reason: string }[] = [];

  onRungUnit(renditionId: string, period: Period, unit: Unit): void {
    this.units.push({ renditionId, period, unit });
    this.events.emit("unit", { renditionId, period, unit });
  }

  onRungsLost(renditionIds: readonly string[], reason: string): void {
    this.lost.push({ renditionIds, reason });
  }

  of(renditionId: string, period?: Period): Unit[] {
    return this.units
      .filter((kept) => kept.renditionId === renditionId && (!period || kept.period === period))
      .map(({ unit }) => unit);
  }

  get ids(): string[] {
    return [...new Set(this.units.map(({ renditionId }) => renditionId))].sort();
  }
}

/** Whatever a test leaves running is stopped after it. */
const encoders = new Set<LadderEncoder>();
afterEach(async () => {
  for (const encoder of encoders) await encoder.close();
  encoders.clear();
});

function makeEncoder(sink: RungSink, more: Partial<LadderEncoderOptions> = {}): LadderEncoder {
  const encoder = new LadderEncoder({
    program: { path: path as string, environment: {}, workDir: tmpdir(), niceness: 5 },
    settings: { ...DEFAULT_ENCODER_SETTINGS, preset: "ultrafast" },
    plan: (period) =>
      planLadder({ video: period.video?.format, audio: period.audio?.format }, { rungs: TINY, transcode: true }),
    sink,
    clock: systemClock,
    logger: silentLogger,
    ...more,
  });
  encoders.add(encoder);
  return encoder;
}

async function encode(source: EncodedSource, sink = new KeptRungs()): Promise<KeptRungs> {
  const encoder = makeEncoder(sink);
  encoder.onPeriod(source.period);
  for (const unit of source.units) encoder.onUnit(unit);
  await encoder.close();
  assert.deepEqual(sink.lost, []);
  assert.equal(encoder.health.crashCount, 0);
  return sink;
}

function videoOf(source: EncodedSource): Unit[] {
  return source.units.filter((unit) => unit.track.format.kind === "video");
}

function audioOf(source: EncodedSource): Unit[] {
  return source.units.filter((unit) => unit.track.format.kind === "audio");
}

/** As units come from a broadcast: a period's first decode time is its first presentation time. */
function withFirstShownAtDecodeTime(source: EncodedSource): EncodedSource {
  const delay = videoOf(source)[0]?.cts ?? 0;
  const isVideo = ({ track }: Unit) => track.format.kind === "video";
  const units = source.units.map((unit) =>
    isVideo(unit) ? { ...unit, dts: unit.dts + delay, cts: unit.cts - delay } : unit,
  );
  return { ...source, units };
}

function timesOf(units: readonly Unit[]): number[] {
  return units.map((unit) => unit.dts + unit.cts).sort((a, b) => a - b);
}

function keyTimesOf(units: readonly Unit[]): number[] {
  return timesOf(units.filter((unit) => unit.isKey));
}

function assertStrictlyRising(units: readonly Unit[]): void {
  units.reduce((before, unit) => {
    assert.ok(unit.dts > before.dts && unit.duration > 0, `${before.dts} then ${unit.dts}`);
    return unit;
  });
}

/** Every rung has exactly the source's instants, to the tick, and its key frames where the source has them. */
function assertSameInstants(source: EncodedSource, rungs: KeptRungs, ids: readonly string[]): void {
  for (const id of ids) {
    const units = rungs.of(id);
    assert.deepEqual(timesOf(units), timesOf(videoOf(source)), `instants of ${id}`);
    assert.deepEqual(keyTimesOf(units), keyTimesOf(videoOf(source)), `key frames of ${id}`);
    assert.ok(units.every((unit) => unit.cts === 0 && unit.track.timescale === 90_000));
    assertStrictlyRising(units);
  }
}

async function decodePcm(units: readonly Unit[]): Promise<Int16Array> {
  const [first] = units;
  assert.ok(first && first.track.format.kind === "audio");
  const { track } = first;
  const chunks = units.map(
    (unit, index) =>
      writeChunk({
        sequenceNumber: index + 1,
        trackId: 1,
        baseDecodeTime: unit.dts,
        samples: [unit],
        isSegmentStart: false,
      }).bytes,
  );
  const file = Buffer.concat([writeInitSegment([{ trackId: 1, ...track }]), ...chunks]);
  const url = `data:application/octet-stream;base64,${file.toString("base64")}`;
  const pcm = await ffmpegOutput("-f", "mp4", "-i", url, "-f", "s16le", "-ac", "1", "-");
  return new Int16Array(pcm.buffer, pcm.byteOffset, pcm.byteLength / 2);
}

/** Presentation times, in ms, at which a sound follows 0.2 s of silence. */
async function soundStartsMs(units: readonly Unit[]): Promise<number[]> {
  const pcm = await decodePcm(units);
  const first = units[0] as Unit;
  const rateHz = first.track.timescale;
  const starts: number[] = [];
  let lastLoud = 0;
  pcm.forEach((sample, index) => {
    if (Math.abs(sample) < 4_000) return;
    if (index - lastLoud > rateHz / 5) starts.push(ticksToMs(first.dts + index, rateHz));
    lastLoud = index;
  });
  return starts;
}

const PICTURE = "-f lavfi -i testsrc2=s=320x180:r=30";
const BEEPS = "-f lavfi -i aevalsrc=exprs=lt(mod(t\\,0.5)-0.25\\,0.05)*gte(mod(t\\,0.5)\\,0.25)*sin(6000*t)";
const X264 = "-c:v libx264 -preset ultrafast";

test("puts every rung on the source's instants, to the tick, at 30 fps with B-frames", TIMEOUT, async () => {
  const source = await encodeSource(`${PICTURE} ${BEEPS}:s=48000 -t 3 ${X264} -bf 2 -g 30 -c:a aac -b:a 160k`);
  assert.ok(
    source.units.some((unit) => unit.cts > 3000),
    "the source has B-frames",
  );
  const rungs = await encode(source);
  assert.deepEqual(rungs.ids, ["aac_48", "aac_96", "bottom", "top"]);
  assertSameInstants(source, rungs, ["top", "bottom"]);
  const top = rungs.of("top")[0]?.track.format;
  assert.ok(top?.kind === "video" && top.width === 320 && top.height === 180);
});

test("keeps audio in step within a millisecond, without its encoder's priming", TIMEOUT, async () => {
  const source = await encodeSource(`${PICTURE} ${BEEPS}:s=48000 -t 3 ${X264} -g 30 -c:a aac -b:a 160k`);
  const rungs = await encode(source);
  const expected = await soundStartsMs(audioOf(source));
  assert.ok(expected.length >= 5);
  for (const id of ["aac_96", "aac_48"]) {
    const units = rungs.of(id);
    assertStrictlyRising(units);
    assert.equal(units[0]?.dts, audioOf(source)[0]?.dts);
    const starts = await soundStartsMs(units);
    assert.equal(starts.length, expected.length);
    starts.forEach((start, index) => {
      assert.ok(Math.abs(start - (expected[index] ?? 0)) < 1, `${id}: ${start} for ${expected[index]}`);
    });
  }
});

test("follows 29.97 fps, an odd size and 44.1 kHz mono", TIMEOUT, async () => {
  const source = await encodeSource(
    `-f lavfi -i testsrc2=s=322x182:r=30000/1001 ${BEEPS}:s=44100 -t 3 ${X264} -bf 3 -g 45 -c:a aac -ac 1`,
  );
  const rungs = await encode(source);
  assertSameInstants(source, rungs, ["top", "bottom"]);
  const [unit] = rungs.of("aac_96");
  assert.ok(unit?.track.format.kind === "audio");
  assert.deepEqual([unit.track.format.sampleRateHz, unit.track.format.channelCount], [44_100, 1]);
  const starts = await soundStartsMs(rungs.of("aac_96"));
  const expected = await soundStartsMs(audioOf(source));
  assert.ok(starts.every((start, index) => Math.abs(start - (expected[index] ?? 0)) < 1));
});

test(
  "follows a portrait source whose frames are seconds and fractions apart, with its GOP of 4 s",
  TIMEOUT,
  async () => {
    const uneven = "select=not(mod(n\\,7))+not(mod(n\\,11))+lt(n\\,20)";
    const source = await encodeSource(
      `-f lavfi -i testsrc2=s=180x320:r=30 -t 9 -vf ${uneven} -fps_mode vfr -enc_time_base 1:90000 ${X264} -bf 0 ` +
        `-force_key_frames expr:gte(t,n_forced*4) -g 999`,
    );
    assert.equal(keyTimesOf(videoOf(source)).length, 3);
    const rungs = await encode(source);
    assertSameInstants(source, rungs, ["top", "bottom"]);
    const top = rungs.of("top")[0]?.track.format;
    assert.ok(top?.kind === "video" && top.width === 180 && top.height === 320);
  },
);

test("follows 1 frame per second", TIMEOUT, async () => {
  const source = await encodeSource(`-f lavfi -i testsrc2=s=320x180:r=1 -t 5 ${X264} -bf 0 -g 2`);
  assertSameInstants(source, await encode(source), ["top", "bottom"]);
});

test("follows HEVC with B-frames", TIMEOUT, async () => {
  const source = await encodeSource(
    `${PICTURE} -t 2 -c:v libx265 -preset ultrafast -x265-params log-level=none:bframes=3:keyint=30:open-gop=0 -tag:v hvc1`,
  );
  assert.ok(
    source.units.some((unit) => unit.cts > 3000),
    "the source has B-frames",
  );
  assertSameInstants(source, await encode(source), ["top", "bottom"]);
});

for (const [codec, options] of [
  ["H.264", "-c:v libx264 -preset ultrafast -bf 3 -g 25 -sc_threshold 0"],
  ["HEVC with open GOPs", "-c:v libx265 -preset ultrafast -x265-params log-level=none:bframes=3:keyint=25 -tag:v hvc1"],
] as const) {
  test(`follows B-frames in ${codec} that are shown before their decode time`, TIMEOUT, async () => {
    const source = withFirstShownAtDecodeTime(await encodeSource(`${PICTURE} -t 3 ${options}`));
    assert.ok(source.units.some(({ cts }) => cts < 0));
    assertSameInstants(source, await encode(source), ["top", "bottom"]);
  });
}

test("makes AAC of Opus, in step with what was sounded", TIMEOUT, async () => {
  const source = await encodeSource(`${BEEPS}:s=48000 -t 3 -c:a libopus -b:a 64k`);
  const rungs = await encode(source);
  assert.deepEqual(rungs.ids, ["aac_48", "aac_96"]);
  const starts = await soundStartsMs(rungs.of("aac_96"));
  assert.equal(starts.length, 6);
  starts.forEach((start, index) => {
    assert.ok(Math.abs(start - (10_250 + index * 500)) < 5, `${start}`);
  });
});

test("mixes six channels at 96 kHz down to stereo at 48 kHz", TIMEOUT, async () => {
  const source = await encodeSource("-f lavfi -i sine=r=96000 -t 2 -ac 6 -c:a flac -strict -2");
  const [unit] = (await encode(source)).of("aac_96");
  assert.ok(unit?.track.format.kind === "audio");
  assert.deepEqual([unit.track.timescale, unit.track.format.channelCount], [48_000, 2]);
});

test("drains a period before it gives out the next one", TIMEOUT, async () => {
  const first = await encodeSource(`${PICTURE} -t 2 ${X264} -g 30`);
  const second = await encodeSource(`-f lavfi -i testsrc2=s=640x360:r=25 -t 2 ${X264} -g 25`, {
    startMs: 12_500,
    index: 1,
  });
  const rungs = new KeptRungs();
  const encoder = makeEncoder(rungs);
  for (const { period, units } of [first, second]) {
    encoder.onPeriod(period);
    for (const unit of units) encoder.onUnit(unit);
  }
  await encoder.close();
  for (const id of ["top", "bottom"]) {
    assert.deepEqual(timesOf(rungs.of(id, first.period)), timesOf(videoOf(first)));
    assert.deepEqual(timesOf(rungs.of(id, second.period)), timesOf(videoOf(second)));
    assertStrictlyRising(rungs.of(id));
  }
  assert.deepEqual(rungs.lost, []);
});

test("comes back at a key frame after its encoder was killed", TIMEOUT, async () => {
  const source = await encodeSource(`${PICTURE} ${BEEPS}:s=48000 -t 6 ${X264} -bf 0 -g 30 -c:a aac`);
  const rungs = new KeptRungs();
  const encoder = makeEncoder(rungs);
  const started = encoder.events.next("start");
  encoder.onPeriod(source.period);
  const { pid } = await started;
  const half = Math.floor(source.units.length / 2) + 20;
  const firstOut = rungs.events.next("unit", ({ renditionId }) => renditionId === "bottom");
  for (const unit of source.units.slice(0, half)) encoder.onUnit(unit);
  await firstOut;
  const crashed = encoder.events.next("crash");
  const restarted = encoder.events.next("start");
  assert.ok(pid);
  process.kill(pid, "SIGKILL");
  const { reason, retryInMs } = await crashed;
  assert.match(reason, /ended by SIGKILL/);
  assert.equal(retryInMs, 500);
  assert.deepEqual(rungs.lost[0]?.renditionIds, ["top", "bottom", "aac_96", "aac_48"]);
  const keptCount = rungs.units.length;
  await restarted;
  for (const unit of source.units.slice(half)) encoder.onUnit(unit);
  await encoder.close();
  const after = rungs.units.slice(keptCount).filter(({ renditionId }) => renditionId === "top");
  const wanted = videoOf(source).filter((unit) => source.units.indexOf(unit) >= half);
  const firstKey = wanted.findIndex((unit) => unit.isKey);
  assert.ok(firstKey > 0, "the cut is within a GOP");
  assert.deepEqual(timesOf(after.map(({ unit }) => unit)), timesOf(wanted.slice(firstKey)));
  for (const id of rungs.ids) assertStrictlyRising(rungs.of(id));
  assert.equal(encoder.health.droppedUnitCount, firstKey);
});

/** A clock that moves when it is told to, so that a stopped encoder is late at once. */
async function stoppedEncoder(source: EncodedSource) {
  const clock = new ManualClock();
  const rungs = new KeptRungs();
  const encoder = makeEncoder(rungs, { clock, behindAfterMs: 1_000 });
  const started = encoder.events.next("start");
  encoder.onPeriod(source.period);
  const { pid } = await started;
  assert.ok(pid);
  process.kill(pid, "SIGSTOP");
  return { clock, rungs, encoder };
}

test("sheds the top rung when it is behind, and goes on with the rest", TIMEOUT, async () => {
  const source = await encodeSource(`${PICTURE} -t 6 ${X264} -bf 0 -g 30`);
  const { clock, rungs, encoder } = await stoppedEncoder(source);
  const shed: string[] = [];
  encoder.events.on("shed", ({ renditionId }) => shed.push(renditionId));
  for (const unit of source.units.slice(0, 65)) encoder.onUnit(unit);
  assert.deepEqual(shed, [], "a burst of input is no delay");
  clock.advance(1_001);
  for (const unit of source.units.slice(65)) encoder.onUnit(unit);
  assert.deepEqual(shed, ["top"]);
  assert.deepEqual(
    rungs.lost.map(({ renditionIds }) => renditionIds),
    [["top"]],
  );
  assert.match(rungs.lost[0]?.reason ?? "", /behind real time/);
  assert.deepEqual(encoder.health.shedRenditionIds, ["top"]);
  await encoder.close();
  assert.deepEqual(rungs.ids, ["bottom"]);
  assert.deepEqual(timesOf(rungs.of("bottom")), timesOf(videoOf(source).slice(90)));
  const plans: string[][] = [];
  encoder.events.on("plan", ({ plan }) => plans.push(plan.video.map((rung) => rung.id)));
  encoder.onPeriod({ ...source.period, index: 1 });
  await encoder.close();
  assert.deepEqual(plans, [["bottom"]], "what was shed stays away in the next period");
});

test("leaves the source alone when the last rung was shed", TIMEOUT, async () => {
  const source = await encodeSource(`${PICTURE} -t 3 ${X264} -bf 0 -g 30`);
  const { clock, rungs, encoder } = await stoppedEncoder(source);
  for (const unit of source.units.slice(0, 40)) encoder.onUnit(unit);
  encoder.events.on("start", ({ pid }) => pid && process.kill(pid, "SIGSTOP"));
  clock.advance(1_001);
  for (const unit of source.units.slice(40, 61)) encoder.onUnit(unit);
  assert.deepEqual(encoder.health.shedRenditionIds, ["top"]);
  for (const unit of source.units.slice(61)) encoder.onUnit(unit);
  clock.advance(1_001);
  encoder.onUnit({ ...(source.units.at(-1) as Unit), dts: 20 * 90_000 });
  assert.deepEqual(encoder.health.shedRenditionIds, ["top", "bottom"]);
  assert.equal(encoder.health.isRunning, false);
  await encoder.close();
  assert.deepEqual(rungs.units, []);
});

test("does not take a source that pauses for a slow encoder", TIMEOUT, async () => {
  const source = await encodeSource(`${PICTURE} -t 2 ${X264} -bf 0 -g 30`);
  const clock = new ManualClock();
  const rungs = new KeptRungs();
  const encoder = makeEncoder(rungs, { clock, behindAfterMs: 1_500 });
  encoder.onPeriod(source.period);
  const nearEnd = rungs.events.next("unit", ({ unit }) => unit.dts >= (source.units[25]?.dts ?? 0));
  for (const unit of source.units.slice(0, 30)) encoder.onUnit(unit);
  await nearEnd;
  clock.advance(60_000);
  for (const unit of source.units.slice(30)) encoder.onUnit(unit);
  assert.deepEqual(encoder.health.shedRenditionIds, []);
  await encoder.close();
  assert.deepEqual(timesOf(rungs.of("top")), timesOf(videoOf(source)));
});

test("sheds the top rung when more waits than may", TIMEOUT, async () => {
  const source = await encodeSource(`${PICTURE} -t 4 ${X264} -b:v 8M -bf 0 -g 30`);
  const rungs = new KeptRungs();
  const encoder = makeEncoder(rungs, { maxQueueBytes: 20_000 });
  const started = encoder.events.next("start");
  encoder.onPeriod(source.period);
  const { pid } = await started;
  assert.ok(pid);
  process.kill(pid, "SIGSTOP");
  const shed = encoder.events.next("shed");
  for (const unit of source.units) encoder.onUnit(unit);
  assert.match((await shed).reason, /queue is full/);
  await encoder.close();
});

test("runs nothing when nothing is planned", TIMEOUT, async () => {
  const source = await encodeSource(`${PICTURE} -t 1 ${X264}`);
  const rungs = new KeptRungs();
  const encoder = makeEncoder(rungs, { plan: () => ({ video: [], audio: [] }) });
  encoder.onPeriod(source.period);
  for (const unit of source.units) encoder.onUnit(unit);
  assert.equal(encoder.health.isRunning, false);
  await encoder.close();
  assert.deepEqual(rungs.units, []);
});

test(
  "has no more than three encoders at once, however often periods begin, and encodes the last one",
  TIMEOUT,
  async () => {
    const source = await encodeSource(`${PICTURE} -t 2 ${X264} -bf 0 -g 30`);
    const sink = new KeptRungs();
    const encoder = makeEncoder(sink);
    let startCount = 0;
    encoder.events.on("start", () => {
      startCount += 1;
    });
    for (let index = 0; index < 10; index++) encoder.onPeriod({ ...source.period, index });
    assert.equal(startCount, 3);
    assert.ok(sink.lost.length > 0, "players are told that rungs are away");
    const last = { ...source.period, index: 10 };
    encoder.onPeriod(last);
    await encoder.events.next("start");
    for (const unit of source.units) encoder.onUnit(unit);
    await encoder.close();
    assert.equal(startCount, 4);
    assert.deepEqual(timesOf(sink.of("bottom", last)), timesOf(videoOf(source)));
  },
);
