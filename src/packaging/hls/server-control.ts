import type { Presentation } from "../presentation.ts";
import { headerSeconds, tag } from "./attribute-list.ts";

/** Parts that a player stays behind the end (Apple §14.3; the standard itself asks for two). */
const PART_HOLD_BACK_PARTS = 3;
/** HLS §4.4.3.8: the least that the standard allows. */
const HOLD_BACK_TARGETS = 3;
/** HLS §4.4.3.8: the least distance from the end at which a delta playlist may skip segments. */
const SKIP_BOUNDARY_TARGETS = 6;

/** Distance from the end of the newest complete segment beyond which a delta playlist leaves segments out. */
export function skipBoundaryMs(presentation: Presentation): number {
  return SKIP_BOUNDARY_TARGETS * presentation.targetDurationS * 1000;
}

/**
 * EXT-X-SERVER-CONTROL: promises that never change, the same in every playlist of the presentation (docs/adr/0011). Nothing is
 * promised of a stored video.
 */
export function serverControl(presentation: Presentation): string[] {
  if (presentation.stored) return [];
  const { isLowLatency } = presentation.options;
  const partTarget = headerSeconds(presentation.partTargetMs);
  return [
    tag("EXT-X-SERVER-CONTROL", {
      "CAN-BLOCK-RELOAD": "YES",
      "PART-HOLD-BACK": isLowLatency ? headerSeconds(PART_HOLD_BACK_PARTS * partTarget * 1000) : undefined,
      "HOLD-BACK": HOLD_BACK_TARGETS * presentation.targetDurationS,
      "CAN-SKIP-UNTIL": headerSeconds(skipBoundaryMs(presentation)),
    }),
  ];
}

/** EXT-X-PART-INF, for playlists that list parts; it never changes either. */
export function partInformation({ options, partTargetMs }: Presentation): string[] {
  return options.isLowLatency ? [tag("EXT-X-PART-INF", { "PART-TARGET": headerSeconds(partTargetMs) })] : [];
}
