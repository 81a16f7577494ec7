import {
  type MediaPlaylist,
  type PlaylistSegment,
  type Position,
  positionOf,
  readMediaPlaylist,
  segmentsOf,
} from "./media-playlist.ts";
import { checkMediaPlaylist } from "./media-rules.ts";
import {
  checkMultivariant,
  type MultivariantPlaylist,
  mediaPlaylistUris,
  readMultivariantPlaylist,
} from "./multivariant-rules.ts";
import { isBefore, RenditionHistory } from "./rendition-history.ts";
import { Violations } from "./violations.ts";

/** Segments of different media start where their own frames do: apart by less than this. */
const SAME_INSTANT_MS = 250;
/** Parts by which two renditions may be apart: one in the making, one in the air. */
const STEP_PARTS = 2;
const ROUNDING_S = 0.001;
/** EXT-X-PROGRAM-DATE-TIME is in whole milliseconds. */
const DATE_ROUNDING_MS = 2;

export interface HlsConformanceOptions {
  readonly violations?: Violations;
  /** How late a playlist may be observed, or its rendition be behind another, without blame. */
  readonly slackMs?: number;
}

/**
 * Judges the playlists of one stream, as texts, over time. A rendition is named by the URI of its media playlist in
 * the multivariant playlist.
 */
export class HlsConformance {
  readonly violations: Violations;
  readonly #options: HlsConformanceOptions;
  readonly #renditions = new Map<string, RenditionHistory>();
  readonly #iframes = new Map<string, RenditionHistory>();
  #multivariant: MultivariantPlaylist | undefined;

  constructor(options: HlsConformanceOptions = {}) {
    this.violations = options.violations ?? new Violations();
    this.#options = options;
  }

  observeMultivariant(text: string): MultivariantPlaylist {
    const playlist = readMultivariantPlaylist(text);
    for (const { rule, message } of checkMultivariant(playlist)) this.violations.add(rule, message);
    this.#multivariant = playlist;
    return playlist;
  }

  /** A full media playlist. Those of one rendition are given in the order in which they were answered. */
  observeMedia(renditionUri: string, text: string, atMs: number): MediaPlaylist {
    const playlist = readMediaPlaylist(text);
    for (const { rule, message } of checkMediaPlaylist(playlist))
      this.violations.add(rule, `${renditionUri}: ${message}`);
    this.#history(renditionUri).observe(playlist, atMs);
    this.#checkIndependence(renditionUri, playlist);
    this.#checkReports(renditionUri, playlist);
    for (const other of this.#renditions.values()) {
      if (other.id !== renditionUri) this.#checkTogether(this.#history(renditionUri), other);
    }
    return playlist;
  }

  /** A full I-frame playlist, after a media playlist that lists the same segments. */
  observeIframes(uri: string, text: string, atMs: number): MediaPlaylist {
    const playlist = readMediaPlaylist(text);
    for (const { rule, message } of checkMediaPlaylist(playlist)) this.violations.add(rule, `${uri}: ${message}`);
    if (!playlist.isIframesOnly) this.violations.add("H50", `${uri}: no EXT-X-I-FRAMES-ONLY`);
    this.#history(uri, this.#iframes).observe(playlist, atMs);
    const beside = [...this.#renditions.values()].find(({ id }) => folderOf(id) === folderOf(uri));
    if (beside?.newest) this.#checkIframesBeside(uri, playlist, beside.id, beside.newest);
    return playlist;
  }

  /** A delta playlist, the full one of the same instant, and an older full one that the player had. */
  observeDelta(renditionUri: string, base: string, delta: string, full: string): void {
    const add = (rule: string, message: string) => this.violations.add(rule, `${renditionUri}: ${message}`);
    const before = readMediaPlaylist(base);
    const update = readMediaPlaylist(delta);
    const after = readMediaPlaylist(full);
    for (const { rule, message } of checkMediaPlaylist(update)) {
      // What is in force at the first segment may stand in the part that is left out.
      if (rule !== "H24" && rule !== "H23") add(rule, `delta: ${message}`);
    }
    const { skippedCount } = update;
    if (skippedCount === undefined) {
      if (delta !== full) add("Z5", "a delta without EXT-X-SKIP differs from the full playlist");
      return;
    }
    this.#checkSkipBoundary(add, update, skippedCount);
    const merged = merge(before, update, skippedCount);
    const difference = merged && firstDifference(merged, after);
    if (!merged) add("L25", `skips segments that the player never had, from ${update.mediaSequence}`);
    else if (difference) add("L27", `delta merged with what was there differs from the full playlist: ${difference}`);
  }

  get renditionUris(): string[] {
    return this.#multivariant ? mediaPlaylistUris(this.#multivariant) : [...this.#renditions.keys()];
  }

  #history(renditionUri: string, histories = this.#renditions): RenditionHistory {
    const known = histories.get(renditionUri);
    if (known) return known;
    const { slackMs } = this.#options;
    const history = new RenditionHistory(renditionUri, (rule, message) => this.violations.add(rule, message), slackMs);
    histories.set(renditionUri, history);
    return history;
  }

