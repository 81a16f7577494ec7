import { type Attributes, isTag, type Line, readPlaylist, type Tag, unquoted } from "./playlist-text.ts";
import type { Violation } from "./violations.ts";

export interface PlaylistPart {
  readonly uri: string;
  readonly durationS: number;
  readonly isIndependent: boolean;
  readonly isGap: boolean;
}

export interface PlaylistSegment {
  readonly msn: number;
  /** Undefined while only parts are there. */
  readonly uri: string | undefined;
  readonly durationS: number;
  readonly hasDiscontinuity: boolean;
  readonly isGap: boolean;
  /** EXT-X-BYTERANGE as it is written. */
  readonly byteRange: string | undefined;
  /** EXT-X-MAP in force. */
  readonly map: string | undefined;
  readonly pdtText: string | undefined;
  readonly parts: readonly PlaylistPart[];
}

export interface RenditionReport {
  readonly uri: string;
  readonly lastMsn: number | undefined;
  readonly lastPart: number | undefined;
}

/** A media playlist as a player understands it. */
export interface MediaPlaylist {
  readonly version: number;
  readonly targetDurationS: number;
  readonly hasTargetDuration: boolean;
  readonly partTargetS: number | undefined;
  readonly serverControl: Attributes | undefined;
  readonly mediaSequence: number;
  readonly discontinuitySequence: number | undefined;
  readonly playlistType: string | undefined;
  readonly isIframesOnly: boolean;
  readonly skippedCount: number | undefined;
  readonly complete: readonly PlaylistSegment[];
  /** The last segment, while only parts of it are there. */
  readonly open: PlaylistSegment | undefined;
  readonly hints: readonly Attributes[];
  readonly reports: readonly RenditionReport[];
  readonly isEnded: boolean;
  readonly problems: readonly Violation[];
}

/** Where a playlist ends: the newest segment with media, and its newest part (-1 without parts). */
export interface Position {
  readonly msn: number;
  readonly part: number;
}

export function positionOf(playlist: MediaPlaylist): Position | undefined {
  const newest = playlist.open ?? playlist.complete.at(-1);
  return newest && { msn: newest.msn, part: newest.parts.length - 1 };
}

/** All listed segments, the open one last. */
export function segmentsOf({ complete, open }: MediaPlaylist): readonly PlaylistSegment[] {
  return open ? [...complete, open] : complete;
}

/** `<length>@<offset>`; undefined for any other form, the one without an offset included. */
export function readByteRange(text: string | undefined): { length: number; offset: number } | undefined {
  const [, length, offset] = /^([1-9]\d*)@(\d+)$/.exec(text ?? "") ?? [];
  return length === undefined || offset === undefined ? undefined : { length: Number(length), offset: Number(offset) };
}

interface Draft {
  tags: Tag[];
  parts: PlaylistPart[];
}

/** Reads a media playlist; what is wrong with its form is in `problems`. */
export function readMediaPlaylist(text: string): MediaPlaylist {
  const { lines, problems: syntax } = readPlaylist(text);
  const problems = [...syntax];
  const header = (name: string) => lines.find((line): line is Tag => isTag(line) && line.name === name);
  const number = (name: string) => {
    const tag = header(name);
    return tag && Number(tag.value);
  };
  const skippedCount = numberOf(header("EXT-X-SKIP")?.attributes.get("SKIPPED-SEGMENTS"));
  const mediaSequence = number("EXT-X-MEDIA-SEQUENCE") ?? 0;
  const { complete, open } = readSegments(lines, mediaSequence + (skippedCount ?? 0), problems);
  return {
    version: number("EXT-X-VERSION") ?? 1,
    targetDurationS: number("EXT-X-TARGETDURATION") ?? 0,
    hasTargetDuration: header("EXT-X-TARGETDURATION") !== undefined,
    partTargetS: numberOf(header("EXT-X-PART-INF")?.attributes.get("PART-TARGET")),
    serverControl: header("EXT-X-SERVER-CONTROL")?.attributes,
    mediaSequence,
    discontinuitySequence: number("EXT-X-DISCONTINUITY-SEQUENCE"),
    playlistType: header("EXT-X-PLAYLIST-TYPE")?.value,
    isIframesOnly: header("EXT-X-I-FRAMES-ONLY") !== undefined,
    skippedCount,
    complete,
    open,
    hints: all(lines, "EXT-X-PRELOAD-HINT").map(({ attributes }) => attributes),
    reports: all(lines, "EXT-X-RENDITION-REPORT").map(({ attributes }) => ({
      uri: unquoted(attributes.get("URI")) ?? "",
      lastMsn: numberOf(attributes.get("LAST-MSN")),
      lastPart: numberOf(attributes.get("LAST-PART")),
    })),
    isEnded: header("EXT-X-ENDLIST") !== undefined,
    problems,
  };
}

