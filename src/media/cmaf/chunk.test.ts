import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createFile, type Movie, MP4BoxBuffer, type Sample } from "mp4box";
import { encodeVideo, VIDEO_ENCODERS } from "../../../test/support/encoded-track.ts";
import { readBoxes } from "../isobmff/box.ts";
import { type CmafSample, writeChunk } from "./chunk.ts";
import { writeInitSegment } from "./init-segment.ts";
import { CmafReader } from "./reader.ts";

const encoded = await encodeVideo("libx264", ...(VIDEO_ENCODERS.libx264 ?? []));
const TRACK = { trackId: 1, timescale: 90_000, format: encoded.track.format };
const INIT = writeInitSegment([TRACK]);

function sample(fields: Partial<CmafSample> = {}): CmafSample {
  return { duration: 3000, cts: 0, isKey: false, data: Uint8Array.of(0, 0, 0, 1, 0x41), ...fields };
}

/** The boxes of a chunk as `type:length` text, moof and traf opened. */
function outline(chunk: Uint8Array): string {
  return readBoxes(chunk)
    .map(({ type, body }) => {
      if (type !== "moof") return `${type}:${body.length}`;
      const [mfhd, traf] = readBoxes(body);
      const inner = readBoxes(traf?.body ?? body);
      return `moof(${mfhd?.type} traf(${inner.map((box) => `${box.type}:${box.body.length}`).join(" ")}))`;
    })
    .join(" ");
}

/** Every sample as mp4box, which shares nothing with our reader, sees it. */
function samplesByMp4box(file: Uint8Array): Sample[] {
  const box = createFile();
  const samples: Sample[] = [];
  box.onReady = (movie: Movie) => {
    box.onSamples = (_id, _user, some) => samples.push(...some);
    for (const { id } of movie.tracks) box.setExtractionOptions(id, undefined, { nbSamples: 1 });
    box.start();
  };
  box.onError = (module, message) => assert.fail(`${module}: ${message}`);
  box.appendBuffer(MP4BoxBuffer.fromArrayBuffer(new Uint8Array(file).buffer, 0));
  box.flush();
  return samples;
}

test("writes the exact bytes of a chunk at a segment's start, and says where its first sample ends", () => {
  const { bytes, firstSample } = writeChunk({
    sequenceNumber: 7,
    trackId: 1,
    baseDecodeTime: 2 ** 33 + 5,
    samples: [sample({ isKey: true, data: Uint8Array.of(1, 2, 3) }), sample({ data: Uint8Array.of(4, 5, 6), cts: -1 })],
    isSegmentStart: true,
    producerReference: { wallClockMs: 500, mediaTime: 2 ** 32 + 1 },
  });
  const expected = [
    "00000020 73747970 636d6673 00000000 636d6673 636d6666 636d666c 6d736468",
    "00000020 70726674 01000018 00000001 83aa7e80 80000000 00000001 00000001",
    "00000070 6d6f6f66",
    "00000010 6d666864 00000000 00000007",
    "00000058 74726166",
    "0000001c 74666864 00020038 00000001 00000bb8 00000003 01010000",
    "00000014 74666474 01000000 00000002 00000005",
    "00000020 7472756e 01000805 00000002 00000078 02000000 00000000 ffffffff",
    "0000000e 6d646174 010203 040506",
  ];
  assert.equal(Buffer.from(bytes).toString("hex"), expected.join("").replaceAll(" ", ""));
  assert.deepEqual(firstSample, { offset: 64, length: 0x70 + 8 + 3 });
});

test("says once what all samples share", () => {
  const options = { sequenceNumber: 1, trackId: 1, baseDecodeTime: 0, isSegmentStart: false };
  const trunBytes = (samples: readonly CmafSample[]) => outline(writeChunk({ ...options, samples }).bytes);
  const same = "moof(mfhd traf(tfhd:20 tfdt:12 trun:";
  const key = sample({ isKey: true });
  assert.equal(trunBytes([sample(), sample()]), `${same}12)) mdat:10`);
  assert.equal(trunBytes([key]), `${same}12)) mdat:5`);
  assert.equal(trunBytes([key, sample(), sample()]), `${same}16)) mdat:15`, "first_sample_flags");
  assert.equal(trunBytes([key, sample(), key]), `${same}24)) mdat:15`, "flags for each");
  assert.equal(trunBytes([sample(), sample({ duration: 3001 })]), `${same}20)) mdat:10`, "durations");
  assert.equal(trunBytes([sample(), sample({ cts: 1 })]), `${same}20)) mdat:10`, "composition offsets");
  assert.equal(trunBytes([sample(), sample({ data: new Uint8Array(9) })]), `${same}20)) mdat:14`, "sizes");
});

