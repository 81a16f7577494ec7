import { msToTicks } from "../../media/timebase.ts";
import { iframesOf } from "../../packaging/iframes.ts";
import type { InitSegment, Segment } from "../../packaging/presentation.ts";
import type {
  StoredHeader,
  StoredKeyFrame,
  StoredOpening,
  StoredRendition,
  StoredSegment,
} from "../../packaging/stored-rendition.ts";
import { StoredTrack } from "../../packaging/stored-track.ts";
import { type Cell, endMsOf, leadOf, type Row, startMsOf } from "./row.ts";

/** A segment of the recording, before it has a place in the store. */
export type PlacedSegment = Omit<StoredSegment, "key">;

/** A row as the recording lists it. */
export interface PlacedRow {
  /** Of every rendition that the recording has, by its id: its media, or a gap. */
  readonly segments: ReadonlyMap<string, PlacedSegment>;
  /** Where it ends, in ms since the beginning of the video. */
  readonly endMs: number;
  /** Gaps that come before: of all that there was, for a rendition that was not there yet; and where something is left out. */
  readonly before: ReadonlyMap<string, readonly PlacedSegment[]>;
}

/** When a row was, as those see it that have nothing there. */
interface Time {
  readonly startMs: number;
  readonly durationMs: number;
  readonly opens: Opening | undefined;
}

type Period = StoredOpening["period"];
type Opening = Omit<StoredOpening, "header">;

/**
 * So much of what is left out stays, as a gap. Sound and picture of a period do not end at one instant, so a player has a hole
 * to jump there in any case; and one below its own limit of 100 ms keeps hls.js 1.7.4 from ever ending.
 */
const SEAM_MS = 200;

/**
 * Where segments of a broadcast stand in the video that is made of it. Time in which nothing was recorded is left out, so the
 * video has no holes; media keep their own clock, and a period says what is what on it. A new period begins where
 * the broadcast has one, where something is missing before, and where a rendition comes, goes or is encoded otherwise: in
 * each period a rendition is there from its beginning to its end, or not at all (docs/adr/0028).
 */
export class RecordingTimeline {
  readonly #times: Time[] = [];
  /** What the segments of a rendition are decoded by, while it goes on so; undefined before its first. */
  readonly #headers = new Map<string, StoredHeader | undefined>();
  #period: Period | undefined;
  #livePeriod: object | undefined;
  #presentIds = "";
  #endMs = 0;

  /** Goes on behind what was recorded before. */
  static after(renditions: readonly StoredRendition[], segmentTargetMs: number): RecordingTimeline {
    const timeline = new RecordingTimeline();
    for (const [place, rendition] of renditions.entries()) {
      timeline.#resume(rendition, new StoredTrack(rendition, place, segmentTargetMs));
    }
    return timeline;
  }

  /** Ms since the beginning of the video. */
  get endMs(): number {
    return this.#endMs;
  }

  /** How many segments, with gaps, every rendition has. */
  get rowCount(): number {
    return this.#times.length;
  }

