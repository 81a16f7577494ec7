import { durationS, type Mpd, type MpdAdaptationSet, type MpdPeriod, type MpdRepresentation } from "./mpd-text.ts";
import type { Violation } from "./violations.ts";
import { childrenOf } from "./xml-text.ts";

type Rule = (mpd: Mpd) => Iterable<string>;

const UTC_SCHEMES = new Set(["urn:mpeg:dash:utc:http-xsdate:2014", "urn:mpeg:dash:utc:http-iso:2014"]);

/** What one MPD must be by itself. Ids: docs/adr/0018. */
const RULES: readonly (readonly [id: string, rule: Rule])[] = [
  ["D1", dynamicAttributes],
  ["D5", presentationDelay],
  ["D7", addressing],
  ["D8", templates],
  ["D9", timelines],
  ["D10", periods],
  ["D11", periodLinks],
  ["D13", staticMpd],
  ["D16", serviceDescription],
  ["D18", producerReferenceTime],
  ["D20", chunkedSets],
  ["D30", media],
  ["Z9", chunkedProfile],
  ["Z10", utcTiming],
];

export function checkMpd(mpd: Mpd): Violation[] {
  return RULES.flatMap(([rule, check]) => [...check(mpd)].map((message) => ({ rule, message })));
}

function adaptationSetsOf(mpd: Mpd): MpdAdaptationSet[] {
  return mpd.periods.flatMap(({ adaptationSets }) => adaptationSets);
}

export function representationsOf(mpd: Mpd): MpdRepresentation[] {
  return adaptationSetsOf(mpd).flatMap(({ representations }) => representations);
}

function* dynamicAttributes({ root, isDynamic, periods: listed }: Mpd) {
  if (!isDynamic) return;
  for (const name of ["availabilityStartTime", "publishTime"]) {
    const text = root.attributes.get(name);
    if (text === undefined || !/Z$/.test(text) || Number.isNaN(Date.parse(text))) yield `${name} is ${text}`;
  }
  for (const name of ["minimumUpdatePeriod", "timeShiftBufferDepth", "minBufferTime"]) {
    const text = root.attributes.get(name);
    if (Number.isNaN(durationS(text))) yield `${name} is ${text}`;
  }
  if (childrenOf(root, "UTCTiming").length === 0) yield "no UTCTiming";
  if (listed.some(({ id }) => id === undefined)) yield "a Period without id";
  for (const { adaptationSets } of listed) {
    const setIds = adaptationSets.map(({ id }) => id);
    const ids = adaptationSets.flatMap(({ representations }) => representations.map(({ id }) => id));
    if (setIds.includes(undefined) || new Set(setIds).size < setIds.length) yield `AdaptationSet ids ${setIds}`;
    if (ids.includes("") || new Set(ids).size < ids.length) yield `Representation ids ${ids}`;
  }
}

function* presentationDelay({ root, isDynamic }: Mpd) {
  const delayS = durationS(root.attributes.get("suggestedPresentationDelay"));
  const depthS = durationS(root.attributes.get("timeShiftBufferDepth"));
  if (isDynamic && delayS >= depthS) yield `delay ${delayS} s in a window of ${depthS} s`;
}

function* addressing(mpd: Mpd) {
  for (const { id, template, entries } of representationsOf(mpd)) {
    const media = template.get("media") ?? "";
    if (media.includes("$Number") === media.includes("$Time")) yield `${id}: media="${media}"`;
    if (media.includes("$Number") && !template.has("startNumber")) yield `${id}: no startNumber`;
    if (entries.some((entry) => entry.has("n"))) yield `${id}: S@n`;
  }
}

function* templates(mpd: Mpd) {
  for (const { id, template, entries } of representationsOf(mpd)) {
    if (template.has("duration") === entries.length > 0) yield `${id}: neither or both of duration and SegmentTimeline`;
  }
}

