import { type Chunk, type InitFacts, readChunks, readInit } from "./cmaf-chunks.ts";
import type { HlsConformance } from "./hls-conformance.ts";
import { checkAnswer, type Expected } from "./http-rules.ts";
import {
  type MediaPlaylist,
  type PlaylistSegment,
  type Position,
  positionOf,
  readMediaPlaylist,
  segmentsOf,
} from "./media-playlist.ts";
import type { Answer, AskOptions, OriginClient } from "./origin-client.ts";
import { unquoted } from "./playlist-text.ts";
import { isBefore } from "./rendition-history.ts";
import type { Violations } from "./violations.ts";

export interface RenditionWatchOptions {
  /** URI in the multivariant playlist. */
  readonly uri: string;
  readonly url: string;
  readonly client: OriginClient;
  readonly hls: HlsConformance;
  readonly violations: Violations;
  readonly slackMs: number;
  readonly signal: AbortSignal;
  readonly onSegment: () => void;
}

/** What a watch has seen, for the report. */
export interface WatchCounts {
  playlists: number;
  deltas: number;
  hintedParts: number;
  parts: number;
  segments: number;
}

/** Every so many parts a delta playlist is asked for too, and a hinted part once more. */
const SAMPLE_EVERY = 5;
const MEMORY_SEGMENTS = 500;
const MEMORY_PARTS = 5000;
const ROUNDING_S = 0.0001;
const PDT_ROUNDING_MS = 2;
/** Last byte after first byte of a part: it left whole, not as it was made (HLS §6.2.6). */
const MAX_TRICKLE_MS = 150;

interface HintedPart {
  readonly url: string;
  readonly answer: Promise<Answer | undefined>;
}

/**
 * Follows one rendition as the strictest player would: blocking reloads, hinted parts asked for before they are there,
 * every part and segment read and compared.
 */
export class RenditionWatch {
  readonly counts: WatchCounts = { playlists: 0, deltas: 0, hintedParts: 0, parts: 0, segments: 0 };
  /** URLs of all segments that were listed, gaps left out. */
  readonly segmentUrls = new Map<string, number>();
  /** Highest bit rate of a segment seen. */
  peakBps = 0;
  readonly #options: RenditionWatchOptions;
  readonly #inits = new Map<string, Promise<InitFacts | undefined>>();
  readonly #partBytes = new Map<string, Buffer>();
  readonly #seenParts = new Set<string>();
  readonly #seenSegments = new Set<number>();
  #expectedDecodeTime: number | undefined;
  #dateOffsetMs: number | undefined;
  #oldestUrl: string | undefined;
  #hinted: HintedPart | undefined;
  #rounds = 0;

  constructor(options: RenditionWatchOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const first = await this.#ask(this.#options.url, "playlist");
    if (!first) return;
    let text = first.body.toString();
    let playlist = this.#observe(first);
    while (!this.#options.signal.aborted && !playlist.isEnded) {
      const hinted = this.#askForHint(playlist);
      const next = await this.#reload(playlist, text);
      if (!next) break;
      text = next.body.toString();
      playlist = this.#observe(next);
      await this.#readMedia(playlist, hinted, next.endedAtMs);
    }
  }

