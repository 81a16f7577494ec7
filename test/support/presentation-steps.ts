import fc from "fast-check";
import { AAC, H264, type PresentationScript, ScriptedPresentation } from "./presentation.ts";

/** One thing that happens to a stream; every rendition sees it at the same instant. */
export type Step =
  | { readonly kind: "part"; readonly fill: number; readonly isIndependent: boolean }
  | { readonly kind: "cut"; readonly fill: number }
  | { readonly kind: "lost"; readonly rung: number }
  | { readonly kind: "break"; readonly holeMs: number; readonly isNewFormat: boolean };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant("part" as const),
      fill: fc.double({ min: 0.86, max: 1, noNaN: true }),
      isIndependent: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("cut" as const), fill: fc.double({ min: 0.1, max: 1, noNaN: true }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("lost" as const), rung: fc.nat(3) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("break" as const), holeMs: fc.nat(9000), isNewFormat: fc.boolean() }),
  },
);

/** A stream of one to four renditions, and what happens to it. */
export const anyStream: fc.Arbitrary<{ readonly script: PresentationScript; readonly steps: readonly Step[] }> =
  fc.record({
    script: fc
      .record({
        rungCount: fc.nat(2),
        hasAudio: fc.boolean(),
        isLowLatency: fc.boolean(),
        partTargetMs: fc.constantFrom(200, 500, 333.3333, 1000),
        windowSegmentCount: fc.integer({ min: 6, max: 12 }),
        firstMsn: fc.integer({ min: 1, max: 2 ** 31 }),
      })
      .map(({ rungCount, hasAudio, firstMsn, ...options }) => ({
        firstMsn,
        options: { segmentTargetMs: 2000, ...options },
        renditions: renditions(rungCount, hasAudio),
      })),
    steps: fc.array(step, { minLength: 1, maxLength: 120 }),
  });

function renditions(rungCount: number, hasAudio: boolean): PresentationScript["renditions"] {
  const audio = hasAudio ? { audioRenditionId: "audio_source" } : {};
  const rungs = ["720p", "480p"].slice(0, rungCount);
  return [
    { id: "source", format: H264, ...audio },
    ...rungs.map((id) => ({ id, format: H264, origin: "rung" as const, ...audio })),
    ...(hasAudio ? [{ id: "audio_source", format: AAC }] : []),
  ];
}

/** Longest segment that still rounds to the target duration. */
const MAX_SEGMENT_MS = 2499;

/**
 * Lets `steps` happen to a presentation as a segmenter would: parts fill up, segments end before they are too long. Calls
 * `look` after every change, once there is something to play.
 */
export function playSteps(
  { script, steps }: { readonly script: PresentationScript; readonly steps: readonly Step[] },
  look: (presentation: ScriptedPresentation) => void,
): ScriptedPresentation {
  const presentation = new ScriptedPresentation(script);
  for (const one of steps) {
    takeStep(presentation, one);
    if (isPlayable(presentation)) look(presentation);
  }
  presentation.end();
  if (isPlayable(presentation)) look(presentation);
  return presentation;
}

function isPlayable({ renditions }: ScriptedPresentation): boolean {
  return renditions.every(({ segments }) => segments[0]?.isComplete);
}

function takeStep(presentation: ScriptedPresentation, one: Step): void {
  const ids = presentation.renditions.map(({ id }) => id);
  const { isLowLatency } = presentation.options;
  const partMs = isLowLatency ? presentation.partTargetMs : 500;
  if (one.kind === "break") {
    const format = { ...H264, width: 640, height: 360 };
    presentation.beginPeriod(one.holeMs, one.isNewFormat ? { source: format } : {});
  } else if (one.kind === "lost") {
    for (const id of ids) presentation.endSegment(id);
    const rung = presentation.renditions.filter(({ origin }) => origin === "rung")[one.rung];
    if (rung) presentation.addGap(rung.id, 2000);
    presentation.addSegment(
      2000,
      ids.filter((id) => id !== rung?.id),
    );
  } else {
    for (const id of ids) addPart(presentation, id, partMs * one.fill, one.kind === "part" && one.isIndependent);
    if (one.kind === "cut") for (const id of ids) presentation.endSegment(id);
  }
}

function addPart(presentation: ScriptedPresentation, id: string, durationMs: number, isIndependent: boolean): void {
  const rendition = presentation.rendition(id);
  const openMs = ((rendition.open?.duration ?? 0) * 1000) / rendition.timescale;
  if (openMs + durationMs > MAX_SEGMENT_MS) presentation.endSegment(id);
  presentation.addPart(id, { durationMs, isIndependent: isIndependent || !rendition.open });
}
