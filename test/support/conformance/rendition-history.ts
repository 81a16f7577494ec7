import { type MediaPlaylist, type PlaylistSegment, type Position, positionOf, segmentsOf } from "./media-playlist.ts";
import { unquoted } from "./playlist-text.ts";

/** What a segment was when it was first seen; nothing of it may change. */
interface SeenSegment {
  readonly uri: string;
  readonly durationS: number;
  readonly discontinuity: number;
  readonly map: string | undefined;
}

type Report = (rule: string, message: string) => void;

/** Late by less than this is the checker's own delay, not the server's. */
const DEFAULT_SLACK_MS = 400;
/** Segments and parts that are remembered behind the newest. */
const MEMORY_SEGMENTS = 400;

/** One media playlist over time: what must stay, what must rise, what must not stop. */
export class RenditionHistory {
  readonly #id: string;
  readonly #add: Report;
  readonly #slackMs: number;
  readonly #segments = new Map<number, SeenSegment>();
  readonly #dates = new Map<number, string>();
  readonly #parts = new Map<string, string>();
  #newest: MediaPlaylist | undefined;
  #segmentAtMs: number | undefined;
  #partAtMs: number | undefined;

  constructor(id: string, add: Report, slackMs = DEFAULT_SLACK_MS) {
    this.#id = id;
    this.#add = (rule, message) => add(rule, `${id}: ${message}`);
    this.#slackMs = slackMs;
  }

  get id(): string {
    return this.#id;
  }

  get newest(): MediaPlaylist | undefined {
    return this.#newest;
  }

  /** When segment `msn` begins, as its EXT-X-PROGRAM-DATE-TIME says. */
  dateOf(msn: number): string | undefined {
    return this.#dates.get(msn);
  }

  discontinuityOf(msn: number): number | undefined {
    return this.#segments.get(msn)?.discontinuity;
  }

  observe(playlist: MediaPlaylist, atMs: number): void {
    const before = this.#newest;
    if (before) {
      this.#checkConstants(before, playlist);
      this.#checkSequence(before, playlist);
      this.#checkHint(before, playlist);
    }
    this.#checkSegments(playlist);
    this.#checkPace(before, playlist, atMs);
    this.#newest = playlist;
    this.#forget(playlist);
  }