  #observe(answer: Answer): MediaPlaylist {
    this.counts.playlists++;
    const playlist = this.#options.hls.observeMedia(this.#options.uri, answer.body.toString(), answer.endedAtMs);
    this.noteSegments(playlist);
    return playlist;
  }

  /** Remembers what a playlist names, for the comparison with DASH. */
  noteSegments({ complete }: MediaPlaylist): void {
    for (const { uri, msn, isGap } of complete) {
      if (uri !== undefined && !isGap) this.segmentUrls.set(this.#resolve(uri), msn);
    }
    forgetOld(this.segmentUrls, MEMORY_SEGMENTS);
  }

  get uri(): string {
    return this.#options.uri;
  }

  get url(): string {
    return this.#options.url;
  }

  /** The next playlist: held by the server until it has news, or after half a target duration. */
  async #reload(playlist: MediaPlaylist, base: string): Promise<Answer | undefined> {
    const wanted = nextPosition(playlist);
    const query = wanted.part < 0 ? `_HLS_msn=${wanted.msn}` : `_HLS_msn=${wanted.msn}&_HLS_part=${wanted.part}`;
    const isSampled = this.#rounds++ % SAMPLE_EVERY === 0 && playlist.serverControl?.has("CAN-SKIP-UNTIL");
    const [full, delta] = await Promise.all([
      this.#ask(`${this.#options.url}?${query}`, "playlist"),
      isSampled ? this.#ask(`${this.#options.url}?${query}&_HLS_skip=YES`, "playlist") : undefined,
    ]);
    if (full) this.#checkBlocking(full, wanted, playlist);
    if (full && delta) this.#checkDelta(base, delta, full);
    return full;
  }

  #checkBlocking(answer: Answer, wanted: Position, before: MediaPlaylist): void {
    const playlist = readMediaPlaylist(answer.body.toString());
    const reached = wanted.part < 0 ? lastComplete(playlist) : positionOf(playlist);
    const isThere = reached && !isBefore(reached, wanted);
    if (!isThere && !playlist.isEnded) {
      const rule = wanted.part < 0 ? "L17" : "L18";
      this.#add(rule, `asked for ${wanted.msn}.${wanted.part}, got ${reached?.msn}.${reached?.part}`);
    }
    const heldMs = answer.firstByteAtMs - answer.sentAtMs;
    const limitS = wanted.part < 0 ? 1.5 * before.targetDurationS : (before.partTargetS ?? 0);
    if (heldMs > limitS * 1000 + this.#options.slackMs)
      this.#add("L10", `held ${Math.round(heldMs)} ms for ${limitS} s of media`);
  }

  /** Only two answers that end at the same part can be compared. */
  #checkDelta(base: string, delta: Answer, full: Answer): void {
    const [a, b] = [delta, full].map((answer) => positionOf(readMediaPlaylist(answer.body.toString())));
    if (a?.msn !== b?.msn || a?.part !== b?.part) return;
    this.counts.deltas++;
    this.#options.hls.observeDelta(this.#options.uri, base, delta.body.toString(), full.body.toString());
  }

  #askForHint(playlist: MediaPlaylist): HintedPart | undefined {
    const uri = unquoted(playlist.hints.find((hint) => hint.get("TYPE") === "PART")?.get("URI"));
    if (uri === undefined) return undefined;
    const url = this.#resolve(uri);
    if (this.#hinted?.url === url) return this.#hinted;
    this.#hinted = { url, answer: this.#askQuietly(url) };
    return this.#hinted;
  }

  async #readMedia(playlist: MediaPlaylist, hinted: HintedPart | undefined, listedAtMs: number): Promise<void> {
    for (const segment of segmentsOf(playlist)) {
      await this.#readParts(segment, hinted, listedAtMs);
      if (segment.uri !== undefined && !this.#seenSegments.has(segment.msn)) {
        this.#seenSegments.add(segment.msn);
        await this.#readSegment(playlist, segment, segment.uri);
      }
    }
    await this.#checkEvicted(playlist);
    forgetOld(this.#seenSegments, MEMORY_SEGMENTS);
    forgetOld(this.#seenParts, MEMORY_PARTS);
  }

  async #readParts(segment: PlaylistSegment, hinted: HintedPart | undefined, listedAtMs: number): Promise<void> {
    for (const [index, part] of segment.parts.entries()) {
      const url = this.#resolve(part.uri);
      if (part.isGap || this.#seenParts.has(url)) continue;
      this.#seenParts.add(url);
      const early = hinted?.url === url ? await hinted.answer : undefined;
      if (early) await this.#checkHinted(early, listedAtMs);
      const answer = early ?? (await this.#ask(url, "part"));
      if (answer?.status !== 200) continue;
      this.counts.parts++;
      this.#partBytes.set(url, answer.body);
      await this.#checkPartTimes(segment, index, part.durationS, answer.body);
    }
  }

  async #checkHinted(answer: Answer, listedAtMs: number): Promise<void> {
    this.counts.hintedParts++;
    const path = new URL(answer.url).pathname;
    if (answer.status !== 200) {
      this.#add("L28", `hinted ${path} answered ${answer.status} and was listed`);
      return;
    }
    this.#check(answer, "part");
    const trickleMs = answer.endedAtMs - answer.firstByteAtMs;
    if (trickleMs > MAX_TRICKLE_MS)
      this.#add("L28", `${path} took ${Math.round(trickleMs)} ms from first to last byte`);
    const lateMs = answer.endedAtMs - listedAtMs;
    if (lateMs > this.#options.slackMs) this.#add("L28", `${path} came ${Math.round(lateMs)} ms after it was listed`);
    if (this.counts.hintedParts % SAMPLE_EVERY !== 1) return;
    const again = await this.#ask(answer.url, "part");
    if (again && !again.body.equals(answer.body)) this.#add("L11", `${path} is other bytes than when it was hinted`);
  }

  async #checkPartTimes(segment: PlaylistSegment, index: number, durationS: number, bytes: Buffer): Promise<void> {
    const init = await this.#init(segment);
    if (!init) return;
    const name = `part ${segment.msn}.${index}`;
    const chunks = this.#chunks(name, bytes, init);
    const [first] = chunks;
    if (!first) return;
    const sum = chunks.reduce((total, chunk) => total + chunk.duration, 0);
    if (Math.abs(sum / init.timescale - durationS) > ROUNDING_S) {
      this.#add("H14", `${name} is listed with ${durationS} s, its samples last ${sum / init.timescale}`);
    }
    const startsAnew = segment.hasDiscontinuity && index === 0;
    if (startsAnew) {
      this.#expectedDecodeTime = undefined;
      this.#dateOffsetMs = undefined;
    }
    if (this.#expectedDecodeTime !== undefined && first.decodeTime !== this.#expectedDecodeTime) {
      this.#add(
        "C3",
        `${name} starts at ${first.decodeTime}, the sum of what came before is ${this.#expectedDecodeTime}`,
      );
    }
    this.#expectedDecodeTime = first.decodeTime + sum;
    if (index === 0) this.#checkDate(segment, first, init);
  }

  /** PROGRAM-DATE-TIME minus media time is one number for as long as there is no discontinuity. */
  #checkDate({ msn, pdtText }: PlaylistSegment, { decodeTime }: Chunk, { timescale }: InitFacts): void {
    if (pdtText === undefined) return;
    const offsetMs = Date.parse(pdtText) - (decodeTime / timescale) * 1000;
    if (this.#dateOffsetMs !== undefined && Math.abs(offsetMs - this.#dateOffsetMs) > PDT_ROUNDING_MS) {
      this.#add("H25", `the date of segment ${msn} is off its media time by ${offsetMs - this.#dateOffsetMs} ms`);
    }
    this.#dateOffsetMs = offsetMs;
  }

  async #readSegment(playlist: MediaPlaylist, segment: PlaylistSegment, uri: string): Promise<void> {
    // What was listed when the watch began is not news.
    if (this.#rounds > 1) this.#options.onSegment();
    if (segment.isGap) {
      this.#expectedDecodeTime = undefined;
      return;
    }
    const answer = await this.#ask(this.#resolve(uri), "segment");
    if (answer?.status !== 200) return;
    this.counts.segments++;
    // HLS §4.1: runs shorter than half a target duration have no peak.
    const isLongEnough = segment.durationS >= playlist.targetDurationS / 2;
    if (isLongEnough) this.peakBps = Math.max(this.peakBps, (answer.body.length * 8) / segment.durationS);
    const urls = segment.parts.map((part) => this.#resolve(part.uri));
    const parts = urls.map((url) => this.#partBytes.get(url));
    if (urls.length > 0 && parts.every((bytes) => bytes !== undefined) && !Buffer.concat(parts).equals(answer.body)) {
      this.#add("L8", `segment ${segment.msn} is not its parts, one after another`);
    }
    for (const url of urls) this.#partBytes.delete(url);
    if (urls.length === 0) await this.#checkPartTimes(segment, 0, segment.durationS, answer.body);
  }

  /** What was listed can still be had for a while after it has left. */
  async #checkEvicted({ complete }: MediaPlaylist): Promise<void> {
    const oldest = complete.find(({ isGap }) => !isGap)?.uri;
    const before = this.#oldestUrl;
    this.#oldestUrl = oldest && this.#resolve(oldest);
    if (before === undefined || before === this.#oldestUrl) return;
    const answer = await this.#askQuietly(before);
    if (answer && answer.status !== 200)
      this.#add("H19", `${new URL(before).pathname} answered ${answer.status} as soon as it left`);
  }

  #init({ map }: PlaylistSegment): Promise<InitFacts | undefined> {
    if (map === undefined) return Promise.resolve(undefined);
    const url = this.#resolve(map);
    const known = this.#inits.get(url) ?? this.#readInit(url);
    this.#inits.set(url, known);
    return known;
  }

  async #readInit(url: string): Promise<InitFacts | undefined> {
    const answer = await this.#ask(url, "init");
    if (answer?.status !== 200) return undefined;
    try {
      return readInit(answer.body);
    } catch (error) {
      this.#add("C1", `${new URL(url).pathname}: ${messageOf(error)}`);
      return undefined;
    }
  }

  #chunks(name: string, bytes: Buffer, init: InitFacts): Chunk[] {
    try {
      return readChunks(bytes, init);
    } catch (error) {
      this.#add("C2", `${name}: ${messageOf(error)}`);
      return [];
    }
  }

  #resolve(uri: string): string {
    return new URL(uri, this.#options.url).href;
  }

  #add(rule: string, message: string): void {
    this.#options.violations.add(rule, `${this.#options.uri}: ${message}`);
  }

  #check(answer: Answer, expected: Expected): void {
    for (const { rule, message } of checkAnswer(answer, expected)) this.#options.violations.add(rule, message);
  }

  async #ask(url: string, expected: Expected, options: AskOptions = {}): Promise<Answer | undefined> {
    const answer = await this.#askQuietly(url, options);
    if (answer && answer.status !== 200) this.#add("D4", `${new URL(url).pathname} answered ${answer.status}`);
    else if (answer) this.#check(answer, expected);
    return answer?.status === 200 ? answer : undefined;
  }

  /** Undefined when the run is over; a request that fails before is a violation. */
  async #askQuietly(url: string, options: AskOptions = {}): Promise<Answer | undefined> {
    try {
      return await this.#options.client.ask(url, options);
    } catch (error) {
      if (!this.#options.signal.aborted) this.#add("H8", `${url}: ${messageOf(error)}`);
      return undefined;
    }
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The next part, where parts are listed; else the next segment (part -1). */
function nextPosition(playlist: MediaPlaylist): Position {
  const newest = positionOf(playlist);
  if (!newest) return { msn: playlist.mediaSequence, part: playlist.partTargetS === undefined ? -1 : 0 };
  if (playlist.partTargetS === undefined) return { msn: newest.msn + 1, part: -1 };
  return playlist.open ? { msn: newest.msn, part: newest.part + 1 } : { msn: newest.msn + 1, part: 0 };
}

function lastComplete({ complete }: MediaPlaylist): Position | undefined {
  const last = complete.at(-1);
  return last && { msn: last.msn, part: -1 };
}

function forgetOld<Key>(
  items: { readonly size: number; keys(): Iterable<Key>; delete(key: Key): unknown },
  keep: number,
): void {
  for (const key of items.keys()) {
    if (items.size <= keep) return;
    items.delete(key);
  }
}
