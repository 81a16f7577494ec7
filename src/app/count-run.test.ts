import assert from "node:assert/strict";
import { test } from "node:test";
import { newRun } from "../../test/support/new-run.ts";
import { H264_360P, videoUnits } from "../../test/support/source-units.ts";
import { ManualClock } from "../core/clock.ts";
import { Metrics } from "../observe/metrics.ts";
import { countRun } from "./count-run.ts";

async function countOf(metrics: Metrics, name: string): Promise<number> {
  const text = await metrics.registry.getSingleMetricAsString(name);
  return Number(/kind="video"\} (\d+)/.exec(text)?.[1] ?? 0);
}

test("counts every part and segment once, wherever the publisher stops", async () => {
  for (let frameCount = 40; frameCount <= 70; frameCount++) {
    const clock = new ManualClock();
    const metrics = new Metrics({ version: "1", clock });
    const run = newRun(clock);
    countRun(run, metrics);
    const request = { protocol: "rtmp", streamKey: "", remoteAddress: "", encoder: undefined } as const;
    const publication = run.broadcast.claim(request);
    publication.expect({ video: true, audio: false });
    publication.setFormat(H264_360P);
    const stamps = { fromMs: 0, untilMs: frameCount * 40, framesPerSecond: 25, gopFrames: 25 };
    for (const unit of videoUnits(stamps)) publication.write(unit);
    publication.close("gone");
    const segments = run.packager.renditions.flatMap((rendition) => rendition.segments);
    const parts = segments.flatMap((segment) => segment.parts);
    assert.ok(parts.length > 3);
    assert.equal(await countOf(metrics, "headwater_packaging_parts_total"), parts.length, `${frameCount} frames`);
    assert.equal(await countOf(metrics, "headwater_packaging_segments_total"), segments.length, `${frameCount} frames`);
  }
});
