import type { Presentation } from "../presentation.ts";
import { GROWING_DELAY_MS, minimumUpdateMs, serviceDescription, targetLatencyMs } from "./latency.ts";
import { type ListedPeriod, listedPeriods, listedUntilMs } from "./listed-period.ts";
import { periodElement } from "./period.ts";
import { durationText, instantText } from "./time-text.ts";
import { type Element, element, renderXml } from "./xml.ts";

const LIVE_PROFILE = "urn:mpeg:dash:profile:isoff-live:2011";
const LOW_LATENCY_PROFILE = "http://www.dashif.org/guidelines/low-latency-live-v5";

export interface MpdOptions {
  /** Where players read our clock, in ISO 8601; absolute, or relative to the MPD. */
  readonly timeUrl: string;
  /** When the presentation last changed, ms since the Unix epoch. */
  readonly publishTimeMs: number;
  /** Where the folders of the renditions are, when not beside the MPD; with a slash at its end. */
  readonly base?: string | undefined;
}

/** The MPD of the presentation as it stands, at `manifest.mpd` beside the folders of the renditions. */
export function renderMpd(presentation: Presentation, { timeUrl, publishTimeMs, base }: MpdOptions): string {
  const { options, isEnded, partTargetMs } = presentation;
  const isLowLatency = options.isLowLatency && !isEnded;
  const periods = listedPeriods(presentation);
  const utcTiming = presentation.stored ? timeOfRevision(publishTimeMs) : timeAt(timeUrl);
  const mpd = element(
    "MPD",
    {
      xmlns: "urn:mpeg:dash:schema:mpd:2011",
      profiles: isLowLatency ? `${LIVE_PROFILE},${LOW_LATENCY_PROFILE}` : LIVE_PROFILE,
      minBufferTime: durationText(isLowLatency ? partTargetMs : options.segmentTargetMs),
      ...(isEnded ? staticAttributes(periods) : dynamicAttributes(presentation, periods, publishTimeMs)),
    },
    [
      base === undefined ? undefined : element("BaseURL", {}, base),
      isEnded ? undefined : serviceDescription(presentation),
      ...periods.map((listedPeriod, index) =>
        periodElement(presentation, { before: periods[index - 1], listedPeriod, next: periods[index + 1] }, utcTiming),
      ),
      isEnded ? undefined : utcTiming,
    ],
  );
  return renderXml(mpd);
}

function timeAt(timeUrl: string): Element {
  return element("UTCTiming", { schemeIdUri: "urn:mpeg:dash:utc:http-iso:2014", value: timeUrl });
}

/** All that is listed is available at any time: a player that knew no time at all would ask somebody else for it. */
function timeOfRevision(publishTimeMs: number): Element {
  return element("UTCTiming", { schemeIdUri: "urn:mpeg:dash:utc:direct:2014", value: instantText(publishTimeMs) });
}

function dynamicAttributes(presentation: Presentation, periods: readonly ListedPeriod[], publishTimeMs: number) {
  return {
    type: "dynamic",
    availabilityStartTime: instantText(presentation.availabilityStartMs),
    publishTime: instantText(publishTimeMs),
    minimumUpdatePeriod: durationText(minimumUpdateMs(presentation)),
    // Of a stored video nothing is ever taken away.
    timeShiftBufferDepth: presentation.stored ? undefined : durationText(timeShiftBufferMs(presentation, periods)),
    suggestedPresentationDelay: durationText(presentation.stored ? GROWING_DELAY_MS : targetLatencyMs(presentation)),
  };
}

/** What is left of an ended stream is a recording; its Periods stay where they were, for the players that are in them. */
function staticAttributes(periods: readonly ListedPeriod[]) {
  return { type: "static", mediaPresentationDuration: durationText(periods.at(-1)?.endMs ?? 0) };
}

/**
 * All that is listed can be sought, also after the publisher was away for longer than the window; while less is there
 * than the window will hold, the window.
 */
function timeShiftBufferMs(presentation: Presentation, periods: readonly ListedPeriod[]): number {
  const { windowSegmentCount, segmentTargetMs } = presentation.options;
  const [first] = periods;
  const untilMs = Math.max(periods.at(-1)?.endMs ?? 0, listedUntilMs(presentation));
  return Math.max(windowSegmentCount * segmentTargetMs, first ? untilMs - first.startMs : 0);
}
