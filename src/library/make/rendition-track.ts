import type { Logger } from "../../core/logger.ts";
import type { CmafTrack } from "../../media/cmaf/track.ts";
import { avcNalLengthSize, bringsOtherSps, isH264KeyFrame } from "../../media/codecs/h264.ts";
import type { MediaFormat } from "../../media/format.ts";
import { rescale, type Ticks, ticksToMs, VIDEO_TIMESCALE } from "../../media/timebase.ts";
import type { ObjectStore } from "../../storage/object-store.ts";
import { chunkIndexAt } from "../plan/video-plan.ts";
import { AudioClock } from "./audio-clock.ts";
import { ChunkWriter } from "./chunk-writer.ts";
import type { MakeTarget, OnChunk, RenditionInit, SegmentGrid } from "./contract.ts";
import { renditionInit } from "./rendition-init.ts";
import { StoredSegmenter, type StoredUnit } from "./stored-segmenter.ts";
import { Unpackageable } from "./unpackageable.ts";

export interface RenditionTrackOptions {
  readonly store: ObjectStore;
  readonly logger: Logger;
  readonly target: MakeTarget;
  readonly grid: SegmentGrid;
  readonly onChunk: OnChunk;
  readonly signal: AbortSignal;
  /** Presentation zero on the clock of what comes, at 90 kHz. */
  readonly zeroTicks: Ticks;
  /** Media time of presentation zero in what is made, at 90 kHz. */
  readonly leadTicks: Ticks;
  readonly mostGopMs?: number | undefined;
}

export interface TrackEnd {
  readonly chunkCount: number;
  readonly endTicks: Ticks;
  readonly timescale: number;
}

/** What tells units of one medium: when they are presented, and whether a segment can begin with them. */
type Placing = (pts: Ticks, data: Uint8Array) => StoredUnit | undefined;

/**
 * A rendition that is made in one go, from the track that comes out of ffmpeg to chunks in the store. Throws Unpackageable
 * when the track cannot be ours as it is.
 */
export class RenditionTrack {
  readonly #options: RenditionTrackOptions;
  readonly #writer: ChunkWriter;
  #stage: { readonly segmenter: StoredSegmenter; readonly place: Placing; readonly init: RenditionInit } | undefined;
  #endTicks: Ticks = 0;

  constructor(options: RenditionTrackOptions) {
    this.#options = options;
    const { store, logger, target, grid, onChunk, signal } = options;
    const timescale = () => this.#stage?.init.timescale ?? VIDEO_TIMESCALE;
    this.#writer = new ChunkWriter({
      ...{ store, logger, target, signal, onChunk, firstIndex: 0, endsRendition: true },
      chunkIndexOf: ({ start }) => chunkIndexAt(grid, ticksToMs(start, timescale())),
    });
  }

  onTrack({ format, timescale }: CmafTrack): void {
    const init = renditionInit(format, this.#options.leadTicks);
    const segmenter = new StoredSegmenter({
      kind: format.kind,
      timescale: init.timescale,
      rule: { kind: "every", targetMs: this.#options.grid.segmentTargetMs },
      usualDuration: usualDuration(format),
      leadTicks: init.leadTicks,
      mostGopMs: format.kind === "video" ? this.#options.mostGopMs : undefined,
    });
    const zero = rescale(this.#options.zeroTicks, VIDEO_TIMESCALE, timescale);
    const placeUnit = format.kind === "video" ? videoPlacing(format.codec, format.config) : audioPlacing(format);
    const place: Placing = (pts, data) => placeUnit(rescale(pts - zero, timescale, init.timescale), data);
    this.#writer.init = init;
    this.#stage = { segmenter, place, init };
  }

  onSample(pts: Ticks, data: Uint8Array): Promise<void> | undefined {
    if (!this.#stage) return undefined;
    const unit = this.#stage.place(pts, data);
    const segment = unit && this.#stage.segmenter.push(unit);
    return segment && this.#writer.add(segment);
  }

  async finish(): Promise<TrackEnd> {
    const segment = this.#stage?.segmenter.finish();
    if (!segment || !this.#stage)
      throw new Unpackageable("TIMES_BROKEN", "it holds no frame that can be shown or heard");
    this.#endTicks = segment.start + segment.duration;
    await this.#writer.add(segment);
    const chunkCount = await this.#writer.finish();
    return { chunkCount, endTicks: this.#endTicks, timescale: this.#stage.init.timescale };
  }

  discard(): Promise<void> {
    return this.#writer.discard();
  }
}

function usualDuration(format: MediaFormat): Ticks {
  if (format.kind === "audio") return format.samplesPerUnit ?? Math.round(format.sampleRateHz / 50);
  const rate = format.frameRate;
  const ticks = rate ? Math.round((VIDEO_TIMESCALE * rate.denominator) / rate.numerator) : 0;
  // Some encoders write their timescale there.
  return ticks > VIDEO_TIMESCALE / 240 ? ticks : VIDEO_TIMESCALE / 25;
}

function audioPlacing(format: MediaFormat & { readonly kind: "audio" }): Placing {
  const clock = new AudioClock(format);
  return (pts, data) => {
    const start = clock.place(pts, data);
    return start === undefined ? undefined : { pts: start, isKey: true, data };
  };
}

/** A segment can begin with an IDR picture alone: other key frames may have pictures after them that need those before. */
function videoPlacing(codec: string, config: Uint8Array): Placing {
  if (codec !== "h264") throw new Unpackageable("CODEC", `${codec} is encoded, not copied`);
  const lengthSize = avcNalLengthSize(config);
  let isFirst = true;
  return (pts, data) => {
    const isKey = isH264KeyFrame(data, lengthSize);
    if (pts < 0 || (isFirst && pts > 0)) {
      throw new Unpackageable("OPEN_GOP", "the first picture that is shown is no key frame");
    }
    isFirst = false;
    if (isKey && bringsOtherSps(data, lengthSize, config)) {
      throw new Unpackageable("FORMAT_CHANGES", "its pictures change their parameters on the way");
    }
    return { pts, isKey, data };
  };
}
