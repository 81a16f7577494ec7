import { type MediaPlaylist, type PlaylistSegment, positionOf, readByteRange, segmentsOf } from "./media-playlist.ts";
import type { Violation } from "./violations.ts";

type Rule = (playlist: MediaPlaylist) => Iterable<string>;

/** Decimal places are five or more: what is left is rounding. */
const ROUNDING_S = 0.0001;
/** EXT-X-PROGRAM-DATE-TIME is in whole milliseconds, EXTINF is not. */
const PDT_TOLERANCE_MS = 2;
const PDT_FORM = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:?\d\d)$/;

/** What one media playlist must be by itself. Ids: docs/adr/0018. */
const RULES: readonly (readonly [id: string, rule: Rule])[] = [
  ["H11", versionFloor],
  ["Z1", versionCeiling],
  ["H12", targetDuration],
  ["H13", segmentLength],
  ["H23", mapChanges],
  ["H24", mapInForce],
  ["H31", afterEnd],
  ["H50", iframeRanges],
  ["L1", partHeaders],
  ["L2", partHoldBack],
  ["L3", serverControl],
  ["L4", partLengths],
  ["L8", partSums],
  ["L9", oldParts],
  ["L11", preloadHint],
  ["L12", reportForm],
  ["L14", iframesWithoutParts],
  ["Z5", emptySkip],
];

/** What a broadcast's has to be besides. */
const LIVE_RULES: typeof RULES = [
  ["H17", discontinuitySequence],
  ["H20", playlistType],
  ["H25", programDateTime],
];
/** And that of a stored video, which is listed from its beginning. */
const STORED_RULES: typeof RULES = [["H20", storedType]];

export function checkMediaPlaylist(playlist: MediaPlaylist): Violation[] {
  return check(playlist, [...RULES, ...LIVE_RULES]);
}

export function checkStoredPlaylist(playlist: MediaPlaylist): Violation[] {
  return check(playlist, [...RULES, ...STORED_RULES]);
}

function check(playlist: MediaPlaylist, rules: typeof RULES): Violation[] {
  const found = rules.flatMap(([rule, judge]) => [...judge(playlist)].map((message) => ({ rule, message })));
  return [...playlist.problems, ...found];
}

function neededVersion(playlist: MediaPlaylist): number {
  if (playlist.skippedCount !== undefined) return 9;
  const hasMap = segmentsOf(playlist).some(({ map }) => map !== undefined);
  if (playlist.isIframesOnly) return hasMap ? 5 : 4;
  return hasMap ? 6 : 3;
}

function* versionFloor(playlist: MediaPlaylist) {
  const needed = neededVersion(playlist);
  if (playlist.version < needed) yield `version ${playlist.version}, content needs ${needed}`;
}

function* versionCeiling(playlist: MediaPlaylist) {
  // EXT-X-GAP came with version 8; §8 does not list it, strict parsers ask for it.
  const hasGap = playlist.complete.some(({ isGap }) => isGap);
  const usual = playlist.isIframesOnly ? 5 : 6;
  const allowed = Math.max(neededVersion(playlist), hasGap ? 8 : usual);
  if (playlist.version > allowed) yield `version ${playlist.version}, content needs ${allowed}`;
}

function* targetDuration({ targetDurationS, hasTargetDuration, complete }: MediaPlaylist) {
  if (!hasTargetDuration) yield "no EXT-X-TARGETDURATION";
  else if (!Number.isInteger(targetDurationS) || targetDurationS < 1) yield `target duration ${targetDurationS}`;
  for (const { msn, durationS } of complete) {
    if (!(Math.round(durationS) <= targetDurationS))
      yield `segment ${msn} lasts ${durationS}, target ${targetDurationS}`;
  }
}

function* segmentLength({ targetDurationS, complete }: MediaPlaylist) {
  for (const { msn, durationS } of complete) {
    if (durationS > targetDurationS + 0.5) yield `segment ${msn} lasts ${durationS}, target ${targetDurationS}`;
  }
}

function* discontinuitySequence(playlist: MediaPlaylist) {
  if (playlist.discontinuitySequence === undefined) yield "no EXT-X-DISCONTINUITY-SEQUENCE";
}

