import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { H264_360P, videoUnits } from "../../test/support/source-units.ts";
import { ManualClock } from "../core/clock.ts";
import { Intake } from "../live/intake.ts";
import { ticksToMs } from "../media/timebase.ts";
import { iframesOf } from "./iframes.ts";
import { Packager } from "./packager.ts";
import { completeSegments, type PackagingOptions, type Segment } from "./presentation.ts";

function packaged(gopFrames: number, options: Partial<PackagingOptions> = {}, untilMs = 9000) {
  const packager = new Packager({
    epoch: "e1",
    packaging: { isLowLatency: true, segmentTargetMs: 2000, partTargetMs: 500, windowSegmentCount: 10, ...options },
    firstMsn: 7,
    firstDiscontinuitySequence: 0,
  });
  const intake = new Intake({ clock: new ManualClock(), sink: packager, sampleCount: () => undefined });
  intake.expect({ video: true, audio: false });
  intake.setFormat(H264_360P);
  for (const unit of videoUnits({ fromMs: 0, untilMs, framesPerSecond: 30, gopFrames })) intake.write(unit);
  const [rendition] = packager.renditions;
  assert.ok(rendition);
  return { packager, rendition, segments: completeSegments(rendition) };
}

/** `start+duration` in ms since the segment's start, without brackets where there is a picture. */
function outline(segment: Segment): string {
  const ms = (ticks: number) => Math.round(ticksToMs(ticks, segment.init.timescale));
  return iframesOf(segment)
    .map(({ start, duration, range }) => {
      const text = `${ms(start - segment.start)}+${ms(duration)}`;
      return range ? text : `(${text})`;
    })
    .join(" ");
}

describe("iframesOf", () => {
  it("finds every key frame that begins a part", () => {
    assert.deepEqual(new Set(packaged(15).segments.map(outline)), new Set(["0+500 500+500 1000+500 1500+500"]));
    assert.deepEqual(new Set(packaged(60).segments.map(outline)), new Set(["0+2000"]));
  });

  it("leaves out those within a part, and lets the one before stand for them", () => {
    assert.deepEqual(new Set(packaged(20).segments.map(outline)), new Set(["0+2000"]));
    assert.deepEqual(new Set(packaged(30, { isLowLatency: false }).segments.map(outline)), new Set(["0+2000"]));
  });

  it("gives time that begins without a key frame an entry without bytes", () => {
    assert.deepEqual(packaged(600, {}, 25_000).segments.map(outline), ["0+12000", "(0+8000)"]);
  });

  it("points at moof and the first frame within the segment", () => {
    for (const segment of packaged(15).segments) {
      const bytes = Buffer.concat(segment.parts.map((part) => part.bytes));
      for (const { range } of iframesOf(segment)) {
        assert.ok(range);
        assert.equal(bytes.toString("latin1", range.offset + 4, range.offset + 8), "moof");
        const moofBytes = bytes.readUInt32BE(range.offset);
        assert.equal(bytes.toString("latin1", range.offset + moofBytes + 4, range.offset + moofBytes + 8), "mdat");
        assert.ok(range.offset + range.length < bytes.length);
      }
    }
  });
});

describe("an I-frame playlist's numbers", () => {
  it("count entries, and begin beyond all that a broadcast before can have used", () => {
    const { segments } = packaged(15);
    assert.deepEqual(
      segments.map(({ msn, iframeMsn }) => [msn, iframeMsn]),
      [
        [7, 700],
        [8, 704],
        [9, 708],
        [10, 712],
      ],
    );
  });

  it("have a bit rate of their own, of the pictures alone", () => {
    const { rendition, segments } = packaged(60);
    const [first] = segments.flatMap(iframesOf);
    assert.ok(first?.range);
    const bps = (first.range.length * 8) / 2;
    assert.deepEqual(rendition.iframeBitrate, { peakBps: bps, averageBps: bps });
    assert.ok(rendition.bitrate.averageBps > bps);
  });
});
