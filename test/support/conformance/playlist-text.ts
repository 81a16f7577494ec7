import type { Violation } from "./violations.ts";

export type Attributes = ReadonlyMap<string, string>;

export interface Tag {
  readonly name: string;
  /** What follows the colon; empty without one. */
  readonly value: string;
  readonly attributes: Attributes;
}

/** A line of a playlist that counts: a tag, or a URI. */
export type Line = Tag | { readonly uri: string };

export interface PlaylistText {
  readonly lines: readonly Line[];
  readonly problems: readonly Violation[];
}

/** Tags whose value is an attribute list. */
const WITH_ATTRIBUTES = new Set([
  "EXT-X-SERVER-CONTROL",
  "EXT-X-PART-INF",
  "EXT-X-MAP",
  "EXT-X-PART",
  "EXT-X-PRELOAD-HINT",
  "EXT-X-RENDITION-REPORT",
  "EXT-X-SKIP",
  "EXT-X-DATERANGE",
  "EXT-X-START",
  "EXT-X-MEDIA",
  "EXT-X-STREAM-INF",
  "EXT-X-I-FRAME-STREAM-INF",
  "EXT-X-IMAGE-STREAM-INF",
]);
const MULTIVARIANT_TAGS = new Set([
  "EXT-X-MEDIA",
  "EXT-X-STREAM-INF",
  "EXT-X-I-FRAME-STREAM-INF",
  // Of Roku and Disney; Shaka reads it, others pass over it.
  "EXT-X-IMAGE-STREAM-INF",
]);
const MEDIA_TAGS = new Set([
  "EXT-X-SERVER-CONTROL",
  "EXT-X-PART-INF",
  "EXT-X-MAP",
  "EXT-X-PART",
  "EXT-X-PRELOAD-HINT",
  "EXT-X-RENDITION-REPORT",
  "EXT-X-SKIP",
  "EXT-X-DATERANGE",
  "EXT-X-TARGETDURATION",
  "EXT-X-MEDIA-SEQUENCE",
  "EXT-X-DISCONTINUITY-SEQUENCE",
  "EXT-X-PLAYLIST-TYPE",
  "EXT-X-ENDLIST",
  "EXT-X-DISCONTINUITY",
  "EXT-X-PROGRAM-DATE-TIME",
  "EXT-X-GAP",
  "EXT-X-I-FRAMES-ONLY",
  "EXT-X-BYTERANGE",
  "EXT-X-BITRATE",
  "EXTINF",
]);
const EITHER_TAGS = new Set(["EXTM3U", "EXT-X-VERSION", "EXT-X-INDEPENDENT-SEGMENTS", "EXT-X-START"]);

const ATTRIBUTE = /([A-Z0-9-]+)=("[^"\r\n]*"|[^",\s]+)/y;

/** Splits a playlist into its lines, with the syntax rules of HLS §4 checked on the way. */
export function readPlaylist(text: string): PlaylistText {
  const problems: Violation[] = [];
  const add = (rule: string, message: string) => problems.push({ rule, message });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that none is there is what is checked
  if (/[\u0000-\u0009\u000b\u000c\u000e-\u001f\u007f\ufffd]/.test(text)) add("H1", "control or broken character");
  if (!text.startsWith("#EXTM3U\n")) add("H1", `first line is ${JSON.stringify(text.split("\n")[0])}`);
  if (!text.endsWith("\n")) add("H1", "last line has no end");
  const lines: Line[] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("#EXT")) lines.push(readTag(line.slice(1), add));
    else if (line !== "" && !line.startsWith("#")) lines.push({ uri: line });
  }
  checkTags(lines, add);
  return { lines, problems };
}

export function isTag(line: Line): line is Tag {
  return "name" in line;
}

/** An attribute's value without its quotation marks. */
export function unquoted(value: string | undefined): string | undefined {
  return value?.replace(/^"|"$/g, "");
}

function readTag(line: string, add: (rule: string, message: string) => void): Tag {
  const colon = line.indexOf(":");
  const name = colon < 0 ? line : line.slice(0, colon);
  const value = colon < 0 ? "" : line.slice(colon + 1);
  const attributes = WITH_ATTRIBUTES.has(name) ? readAttributes(line, value, add) : new Map<string, string>();
  return { name, value, attributes };
}

function readAttributes(line: string, text: string, add: (rule: string, message: string) => void): Attributes {
  const attributes = new Map<string, string>();
  ATTRIBUTE.lastIndex = 0;
  while (ATTRIBUTE.lastIndex < text.length) {
    const at = ATTRIBUTE.lastIndex;
    const [, name, value] = ATTRIBUTE.exec(text) ?? [];
    const isListed = name !== undefined && value !== undefined && (at === 0 || text[at - 1] === ",");
    if (!isListed || (ATTRIBUTE.lastIndex < text.length && text[ATTRIBUTE.lastIndex] !== ",")) {
      add("H7", `attribute list is broken: ${line}`);
      return attributes;
    }
    if (attributes.has(name)) add("H7", `${name} twice: ${line}`);
    if (/^-?\d.*[eE,]/.test(value) && !/^0[xX]/.test(value)) add("H7", `not a decimal number: ${name}=${value}`);
    attributes.set(name, value);
    if (ATTRIBUTE.lastIndex < text.length) ATTRIBUTE.lastIndex++;
  }
  return attributes;
}

function checkTags(lines: readonly Line[], add: (rule: string, message: string) => void): void {
  const names = lines.filter(isTag).map(({ name }) => name);
  const versions = names.filter((name) => name === "EXT-X-VERSION").length;
  if (versions !== 1) add("H5", `${versions} EXT-X-VERSION`);
  const multivariant = names.find((name) => MULTIVARIANT_TAGS.has(name));
  const media = names.find((name) => MEDIA_TAGS.has(name));
  if (multivariant && media) add("H6", `${multivariant} beside ${media}`);
  for (const name of new Set(names)) {
    if (!MULTIVARIANT_TAGS.has(name) && !MEDIA_TAGS.has(name) && !EITHER_TAGS.has(name)) {
      add("T8", `unknown tag ${name}`);
    }
  }
}