function* playlistType({ playlistType: type, isEnded }: MediaPlaylist) {
  if (type !== undefined && !isEnded) yield `live playlist has type ${type}`;
}

function* storedType(playlist: MediaPlaylist) {
  const { playlistType: type, isEnded, mediaSequence, complete } = playlist;
  const expected = isEnded ? "VOD" : "EVENT";
  if (type !== expected) yield `type ${type} of a list that has ${isEnded ? "" : "not "}ended`;
  if (mediaSequence !== 1) yield `begins at segment ${mediaSequence}`;
  if (playlist.serverControl || playlist.partTargetS !== undefined) yield "what only a broadcast can promise";
  if (complete.some(({ pdtText, hasDiscontinuity }) => pdtText !== undefined || hasDiscontinuity)) {
    yield "a date or a discontinuity";
  }
}

function* mapChanges(playlist: MediaPlaylist) {
  for (const [before, segment] of neighbours(segmentsOf(playlist))) {
    if (segment.map !== before.map && !segment.hasDiscontinuity)
      yield `map changes at ${segment.msn} without discontinuity`;
  }
}

function* mapInForce(playlist: MediaPlaylist) {
  for (const { msn, map } of segmentsOf(playlist)) if (map === undefined) yield `segment ${msn} has no map`;
}

function* programDateTime(playlist: MediaPlaylist) {
  for (const { msn, pdtText } of segmentsOf(playlist)) {
    if (pdtText === undefined) yield `segment ${msn} has no date`;
    else if (!PDT_FORM.test(pdtText) || Number.isNaN(Date.parse(pdtText))) yield `segment ${msn} has date ${pdtText}`;
  }
  for (const [before, segment] of neighbours(segmentsOf(playlist))) {
    if (before.pdtText === undefined || segment.pdtText === undefined) continue;
    const stepMs = Date.parse(segment.pdtText) - Date.parse(before.pdtText);
    const offMs = stepMs - before.durationS * 1000;
    const isBroken = segment.hasDiscontinuity ? offMs < -PDT_TOLERANCE_MS : Math.abs(offMs) > PDT_TOLERANCE_MS;
    if (isBroken) yield `segment ${before.msn} lasts ${before.durationS}, the next is dated ${stepMs} ms later`;
  }
}

function* afterEnd({ isEnded, hints }: MediaPlaylist) {
  if (isEnded && hints.length > 0) yield "EXT-X-PRELOAD-HINT beside EXT-X-ENDLIST";
}

/** Each picture is a range of a segment, one after another. */
function* iframeRanges({ isIframesOnly, complete }: MediaPlaylist) {
  if (!isIframesOnly) return;
  const ends = new Map<string | undefined, number>();
  for (const { msn, uri, isGap, byteRange } of complete) {
    if (isGap) continue;
    const range = readByteRange(byteRange);
    if (!range) yield `entry ${msn} has range ${byteRange}`;
    else if (range.offset < (ends.get(uri) ?? 0)) yield `entry ${msn} at ${byteRange} begins before the last one ends`;
    else ends.set(uri, range.offset + range.length);
  }
}

function* iframesWithoutParts(playlist: MediaPlaylist) {
  if (playlist.isIframesOnly && (hasParts(playlist) || playlist.hints.length > 0)) yield "key frames beside parts";
}

function hasParts(playlist: MediaPlaylist): boolean {
  return segmentsOf(playlist).some(({ parts }) => parts.length > 0);
}

function* partHeaders(playlist: MediaPlaylist) {
  if (!hasParts(playlist)) return;
  if (playlist.partTargetS === undefined) yield "parts without EXT-X-PART-INF";
  if (!playlist.serverControl?.has("PART-HOLD-BACK")) yield "parts without PART-HOLD-BACK";
}

function control(playlist: MediaPlaylist, name: string): number | undefined {
  const text = playlist.serverControl?.get(name);
  return text === undefined ? undefined : Number(text);
}