  #checkSkipBoundary(
    add: (rule: string, message: string) => void,
    { serverControl, complete }: MediaPlaylist,
    skippedCount: number,
  ): void {
    const boundaryS = Number(serverControl?.get("CAN-SKIP-UNTIL"));
    const listedS = complete.reduce((sum, { durationS }) => sum + durationS, 0);
    if (Number.isNaN(boundaryS)) add("L25", "EXT-X-SKIP without CAN-SKIP-UNTIL");
    else if (listedS < boundaryS - 0.001) add("L25", `skips ${skippedCount}, leaves ${listedS} s of ${boundaryS}`);
  }

  #checkIndependence(renditionUri: string, playlist: MediaPlaylist): void {
    if (!this.#multivariant?.isIndependent) return;
    for (const { msn, parts } of segmentsOf(playlist)) {
      const [first] = parts;
      if (first && !first.isIndependent && !first.isGap) {
        this.violations.add("H49", `${renditionUri}: segment ${msn} starts with a part that is not independent`);
      }
    }
  }

  #checkReports(renditionUri: string, playlist: MediaPlaylist): void {
    if (playlist.isEnded || playlist.partTargetS === undefined || !this.#multivariant) return;
    const others = this.renditionUris.filter((uri) => uri !== renditionUri);
    const reported = new Map(playlist.reports.map((report) => [resolve(renditionUri, report.uri), report]));
    for (const uri of others) {
      const report = reported.get(uri);
      if (!report) this.violations.add("L12", `${renditionUri}: no report of ${uri}`);
      else this.#checkReport(renditionUri, uri, { msn: report.lastMsn ?? 0, part: report.lastPart ?? -1 });
    }
    const extra = [...reported.keys()].find((uri) => !others.includes(uri));
    if (extra !== undefined) this.violations.add("L12", `${renditionUri}: report of ${extra}, which no variant uses`);
    if (reported.size < playlist.reports.length)
      this.violations.add("L12", `${renditionUri}: two reports of one playlist`);
  }

  /** A report may be newer than what was seen of that rendition, and older by little. */
  #checkReport(renditionUri: string, otherUri: string, report: { msn: number; part: number }): void {
    const other = this.#renditions.get(otherUri)?.newest;
    const own = this.#renditions.get(renditionUri)?.newest;
    const seen = other && positionOf(other);
    const here = own && positionOf(own);
    if (!other || !seen || !here || other.isEnded) return;
    const limitS = STEP_PARTS * (own.partTargetS ?? 0) + ROUNDING_S;
    if (isBefore(report, seen) && secondsTo(other, seen) - secondsTo(other, report) > limitS) {
      this.violations.add(
        "L12",
        `${renditionUri}: reports ${otherUri} at ${report.msn}.${report.part}, it was at ${seen.msn}.${seen.part}`,
      );
    }
    const slackS = (this.#options.slackMs ?? 0) / 1000;
    if (Math.abs(secondsTo(own, here) - secondsTo(own, report)) > limitS + slackS) {
      this.violations.add(
        "L13",
        `${renditionUri} is at ${here.msn}.${here.part}, ${otherUri} at ${report.msn}.${report.part}`,
      );
    }
  }

  /** The same promises, and each picture within the time and the discontinuity of the segment that it is a range of. */
  #checkIframesBeside(uri: string, iframes: MediaPlaylist, mediaUri: string, media: MediaPlaylist): void {
    const add = (rule: string, message: string) => this.violations.add(rule, `${uri} and ${mediaUri}: ${message}`);
    if (iframes.targetDurationS !== media.targetDurationS) add("H51", "target durations differ");
    const controls = [iframes, media].map(({ serverControl }) => JSON.stringify([...(serverControl ?? [])]));
    if (controls[0] !== controls[1]) add("H51", "EXT-X-SERVER-CONTROL differs");
    const segments = new Map(numbered(media).map((one) => [one.segment.uri, one]));
    for (const { segment: entry, discontinuity } of numbered(iframes)) {
      const known = segments.get(entry.uri);
      if (!known) continue;
      if (discontinuity !== known.discontinuity)
        add("H51", `${entry.uri} has discontinuity ${discontinuity} and ${known.discontinuity}`);
      const intoMs = Date.parse(entry.pdtText ?? "") - Date.parse(known.segment.pdtText ?? "");
      const endMs = known.segment.durationS * 1000 - entry.durationS * 1000;
      if (intoMs < -DATE_ROUNDING_MS || intoMs > endMs + DATE_ROUNDING_MS)
        add("H26", `a picture ${intoMs} ms into ${entry.uri} for ${entry.durationS} s`);
    }
  }

  #checkTogether(a: RenditionHistory, b: RenditionHistory): void {
    const [one, other] = [a.newest, b.newest];
    if (!one || !other) return;
    const pair = `${a.id} and ${b.id}`;
    if (one.targetDurationS !== other.targetDurationS) this.violations.add("H51", `${pair}: target durations differ`);
    const controls = [one, other].map(({ serverControl, partTargetS }) =>
      JSON.stringify([partTargetS, ...(serverControl ?? [])]),
    );
    if (controls[0] !== controls[1]) this.violations.add("H51", `${pair}: EXT-X-SERVER-CONTROL differs`);
    for (const { msn } of segmentsOf(one)) this.#checkInstant(a, b, msn);
  }

  #checkInstant(a: RenditionHistory, b: RenditionHistory, msn: number): void {
    const [one, other] = [a, b].map((history) => history.discontinuityOf(msn));
    if (one !== undefined && other !== undefined && one !== other) {
      this.violations.add("H51", `segment ${msn}: discontinuity ${one} in ${a.id}, ${other} in ${b.id}`);
    }
    const [dateA, dateB] = [a, b].map((history) => history.dateOf(msn));
    if (dateA === undefined || dateB === undefined) return;
    const apartMs = Math.abs(Date.parse(dateA) - Date.parse(dateB));
    if (apartMs > SAME_INSTANT_MS)
      this.violations.add("H26", `segment ${msn} starts ${apartMs} ms apart in ${a.id} and ${b.id}`);
  }
}

