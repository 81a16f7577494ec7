import { type Attributes, isTag, readPlaylist, type Tag, unquoted } from "./playlist-text.ts";
import type { Violation } from "./violations.ts";

export interface Variant {
  readonly uri: string;
  readonly attributes: Attributes;
}

export interface MultivariantPlaylist {
  readonly variants: readonly Variant[];
  /** EXT-X-I-FRAME-STREAM-INF tags. */
  readonly iframeVariants: readonly Variant[];
  /** EXT-X-MEDIA tags. */
  readonly media: readonly Attributes[];
  readonly isIndependent: boolean;
  readonly problems: readonly Violation[];
}

export function readMultivariantPlaylist(text: string): MultivariantPlaylist {
  const { lines, problems: syntax } = readPlaylist(text);
  const problems = [...syntax];
  const variants: Variant[] = [];
  for (const [index, line] of lines.entries()) {
    if (!isTag(line) || line.name !== "EXT-X-STREAM-INF") continue;
    const next = lines[index + 1];
    if (next && !isTag(next)) variants.push({ uri: next.uri, attributes: line.attributes });
    else problems.push({ rule: "H36", message: "EXT-X-STREAM-INF without a URI line" });
  }
  const tags = lines.filter((line): line is Tag => isTag(line));
  const iframeTags = tags.filter(({ name }) => name === "EXT-X-I-FRAME-STREAM-INF");
  return {
    variants,
    iframeVariants: iframeTags.map(({ attributes }) => ({ uri: unquoted(attributes.get("URI")) ?? "", attributes })),
    media: tags.filter(({ name }) => name === "EXT-X-MEDIA").map(({ attributes }) => attributes),
    isIndependent: tags.some(({ name }) => name === "EXT-X-INDEPENDENT-SEGMENTS"),
    problems,
  };
}

/** URIs of all playlists of video and audio that the multivariant playlist names. */
export function mediaPlaylistUris({ variants, media }: MultivariantPlaylist): string[] {
  const alternatives = urisOf(media.filter((attributes) => attributes.get("TYPE") !== "SUBTITLES"));
  return [...new Set([...variants.map(({ uri }) => uri), ...alternatives])];
}

/** URIs of all playlists of words. */
export function textPlaylistUris({ media }: MultivariantPlaylist): string[] {
  return urisOf(media.filter((attributes) => attributes.get("TYPE") === "SUBTITLES"));
}

function urisOf(media: readonly Attributes[]): string[] {
  return media.map((attributes) => unquoted(attributes.get("URI"))).filter((uri) => uri !== undefined);
}

/** Media playlists of the audio that can be played beside `variant`. */
export function audioUrisOf({ media }: MultivariantPlaylist, variant: Variant): string[] {
  const group = variant.attributes.get("AUDIO");
  return media
    .filter((attributes) => attributes.get("TYPE") === "AUDIO" && attributes.get("GROUP-ID") === group)
    .flatMap((attributes) => unquoted(attributes.get("URI")) ?? []);
}

type Rule = (playlist: MultivariantPlaylist) => Iterable<string>;

const VIDEO_CODEC = /^(avc1|avc3|hvc1|hev1|av01|vp09|dvh1)\./;
const AUDIO_CODEC = /^(mp4a\.|opus$|fLaC$|ac-3$|ec-3$)/;

const RULES: readonly (readonly [id: string, rule: Rule])[] = [
  ["H36", requiredAttributes],
  ["H37", bandwidths],
  ["H39", codecs],
  ["H40", frameRate],
  ["H41", videoRange],
  ["H42", score],
  ["H43", stableIds],
  ["H44", audioGroups],
  ["H45", groupMembers],
  ["H46", audioUris],
  ["H47", closedCaptions],
  ["H48", audioOnly],
  ["H50", iframeAttributes],
];

export function checkMultivariant(playlist: MultivariantPlaylist): Violation[] {
  const found = RULES.flatMap(([rule, check]) => [...check(playlist)].map((message) => ({ rule, message })));
  return [...playlist.problems, ...found];
}

function codecsOf({ attributes }: Variant): string[] {
  return (unquoted(attributes.get("CODECS")) ?? "").split(",").filter((codec) => codec !== "");
}

function isVideo(variant: Variant): boolean {
  return variant.attributes.has("RESOLUTION") || codecsOf(variant).some((codec) => VIDEO_CODEC.test(codec));
}

function* requiredAttributes({ variants }: MultivariantPlaylist) {
  if (variants.length === 0) yield "no variant";
  for (const variant of variants) {
    const needed = [
      "BANDWIDTH",
      "AVERAGE-BANDWIDTH",
      "CODECS",
      ...(isVideo(variant) ? ["RESOLUTION", "FRAME-RATE"] : []),
    ];
    for (const name of needed) if (!variant.attributes.has(name)) yield `${variant.uri} has no ${name}`;
  }
}

function* bandwidths({ variants, iframeVariants }: MultivariantPlaylist) {
  for (const { uri, attributes } of [...variants, ...iframeVariants]) {
    const peak = attributes.get("BANDWIDTH") ?? "";
    const average = attributes.get("AVERAGE-BANDWIDTH") ?? peak;
    if (!/^[1-9]\d*$/.test(peak) || !/^[1-9]\d*$/.test(average)) yield `${uri}: ${peak}, average ${average}`;
    else if (Number(average) > Number(peak)) yield `${uri}: average ${average} above peak ${peak}`;
  }
}