  #checkConstants(before: MediaPlaylist, now: MediaPlaylist): void {
    if (before.targetDurationS !== now.targetDurationS) {
      this.#add("H12", `target duration went from ${before.targetDurationS} to ${now.targetDurationS}`);
    }
    if (before.partTargetS !== now.partTargetS) {
      this.#add("Z7", `part target went from ${before.partTargetS} to ${now.partTargetS}`);
    }
    const controls = [before, now].map(({ serverControl }) => JSON.stringify([...(serverControl ?? [])]));
    if (controls[0] !== controls[1]) this.#add("Z7", `EXT-X-SERVER-CONTROL went from ${controls[0]} to ${controls[1]}`);
  }

  #checkSequence(before: MediaPlaylist, now: MediaPlaylist): void {
    if (now.mediaSequence < before.mediaSequence) {
      this.#add("H15", `media sequence went from ${before.mediaSequence} to ${now.mediaSequence}`);
    }
    const from = positionOf(before);
    const to = positionOf(now);
    if (from && to && isBefore(to, from)) {
      this.#add("H15", `end of the playlist went from ${text(from)} to ${text(to)}`);
    }
    const listedS = now.complete.reduce((sum, { durationS }) => sum + durationS, 0);
    if (now.mediaSequence > before.mediaSequence && listedS < 3 * now.targetDurationS) {
      this.#add("H18", `evicted down to ${listedS} s with target duration ${now.targetDurationS}`);
    }
    if (before.isEnded && (!now.isEnded || (from && to && isBefore(from, to)))) {
      this.#add("H31", "the playlist changed after its end");
    }
  }

  /** The part after the newest must be what was hinted, or the segment must have ended there. */
  #checkHint(before: MediaPlaylist, now: MediaPlaylist): void {
    const hinted = unquoted(before.hints.find((hint) => hint.get("TYPE") === "PART")?.get("URI"));
    const from = positionOf(before);
    if (hinted === undefined || !from || now.isEnded) return;
    const parent = segmentsOf(now).find(({ msn }) => msn === from.msn);
    const following = before.open
      ? parent?.parts[from.part + 1]
      : segmentsOf(now).find(({ msn }) => msn === from.msn + 1)?.parts[0];
    if (following && following.uri !== hinted) this.#add("L11", `hinted ${hinted}, came ${following.uri}`);
  }

  #checkSegments(playlist: MediaPlaylist): void {
    let discontinuity = playlist.discontinuitySequence ?? 0;
    for (const segment of segmentsOf(playlist)) {
      if (segment.hasDiscontinuity) discontinuity++;
      this.#checkParts(segment);
      this.#checkDate(segment);
      if (segment.uri === undefined) continue;
      const seen = { uri: segment.uri, durationS: segment.durationS, discontinuity, map: segment.map };
      const known = this.#segments.get(segment.msn);
      if (known) this.#compare(segment.msn, known, seen);
      else this.#segments.set(segment.msn, seen);
    }
  }

  #compare(msn: number, known: SeenSegment, now: SeenSegment): void {
    if (known.uri !== now.uri) this.#add("H15", `segment ${msn} was ${known.uri}, is ${now.uri}`);
    if (known.durationS !== now.durationS)
      this.#add("H14", `segment ${msn} lasted ${known.durationS}, lasts ${now.durationS}`);
    if (known.discontinuity !== now.discontinuity) {
      this.#add("H16", `segment ${msn} had discontinuity number ${known.discontinuity}, has ${now.discontinuity}`);
    }
    if (known.map !== now.map) this.#add("H24", `segment ${msn} had map ${known.map}, has ${now.map}`);
  }

  #checkDate({ msn, pdtText }: PlaylistSegment): void {
    if (pdtText === undefined) return;
    const known = this.#dates.get(msn);
    if (known !== undefined && known !== pdtText)
      this.#add("H25", `segment ${msn} was dated ${known}, is dated ${pdtText}`);
    this.#dates.set(msn, pdtText);
  }

  #checkParts({ msn, parts }: PlaylistSegment): void {
    for (const [index, { uri, durationS }] of parts.entries()) {
      const key = `${msn}.${index}`;
      const seen = `${uri} of ${durationS} s`;
      const known = this.#parts.get(key);
      if (known !== undefined && known !== seen) this.#add("L8", `part ${key} was ${known}, is ${seen}`);
      this.#parts.set(key, seen);
    }
  }

  #checkPace(before: MediaPlaylist | undefined, now: MediaPlaylist, atMs: number): void {
    const newSegment = now.complete.at(-1)?.msn !== before?.complete.at(-1)?.msn;
    const position = positionOf(now);
    const newPart = JSON.stringify(position) !== JSON.stringify(before && positionOf(before));
    if (!now.isEnded) {
      const { targetDurationS, partTargetS } = now;
      this.#checkWait("H21", "segment", newSegment, this.#segmentAtMs, atMs, 1500 * targetDurationS);
      if (partTargetS !== undefined) this.#checkWait("L10", "part", newPart, this.#partAtMs, atMs, 1000 * partTargetS);
    }
    if (newSegment) this.#segmentAtMs = atMs;
    if (newPart) this.#partAtMs = atMs;
  }

  #checkWait(
    rule: string,
    what: string,
    isNew: boolean,
    lastMs: number | undefined,
    atMs: number,
    limitMs: number,
  ): void {
    if (lastMs === undefined || !isNew) return;
    const waitedMs = atMs - lastMs;
    if (waitedMs > limitMs + this.#slackMs)
      this.#add(rule, `a ${what} after ${Math.round(waitedMs)} ms, limit ${limitMs} ms`);
  }

  #forget(playlist: MediaPlaylist): void {
    const oldest = playlist.mediaSequence - MEMORY_SEGMENTS;
    for (const msn of this.#segments.keys()) if (msn < oldest) this.#segments.delete(msn);
    for (const msn of this.#dates.keys()) if (msn < oldest) this.#dates.delete(msn);
    for (const key of this.#parts.keys()) if (Number(key.split(".")[0]) < oldest) this.#parts.delete(key);
  }
}

export function isBefore(a: Position, b: Position): boolean {
  return a.msn < b.msn || (a.msn === b.msn && a.part < b.part);
}

function text({ msn, part }: Position): string {
  return `${msn}.${part}`;
}