test("writes no styp but at a segment's start, and no empty chunk", () => {
  const options = { sequenceNumber: 1, trackId: 1, baseDecodeTime: 0, samples: [sample()] };
  assert.match(outline(writeChunk({ ...options, isSegmentStart: true }).bytes), /^styp:24 moof/);
  assert.match(outline(writeChunk({ ...options, isSegmentStart: false }).bytes), /^moof/);
  assert.throws(() => writeChunk({ ...options, samples: [], isSegmentStart: true }), RangeError);
});

const anySample = fc.record({
  duration: fc.oneof(fc.constant(3000), fc.integer({ min: 1, max: 2 ** 32 - 1 })),
  cts: fc.oneof(fc.constant(0), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })),
  isKey: fc.boolean(),
  data: fc.oneof(fc.constant(Uint8Array.of(1, 2, 3)), fc.uint8Array({ maxLength: 40 })),
});
const anyChunk = fc.record({
  sequenceNumber: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
  trackId: fc.constant(1),
  baseDecodeTime: fc.integer({ min: 0, max: 2 ** 50 }),
  samples: fc.array(anySample, { minLength: 1, maxLength: 12 }),
  isSegmentStart: fc.boolean(),
  producerReference: fc.option(
    fc.record({
      wallClockMs: fc.integer({ min: 0, max: 4_000_000_000_000 }),
      mediaTime: fc.integer({ min: 0, max: 2 ** 50 }),
    }),
    { nil: undefined },
  ),
});

test("is read back sample for sample by our reader, wherever the bytes are cut", () => {
  fc.assert(
    fc.property(fc.array(anyChunk, { maxLength: 4 }), fc.integer({ min: 1, max: 200 }), (chunks, step) => {
      const bytes = Buffer.concat([INIT, ...chunks.map((chunk) => writeChunk(chunk).bytes)]);
      const reader = new CmafReader();
      const events = [];
      for (let at = 0; at < bytes.length; at += step) events.push(...reader.push(bytes.subarray(at, at + step)));
      reader.end();
      assert.deepEqual(events, [{ kind: "init", tracks: [TRACK] }, ...chunks.flatMap(expectedEvents)]);
    }),
  );
});

function expectedEvents({
  baseDecodeTime,
  samples,
}: {
  baseDecodeTime: number;
  samples: readonly CmafSample[];
}): object[] {
  let dts = baseDecodeTime;
  return samples.map((one) => {
    const event = { kind: "sample", trackId: 1, dts, ...one };
    dts += one.duration;
    return event;
  });
}

test("says which bytes hold moof and the first sample, whatever stands before and behind", () => {
  fc.assert(
    fc.property(anyChunk, (options) => {
      const { bytes, firstSample } = writeChunk(options);
      const range = bytes.subarray(firstSample.offset, firstSample.offset + firstSample.length);
      const [moof, ...others] = readBoxes(bytes).filter(({ type }) => type === "moof");
      assert.ok(moof && others.length === 0);
      const moofBytes = moof.body.length + 8;
      assert.equal(Buffer.from(range.subarray(4, 8)).toString(), "moof");
      assert.deepEqual(Buffer.from(range.subarray(8, moofBytes)), Buffer.from(moof.body));
      assert.deepEqual([...range.subarray(moofBytes + 8)], [...(options.samples[0]?.data ?? [])]);
    }),
  );
});

test("is read by mp4box with the same times, flags and bytes", () => {
  fc.assert(
    fc.property(fc.array(anySample, { minLength: 1, maxLength: 6 }), fc.boolean(), (samples, isSegmentStart) => {
      const baseDecodeTime = 2 ** 40;
      const chunk = writeChunk({ sequenceNumber: 1, trackId: 1, baseDecodeTime, samples, isSegmentStart });
      const seen = samplesByMp4box(Buffer.concat([INIT, chunk.bytes]));
      let dts = baseDecodeTime;
      assert.equal(seen.length, samples.length);
      for (const [i, { duration, cts, isKey, data }] of samples.entries()) {
        const other = seen[i];
        assert.deepEqual([other?.dts, other?.cts, other?.duration, other?.is_sync], [dts, dts + cts, duration, isKey]);
        assert.equal(other?.depends_on, isKey ? 2 : 1);
        assert.deepEqual([...(other?.data ?? [])], [...data]);
        dts += duration;
      }
    }),
    { numRuns: 50 },
  );
});