function* codecs(playlist: MultivariantPlaylist) {
  for (const variant of playlist.variants) {
    const named = codecsOf(variant);
    for (const codec of named) {
      if (!VIDEO_CODEC.test(codec) && !AUDIO_CODEC.test(codec)) yield `${variant.uri}: unknown codec ${codec}`;
    }
    const hasAudio = named.some((codec) => AUDIO_CODEC.test(codec));
    if (variant.attributes.has("AUDIO") && !hasAudio) yield `${variant.uri}: CODECS without that of its audio group`;
  }
}

function* frameRate({ variants }: MultivariantPlaylist) {
  for (const { uri, attributes } of variants) {
    const rate = attributes.get("FRAME-RATE");
    if (rate !== undefined && !/^\d+\.\d{3}$/.test(rate)) yield `${uri}: FRAME-RATE=${rate}`;
  }
}

function* videoRange({ variants, iframeVariants }: MultivariantPlaylist) {
  const ranges = [...variants.filter(isVideo), ...iframeVariants].map(({ attributes }) =>
    attributes.get("VIDEO-RANGE"),
  );
  if (ranges.some((range) => range !== undefined && !["SDR", "PQ", "HLG"].includes(range))) yield `unknown: ${ranges}`;
  const isMixed = ranges.some((range) => range === "PQ" || range === "HLG") && ranges.includes(undefined);
  if (isMixed) yield "some variants say their range, others do not";
}

function* score({ variants }: MultivariantPlaylist) {
  const count = variants.filter(({ attributes }) => attributes.has("SCORE")).length;
  if (count > 0 && count < variants.length) yield `${count} of ${variants.length} variants have a SCORE`;
}

function* stableIds({ variants, media }: MultivariantPlaylist) {
  const ids = [
    ...variants.map(({ attributes }) => attributes.get("STABLE-VARIANT-ID")),
    ...media.map((attributes) => attributes.get("STABLE-RENDITION-ID")),
  ];
  for (const id of ids) if (id !== undefined && !/^"[A-Za-z0-9+/=.\-_]+"$/.test(id)) yield `id ${id}`;
}

function groupsOf({ media }: MultivariantPlaylist): Map<string, Attributes[]> {
  return Map.groupBy(media, (attributes) => `${attributes.get("TYPE")} ${attributes.get("GROUP-ID")}`);
}

function* audioGroups(playlist: MultivariantPlaylist) {
  for (const [group, members] of groupsOf(playlist)) {
    const names = members.map((member) => member.get("NAME"));
    if (names.includes(undefined) || new Set(names).size < names.length) yield `${group}: names ${names}`;
    if (members.filter((member) => member.get("DEFAULT") === "YES").length > 1) yield `${group}: two defaults`;
    for (const member of members) {
      if (member.get("DEFAULT") === "YES" && member.get("AUTOSELECT") === "NO")
        yield `${group}: default, not autoselect`;
      if (!member.has("LANGUAGE")) yield `${group}: no LANGUAGE`;
    }
  }
}

const MAY_DIFFER = new Set([
  "GROUP-ID",
  "URI",
  "CHANNELS",
  "BIT-DEPTH",
  "SAMPLE-RATE",
  "STABLE-RENDITION-ID",
  "INSTREAM-ID",
]);

function* groupMembers(playlist: MultivariantPlaylist) {
  const byType = Map.groupBy(groupsOf(playlist), ([group]) => group.split(" ")[0]);
  for (const [type, groups] of byType) {
    const contents = new Set(groups.map(([, members]) => members.map(sameEverywhere).sort().join(";")));
    if (contents.size > 1) yield `groups of type ${type} differ: ${[...contents].join(" | ")}`;
  }
}

function sameEverywhere(member: Attributes): string {
  return [...member]
    .filter(([name]) => !MAY_DIFFER.has(name))
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join(",");
}

function* audioUris(playlist: MultivariantPlaylist) {
  for (const { uri, attributes } of playlist.variants) {
    const group = attributes.get("AUDIO");
    if (group === undefined) continue;
    const members = playlist.media.filter(
      (member) => member.get("TYPE") === "AUDIO" && member.get("GROUP-ID") === group,
    );
    if (members.length === 0) yield `${uri} names audio group ${group}, which is not there`;
    if (members.some((member) => !member.has("URI"))) yield `audio group ${group} has a member without URI`;
  }
}

function* closedCaptions({ variants }: MultivariantPlaylist) {
  const none = variants.filter(({ attributes }) => attributes.get("CLOSED-CAPTIONS") === "NONE").length;
  if (none > 0 && none < variants.length) yield `${none} of ${variants.length} variants say NONE`;
}

/** HLS §4.4.6.3, Apple §6.1: pictures for every stream that has some, described as the variants are. */
function* iframeAttributes({ variants, iframeVariants }: MultivariantPlaylist) {
  if (variants.some(isVideo) && iframeVariants.length === 0) yield "video without an I-frame playlist";
  for (const variant of iframeVariants) {
    const { uri, attributes } = variant;
    for (const name of ["URI", "BANDWIDTH", "AVERAGE-BANDWIDTH", "CODECS", "RESOLUTION"]) {
      if (!attributes.has(name)) yield `${uri} has no ${name}`;
    }
    for (const name of ["FRAME-RATE", "AUDIO", "SUBTITLES", "CLOSED-CAPTIONS"]) {
      if (attributes.has(name)) yield `${uri} has ${name}`;
    }
    if (codecsOf(variant).some((codec) => !VIDEO_CODEC.test(codec))) yield `${uri}: CODECS of more than pictures`;
  }
}

function* audioOnly({ variants }: MultivariantPlaylist) {
  const videos = variants.filter(isVideo).length;
  if (videos > 0 && videos < variants.length) yield "audio-only variant beside video";
}
