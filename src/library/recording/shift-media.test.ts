import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AAC } from "../../../test/support/presentation.ts";
import { MalformedInput } from "../../core/errors.ts";
import { writeChunk } from "../../media/cmaf/chunk.ts";
import { writeInitSegment } from "../../media/cmaf/init-segment.ts";
import { CmafReader } from "../../media/cmaf/reader.ts";
import { shiftMedia } from "./shift-media.ts";

const sample = { duration: 3_600, cts: 0, isKey: true, data: Buffer.from("sound") };

/** A segment of two chunks that begins at `start`, as the packager writes them. */
function segmentAt(start: number): Uint8Array {
  const chunks = [0, 1].map((index) => {
    const baseDecodeTime = start + index * sample.duration;
    const producerReference = { wallClockMs: 0, mediaTime: baseDecodeTime };
    const told = { sequenceNumber: index + 1, trackId: 1, baseDecodeTime, samples: [sample], producerReference };
    return writeChunk({ ...told, isSegmentStart: index === 0 }).bytes;
  });
  return Buffer.concat(chunks);
}

function timesOf(segment: Uint8Array): number[] {
  const reader = new CmafReader();
  const format = { ...AAC, config: Buffer.from([0x11, 0x90]) };
  const init = writeInitSegment([{ trackId: 1, timescale: 48_000, format }]);
  const events = [...reader.push(init), ...reader.push(segment)];
  return events.flatMap((event) => (event.kind === "sample" ? [event.dts] : []));
}

test("moves every fragment of a segment, and leaves the segment as it was", () => {
  const segment = segmentAt(900_000);
  assert.deepEqual(timesOf(shiftMedia(segment, -900_000)), [0, 3_600]);
  assert.deepEqual(timesOf(segment), [900_000, 903_600]);
  assert.deepEqual(timesOf(shiftMedia(segment, 2 ** 33)), [900_000 + 2 ** 33, 903_600 + 2 ** 33]);
});

test("takes whatever bytes there are for what they are, or says what is wrong", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(300), (noise, at) => {
      const damaged = Buffer.from(segmentAt(900_000));
      damaged.set(noise.subarray(0, Math.max(0, damaged.length - at)), Math.min(at, damaged.length));
      try {
        assert.equal(shiftMedia(damaged, 5).length, damaged.length);
      } catch (error) {
        assert.ok(error instanceof MalformedInput, String(error));
      }
    }),
  );
});
