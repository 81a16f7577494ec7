import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import {
  decodeErrors,
  frameTimes,
  joinChunks,
  makeTools,
  type OpenedSource,
  openSource,
  probeFile,
  readObject,
  sourceDirectory,
  writeSource,
} from "../../../test/support/source-files.ts";
import { silentLogger } from "../../core/logger.ts";
import { CmafReader } from "../../media/cmaf/reader.ts";
import { avcNalLengthSize, isH264KeyFrame } from "../../media/codecs/h264.ts";
import { MemoryObjectStore } from "../../storage/memory/memory-object-store.ts";
import type { GetOptions, ObjectBody } from "../../storage/object-store.ts";
import { chunkRange, type PictureTreatment, type VideoEncodeSpec } from "../plan/video-plan.ts";
import { mainVideo } from "../probe/source-media.ts";
import type { MadeChunk, MakeTools, SegmentRule } from "./contract.ts";
import { openSourceAccess } from "./source-access.ts";
import { makeVideoChunk } from "./video-chunk.ts";

const directory = await sourceDirectory();
const tools = await makeTools();
const at = (name: string) => join(directory, name);

const UNTREATED: PictureTreatment = { deinterlace: false, toneMapFrom: null, frameRateLimit: null };
const TARGETS = { segmentTargetMs: 1000, chunkTargetMs: 2000 };
const CHUNK_COUNT = 3;
const x264 = (...params: string[]) => ["-c:v", "libx264", "-preset", "ultrafast", ...params];
const picture = (rate: string, size = "160x90", seconds = 3.5) => [
  ...["-f", "lavfi", "-i", `testsrc2=size=${size}:rate=${rate}:duration=${seconds}`],
];

function rung(id: string, width: number, height: number): VideoEncodeSpec {
  const fixed = { kind: "video", method: "encode", streamIndex: 0, audioRenditionId: null } as const;
  return { ...fixed, id, width, height, bitrateBps: 300_000, profile: "main", level: "3.0" };
}

interface Made {
  readonly chunks: readonly (readonly MadeChunk[])[];
  /** Of each rung: the header and all segments, as one file. */
  readonly files: readonly string[];
}

interface Wish {
  readonly treatment?: Partial<PictureTreatment>;
  readonly rungs?: readonly VideoEncodeSpec[];
  readonly rule?: SegmentRule;
}

let runCount = 0;

/** All chunks of a source, each made for itself, the last one first. */
async function makeAll(opened: OpenedSource, wish: Wish = {}, use: MakeTools = tools): Promise<Made> {
  const video = mainVideo(opened.media);
  assert.ok(video);
  runCount += 1;
  const rungs = wish.rungs ?? [rung("a", 128, 72), rung("b", 64, 36)];
  const chunks: (readonly MadeChunk[])[] = [];
  for (let index = CHUNK_COUNT - 1; index >= 0; index -= 1) {
    const made = await makeVideoChunk(use, {
      source: opened.source,
      video,
      picture: { ...UNTREATED, ...wish.treatment },
      targets: rungs.map((spec) => ({ renditionId: spec.id, keyPrefix: `${runCount}/${spec.id}/`, spec })),
      index,
      range: chunkRange({ ...TARGETS, chunkCount: CHUNK_COUNT }, index),
      rule: wish.rule ?? { kind: "every", targetMs: TARGETS.segmentTargetMs },
      signal: new AbortController().signal,
    });
    chunks.unshift(made);
  }
  const files = rungs.map((spec) => at(`made-${runCount}-${spec.id}.mp4`));
  for (const [place, file] of files.entries()) {
    await joinChunks(
      use.store,
      chunks.flatMap((made) => made[place] ?? []),
      file,
    );
  }
  return { chunks, files };
}

function segmentsOf({ chunks }: Made, place: number) {
  return chunks.flatMap((made) => made[place]?.segments ?? []);
}

