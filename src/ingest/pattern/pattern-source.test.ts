import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { systemClock } from "../../core/clock.ts";
import { Emitter } from "../../core/emitter.ts";
import { DomainError } from "../../core/errors.ts";
import { silentLogger } from "../../core/logger.ts";
import { findProgram } from "../../encode/ffmpeg/probe.ts";
import { FfmpegProcess } from "../../encode/ffmpeg/process.ts";
import type { Publication, SourceUnit } from "../../live/publication.ts";
import { writeChunk } from "../../media/cmaf/chunk.ts";
import { writeInitSegment } from "../../media/cmaf/init-segment.ts";
import type { MediaFormat } from "../../media/format.ts";
import { ticksToMs } from "../../media/timebase.ts";
import { readClockOfPicture } from "./clock-strip.ts";
import { PatternSource } from "./pattern-source.ts";

const path = await findProgram("ffmpeg", process.env.PATH ?? "");
assert.ok(path, "these tests run ffmpeg");
const TIMEOUT = { timeout: 120_000 };

/** Keeps what is published, with the wall clock of its arrival. */
class KeptPublication implements Publication {
  readonly ending = new AbortController();
  readonly signal = this.ending.signal;
  readonly events = new Emitter<{ unit: SourceUnit; closed: string }>();
  readonly formats = new Map<string, MediaFormat>();
  readonly units: (SourceUnit & { arrivedAtMs: number })[] = [];
  expected: { video: boolean; audio: boolean } | undefined;

  expect(media: { video: boolean; audio: boolean }): void {
    this.expected = media;
  }

  setFormat(format: MediaFormat): void {
    this.formats.set(format.kind, format);
  }

  write(unit: SourceUnit): void {
    this.units.push({ ...unit, arrivedAtMs: systemClock.nowMs() });
    this.events.emit("unit", unit);
  }

  close(reason: string): void {
    this.events.emit("closed", reason);
  }

  of(kind: SourceUnit["kind"]) {
    return this.units.filter((unit) => unit.kind === kind);
  }
}

function makeSource(publication: Publication) {
  const children: FfmpegProcess[] = [];
  const source = new PatternSource({
    publication,
    startEncoder: (start) => {
      const program = { path: path as string, environment: {}, workDir: tmpdir(), niceness: 0 };
      const child = new FfmpegProcess({ ...start, program, clock: systemClock });
      children.push(child);
      return child;
    },
    clock: systemClock,
    logger: silentLogger,
  });
  return { source, children };
}

/** The clocks that the frames show, small pictures decoded by another ffmpeg. */
async function shownClocks(publication: KeptPublication): Promise<(number | undefined)[]> {
  const format = publication.formats.get("video");
  assert.ok(format?.kind === "video");
  const chunks = publication.of("video").map(
    (unit, index) =>
      writeChunk({
        sequenceNumber: index + 1,
        trackId: 1,
        baseDecodeTime: unit.dts,
        samples: [{ ...unit, duration: 3000 }],
        isSegmentStart: false,
      }).bytes,
  );
  const file = Buffer.concat([writeInitSegment([{ trackId: 1, timescale: 90_000, format }]), ...chunks]);
  const [width, height] = [640, 360];
  const pictures = await new Promise<Buffer>((resolve, reject) => {
    const line = `-v error -f mp4 -i pipe:0 -fps_mode passthrough -vf scale=${width}:${height} -f rawvideo -pix_fmt rgba -`;
    const options = { encoding: "buffer" as const, maxBuffer: 2 ** 30 };
    const child = execFile(path as string, line.split(" "), options, (error, stdout) =>
      error ? reject(error) : resolve(stdout),
    );
    child.stdin?.end(file);
  });
  const bytes = width * height * 4;
  return Array.from({ length: pictures.length / bytes }, (_, index) =>
    readClockOfPicture(pictures.subarray(index * bytes, (index + 1) * bytes), width, height, Date.now()),
  );
}