function numbered(playlist: MediaPlaylist) {
  let discontinuity = playlist.discontinuitySequence ?? 0;
  return playlist.complete.map((segment) => {
    if (segment.hasDiscontinuity) discontinuity++;
    return { segment, discontinuity };
  });
}

function folderOf(uri: string): string {
  return uri.slice(0, uri.lastIndexOf("/") + 1);
}

/** Seconds from the start of `playlist` to the end of the part (or of the segment, without one) at `position`. */
function secondsTo(playlist: MediaPlaylist, { msn, part }: Position): number {
  const listed = segmentsOf(playlist);
  const durationOf = (at: number) => listed[at - playlist.mediaSequence]?.durationS ?? playlist.targetDurationS;
  let sum = 0;
  for (let at = playlist.mediaSequence; at < msn; at++) sum += durationOf(at);
  if (part < 0) return sum + durationOf(msn);
  const parts = listed[msn - playlist.mediaSequence]?.parts ?? [];
  const knownS = parts.slice(0, part + 1).reduce((total, { durationS }) => total + durationS, 0);
  const unknownS = Math.max(0, part + 1 - parts.length) * (playlist.partTargetS ?? 0);
  return sum + (parts.length > 0 ? knownS + unknownS : Math.min(unknownS, durationOf(msn)));
}

function resolve(base: string, uri: string): string {
  return new URL(uri, new URL(base, "http://h/")).href.slice("http://h/".length);
}

/** The update with what it skips taken from `base`; undefined when `base` does not hold it. */
function merge(base: MediaPlaylist, update: MediaPlaylist, skippedCount: number): MediaPlaylist | undefined {
  const skipped: PlaylistSegment[] = [];
  for (let msn = update.mediaSequence; msn < update.mediaSequence + skippedCount; msn++) {
    const known = base.complete.find((segment) => segment.msn === msn);
    if (!known) return undefined;
    skipped.push(known);
  }
  return { ...update, complete: [...skipped, ...update.complete] };
}

/** What a player would know differently, in words. Parts of the skipped segments have long been removed. */
function firstDifference(merged: MediaPlaylist, full: MediaPlaylist): string | undefined {
  const [a, b] = [merged, full].map((playlist) => ({
    ...playlist,
    version: 0,
    skippedCount: undefined,
    hints: playlist.hints.map((hint) => [...hint]),
    serverControl: [...(playlist.serverControl ?? [])],
    complete: undefined,
    problems: undefined,
    reports: undefined,
  }));
  if (JSON.stringify(a) !== JSON.stringify(b)) return `${JSON.stringify(a)} | ${JSON.stringify(b)}`;
  const listed = full.complete.map((segment) => JSON.stringify(segment));
  const found = merged.complete.map((segment) => JSON.stringify(withPartsOf(segment, full)));
  const index = listed.findIndex((segment, at) => segment !== found[at]);
  if (index >= 0 || listed.length !== found.length) return `${found[index]} | ${listed[index]}`;
  return undefined;
}

function withPartsOf(segment: PlaylistSegment, full: MediaPlaylist): PlaylistSegment {
  const listed = full.complete.find(({ msn }) => msn === segment.msn);
  return listed?.parts.length === 0 ? { ...segment, parts: [] } : segment;
}
