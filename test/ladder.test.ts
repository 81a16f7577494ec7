import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Headwater, soon, startHeadwater } from "./support/headwater.ts";
import type { LogLine } from "./support/logged-process.ts";
import {
  encodeFile,
  publishWithFfmpeg,
  publishWithModernFfmpeg,
  type SourceOptions,
  sourceArguments,
} from "./support/publishers.ts";
import {
  clickTimesMs,
  decodePeriods,
  type ReadPresentation,
  type ReadRendition,
  readEnded,
  rendition,
  samplesOf,
  untilPlaylist,
} from "./support/readers.ts";

const SOURCE = { size: "640x360", audio: "clicks", videoBitrate: "800k" } as const;
const BODY = { reconnect_window_ms: 0, qualities: ["360p", "240p"] };

let server: Headwater;
let directory = "";
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "headwater-ladder-"));
  server = await startHeadwater({ settings: { "live-max-concurrent-streams": "50" } });
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

/** Publishes to its end and reads what is there then. */
async function broadcast(options: SourceOptions, body: object = BODY) {
  const stream = await server.createStream(body);
  await using publisher = publishWithFfmpeg(stream.publishUrl, { ...SOURCE, ...options });
  const { code, stderr } = await publisher.ended;
  assert.equal(code, 0, stderr);
  await stream.until("ready", soon());
  return { stream, presentation: await readEnded(stream.hlsUrl, soon()) };
}

const idsOf = ({ renditions }: ReadPresentation) => [...renditions.keys()].sort();

/** Presentation instants of key frames, in ticks. */
function keyTimes(of: ReadRendition): number[] {
  return samplesOf(of).flatMap(({ isKey, dts, cts }) => (isKey ? [dts + cts] : []));
}

/** Number and presentation instant of each segment's first picture, in ticks. */
function segmentStarts({ segments }: ReadRendition): (readonly [msn: number, ticks: number])[] {
  return segments.map(({ msn, samples: [first] }) => [msn, (first?.dts ?? Number.NaN) + (first?.cts ?? 0)]);
}

function assertInStep(presentation: ReadPresentation, rungIds: readonly string[]): void {
  const source = rendition(presentation, "source");
  for (const id of rungIds) {
    const rung = rendition(presentation, id);
    assert.equal(rung.segments[0]?.track.timescale, source.segments[0]?.track.timescale);
    assert.deepEqual(segmentStarts(rung), segmentStarts(source), `segments of ${id}`);
    assert.deepEqual(keyTimes(rung), keyTimes(source), `key frames of ${id}`);
    assert.equal(samplesOf(rung).length, samplesOf(source).length, `pictures of ${id}`);
  }
}

describe("rungs beside the source", { concurrency: 2 }, () => {
  for (const [what, options] of [
    ["without B-frames", { gopFrames: 25 }],
    ["with B-frames", { gopFrames: 50, bFrames: 3 }],
    ["of 29.97 frames a second", { rate: "30000/1001", gopFrames: 60 }],
  ] as const) {
    test(`a source ${what}: key frames and segments at the same ticks`, async () => {
      const { presentation } = await broadcast({ ...options, seconds: 7 });
      assert.deepEqual(idsOf(presentation), ["240p", "360p", "aac_96", "audio_source", "source"]);
      assertInStep(presentation, ["360p", "240p"]);
      for (const id of ["360p", "240p"]) {
        const [period, ...more] = await decodePeriods(rendition(presentation, id));
        assert.deepEqual([period?.complaints, more], ["", []]);
      }
    });
  }

  test("audio rungs sound when the source does, within 20 ms", async () => {
    const { presentation } = await broadcast({ seconds: 7, sampleRateHz: 44_100 });
    const expected = await clickTimesMs(rendition(presentation, "audio_source"));
    const heard = await clickTimesMs(rendition(presentation, "aac_96"));
    assert.ok(expected.length >= 6, `${expected}`);
    assert.equal(heard.length, expected.length, `${heard} for ${expected}`);
    for (const [index, ms] of heard.entries()) {
      assert.ok(Math.abs(ms - (expected[index] ?? 0)) <= 20, `${heard} for ${expected}`);
    }
  });
});