/** Equal neighbours are one S with @r, and S@t is where the one before ends. */
function* timelines(mpd: Mpd) {
  for (const { id, entries } of representationsOf(mpd)) {
    let end: number | undefined;
    let durationBefore: number | undefined;
    for (const entry of entries) {
      const [start, duration, repeat] = [entry.get("t"), Number(entry.get("d")), Number(entry.get("r") ?? 0)];
      if (!Number.isInteger(duration) || duration < 1 || !Number.isInteger(repeat) || repeat < 0) {
        yield `${id}: S d="${entry.get("d")}" r="${entry.get("r")}"`;
      }
      const isJump = start !== undefined && end !== undefined && Number(start) !== end;
      if (isJump) yield `${id}: S@t ${start}, the one before ends at ${end}`;
      if (duration === durationBefore && !isJump) yield `${id}: two S of ${duration} that could be one`;
      end = (start === undefined ? (end ?? 0) : Number(start)) + duration * (repeat + 1);
      durationBefore = duration;
    }
  }
}

/** Periods follow each other, and their media starts no earlier than they do. */
function* periods({ periods: listed }: Mpd) {
  for (const [index, { id, startS, durationS: ownS, adaptationSets }] of listed.entries()) {
    const next = listed[index + 1];
    if (Number.isNaN(startS)) yield `Period ${id} has no start`;
    if (next && !(next.startS >= startS + (ownS ?? 0) - 0.002)) yield `Period ${next.id} starts before ${id} ends`;
    if (adaptationSets.length === 0) yield `Period ${id} is empty`;
    for (const { id: representation, segments, presentationTimeOffset, timescale } of adaptationSets.flatMap(
      (set) => set.representations,
    )) {
      const fromStartS = ((segments[0]?.start ?? 0) - presentationTimeOffset) / timescale;
      if (!(fromStartS > -0.5)) yield `${representation} starts ${-fromStartS} s before Period ${id}`;
    }
  }
}

const PERIOD_LINK = /^urn:mpeg:dash:period-(connectivity|continuity):2015$/;

/** A set that goes on from another Period: that one is there, with the same set, and no Representation changes its init. */
function* periodLinks({ periods: listed }: Mpd) {
  for (const [index, period] of listed.entries()) {
    for (const set of period.adaptationSets) {
      const links = childrenOf(set.element, "SupplementalProperty").filter(({ attributes }) =>
        PERIOD_LINK.test(attributes.get("schemeIdUri") ?? ""),
      );
      if (links.length > 1) yield `set ${set.id} of Period ${period.id} has ${links.length} links`;
      for (const { attributes } of links) {
        const before = listed.slice(0, index).find(({ id }) => id === attributes.get("value"));
        const known = before?.adaptationSets.find(({ id }) => id === set.id);
        const isContinuous = attributes.get("schemeIdUri")?.includes("continuity") === true;
        if (!before || !known) yield `set ${set.id} of Period ${period.id} goes on from ${attributes.get("value")}`;
        else yield* linkedRepresentations({ before, known, period, set, isContinuous });
      }
    }
  }
}

function* linkedRepresentations({ before, known, period, set, isContinuous }: PeriodLink) {
  const pairs = set.representations.flatMap((now) => {
    const then = known.representations.find(({ id }) => id === now.id);
    return then ? [{ then, now }] : [];
  });
  if (pairs.length === 0) yield `set ${set.id} of Period ${period.id} has no Representation of ${before.id}`;
  for (const { then, now } of pairs) {
    if (then.initUri !== now.initUri) yield `${now.id} goes on in Period ${period.id} with another init`;
    const last = then.segments.at(-1);
    const onWall = (start: number, at: MpdPeriod, { presentationTimeOffset, timescale }: MpdRepresentation) =>
      at.startS + (start - presentationTimeOffset) / timescale;
    const end = (last?.start ?? 0) + (last?.duration ?? 0);
    const start = now.segments[0]?.start ?? Number.NaN;
    const apartS = onWall(start, period, now) - onWall(end, before, then);
    if (isContinuous && (start !== end || !(Math.abs(apartS) < 0.002)))
      yield `${now.id} is said to be continuous in Period ${period.id}, ${start} after ${end}`;
  }
}

interface PeriodLink {
  readonly before: MpdPeriod;
  readonly known: MpdAdaptationSet;
  readonly period: MpdPeriod;
  readonly set: MpdAdaptationSet;
  readonly isContinuous: boolean;
}

function* staticMpd({ root, isDynamic, periods: listed }: Mpd) {
  if (isDynamic) return;
  if (root.attributes.get("type") !== "static") yield `type is ${root.attributes.get("type")}`;
  for (const name of ["minimumUpdatePeriod", "timeShiftBufferDepth", "availabilityStartTime"]) {
    if (root.attributes.has(name)) yield `static with ${name}`;
  }
  if (Number.isNaN(durationS(root.attributes.get("mediaPresentationDuration")))) yield "no mediaPresentationDuration";
  if (listed.length > 0 && listed.at(-1)?.durationS === undefined) yield "the last Period has no duration";
}