function all(lines: readonly Line[], name: string): Tag[] {
  return lines.filter((line): line is Tag => isTag(line) && line.name === name);
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

/** Tags that say something of a segment as a whole; they stand before its first part. */
const BEFORE_PARTS = new Set(["EXT-X-DISCONTINUITY", "EXT-X-MAP", "EXT-X-PROGRAM-DATE-TIME", "EXT-X-KEY"]);
const SEGMENT_TAGS = new Set([
  ...BEFORE_PARTS,
  "EXT-X-PART",
  "EXT-X-GAP",
  "EXTINF",
  "EXT-X-BYTERANGE",
  "EXT-X-BITRATE",
]);
const BEFORE_SEGMENTS = new Set(["EXT-X-MEDIA-SEQUENCE", "EXT-X-DISCONTINUITY-SEQUENCE", "EXT-X-SKIP"]);

function readSegments(lines: readonly Line[], firstMsn: number, problems: Violation[]) {
  const complete: PlaylistSegment[] = [];
  let draft: Draft = { tags: [], parts: [] };
  let map: string | undefined;
  for (const line of lines) {
    if (!isTag(line)) {
      const segment = finish(draft, firstMsn + complete.length, line.uri, map);
      if (!draft.tags.some(({ name }) => name === "EXTINF")) {
        problems.push({ rule: "H6", message: `no EXTINF before ${line.uri}` });
      }
      complete.push(segment);
      map = segment.map;
      draft = { tags: [], parts: [] };
    } else if (SEGMENT_TAGS.has(line.name)) {
      if (BEFORE_PARTS.has(line.name) && draft.parts.length > 0) {
        problems.push({
          rule: "L7",
          message: `${line.name} after the first part of segment ${firstMsn + complete.length}`,
        });
      }
      draft.tags.push(line);
      if (line.name === "EXT-X-PART") draft.parts.push(readPart(line));
    } else if (BEFORE_SEGMENTS.has(line.name) && (complete.length > 0 || draft.tags.length > 0)) {
      problems.push({ rule: "H16", message: `${line.name} after the first segment` });
    }
  }
  const open = draft.tags.length > 0 ? finish(draft, firstMsn + complete.length, undefined, map) : undefined;
  return { complete, open };
}

function finish(
  { tags, parts }: Draft,
  msn: number,
  uri: string | undefined,
  mapBefore: string | undefined,
): PlaylistSegment {
  const find = (name: string) => tags.find((tag) => tag.name === name);
  const extinf = find("EXTINF");
  return {
    msn,
    uri,
    durationS: extinf ? Number(extinf.value.split(",")[0]) : parts.reduce((sum, part) => sum + part.durationS, 0),
    hasDiscontinuity: find("EXT-X-DISCONTINUITY") !== undefined,
    isGap: find("EXT-X-GAP") !== undefined,
    byteRange: find("EXT-X-BYTERANGE")?.value,
    map: unquoted(find("EXT-X-MAP")?.attributes.get("URI")) ?? mapBefore,
    pdtText: find("EXT-X-PROGRAM-DATE-TIME")?.value,
    parts,
  };
}

function readPart({ attributes }: Tag): PlaylistPart {
  return {
    uri: unquoted(attributes.get("URI")) ?? "",
    durationS: Number(attributes.get("DURATION")),
    isIndependent: attributes.get("INDEPENDENT") === "YES",
    isGap: attributes.get("GAP") === "YES",
  };
}