test("publishes a picture whose clock is right and a tone, in real time", TIMEOUT, async () => {
  const publication = new KeptPublication();
  const { source, children } = makeSource(publication);
  const stop = new AbortController();
  const closed = publication.events.next("closed");
  const running = source.run(stop.signal);
  await publication.events.next("unit", () => publication.of("video").length === 75);
  stop.abort();
  await running;
  assert.equal(await closed, "the test picture was stopped");
  assert.deepEqual(
    children.map((child) => child.hasExited),
    [true],
  );

  assert.deepEqual(publication.expected, { video: true, audio: true, videoBps: 2_500_000, audioBps: 128_000 });
  const video = publication.formats.get("video");
  const audio = publication.formats.get("audio");
  assert.ok(video?.kind === "video" && video.width === 1280 && video.height === 720);
  assert.deepEqual(video.frameRate && video.frameRate.numerator / video.frameRate.denominator, 30);
  assert.ok(audio?.kind === "audio" && audio.sampleRateHz === 48_000 && audio.channelCount === 2);

  const frames = publication.of("video");
  assert.ok(frames[0]?.isKey && frames[60]?.isKey && !frames[30]?.isKey);
  assert.ok(frames.every((unit) => unit.dts % 3000 === 0 && unit.cts === 0));
  const sounds = publication.of("audio");
  assert.ok(sounds.slice(1).every((unit, index) => unit.dts - (sounds[index]?.dts ?? 0) === 1024));
  const apartMs = ticksToMs(sounds[0]?.dts ?? 0, 48_000) - ticksToMs(frames[0]?.dts ?? 0, 90_000);
  assert.ok(Math.abs(apartMs) < 22, `audio begins ${apartMs} ms after video`);

  const clocks = await shownClocks(publication);
  assert.equal(clocks.length, frames.length);
  const delays = clocks.map((shownMs, index) => (frames[index]?.arrivedAtMs ?? 0) - (shownMs ?? Number.NaN));
  assert.ok(
    delays.every((delay) => delay >= 0 && delay < 60_000),
    `delays ${delays}`,
  );
  // Media time goes as the drawn clock goes: each frame is drawn when it is due, late ones not at all.
  const offsets = clocks.map((shownMs, index) => (shownMs ?? Number.NaN) - ticksToMs(frames[index]?.dts ?? 0, 90_000));
  assert.ok(Math.max(...offsets) - Math.min(...offsets) < 40, `offsets ${offsets}`);
});

test("starts its encoder again when that was killed, and media time goes on", TIMEOUT, async () => {
  const publication = new KeptPublication();
  const { source, children } = makeSource(publication);
  const stop = new AbortController();
  const running = source.run(stop.signal);
  await publication.events.next("unit", ({ kind }) => kind === "video");
  const [first] = children;
  assert.ok(first?.pid);
  process.kill(first.pid, "SIGKILL");
  await first.exited;
  const before = publication.units.length;
  const again = await publication.events.next("unit", ({ kind }) => kind === "video");
  stop.abort();
  await running;
  assert.equal(children.length, 2);
  const newest = publication.units
    .slice(0, before)
    .filter((unit) => unit.kind === "video")
    .at(-1);
  assert.ok(again.isKey && again.dts > (newest?.dts ?? 0) + 90_000, "with a gap of the time that it was away");
  assert.ok(children.every((child) => child.hasExited));
});

test("ends when the right to publish ends", TIMEOUT, async () => {
  const publication = new KeptPublication();
  const { source, children } = makeSource(publication);
  const closed = publication.events.next("closed");
  const running = source.run(new AbortController().signal);
  await publication.events.next("unit");
  publication.ending.abort(new DomainError("STREAM_BUSY", "the stream was deleted"));
  await running;
  assert.equal(await closed, "the stream was deleted");
  assert.ok(children.every((child) => child.hasExited));
});