function* serviceDescription({ root, isLowLatency }: Mpd) {
  if (!isLowLatency) return;
  const latency = childrenOf(root, "ServiceDescription").flatMap((one) => childrenOf(one, "Latency"))[0];
  const [min, target, max] = ["min", "target", "max"].map((name) =>
    Number(latency?.attributes.get(name) ?? Number.NaN),
  );
  if (!(Number(target) > 0)) yield "no Latency target";
  else if (Number(min) > Number(target) || Number(target) > Number(max)) yield `Latency ${min} ${target} ${max}`;
}

function* producerReferenceTime(mpd: Mpd) {
  if (!mpd.isLowLatency) return;
  for (const { adaptationSets } of mpd.periods) {
    const ids = new Set<string>();
    for (const set of adaptationSets) {
      const elements = [set.element, ...set.representations.map(({ element }) => element)];
      const found = elements.flatMap((element) => childrenOf(element, "ProducerReferenceTime"));
      if (found.length === 0) yield `AdaptationSet ${set.id} has no ProducerReferenceTime`;
      for (const { attributes, children } of found) {
        const id = attributes.get("id");
        if (id === undefined || ids.has(id)) yield `ProducerReferenceTime id ${id}`;
        ids.add(id ?? "");
        if (!["encoder", "captured"].includes(attributes.get("type") ?? "")) yield `type ${attributes.get("type")}`;
        if (Number.isNaN(Date.parse(attributes.get("wallClockTime") ?? ""))) yield "no wallClockTime";
        if (!/^\d+$/.test(attributes.get("presentationTime") ?? "")) yield "no presentationTime";
        if (!children.some(({ name }) => name === "UTCTiming")) yield "no UTCTiming inside";
      }
    }
  }
}

/** The offset is one for all Periods; a Period that was cut short says nothing of the usual segment. */
function* chunkedSets(mpd: Mpd) {
  if (!mpd.isLowLatency) return;
  const all = representationsOf(mpd);
  const longestS = Math.max(
    ...all.flatMap(({ segments, timescale }) => segments.map(({ duration }) => duration / timescale)),
  );
  for (const { id, template } of all) {
    const offsetS = Number(template.get("availabilityTimeOffset") ?? Number.NaN);
    if (template.get("availabilityTimeComplete") !== "false") yield `${id}: availabilityTimeComplete is not false`;
    if (!(offsetS > 0 && offsetS < longestS))
      yield `${id}: availabilityTimeOffset ${offsetS}, segments of ${longestS} s`;
  }
}

function* media(mpd: Mpd) {
  for (const { id, element, representations } of adaptationSetsOf(mpd)) {
    if (!/^(video|audio)\/mp4$/.test(element.attributes.get("mimeType") ?? "")) yield `AdaptationSet ${id}: mimeType`;
    if (element.attributes.get("segmentAlignment") !== "true") yield `AdaptationSet ${id}: segmentAlignment`;
    const maxHeight = Number(element.attributes.get("maxHeight") ?? Number.NaN);
    for (const representation of representations) {
      const { attributes } = representation.element;
      if (!attributes.has("codecs")) yield `${representation.id}: no codecs`;
      if (!(Number(attributes.get("bandwidth")) > 0))
        yield `${representation.id}: bandwidth ${attributes.get("bandwidth")}`;
      if (Number(attributes.get("height") ?? 0) > maxHeight) yield `${representation.id}: higher than maxHeight`;
      if (/[^-\w.]/.test(representation.id)) yield `${representation.id}: cannot stand in a path`;
    }
  }
}

function* chunkedProfile(mpd: Mpd) {
  const isChunked = representationsOf(mpd).some(({ template }) => template.has("availabilityTimeComplete"));
  if (isChunked && !mpd.isLowLatency) yield "availabilityTimeComplete without the low-latency profile";
}

function* utcTiming({ root }: Mpd) {
  for (const { attributes } of childrenOf(root, "UTCTiming")) {
    if (!UTC_SCHEMES.has(attributes.get("schemeIdUri") ?? "")) yield `UTCTiming ${attributes.get("schemeIdUri")}`;
  }
}