/** What must be so of every source: all frames, at their times, cut alike, each segment for itself. */
async function assertWhole(path: string, made: Made, expected?: readonly number[]): Promise<void> {
  const times = expected ?? (await frameTimes(path));
  const [first = []] = made.files.map((_, place) => segmentsOf(made, place));
  const borders = first.map(({ start, duration }) => [start, start + duration]);
  for (const [place, file] of made.files.entries()) {
    const own = segmentsOf(made, place);
    assert.deepEqual(await frameTimes(file), times, "every frame at its time");
    assert.equal(await decodeErrors(file), "");
    assert.equal(
      own.reduce((sum, { frameCount }) => sum + frameCount, 0),
      times.length,
    );
    assert.deepEqual(
      own.map(({ start, duration }) => [start, start + duration]),
      borders,
      "rungs share borders",
    );
    await assertIndependent(made, place);
  }
  const starts = borders.map(([start]) => start);
  assert.deepEqual(
    starts,
    [0, 1, 2, 3].map((second) => times.find((time) => time >= second * 90_000)),
  );
  assert.deepEqual(
    borders.slice(0, -1).map(([, end]) => end),
    starts.slice(1),
    "segments join without a seam",
  );
}

/** Each segment begins with an IDR picture, its key frames stand where they are said to, and all headers are equal. */
async function assertIndependent({ chunks }: Made, place: number): Promise<void> {
  const own = chunks.flatMap((made) => made[place] ?? []);
  const [init] = own.map((chunk) => chunk.init);
  assert.ok(init);
  for (const chunk of own) assert.deepEqual(chunk.init, init, "one header for all chunks");
  const lengthSize = avcNalLengthSize(init.format.config);
  for (const { key, keyFrames, start, byteLength, frameCount } of own.flatMap(({ segments }) => segments)) {
    const bytes = await readObject(tools.store, key);
    assert.equal(bytes.length, byteLength);
    const samples = readSamples(init.bytes, bytes);
    assert.equal(samples.length, frameCount);
    assert.equal(samples[0]?.dts, start, "a segment is decoded from its start");
    assert.ok(samples[0] && isH264KeyFrame(samples[0].data, lengthSize), "an IDR picture is first");
    assert.equal(keyFrames[0]?.start, start);
    for (const { offset, length, start: shown } of keyFrames) {
      const [picture] = readSamples(init.bytes, bytes.subarray(offset, offset + length), true);
      assert.deepEqual([picture && picture.dts + picture.cts, picture?.isKey], [shown, true]);
      assert.equal(picture?.data.length, samples.find((sample) => sample.dts === shown)?.data.length);
    }
  }
}

function readSamples(init: Uint8Array, bytes: Uint8Array, isCut = false) {
  const reader = new CmafReader();
  reader.push(init);
  const whole = isCut ? cutAfterFirstSample(bytes) : bytes;
  return reader.push(whole).flatMap((event) => (event.kind === "sample" ? [event] : []));
}

/** A moof whose mdat is cut behind its first sample: as an I-frame playlist lets players fetch it. */
function cutAfterFirstSample(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const moofBytes = view.getUint32(0);
  const mdatBytes = view.getUint32(moofBytes);
  // The samples that follow are not there: zeros, as many as are missing.
  return Buffer.concat([bytes, new Uint8Array(moofBytes + mdatBytes - bytes.length)]);
}

const SOURCES: Readonly<
  Record<string, { readonly file: string; readonly args: readonly string[]; readonly wish?: Wish }>
