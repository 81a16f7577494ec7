import type { StreamRecord, StreamSettings } from "../catalog/stream-record.ts";
import type { StreamRepository } from "../catalog/stream-repository.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { FfmpegProgram } from "../encode/ffmpeg/process.ts";
import type { PackagingOptions } from "../packaging/presentation.ts";
import { Run } from "./run.ts";
import type { Config } from "./settings.ts";

/** What a run needs beside its stream. */
export interface RunSurroundings {
  readonly config: Config;
  readonly program: FfmpegProgram;
  /** Processor cores that one stream's encoder may keep busy. */
  readonly coreCount: number;
  readonly streams: Pick<StreamRepository, "reserveNumbers">;
  readonly clock: Clock;
}

/** The next broadcast of a stream, as its owner and the configuration want it. */
export function runFor(record: StreamRecord, log: Logger, surroundings: RunSurroundings): Run {
  const { config, program, coreCount, streams, clock } = surroundings;
  const { settings, streamId } = record;
  const { transcode, live } = config;
  const packaging = packagingFor(settings, config);
  return new Run({
    settings,
    packaging,
    reconnectWindowMs: settings.reconnectWindowMs ?? live.reconnectWindowMs,
    staleTakeoverMs: live.staleTakeoverAfterMs,
    behindAfterMs: transcode.behindAfterMs,
    maxBitrateBps: config.rtmp.maxBitrateBps,
    ladder: transcode.ladder,
    encoder: {
      encoder: transcode.encoder,
      preset: transcode.preset,
      isLowLatency: packaging.isLowLatency,
      coreCount,
      renderDevice: transcode.vaapiDevice,
    },
    program: transcode.enabled ? program : undefined,
    // Numbers begin at 1: hls.js before 1.7.5 stalls on a last media sequence number of 0.
    nextMsn: Math.max(1, record.nextMsn),
    discontinuitySequence: record.discontinuitySequence,
    reserve: (numbers) => {
      streams.reserveNumbers(streamId, numbers).catch((error: unknown) => {
        log.error({ err: error }, "the catalog did not reserve sequence numbers");
      });
    },
    clock,
    log,
  });
}

function packagingFor(settings: StreamSettings, { packaging }: Config): PackagingOptions {
  const isLowLatency = settings.lowLatency;
  const segmentTargetMs = isLowLatency ? packaging.segmentDurationMs : packaging.plainSegmentDurationMs;
  const windowSegmentCount = isLowLatency ? packaging.windowSegmentCount : packaging.plainWindowSegmentCount;
  return {
    isLowLatency,
    segmentTargetMs: settings.segmentDurationMs ?? segmentTargetMs,
    partTargetMs: settings.partDurationMs ?? packaging.partDurationMs,
    windowSegmentCount: settings.windowSegmentCount ?? windowSegmentCount,
  };
}