  /** `isAfterLoss`: what came before could not be stored. */
  place(row: Row, isAfterLoss: boolean): PlacedRow {
    const lead = leadOf(row);
    if (!lead) throw new RangeError("a row without source");
    const knownCount = this.#times.length;
    const known = new Set(this.#headers.keys());
    if (this.#period && this.#isBrokenAt(lead, isAfterLoss)) this.#passSeam(this.#period);
    const opens = this.#opening(row, lead, isAfterLoss);
    const time = { startMs: startMsOf(lead), durationMs: endMsOf(lead) - startMsOf(lead), opens };
    const segments = new Map<string, PlacedSegment>();
    const before = new Map<string, readonly PlacedSegment[]>();
    for (const id of new Set([...known, ...row.cells.keys()])) {
      const cell = row.cells.get(id);
      const timescale = cell?.segment.init.timescale ?? this.#timescaleOf(id);
      const missed = this.#times.slice(known.has(id) ? knownCount : 0);
      before.set(
        id,
        missed.map((each) => gap(each, timescale)),
      );
      segments.set(id, cell ? this.#recorded(id, cell.segment, opens) : gap(time, timescale));
    }
    this.#times.push(time);
    this.#endMs = Math.max(this.#endMs, ...sourcesOf(row).map((cell) => this.#placeOf(endMsOf(cell))));
    return { before, segments, endMs: this.#endMs };
  }

  #isBrokenAt({ segment }: Cell, isAfterLoss: boolean): boolean {
    return segment.period !== this.#livePeriod || isAfterLoss;
  }

  #passSeam({ startMs, placeMs }: Period): void {
    this.#times.push({ startMs: this.#endMs - placeMs + startMs, durationMs: SEAM_MS, opens: undefined });
    this.#endMs += SEAM_MS;
  }

  #opening(row: Row, lead: Cell, isAfterLoss: boolean): Opening | undefined {
    const livePeriod = lead.segment.period;
    const presentIds = [...row.cells.keys()].sort().join();
    const isBroken = this.#isBrokenAt(lead, isAfterLoss);
    const isSame = !isBroken && presentIds === this.#presentIds && this.#isUnderSameHeaders(row);
    this.#livePeriod = livePeriod;
    this.#presentIds = presentIds;
    if (isSame) return undefined;
    const startMs = Math.floor(Math.min(...sourcesOf(row).map(startMsOf)));
    const placeMs = isBroken ? Math.ceil(this.#endMs) : Math.max(0, this.#placeOf(startMs));
    const isDiscontinuity = isBroken && this.#period !== undefined;
    this.#period = {
      index: (this.#period?.index ?? -1) + 1,
      ...{ startMs, placeMs, wallZeroMs: livePeriod.wallZeroMs },
      ...{ video: undefined, audio: undefined },
    };
    return { period: this.#period, isDiscontinuity };
  }

  #isUnderSameHeaders({ cells }: Row): boolean {
    return cells.entries().every(([id, { segment }]) => isSame(this.#headers.get(id), segment.init));
  }

  #recorded(id: string, segment: Segment, opens: Opening | undefined): PlacedSegment {
    const before = this.#headers.get(id);
    const isNew = !isSame(before, segment.init);
    const { format, timescale, bytes: initBytes } = segment.init;
    if (isNew) this.#headers.set(id, { format, timescale, initBytes });
    // The first one is the rendition's own.
    const header = isNew && before ? this.#headers.get(id) : undefined;
    const { start, duration, byteLength, frameCount } = segment;
    const keyFrames = keyFramesOf(segment);
    return { start, duration, byteLength, frameCount, keyFrames, ...(opens && { opens: { ...opens, header } }) };
  }

  #timescaleOf(id: string): number {
    return this.#headers.get(id)?.timescale ?? 1_000;
  }

  #placeOf(mediaMs: number): number {
    const { placeMs, startMs } = this.#period ?? { placeMs: 0, startMs: 0 };
    return placeMs + mediaMs - startMs;
  }

  #resume(rendition: StoredRendition, track: StoredTrack): void {
    const { format, timescale, initBytes } = rendition;
    const header = rendition.segments.findLast(({ opens }) => opens?.header)?.opens?.header;
    this.#headers.set(rendition.id, header ?? { format, timescale, initBytes });
    const last = track.periods.at(-1);
    if (rendition.segments.length > this.#times.length) {
      this.#times.splice(0, Infinity, ...track.segments.map(timeOf));
    }
    if (rendition.origin !== "source") return;
    this.#endMs = Math.max(this.#endMs, track.endMs);
    if (last?.placeMs !== undefined) this.#period = { ...last, placeMs: last.placeMs };
  }
}

function sourcesOf({ cells }: Row): Cell[] {
  return [...cells.values()].filter(({ rendition }) => rendition.origin === "source");
}

function isSame(header: StoredHeader | undefined, init: InitSegment): boolean {
  return header !== undefined && Buffer.compare(header.initBytes, init.bytes) === 0;
}

function timeOf({ start, duration, init, stored }: Segment): Time {
  const { timescale } = init;
  const opens = stored?.opens && { period: stored.opens.period, isDiscontinuity: stored.opens.isDiscontinuity };
  return { startMs: (start / timescale) * 1000, durationMs: (duration / timescale) * 1000, opens };
}

/** Its end is rounded as the next one's beginning is. */
function gap({ startMs, durationMs, opens }: Time, timescale: number): PlacedSegment {
  const start = msToTicks(startMs, timescale);
  const duration = Math.max(1, msToTicks(startMs + durationMs, timescale) - start);
  const nothing = { byteLength: 0, frameCount: 0, keyFrames: [], isGap: true };
  return { start, duration, ...nothing, ...(opens && { opens: { ...opens, header: undefined } }) };
}

function keyFramesOf(segment: Segment): StoredKeyFrame[] {
  return iframesOf(segment).flatMap(({ start, range }) => (range ? [{ start, ...range }] : []));
}