> = {
  "25 frames a second": { file: "cfr25.mp4", args: [...picture("25"), ...x264("-bf", "3")] },
  "29.97 frames a second in Matroska, whose clock counts milliseconds": {
    file: "cfr2997.mkv",
    args: [...picture("30000/1001"), ...x264("-bf", "2")],
  },
  "60 frames a second": { file: "cfr60.mov", args: [...picture("60"), ...x264()] },
  "a variable frame rate": {
    file: "vfr.mp4",
    args: [...picture("60"), "-vf", "select='not(mod(n,3))+gt(t,2)'", "-fps_mode", "vfr", ...x264("-bf", "3")],
  },
  "open groups of pictures": {
    file: "open.mp4",
    args: [...picture("30"), ...x264("-bf", "3", "-g", "20", "-x264-params", "open-gop=1:bframes=3")],
  },
  "a clock that begins at 1.4 s": {
    file: "late.mkv",
    args: [...picture("25"), "-output_ts_offset", "1.4", ...x264("-bf", "2")],
  },
  "HEVC in WebM's elder brother with 10 bits": {
    file: "ten.mkv",
    args: [
      ...picture("25"),
      "-pix_fmt",
      "yuv420p10le",
      "-c:v",
      "libx265",
      "-preset",
      "ultrafast",
      "-x265-params",
      "log-level=none",
    ],
  },
  "VP9 in WebM": {
    file: "vp9.webm",
    args: [...picture("25"), "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"],
  },
  "MPEG-4 in AVI": { file: "mpeg4.avi", args: [...picture("25"), "-c:v", "mpeg4"] },
  "MPEG-4 with B-frames in AVI": { file: "mpeg4b.avi", args: [...picture("25"), "-c:v", "mpeg4", "-bf", "2"] },
  "Motion JPEG with full range": {
    file: "mjpeg.avi",
    args: [...picture("25"), "-c:v", "mjpeg", "-pix_fmt", "yuvj422p"],
  },
  "pictures as RGB": { file: "rgb.mov", args: [...picture("25"), "-c:v", "png", "-pix_fmt", "rgb24"] },
  "an odd size": { file: "odd.mkv", args: [...picture("25", "853x481"), ...x264("-pix_fmt", "yuv444p")] },
  "interlaced pictures": {
    file: "interlaced.mp4",
    args: [...picture("25", "160x96"), ...x264("-flags", "+ildct+ilme", "-top", "1", "-x264-params", "tff=1")],
    wish: { treatment: { deinterlace: true } },
  },
  "pictures that are refreshed bit by bit, and no second key frame": {
    file: "refresh.mkv",
    args: [...picture("25"), ...x264("-g", "50", "-x264-params", "intra-refresh=1:keyint=50")],
  },
  "no index": { file: "live.mkv", args: [...picture("25"), ...x264("-g", "12"), "-f", "matroska", "-live", "1"] },
  "BT.2020 without high dynamic range": {
    file: "wide.mp4",
    args: [...picture("25"), ...x264("-color_primaries", "bt2020", "-color_trc", "bt709", "-colorspace", "bt2020nc")],
  },
  "HDR by HLG": {
    file: "hlg.mp4",
    args: [
      ...picture("25"),
      ...x264("-pix_fmt", "yuv420p10le", "-color_primaries", "bt2020", "-color_trc", "arib-std-b67"),
      ...["-colorspace", "bt2020nc"],
    ],
    wish: { treatment: { toneMapFrom: "hlg" } },
  },
  "HDR by PQ": {
    file: "pq.mkv",
    args: [
      ...[...picture("25"), "-pix_fmt", "yuv420p10le", "-c:v", "libx265", "-preset", "ultrafast"],
      ...["-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc"],
      ...["-x265-params", "log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"],
    ],
    wish: { treatment: { toneMapFrom: "pq" } },
  },
};

for (const [what, { file, args, wish }] of Object.entries(SOURCES)) {
  test(`makes every frame of a source with ${what}, each in one chunk`, { timeout: 180_000 }, async () => {
    const path = await writeSource(...args, at(file));
    await assertWhole(path, await makeAll(await openSource(tools, path), wish));
  });
}

