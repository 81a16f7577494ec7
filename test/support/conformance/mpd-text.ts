import { childrenOf, readXml, type XmlElement } from "./xml-text.ts";

export interface MpdSegment {
  /** Relative to the MPD. */
  readonly uri: string;
  readonly number: number;
  readonly start: number;
  readonly duration: number;
}

export interface MpdRepresentation {
  readonly id: string;
  readonly element: XmlElement;
  /** SegmentTemplate attributes, those of the AdaptationSet included. */
  readonly template: ReadonlyMap<string, string>;
  readonly timescale: number;
  readonly presentationTimeOffset: number;
  readonly initUri: string;
  readonly segments: readonly MpdSegment[];
  /** S elements as they are written. */
  readonly entries: readonly ReadonlyMap<string, string>[];
}

export interface MpdAdaptationSet {
  readonly id: string | undefined;
  readonly element: XmlElement;
  readonly representations: readonly MpdRepresentation[];
}

export interface MpdPeriod {
  readonly id: string | undefined;
  readonly startS: number;
  readonly durationS: number | undefined;
  readonly adaptationSets: readonly MpdAdaptationSet[];
}

export interface Mpd {
  readonly root: XmlElement;
  readonly isDynamic: boolean;
  readonly isLowLatency: boolean;
  readonly periods: readonly MpdPeriod[];
}

/** Reads an MPD of our form: SegmentTemplate with SegmentTimeline. Throws when it is not well-formed. */
export function readMpd(text: string): Mpd {
  const root = readXml(text);
  return {
    root,
    isDynamic: root.attributes.get("type") === "dynamic",
    isLowLatency: root.attributes.get("profiles")?.includes("low-latency") ?? false,
    periods: childrenOf(root, "Period").map(readPeriod),
  };
}

/** Seconds of an xs:duration such as `PT1H2M3.5S`; NaN when it is none. */
export function durationS(text: string | undefined): number {
  const match = /^PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?$/.exec(text ?? "");
  if (!match || text === "PT") return Number.NaN;
  return Number(match[1] ?? 0) * 3600 + Number(match[2] ?? 0) * 60 + Number(match[3] ?? 0);
}

function readPeriod(element: XmlElement): MpdPeriod {
  const duration = element.attributes.get("duration");
  return {
    id: element.attributes.get("id"),
    startS: durationS(element.attributes.get("start")),
    durationS: duration === undefined ? undefined : durationS(duration),
    adaptationSets: childrenOf(element, "AdaptationSet").map(readAdaptationSet),
  };
}

function readAdaptationSet(element: XmlElement): MpdAdaptationSet {
  const [shared] = childrenOf(element, "SegmentTemplate");
  return {
    id: element.attributes.get("id"),
    element,
    representations: childrenOf(element, "Representation").map((one) => readRepresentation(one, shared)),
  };
}

function readRepresentation(element: XmlElement, shared: XmlElement | undefined): MpdRepresentation {
  const [own] = childrenOf(element, "SegmentTemplate");
  const template = new Map([...(shared?.attributes ?? []), ...(own?.attributes ?? [])]);
  const id = element.attributes.get("id") ?? "";
  const [timeline] = [...childrenOf(own, "SegmentTimeline"), ...childrenOf(shared, "SegmentTimeline")];
  const entries = childrenOf(timeline, "S").map(({ attributes }) => attributes);
  return {
    id,
    element,
    template,
    timescale: Number(template.get("timescale") ?? 1),
    presentationTimeOffset: Number(template.get("presentationTimeOffset") ?? 0),
    initUri: fill(template.get("initialization") ?? "", id, 0),
    segments: expand(entries, Number(template.get("startNumber") ?? 1), (number) =>
      fill(template.get("media") ?? "", id, number),
    ),
    entries,
  };
}

function expand(
  entries: readonly ReadonlyMap<string, string>[],
  startNumber: number,
  uriOf: (number: number) => string,
): MpdSegment[] {
  const segments: MpdSegment[] = [];
  let start = 0;
  for (const entry of entries) {
    start = Number(entry.get("t") ?? start);
    const duration = Number(entry.get("d"));
    for (let repeat = 0; repeat <= Number(entry.get("r") ?? 0); repeat++) {
      const number = startNumber + segments.length;
      segments.push({ uri: uriOf(number), number, start, duration });
      start += duration;
    }
  }
  return segments;
}

function fill(template: string, id: string, number: number): string {
  return template.replaceAll("$RepresentationID$", id).replaceAll("$Number$", String(number));
}