describe("which rungs there are", { concurrency: 2 }, () => {
  test("none when the stream wants no transcoding", async () => {
    const { presentation, stream } = await broadcast({ seconds: 3 }, { reconnect_window_ms: 0, transcode: false });
    assert.deepEqual(idsOf(presentation), ["audio_source", "source"]);
    assert.deepEqual(stream.encoderPids, []);
  });

  test("those that are named, and no larger than the source", async () => {
    const qualities = ["1080p", "240p"];
    const { presentation } = await broadcast({ seconds: 4 }, { reconnect_window_ms: 0, qualities });
    const resolutions = presentation.multivariant.variants.map(({ uri, attributes }) => [
      uri.split("/")[0],
      attributes.get("RESOLUTION"),
    ]);
    assert.deepEqual(Object.fromEntries(resolutions), { source: "640x360", "240p": "426x240" });
  });

  test("no audio rung where the source's own AAC has no more bits", async () => {
    const qualities = ["360p", "240p"];
    const options = { seconds: 4, audioBitrate: "96k" };
    const { presentation } = await broadcast(options, { reconnect_window_ms: 0, qualities });
    assert.deepEqual(idsOf(presentation), ["240p", "360p", "audio_source", "source"]);
    for (const { attributes } of presentation.multivariant.variants) {
      assert.equal(attributes.get("AUDIO"), '"audio_source"');
    }
  });

  test("one of the source's own size when it is smaller than the lowest of the ladder", async () => {
    const { presentation } = await broadcast({ seconds: 4, size: "320x180" }, { reconnect_window_ms: 0 });
    const low = rendition(presentation, "low");
    assert.deepEqual(idsOf(presentation), ["aac_96", "audio_source", "low", "source"]);
    const [decoded] = await decodePeriods(low);
    assert.deepEqual([decoded?.video[0]?.width, decoded?.video[0]?.height], [320, 180]);
  });

  test("H.264 beside a source in HEVC, which not every browser plays", async () => {
    const codecs = "-c:v libx265 -preset ultrafast -g 25 -x265-params log-level=none -pix_fmt yuv420p -c:a aac -ac 2";
    const inputs = sourceArguments({ size: "640x360", seconds: 5 }).slice(0, 8);
    const file = await encodeFile(join(directory, "hevc.mp4"), ...inputs, ...codecs.split(" "));
    const stream = await server.createStream(BODY);
    await using publisher = publishWithModernFfmpeg(stream.publishUrl, file);
    assert.equal((await publisher.ended).code, 0);
    await stream.until("ready", soon());
    const presentation = await readEnded(stream.hlsUrl, soon());
    assertInStep(presentation, ["360p", "240p"]);
    assert.equal((await decodePeriods(rendition(presentation, "360p")))[0]?.video[0]?.codec, "h264");
  });
});

describe("an encoder that dies", () => {
  test("leaves the source untouched, is started again and again, and what is missing is listed as gaps", async () => {
    const stream = await server.createStream({ ...BODY, qualities: ["240p"], window_segments: 100 });
    await using publisher = publishWithFfmpeg(stream.publishUrl, { ...SOURCE, gopFrames: 50 });
    await stream.untilIt(({ state, renditions }) => state === "live" && renditions.some(isLowest), soon());
    for (let killed = 1; killed <= 3; killed++) {
      const pid = await stream.untilEncoder(killed, soon());
      process.kill(pid, "SIGKILL");
      const died = await server.untilLogged((line) => isEncoderDeath(line) && line.pid === pid, soon());
      assert.match(String(died.reason), /SIGKILL/);
    }
    await untilPlaylist(stream.hlsUrl, "240p", isBackFromGap, soon());
    const { health } = await stream.now();
    assert.ok(
      health.some(({ code }) => code === "encoder_restarted"),
      JSON.stringify(health),
    );
    await publisher.stop();
    await stream.until("ready", soon());

    const presentation = await readEnded(stream.hlsUrl, soon());
    const [source, rung] = [rendition(presentation, "source"), rendition(presentation, "240p")];
    assert.ok(source.segments.every(({ isGap, hasDiscontinuity }) => !isGap && !hasDiscontinuity));
    assert.deepEqual(
      rung.segments.map(({ msn }) => msn),
      source.segments.map(({ msn }) => msn),
    );
    const starts = new Map(segmentStarts(source));
    for (const [msn, ticks] of segmentStarts(rung)) {
      if (!Number.isNaN(ticks)) assert.equal(ticks, starts.get(msn), `start of ${msn}`);
    }
  });

  test("goes with a server that is killed", async () => {
    await using doomed = await startHeadwater();
    const stream = await doomed.createStream(BODY);
    await using publisher = publishWithFfmpeg(stream.publishUrl, SOURCE);
    await stream.until("live", soon());
    const pid = await stream.untilEncoder(1, soon());
    assert.equal(await isRunning(pid), true);
    await doomed.stop("SIGKILL");
    await untilGone(pid, soon());
    await publisher.stop("SIGKILL");
  });
});

const isEncoderDeath = (line: LogLine) => line.msg === "ladder encoder ended by itself";
const isLowest = ({ id }: { id: string }) => id === "240p";

/** Two segments with media behind one without. */
function isBackFromGap({ complete }: { complete: readonly { isGap: boolean }[] }): boolean {
  const at = complete.findLastIndex(({ isGap }) => isGap);
  return at >= 0 && complete.length - at > 2;
}

/** A dead process that nobody has asked about yet does not run. */
async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return stat !== "" && !/\) Z /.test(stat);
}

/** No event tells of a process that is not one's child. */
async function untilGone(pid: number, signal: AbortSignal): Promise<void> {
  while (await isRunning(pid)) {
    assert.ok(!signal.aborted, `process ${pid} still runs`);
    await delay(50);
  }
}