function* partHoldBack(playlist: MediaPlaylist) {
  const holdBack = control(playlist, "PART-HOLD-BACK");
  const { partTargetS } = playlist;
  if (holdBack === undefined || partTargetS === undefined) return;
  if (!(holdBack >= 3 * partTargetS - ROUNDING_S)) yield `PART-HOLD-BACK ${holdBack} with parts of ${partTargetS}`;
}

function* serverControl(playlist: MediaPlaylist) {
  const { targetDurationS } = playlist;
  const holdBack = control(playlist, "HOLD-BACK");
  if (holdBack !== undefined && !(holdBack >= 3 * targetDurationS)) yield `HOLD-BACK ${holdBack}`;
  const skipUntil = control(playlist, "CAN-SKIP-UNTIL");
  if (skipUntil !== undefined && !(skipUntil >= 6 * targetDurationS)) yield `CAN-SKIP-UNTIL ${skipUntil}`;
  const hasDateranges = playlist.serverControl?.has("CAN-SKIP-DATERANGES");
  if (hasDateranges && skipUntil === undefined) yield "CAN-SKIP-DATERANGES without CAN-SKIP-UNTIL";
}

function* partLengths(playlist: MediaPlaylist) {
  const { partTargetS } = playlist;
  if (partTargetS === undefined) return;
  for (const segment of segmentsOf(playlist)) {
    for (const [index, part] of segment.parts.entries()) {
      const name = `part ${segment.msn}.${index} lasts ${part.durationS}`;
      if (!(part.durationS <= partTargetS)) yield `${name}, target ${partTargetS}`;
      const next = segment.parts[index + 1];
      const mayBeShort = part.isIndependent || part.isGap || next?.isGap || isLastPart(segment, index);
      if (!mayBeShort && part.durationS < 0.85 * partTargetS - ROUNDING_S)
        yield `${name}, below 85 % of ${partTargetS}`;
    }
  }
}

/** Of an open segment, the newest part may still turn out to be the last. */
function isLastPart({ parts }: PlaylistSegment, index: number): boolean {
  return index === parts.length - 1;
}

function* partSums(playlist: MediaPlaylist) {
  for (const { msn, durationS, parts } of playlist.complete) {
    if (parts.length === 0) continue;
    const sumS = parts.reduce((sum, part) => sum + part.durationS, 0);
    if (!(Math.abs(sumS - durationS) <= ROUNDING_S * parts.length))
      yield `segment ${msn} lasts ${durationS}, its parts ${sumS}`;
  }
}

function* oldParts(playlist: MediaPlaylist) {
  let fromEndS = 0;
  for (const { msn, durationS, parts } of segmentsOf(playlist).toReversed()) {
    const isOld = fromEndS > 3 * playlist.targetDurationS + ROUNDING_S;
    if (isOld && parts.length > 0) yield `parts of segment ${msn}, ${fromEndS} s from the end`;
    fromEndS += durationS;
  }
}

function* preloadHint(playlist: MediaPlaylist) {
  if (playlist.isEnded || !hasParts(playlist)) return;
  const types = playlist.hints.map((hint) => hint.get("TYPE"));
  if (!types.includes("PART"))
    yield `no EXT-X-PRELOAD-HINT of a part beside ${positionOf(playlist)?.msn}.${positionOf(playlist)?.part}`;
  if (new Set(types).size < types.length) yield "two hints of one type";
  if (playlist.hints.some((hint) => !hint.has("URI"))) yield "a hint without URI";
}

function* reportForm({ reports }: MediaPlaylist) {
  for (const { uri, lastMsn } of reports) {
    if (uri === "" || /^[a-z]+:/i.test(uri)) yield `report URI is not relative: ${uri}`;
    if (lastMsn === undefined) yield `report of ${uri} without LAST-MSN`;
  }
}

function* emptySkip({ skippedCount }: MediaPlaylist) {
  if (skippedCount !== undefined && !(skippedCount >= 1)) yield `SKIPPED-SEGMENTS is ${skippedCount}`;
}

function* neighbours(segments: readonly PlaylistSegment[]): Generator<readonly [PlaylistSegment, PlaylistSegment]> {
  for (const [index, segment] of segments.entries()) {
    const before = segments[index - 1];
    if (before) yield [before, segment];
  }
}
