import { ticksToMs } from "../../media/timebase.ts";
import { completeSegments, type PackagingOptions, type Presentation, type StoredExtras } from "../presentation.ts";
import { type Element, element } from "./xml.ts";

/** A player fetches the MPD, then the chunk: one part more behind the edge than an LL-HLS player (docs/adr/0016). */
const TARGET_PARTS = 4;
const MIN_PARTS = 2;
/** dash.js (5.2) stops with 300 ms left; what comes late by as much again must not bring it there (docs/adr/0016). */
const RESERVE_MS = 800;
const MAX_SEGMENTS = 3;
const PLAIN_DELAY_SEGMENTS = 3;
/**
 * Shaka (5.2) begins so long before the end of what is there of a stored video: those who come when it has just become
 * playable begin at its beginning. Not longer than the 10 s that it buffers, or it would wait there (docs/adr/0027).
 */
export const GROWING_DELAY_MS = 8_000;
/** Nothing is recorded for longer. */
const LONGEST_RECORDING_MS = 48 * 3_600_000;

export function targetLatencyMs({ options, partTargetMs }: Presentation): number {
  if (!options.isLowLatency) return PLAIN_DELAY_SEGMENTS * options.segmentTargetMs;
  return Math.round(Math.max(TARGET_PARTS * partTargetMs, MIN_PARTS * partTargetMs + RESERVE_MS));
}

/**
 * How much earlier than its end a segment can be asked for: as soon as its first chunk is there. It must be less than a
 * segment lasts, so a publisher whose GOPs make segments shorter than was configured gets less.
 */
export function availabilityTimeOffsetS(presentation: Presentation): number | undefined {
  const { options, partTargetMs } = presentation;
  const usualMs = options.segmentTargetMs - partTargetMs;
  if (!options.isLowLatency || usualMs <= 0) return undefined;
  const shortestMs = shortestSegmentMs(presentation);
  // Steps of a tenth of a second: jitter must not make another MPD of it.
  const lessMs = Math.floor(Math.max(shortestMs - partTargetMs, shortestMs / 2) / 100) * 100;
  return Number((Math.max(usualMs < shortestMs ? usualMs : lessMs, 100) / 1000).toFixed(3));
}

/** Of the lead's whole segments, without those that their period's end cut short. */
function shortestSegmentMs({ renditions, options }: Presentation): number {
  const [lead] = renditions;
  if (!lead) return options.segmentTargetMs;
  const complete = completeSegments(lead).filter(
    ({ period, isGap }, index, all) => !isGap && all[index + 1]?.period === period,
  );
  return Math.min(
    options.segmentTargetMs,
    ...complete.map(({ duration, init }) => ticksToMs(duration, init.timescale)),
  );
}

/** How soon a player looks for news: each part when it follows closely, each segment when it does not. */
export function minimumUpdateMs({ options, partTargetMs }: Presentation): number {
  return options.isLowLatency ? Math.round(partTargetMs) : options.segmentTargetMs;
}

/** Latency and catch-up speed that a low-latency player should keep. */
export function serviceDescription(presentation: Presentation): Element | undefined {
  const { options, partTargetMs } = presentation;
  if (presentation.stored) return beginAtBeginning(presentation.stored);
  if (!options.isLowLatency) return undefined;
  return element("ServiceDescription", { id: 0 }, [
    element("Latency", {
      target: targetLatencyMs(presentation),
      min: Math.round(MIN_PARTS * partTargetMs),
      max: maxLatencyMs(options, targetLatencyMs(presentation)),
    }),
    element("PlaybackRate", { min: 0.96, max: 1.1 }),
  ]);
}

/** dash.js begins at this distance from the end of a presentation. Nobody shall hurry or dawdle to keep it (Shaka would). */
function beginAtBeginning({ durationMs, isOpenEnded }: StoredExtras): Element {
  return element("ServiceDescription", { id: 0 }, [
    element("Latency", { target: isOpenEnded ? LONGEST_RECORDING_MS : Math.ceil(durationMs) }),
    element("PlaybackRate", { min: 1, max: 1 }),
  ]);
}

function maxLatencyMs({ segmentTargetMs }: PackagingOptions, targetMs: number): number {
  return Math.max(MAX_SEGMENTS * segmentTargetMs, targetMs);
}
