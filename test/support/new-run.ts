import { Run } from "../../src/app/run.ts";
import type { Clock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/logger.ts";

/** A broadcast that encodes nothing, in segments of 2 s and parts of 500 ms. */
export function newRun(clock: Clock, { reconnectWindowMs = 0 } = {}): Run {
  return new Run({
    settings: { qualities: null, enableHls: true, enableDash: true, lowLatency: true, transcode: false },
    packaging: { isLowLatency: true, segmentTargetMs: 2000, partTargetMs: 500, windowSegmentCount: 10 },
    reconnectWindowMs,
    staleTakeoverMs: 3000,
    behindAfterMs: 10_000,
    maxBitrateBps: 20_000_000,
    ladder: [],
    encoder: { encoder: "libx264", preset: "veryfast", isLowLatency: true, coreCount: 1, renderDevice: "" },
    program: undefined,
    nextMsn: 1,
    discontinuitySequence: 0,
    reserve: () => undefined,
    clock,
    log: silentLogger,
  });
}