test("keeps what an edit list shows, from its first picture on", { timeout: 180_000 }, async () => {
  const whole = await writeSource(...picture("25", "160x90", 4.5), ...x264("-bf", "2", "-g", "25"), at("whole.mp4"));
  const path = await writeSource("-ss", "0.7", "-i", whole, "-c", "copy", at("edited.mp4"));
  const { streams } = await probeFile(path, "-show_entries", "stream=start_pts");
  assert.equal(streams?.[0]?.start_pts, 0, "the edit list is what makes it begin at zero");
  const made = await makeAll(await openSource(tools, path));
  const times = await frameTimes(path);
  await assertWhole(path, made, times);
});

test("turns pictures upright and squares their pixels", { timeout: 180_000 }, async () => {
  const lain = await writeSource(...picture("25"), "-vf", "setsar=4/3", ...x264(), at("lain.mp4"));
  const path = await writeSource("-i", lain, "-c", "copy", "-metadata:s:v:0", "rotate=90", at("turned.mp4"));
  const opened = await openSource(tools, path);
  const video = mainVideo(opened.media);
  assert.deepEqual([video?.shownWidth, video?.shownHeight, video?.rotationDegrees], [90, 213, 270]);
  const made = await makeAll(opened, { rungs: [rung("upright", 68, 160)] });
  const { streams } = await probeFile(made.files[0] ?? "", "-show_streams");
  const { width, height, sample_aspect_ratio, side_data_list } = streams?.[0] ?? {};
  assert.deepEqual([width, height, sample_aspect_ratio, side_data_list], [68, 160, "1:1", undefined]);
  await assertWhole(path, made);
});

test("cuts where it is told to", { timeout: 180_000 }, async () => {
  const path = await writeSource(...picture("30000/1001"), ...x264(), at("told.mp4"));
  const starts = [0, 66_066, 99_099, 180_180, 240_240];
  const made = await makeAll(await openSource(tools, path), { rule: { kind: "at", starts } });
  // Chunks begin at 1 s and at 2 s besides.
  const expected = [0, 66_066, 90_090, 99_099, 180_180, 240_240];
  assert.deepEqual(
    segmentsOf(made, 0).map(({ start }) => start),
    expected,
  );
  assert.deepEqual(await frameTimes(made.files[0] ?? ""), await frameTimes(path));
});

test("makes a chunk of nothing where a picture stands for longer", { timeout: 180_000 }, async () => {
  const path = await writeSource(
    ...[...picture("25", "160x90", 4), "-vf", "select='lt(t,0.5)+gt(t,3)'", "-fps_mode", "vfr"],
    ...x264(at("stands.mp4")),
  );
  const opened = await openSource(tools, path);
  const made = await makeAll(opened);
  const counts = made.chunks.map(([chunk]) => chunk?.segments.map(({ frameCount }) => frameCount));
  assert.deepEqual(counts, [[13], [], [24]]);
  assert.equal(segmentsOf(made, 0)[0]?.duration, 273_600, "until the next picture comes");
  assert.deepEqual(await frameTimes(made.files[1] ?? ""), await frameTimes(path));
});

test("leaves out frames evenly, the same ones in whatever chunk", { timeout: 180_000 }, async () => {
  const path = await writeSource(...picture("50"), ...x264(at("fast.mkv")));
  const made = await makeAll(await openSource(tools, path), {
    treatment: { frameRateLimit: { numerator: 25, denominator: 1 } },
  });
  const times = (await frameTimes(path)).filter((_, index) => index % 2 === 0);
  await assertWhole(path, made, times);
});

test("says the same colours in every quality", { timeout: 180_000 }, async () => {
  const path = await writeSource(...picture("25", "160x90", 1), ...x264(at("plain.mp4")));
  const opened = await openSource(tools, path);
  const formats = (await makeAll(opened)).chunks.flat().flatMap(({ init }) => (init ? [init.format] : []));
  const colour = { primaries: 6, transfer: 6, matrix: 6, isFullRange: false };
  for (const format of formats) assert.deepEqual(format.kind === "video" && format.colour, colour);
});

