import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeAudio, encodeVideo } from "../../test/support/encoded-track.ts";
import type { StoredRendition, StoredVideo } from "../packaging/stored-rendition.ts";
import { renditionInit } from "./make/rendition-init.ts";
import { readStoredVideo, writeStoredVideo } from "./stored-video-text.ts";

const video = renditionInit((await encodeVideo("libx264", "-preset", "ultrafast")).track.format, 7200);
const audio = renditionInit((await encodeAudio("aac")).track.format, 7200);

const ticks = fc.nat({ max: 2 ** 40 });
const word = fc.string({ unit: "grapheme", maxLength: 20 });
/** Objects as JSON gives them. */
const PLAIN = { noNullPrototype: true };

const segments = fc
  .array(
    fc.array(fc.record({ start: ticks, duration: fc.integer({ min: 1, max: 900_000 }) }, PLAIN), { maxLength: 4 }),
    {
      maxLength: 4,
    },
  )
  .map((chunks) =>
    chunks.flatMap((chunk, index) =>
      chunk.map((told, place) => ({
        ...{ ...told, byteLength: 1 + place, frameCount: 25 },
        keyFrames: [{ start: told.start, offset: 32, length: 500 }],
        key: `videos/v/720p/e1/a/${index}/${place + 1}.m4s`,
      })),
    ),
  );

const rendition: fc.Arbitrary<StoredRendition> = fc
  .record({ isVideo: fc.boolean(), id: word, epoch: word, language: fc.option(word, { nil: undefined }), segments })
  .map(({ isVideo, language, ...told }) => {
    const { format, timescale, leadTicks, bytes } = isVideo ? video : audio;
    return {
      ...{ ...told, kind: format.kind, origin: "rung", isComplete: true, timescale, leadTicks },
      format: { ...format, config: new Uint8Array(format.config) },
      initBytes: new Uint8Array(bytes),
      ...{ audioRenditionId: isVideo ? "aac" : undefined, language, label: language },
    };
  });

const stored: fc.Arbitrary<StoredVideo> = fc.record(
  {
    ...{ revision: fc.nat(), updatedAtMs: fc.nat(), isPlayable: fc.boolean(), isFinal: fc.boolean() },
    ...{ durationMs: fc.nat(), segmentTargetMs: fc.nat(), targetDurationS: fc.nat() },
    renditions: fc.array(rendition, { maxLength: 3 }),
    texts: fc.array(
      fc.record(
        {
          ...{ id: word, epoch: word, language: word, label: word, isForced: fc.boolean(), key: word },
          sizeBytes: fc.nat(),
        },
        PLAIN,
      ),
      { maxLength: 2 },
    ),
    storyboard: fc.option(
      fc.record(
        {
          ...{ tileWidth: fc.nat(), tileHeight: fc.nat(), columnCount: fc.nat(), rowCount: fc.nat() },
          ...{ intervalMs: fc.nat(), imageNames: fc.array(word), sizeBytes: fc.nat() },
        },
        PLAIN,
      ),
      { nil: undefined },
    ),
    files: fc
      .array(fc.tuple(word, fc.record({ key: word, contentType: word, sizeBytes: fc.nat() }, PLAIN)))
      .map((entries) => new Map(entries)),
  },
  PLAIN,
);

test("reads what it wrote, whatever the video", () => {
  fc.assert(
    fc.property(stored, (each) => {
      assert.deepEqual(readStoredVideo(writeStoredVideo(each)), each);
    }),
  );
});

test("refuses what it did not write", () => {
  const whole = { ...JSON.parse(writeStoredVideo({ ...fc.sample(stored, 1)[0] } as StoredVideo)) };
  for (const name of ["revision", "renditions", "files", "targetDurationS"]) {
    const { [name]: _, ...rest } = whole;
    assert.throws(() => readStoredVideo(JSON.stringify(rest)), { name: "ZodError" }, name);
  }
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      assert.throws(() => readStoredVideo(text));
    }),
  );
});
