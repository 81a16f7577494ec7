import type { PackagingOptions, Presentation, StoredExtras } from "../presentation.ts";
import { type Element, element } from "./xml.ts";

/** A player fetches the MPD, then the chunk: one part more behind the edge than an LL-HLS player (docs/adr/0016). */
const TARGET_PARTS = 4;
const MIN_PARTS = 2;
const MAX_SEGMENTS = 3;
const PLAIN_DELAY_SEGMENTS = 3;

export function targetLatencyMs({ options, partTargetMs }: Presentation): number {
  return Math.round(
    options.isLowLatency ? TARGET_PARTS * partTargetMs : PLAIN_DELAY_SEGMENTS * options.segmentTargetMs,
  );
}

/** How much earlier than its end a segment can be asked for: as soon as its first chunk is there. */
export function availabilityTimeOffsetS({ options, partTargetMs }: Presentation): number | undefined {
  const offsetMs = options.segmentTargetMs - partTargetMs;
  return options.isLowLatency && offsetMs > 0 ? Number((offsetMs / 1000).toFixed(3)) : undefined;
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
    element("PlaybackRate", { min: 0.96, max: 1.04 }),
  ]);
}

/** dash.js begins at this distance from the end of a presentation, and cares for it no more after that. */
function beginAtBeginning({ durationMs }: StoredExtras): Element {
  return element("ServiceDescription", { id: 0 }, [element("Latency", { target: Math.ceil(durationMs) })]);
}

function maxLatencyMs({ segmentTargetMs }: PackagingOptions, targetMs: number): number {
  return Math.max(MAX_SEGMENTS * segmentTargetMs, targetMs);
}
