import { checkMpd, representationsOf } from "./mpd-rules.ts";
import { durationS, type Mpd, type MpdPeriod, type MpdRepresentation, readMpd } from "./mpd-text.ts";
import { Violations } from "./violations.ts";

/** A segment as it was listed when it was no longer the newest: from then on it may not change. */
interface SeenSegment {
  readonly start: number;
  readonly duration: number;
}

/** How late the end of the listed media may be, besides the update period, before D3 is broken. */
const DEFAULT_SLACK_MS = 1500;
const MEMORY_SEGMENTS = 2000;

export interface DashConformanceOptions {
  readonly violations?: Violations;
  readonly slackMs?: number;
}

/** Judges the MPDs of one stream, as texts, over time. */
export class DashConformance {
  readonly violations: Violations;
  readonly #slackMs: number;
  readonly #segments = new Map<string, SeenSegment>();
  #newest: Mpd | undefined;

  constructor({ violations = new Violations(), slackMs = DEFAULT_SLACK_MS }: DashConformanceOptions = {}) {
    this.violations = violations;
    this.#slackMs = slackMs;
  }

  /** Undefined, with a violation of D30, when the text is not XML. `nowMs`: the server's wall clock. */
  observe(text: string, nowMs: number): Mpd | undefined {
    const mpd = this.#read(text);
    if (!mpd) return undefined;
    for (const { rule, message } of checkMpd(mpd)) this.violations.add(rule, message);
    const before = this.#newest;
    if (before) this.#checkUpdate(before, mpd);
    this.#checkSegments(mpd);
    if (mpd.isDynamic) this.#checkCover(mpd, nowMs);
    this.#newest = mpd;
    return mpd;
  }

