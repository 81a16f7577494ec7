import { type InitFacts, type KeyFrame, readInit, readKeyFrame } from "./cmaf-chunks.ts";
import type { HlsConformance } from "./hls-conformance.ts";
import { checkAnswer } from "./http-rules.ts";
import { type MediaPlaylist, type PlaylistSegment, readByteRange } from "./media-playlist.ts";
import type { Answer, AskOptions, OriginClient } from "./origin-client.ts";
import { messageOf } from "./rendition-watch.ts";
import type { Violations } from "./violations.ts";

export interface IframeWatchOptions {
  /** URI in the multivariant playlist. */
  readonly uri: string;
  readonly url: string;
  readonly client: OriginClient;
  readonly hls: HlsConformance;
  readonly violations: Violations;
  readonly signal: AbortSignal;
}

const PDT_ROUNDING_MS = 2;

/** Follows one I-frame playlist with blocking reloads, and reads every picture that it names. */
export class IframeWatch {
  /** Pictures that were read. */
  count = 0;
  /** Highest bit rate of an entry that is long enough to have one (HLS §4.1). */
  peakBps = 0;
  readonly #options: IframeWatchOptions;
  #inits = new Map<string, InitFacts>();
  #lastMsn = -1;
  #dateOffsetMs: number | undefined;

  constructor(options: IframeWatchOptions) {
    this.#options = options;
  }

  get uri(): string {
    return this.#options.uri;
  }

  async run(): Promise<void> {
    let playlist = await this.#load("");
    while (playlist && !playlist.isEnded && !this.#options.signal.aborted) {
      await this.#readNew(playlist);
      const wanted = lastMsn(playlist) + 1;
      playlist = await this.#load(`?_HLS_msn=${wanted}`);
      if (playlist && !playlist.isEnded && lastMsn(playlist) < wanted)
        this.#add("L17", `asked for ${wanted}, got ${lastMsn(playlist)}`);
    }
  }

  async #load(query: string): Promise<MediaPlaylist | undefined> {
    const answer = await this.#ask(`${this.#options.url}${query}`);
    if (!answer) return undefined;
    if (answer.status !== 200) {
      this.#add("H50", `${query} answered ${answer.status}`);
      return undefined;
    }
    for (const { rule, message } of checkAnswer(answer, "playlist")) this.#options.violations.add(rule, message);
    return this.#options.hls.observeIframes(this.#options.uri, answer.body.toString(), answer.endedAtMs);
  }

  async #readNew(playlist: MediaPlaylist): Promise<void> {
    for (const entry of playlist.complete) {
      if (entry.msn <= this.#lastMsn) continue;
      this.#lastMsn = entry.msn;
      if (entry.hasDiscontinuity) this.#dateOffsetMs = undefined;
      if (!entry.isGap) await this.#readPicture(entry, playlist.targetDurationS);
    }
  }

  async #readPicture(entry: PlaylistSegment, targetDurationS: number): Promise<void> {
    const { uri = "", map = "", durationS } = entry;
    const range = readByteRange(entry.byteRange);
    const init = await this.#init(map);
    if (!range || !init) return;
    const last = range.offset + range.length - 1;
    const answer = await this.#ask(this.#resolve(uri), { headers: { range: `bytes=${range.offset}-${last}` } });
    if (!answer) return;
    if (answer.status !== 206 || answer.body.length !== range.length) {
      this.#add("H50", `${uri} ${entry.byteRange} answered ${answer.status} with ${answer.body.length} bytes`);
      return;
    }
    this.count++;
    if (durationS >= targetDurationS / 2) this.peakBps = Math.max(this.peakBps, (range.length * 8) / durationS);
    const picture = this.#keyFrame(entry, answer.body);
    if (!picture) return;
    if (!picture.isSync) this.#add("H50", `${uri} ${entry.byteRange} is no key frame`);
    if (picture.length !== range.length)
      this.#add("H50", `${uri} ${entry.byteRange}: moof and first frame are ${picture.length} bytes`);
    this.#checkDate(entry, (picture.decodeTime / init.timescale) * 1000);
  }

  #keyFrame({ uri, byteRange }: PlaylistSegment, bytes: Buffer): KeyFrame | undefined {
    try {
      return readKeyFrame(bytes);
    } catch (error) {
      this.#add("H50", `${uri} ${byteRange}: ${messageOf(error)}`);
      return undefined;
    }
  }

  /** PROGRAM-DATE-TIME minus media time is one number for as long as there is no discontinuity. */
  #checkDate({ msn, pdtText = "" }: PlaylistSegment, mediaMs: number): void {
    const offsetMs = Date.parse(pdtText) - mediaMs;
    if (this.#dateOffsetMs !== undefined && Math.abs(offsetMs - this.#dateOffsetMs) > PDT_ROUNDING_MS)
      this.#add("H25", `the date of picture ${msn} is off its media time by ${offsetMs - this.#dateOffsetMs} ms`);
    this.#dateOffsetMs = offsetMs;
  }

  async #init(map: string): Promise<InitFacts | undefined> {
    const url = this.#resolve(map);
    const known = this.#inits.get(url);
    if (known) return known;
    const answer = await this.#ask(url);
    if (answer?.status !== 200) return undefined;
    try {
      const init = readInit(answer.body);
      this.#inits = new Map([[url, init]]);
      return init;
    } catch (error) {
      this.#add("C1", `${map}: ${messageOf(error)}`);
      return undefined;
    }
  }

  /** Undefined when the run is over; a request that fails before is a violation. */
  async #ask(url: string, options: AskOptions = {}): Promise<Answer | undefined> {
    try {
      return await this.#options.client.ask(url, options);
    } catch (error) {
      if (!this.#options.signal.aborted) this.#add("H8", `${url}: ${messageOf(error)}`);
      return undefined;
    }
  }

  #resolve(uri: string): string {
    return new URL(uri, this.#options.url).href;
  }

  #add(rule: string, message: string): void {
    this.#options.violations.add(rule, `${this.#options.uri}: ${message}`);
  }
}

function lastMsn({ complete, mediaSequence }: MediaPlaylist): number {
  return complete.at(-1)?.msn ?? mediaSequence - 1;
}
