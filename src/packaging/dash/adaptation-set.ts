import type { AudioCodec, VideoCodec } from "../../media/format.ts";
import { audioTrackKey } from "../audio-groups.ts";
import type { Presentation } from "../presentation.ts";
import { availabilityTimeOffsetS } from "./latency.ts";
import type { ListedPeriod } from "./listed-period.ts";
import { periodLink } from "./period-link.ts";
import { type ListedRendition, representation } from "./representation.ts";
import { type Element, element } from "./xml.ts";

/** One AdaptationSet for each codec: a player may switch within it. Ids are by codec, so they never change. */
const SET_IDS = {
  h264: 1,
  hevc: 2,
  av1: 3,
  vp9: 4,
  aac: 11,
  opus: 12,
  flac: 13,
  ac3: 14,
  eac3: 15,
  mp3: 16,
} as const satisfies Record<VideoCodec | AudioCodec, number>;

/** Ids of sets of stored audio begin here: there may be many of one codec. */
const FIRST_STORED_AUDIO_ID = 100;

/** The AdaptationSets of one Period, in the order in which the presentation brings their codecs. */
export function adaptationSets(
  presentation: Presentation,
  listed: readonly ListedRendition[],
  before: ListedPeriod | undefined,
  utcTiming: Element,
): Element[] {
  const bySet = Map.groupBy(listed, setKey);
  return [...bySet.values()].map((members) => adaptationSet(presentation, members, listed, before, utcTiming));
}

/** Between the bit rates of one track of stored audio a player may change by itself, between tracks it may not. */
function setKey({ rendition, run }: ListedRendition): string {
  const { format } = run[0].init;
  if (!rendition.stored || format.kind === "video") return format.codec;
  return `${format.codec} ${format.channelCount} ${audioTrackKey(rendition)}`;
}

function adaptationSet(
  presentation: Presentation,
  members: readonly ListedRendition[],
  listed: readonly ListedRendition[],
  before: ListedPeriod | undefined,
  utcTiming: Element,
): Element {
  const kind = members[0]?.rendition.kind;
  const stored = kind === "audio" ? members[0]?.rendition.stored : undefined;
  return element(
    "AdaptationSet",
    {
      id: members[0] && setId(members[0]),
      contentType: kind,
      mimeType: `${kind}/mp4`,
      lang: kind === "audio" ? (stored?.language ?? "und") : undefined,
      segmentAlignment: true,
      startWithSAP: kind === "audio" || presentation.isIndependent ? 1 : undefined,
      ...largestPicture(members),
    },
    [
      switching(members, listed),
      periodLink(members, before),
      stored && element("Label", {}, stored.label),
      kind === "audio" ? role(members, listed) : undefined,
      presentation.stored ? undefined : segmentTemplate(presentation),
      ...members.map((member) => representation(presentation, member, utcTiming)),
    ],
  );
}

function setId({ rendition, run }: ListedRendition): number {
  const { codec, kind } = run[0].init.format;
  return rendition.stored && kind === "audio" ? FIRST_STORED_AUDIO_ID + rendition.stored.place : SET_IDS[codec];
}

/** The track that belongs to the video is the main one. */
function role([first]: readonly ListedRendition[], listed: readonly ListedRendition[]): Element {
  const usual = listed.find(({ rendition }) => rendition.kind === "video")?.rendition.audioRenditionId;
  const main = listed.find(({ rendition }) => rendition.id === usual) ?? first;
  const isMain = !first?.rendition.stored || (main && audioTrackKey(main.rendition) === audioTrackKey(first.rendition));
  return element("Role", { schemeIdUri: "urn:mpeg:dash:role:2011", value: isMain ? "main" : "alternate" });
}

function largestPicture(members: readonly ListedRendition[]) {
  const pictures = members.flatMap(({ run }) => (run[0].init.format.kind === "video" ? run[0].init.format : []));
  if (pictures.length === 0) return {};
  return {
    maxWidth: Math.max(...pictures.map(({ width }) => width)),
    maxHeight: Math.max(...pictures.map(({ height }) => height)),
  };
}

/** Other codecs of the same medium carry the same pictures, aligned: a player that can may switch across. */
function switching(members: readonly ListedRendition[], listed: readonly ListedRendition[]): Element | undefined {
  const kind = members[0]?.rendition.kind;
  const own = members[0] && setId(members[0]);
  const isSwitchable = kind === "video" || !members[0]?.rendition.stored;
  const others = new Set(listed.filter(({ rendition }) => rendition.kind === kind && isSwitchable).map(setId));
  if (own !== undefined) others.delete(own);
  if (others.size === 0) return undefined;
  return element("SupplementalProperty", {
    schemeIdUri: "urn:mpeg:dash:adaptation-set-switching:2016",
    value: [...others].join(","),
  });
}

/** What decides when a segment is available stands here, never in a Representation (DASH-IF timing model). */
function segmentTemplate(presentation: Presentation): Element {
  const offsetS = presentation.isEnded ? undefined : availabilityTimeOffsetS(presentation);
  return element("SegmentTemplate", {
    media: `$RepresentationID$/${presentation.epoch}-$Number$.m4s`,
    availabilityTimeOffset: offsetS,
    availabilityTimeComplete: offsetS === undefined ? undefined : false,
  });
}