  #read(text: string): Mpd | undefined {
    try {
      return readMpd(text);
    } catch (error) {
      this.violations.add("D30", `not an MPD: ${error instanceof Error ? error.message : error}`);
      return undefined;
    }
  }

  #checkUpdate(before: Mpd, now: Mpd): void {
    const [startBefore, start] = [before, now].map(({ root }) => root.attributes.get("availabilityStartTime"));
    if (now.isDynamic && startBefore !== start)
      this.violations.add("D1", `availabilityStartTime went from ${startBefore} to ${start}`);
    if (!before.isDynamic && now.isDynamic) this.violations.add("D13", "static became dynamic");
    const [publishedBefore, published] = [before, now].map(({ root }) =>
      Date.parse(root.attributes.get("publishTime") ?? ""),
    );
    if ((published ?? 0) < (publishedBefore ?? 0)) this.violations.add("D1", "publishTime went back");
    const ids = before.periods.map(({ id }) => id);
    const added = now.periods.filter(({ id }) => !ids.includes(id)).map(({ id }) => id);
    const isInOrder = now.periods.slice(now.periods.length - added.length).every(({ id }) => added.includes(id));
    if (!isInOrder) this.violations.add("D6", `Period ${added} came in the middle`);
    for (const period of now.periods) {
      const known = before.periods.find(({ id }) => id === period.id);
      if (known) this.#checkPeriod(known, period, before.periods.at(-1) === known);
    }
  }

  #checkPeriod(before: MpdPeriod, now: MpdPeriod, wasLast: boolean): void {
    const add = (rule: string, message: string) => this.violations.add(rule, `Period ${now.id}: ${message}`);
    if (before.startS !== now.startS) add("D2", `start went from ${before.startS} to ${now.startS}`);
    // A rung may join a Period or leave it (docs/adr/0017); those that stay keep their place and their set.
    const [placesBefore, places] = [placesOf(before), placesOf(now)];
    const common = (one: readonly string[], other: readonly string[]) =>
      one.filter((place) => other.includes(place)).join(" ");
    const moved = movedRepresentations(placesBefore, places);
    if (moved.length > 0) add("D2", `${moved} changed set`);
    if (common(placesBefore, places) !== common(places, placesBefore))
      add("D2", `order went from ${placesBefore} to ${places}`);
    for (const representation of now.adaptationSets.flatMap(({ representations }) => representations)) {
      const known = before.adaptationSets
        .flatMap(({ representations }) => representations)
        .find(({ id }) => id === representation.id);
      if (known) this.#checkRepresentation(add, known, representation, wasLast);
    }
  }

  #checkRepresentation(
    add: (rule: string, message: string) => void,
    before: MpdRepresentation,
    now: MpdRepresentation,
    wasLast: boolean,
  ): void {
    if (before.timescale !== now.timescale || before.presentationTimeOffset !== now.presentationTimeOffset) {
      add("D2", `${now.id}: timescale or presentationTimeOffset changed`);
    }
    const [lastBefore, last] = [before, now].map(({ segments }) => segments.at(-1)?.number ?? 0);
    if (!wasLast && (last ?? 0) > (lastBefore ?? 0) && before.initUri === now.initUri) {
      add("D6", `${now.id}: segment ${last} was added to a Period that is over`);
    }
    if ((last ?? 0) < (lastBefore ?? 0)) add("D6", `${now.id}: newest segment went from ${lastBefore} to ${last}`);
  }

  /** Numbers keep their times: `startNumber` rises by what is removed. The newest may be a guess. */
  #checkSegments(mpd: Mpd): void {
    for (const { id, segments } of representationsOf(mpd)) {
      for (const { number, start, duration } of segments.slice(0, -1)) {
        this.#checkSegment(`${id} ${number}`, { start, duration });
      }
    }
    for (const key of this.#segments.keys()) {
      if (this.#segments.size <= MEMORY_SEGMENTS) break;
      this.#segments.delete(key);
    }
  }

  #checkSegment(key: string, now: SeenSegment): void {
    const known = this.#segments.get(key);
    this.#segments.set(key, known ?? now);
    if (known && (known.start !== now.start || known.duration !== now.duration)) {
      this.violations.add(
        "D7",
        `segment ${key} was at ${known.start} for ${known.duration}, is at ${now.start} for ${now.duration}`,
      );
    }
  }

  /** What is listed ends about now: within the update period, and the segment that is being made. */
  #checkCover(mpd: Mpd, nowMs: number): void {
    const startMs = Date.parse(mpd.root.attributes.get("availabilityStartTime") ?? "");
    const updateMs = durationS(mpd.root.attributes.get("minimumUpdatePeriod")) * 1000;
    const period = mpd.periods.at(-1);
    if (!period) return;
    for (const { id, segments, timescale, presentationTimeOffset } of period.adaptationSets.flatMap(
      ({ representations }) => representations,
    )) {
      const last = segments.at(-1);
      if (!last) continue;
      const endMs =
        startMs + period.startS * 1000 + ((last.start + last.duration - presentationTimeOffset) / timescale) * 1000;
      const segmentMs = (last.duration / timescale) * 1000;
      const lateMs = nowMs - endMs;
      if (lateMs > updateMs + segmentMs + this.#slackMs)
        this.violations.add("D3", `${id}: listed media ends ${Math.round(lateMs)} ms ago`);
      if (-lateMs > segmentMs + this.#slackMs)
        this.violations.add("D12", `${id}: listed media ends ${Math.round(-lateMs)} ms ahead of the clock`);
    }
  }
}

/** URIs of every init and segment that the MPD names. */
export function objectUris(mpd: Mpd): { readonly inits: string[]; readonly segments: string[] } {
  const all = representationsOf(mpd);
  return {
    inits: [...new Set(all.map(({ initUri }) => initUri))],
    segments: all.flatMap(({ segments }) => segments.map(({ uri }) => uri)),
  };
}

/** `set/representation` of each Representation, in order. */
function placesOf({ adaptationSets }: MpdPeriod): string[] {
  return adaptationSets.flatMap((set) => set.representations.map(({ id }) => `${set.id}/${id}`));
}

function movedRepresentations(before: readonly string[], now: readonly string[]): string[] {
  const idOf = (place: string) => place.slice(place.indexOf("/"));
  return now.filter((place) => !before.includes(place) && before.some((known) => idOf(known) === idOf(place)));
}