/** Counts what is read of it. */
class CountingStore extends MemoryObjectStore {
  readBytes = 0;

  override async get(key: string, options?: GetOptions): Promise<ObjectBody | undefined> {
    const object = await super.get(key, options);
    return object && { ...object, cancel: () => object.cancel(), body: this.#count(object.body) };
  }

  async *#count(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of body) {
      this.readBytes += piece.length;
      yield piece;
    }
  }
}

// Sockets and demuxer read ahead, some megabytes: the film is longer than that.
test("reads no more of the film than the chunk lies in", { timeout: 180_000 }, async (t) => {
  const noise = "testsrc2=size=640x360:rate=25:duration=24,noise=alls=40:allf=t";
  const coding = ["-c:v", "mpeg4", "-q:v", "2", "-g", "12"];
  const opened = await openSource(tools, await writeSource("-f", "lavfi", "-i", noise, ...coding, at("noise.mkv")));
  const store = new CountingStore();
  await store.put("film", await readFile(at("noise.mkv")));
  const video = mainVideo(opened.media);
  assert.ok(video);
  for (const index of [0, 1]) {
    store.readBytes = 0;
    const access = await openSourceAccess(store, "film", silentLogger);
    t.after(() => access.close());
    await makeVideoChunk(tools, {
      source: { ...opened.source, access },
      video,
      picture: UNTREATED,
      targets: [{ renditionId: "a", keyPrefix: `part/${index}/`, spec: rung("a", 128, 72) }],
      index,
      range: chunkRange({ ...TARGETS, chunkCount: 12 }, index),
      rule: { kind: "every", targetMs: TARGETS.segmentTargetMs },
      signal: new AbortController().signal,
    });
    assert.ok(store.readBytes < opened.media.sizeBytes / 2, `${store.readBytes} of ${opened.media.sizeBytes} bytes`);
  }
});

test("ends when it is told to, and leaves nothing in the store", { timeout: 180_000 }, async () => {
  const path = await writeSource(...picture("25", "640x360", 20), ...x264(at("long.mp4")));
  const { source, media } = await openSource(tools, path);
  const video = mainVideo(media);
  assert.ok(video);
  const own = await makeTools();
  const stop = new AbortController();
  const put = own.store.put.bind(own.store);
  own.store.put = async (...args) => {
    const info = await put(...args);
    stop.abort(new Error("enough"));
    return info;
  };
  const spec = rung("a", 640, 360);
  const making = makeVideoChunk(own, {
    ...{ source, video, picture: UNTREATED, targets: [{ renditionId: "a", keyPrefix: "v/a/", spec }] },
    ...{
      index: 0,
      range: { startMs: 0, endMs: undefined },
      rule: { kind: "every", targetMs: 1000 },
      signal: stop.signal,
    },
  });
  await assert.rejects(making, /enough/);
  assert.deepEqual(await Array.fromAsync(own.store.list("")), []);
});

test("says what is wrong with a file that cannot be decoded", { timeout: 180_000 }, async () => {
  const path = await writeSource(...picture("25"), ...x264(at("sound.mp4")));
  const { source, media } = await openSource(tools, path);
  const video = mainVideo(media);
  assert.ok(video);
  await writeFile(path, new Uint8Array(5000));
  const spec = rung("a", 128, 72);
  const making = makeVideoChunk(tools, {
    ...{ source, video, picture: UNTREATED, targets: [{ renditionId: "a", keyPrefix: "damaged/a/", spec }] },
    ...{ index: 0, range: { startMs: 0, endMs: 1000 }, rule: { kind: "every", targetMs: 1000 } },
    signal: new AbortController().signal,
  });
  await assert.rejects(making, { code: "MEDIA_DAMAGED", message: /ffmpeg ended with code 1: .*(moov|Invalid data)/ });
});
