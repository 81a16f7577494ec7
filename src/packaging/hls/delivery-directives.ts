import { completeSegments, type Presentation, type Rendition } from "../presentation.ts";
import { lastIframeMsn } from "./iframe-playlist.ts";
import type { PlaylistForm } from "./playlist-form.ts";

/** What a player asks of a media playlist by its query (HLS §6.2.5). */
export interface DeliveryDirectives {
  readonly msn: number | undefined;
  readonly part: number | undefined;
  /** `_HLS_skip`: a delta playlist will do. */
  readonly skip: boolean;
  /** Why the request cannot be understood; answered only while the stream is live. */
  readonly problem: string | undefined;
}

export type DeliveryDecision =
  | { readonly kind: "now" }
  | { readonly kind: "wait" }
  | { readonly kind: "bad-request"; readonly problem: string };

/** Segments beyond the last complete one for which a player may wait (HLS §6.2.5.2; docs/adr/0012). */
const MAX_MSN_AHEAD = 2;
/** HLS §4.2: decimal integers end at 2^64 - 1. */
const MAX_DECIMAL_INTEGER = 2n ** 64n - 1n;

/** Reads `_HLS_msn`, `_HLS_part` and `_HLS_skip`, in any order. Never throws: what is wrong becomes `problem`. */
export function parseDeliveryDirectives(query: URLSearchParams | string): DeliveryDirectives {
  const parameters = typeof query === "string" ? new URLSearchParams(query) : query;
  const msn = decimalInteger(parameters, "_HLS_msn");
  const part = decimalInteger(parameters, "_HLS_part");
  const skip = parameters.get("_HLS_skip");
  return {
    msn: msn.value,
    part: part.value,
    skip: skip === "YES" || skip === "v2",
    problem:
      msn.problem ??
      part.problem ??
      (parameters.has("_HLS_part") && !parameters.has("_HLS_msn") ? "_HLS_part needs _HLS_msn" : undefined),
  };
}

/** Whether to answer at once, to hold the request until `isSatisfied`, or to refuse it. */
export function decide(
  presentation: Presentation,
  rendition: Rendition,
  directives: DeliveryDirectives,
  form: PlaylistForm = "segments",
): DeliveryDecision {
  if (presentation.isEnded) return { kind: "now" };
  const { problem } = directives;
  if (problem !== undefined) return { kind: "bad-request", problem };
  if (isSatisfied(presentation, rendition, directives, form)) return { kind: "now" };
  return isTooFarAhead(presentation, rendition, directives, form)
    ? { kind: "bad-request", problem: "the segment or part is too far in the future" }
    : { kind: "wait" };
}

/** Whether the playlist as it stands lists what was asked for, or anything later. Always, once the stream has ended. */
export function isSatisfied(
  presentation: Presentation,
  rendition: Rendition,
  { msn, part }: DeliveryDirectives,
  form: PlaylistForm = "segments",
): boolean {
  if (presentation.isEnded || msn === undefined) return true;
  if (part === undefined || !hasParts(presentation, form)) return lastCompleteMsn(rendition, form) >= msn;
  const newest = rendition.segments.at(-1);
  if (!newest || newest.msn < msn) return false;
  // A part beyond the last of a closed segment means the first of the next one: then it is still to come.
  return newest.msn > msn || newest.parts.length > part;
}

/**
 * Whether a request that was held is to be answered: when it is satisfied, and when its segment has turned out to be a gap,
 * which will never have the part. Who asks for that part later means the segment after it, and waits.
 */
export function endsWait(
  presentation: Presentation,
  rendition: Rendition,
  directives: DeliveryDirectives,
  form: PlaylistForm = "segments",
): boolean {
  if (isSatisfied(presentation, rendition, directives, form)) return true;
  const newest = rendition.segments.at(-1);
  return newest?.isGap === true && newest.msn === directives.msn;
}

/** How long a request may be held before 503 (HLS §6.2.5.2). */
export function holdLimitMs(presentation: Presentation): number {
  return 3 * presentation.targetDurationS * 1000;
}

function isTooFarAhead(
  presentation: Presentation,
  rendition: Rendition,
  { msn, part }: DeliveryDirectives,
  form: PlaylistForm,
): boolean {
  if (msn === undefined) return false;
  const lastComplete = lastCompleteMsn(rendition, form);
  if (msn > lastComplete + MAX_MSN_AHEAD) return true;
  if (part === undefined || !hasParts(presentation, form) || msn <= lastComplete) return false;
  const newest = rendition.segments.at(-1);
  const listedCount = newest?.msn === msn ? newest.parts.length : 0;
  return part - (listedCount - 1) > advancePartLimit(presentation);
}

/** HLS §6.2.5.2: parts that make three seconds when parts are short, else three. */
function advancePartLimit({ partTargetMs }: Presentation): number {
  return partTargetMs < 1000 ? Math.ceil(3000 / partTargetMs) : 3;
}

function hasParts({ options }: Presentation, form: PlaylistForm): boolean {
  return options.isLowLatency && form === "segments";
}

function lastCompleteMsn(rendition: Rendition, form: PlaylistForm): number {
  if (form === "iframes") return lastIframeMsn(rendition);
  const newest = completeSegments(rendition).at(-1);
  return newest?.msn ?? (rendition.segments[0]?.msn ?? rendition.nextPart.msn) - 1;
}

function decimalInteger(
  parameters: URLSearchParams,
  name: string,
): { readonly value: number | undefined; readonly problem: string | undefined } {
  const [text, ...more] = parameters.getAll(name);
  if (text === undefined) return { value: undefined, problem: undefined };
  const isValid = more.length === 0 && /^[0-9]{1,20}$/.test(text) && BigInt(text) <= MAX_DECIMAL_INTEGER;
  return isValid
    ? { value: Number(text), problem: undefined }
    : { value: undefined, problem: `${name} must be one decimal integer` };
}
