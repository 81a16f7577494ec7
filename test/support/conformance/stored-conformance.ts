import { type InitFacts, readChunks, readInit, readKeyFrame } from "./cmaf-chunks.ts";
import { checkAnswer, type Expected } from "./http-rules.ts";
import { type MediaPlaylist, type PlaylistSegment, readByteRange, readMediaPlaylist } from "./media-playlist.ts";
import { checkStoredPlaylist } from "./media-rules.ts";
import { checkMpd, representationsOf } from "./mpd-rules.ts";
import { readMpd } from "./mpd-text.ts";
import {
  audioUrisOf,
  checkMultivariant,
  type MultivariantPlaylist,
  mediaPlaylistUris,
  readMultivariantPlaylist,
  textPlaylistUris,
  type Variant,
} from "./multivariant-rules.ts";
import { type Answer, type AskOptions, OriginClient } from "./origin-client.ts";
import { OriginProbes } from "./origin-probes.ts";
import { RenditionHistory } from "./rendition-history.ts";
import { Violations } from "./violations.ts";

const ROUNDING_S = 0.0001;
/** A segment is listed in whole tens of microseconds: what adds up over a film. */
const SUM_ROUNDING_S = 0.01;
/** Apple §1.26: what is measured of a film is within a tenth of what is declared. */
const BANDWIDTH_TOLERANCE = 0.1;
const RUN_LIMIT_MS = 60_000;

export interface StoredReport {
  readonly violations: Violations;
  /** What was looked at: a run that saw nothing found nothing. */
  readonly seen: { renditions: number; segments: number; pictures: number; words: number; representations: number };
}

/** A playlist of media or of pictures, and what was measured of it. */
interface Measured {
  readonly uri: string;
  readonly playlist: MediaPlaylist;
  readonly sizes: readonly { readonly durationS: number; readonly bytes: number }[];
}

/**
 * Judges a stored video over HTTP, again and again while it grows: playlists, every segment, every picture, words, MPD. What was
 * listed once must stay.
 */
export class StoredConformance {
  readonly violations = new Violations();
  readonly #masterUrl: string;
  readonly #histories = new Map<string, RenditionHistory>();
  #client = new OriginClient(AbortSignal.timeout(RUN_LIMIT_MS));

  constructor(masterUrl: string) {
    this.#masterUrl = masterUrl;
  }

  /** Reads all of it as it stands. */
  async look(): Promise<StoredReport> {
    this.#client = new OriginClient(AbortSignal.timeout(RUN_LIMIT_MS));
    try {
      const master = await this.#ask(this.#masterUrl, "playlist");
      const multivariant = readMultivariantPlaylist(master.body.toString());
      for (const { rule, message } of checkMultivariant(multivariant)) this.violations.add(rule, message);
      const media: Measured[] = [];
      for (const uri of mediaPlaylistUris(multivariant)) media.push(await this.#readMedia(uri));
      const pictures: Measured[] = [];
      for (const { uri } of multivariant.iframeVariants) pictures.push(await this.#readPictures(uri, media));
      const texts = textPlaylistUris(multivariant);
      for (const uri of texts) await this.#readWords(uri);
      this.#checkBandwidths(multivariant, media, pictures);
      const representations = await this.#readMpd(media);
      const mediaUrl = this.#resolve(multivariant.variants[0]?.uri ?? "");
      const { violations } = this;
      await new OriginProbes({ client: this.#client, violations, masterUrl: this.#masterUrl, mediaUrl }).run();
      const count = (all: readonly Measured[]) => all.reduce((sum, { sizes }) => sum + sizes.length, 0);
      const seen = { renditions: media.length, segments: count(media), pictures: count(pictures) };
      return { violations, seen: { ...seen, words: texts.length, representations } };
    } finally {
      this.#client.close();
    }
  }

  async #readMedia(uri: string): Promise<Measured> {
    const playlist = await this.#playlist(uri);
    const add = (rule: string, message: string) => this.violations.add(rule, `${uri}: ${message}`);
    const inits = new Map<string, InitFacts>();
    const sizes: { durationS: number; bytes: number }[] = [];
    let next: number | undefined;
    for (const segment of playlist.complete) {
      const init = await this.#init(inits, uri, segment);
      const { body } = await this.#ask(this.#resolve(segment.uri ?? "", uri), "segment");
      const chunks = readChunks(body, init);
      const length = chunks.reduce((sum, { duration }) => sum + duration, 0);
      if (next !== undefined && chunks[0]?.decodeTime !== next) {
        add("C3", `segment ${segment.msn} begins at ${chunks[0]?.decodeTime}, not at ${next}`);
      }
      next = (chunks[0]?.decodeTime ?? 0) + length;
      if (Math.abs(length / init.timescale - segment.durationS) > ROUNDING_S) {
        add("H14", `segment ${segment.msn} lasts ${length / init.timescale}, not ${segment.durationS}`);
      }
      sizes.push({ durationS: segment.durationS, bytes: body.length });
    }
    return { uri, playlist, sizes };
  }

  async #init(known: Map<string, InitFacts>, uri: string, { map = "" }: PlaylistSegment): Promise<InitFacts> {
    const found = known.get(map) ?? readInit((await this.#ask(this.#resolve(map, uri), "init")).body);
    known.set(map, found);
    return found;
  }

  /** Every picture can be fetched alone, and stands until the next: together as long as the segments. */
  async #readPictures(uri: string, media: readonly Measured[]): Promise<Measured> {
    const playlist = await this.#playlist(uri);
    const add = (message: string) => this.violations.add("H50", `${uri}: ${message}`);
    if (!playlist.isIframesOnly) add("no EXT-X-I-FRAMES-ONLY");
    const sizes: { durationS: number; bytes: number }[] = [];
    for (const { uri: segment = "", byteRange, durationS } of playlist.complete) {
      const range = readByteRange(byteRange);
      if (!range) continue;
      const headers = { range: `bytes=${range.offset}-${range.offset + range.length - 1}` };
      const { status, body } = await this.#client.ask(this.#resolve(segment, uri), { headers });
      if (status !== 206 || body.length !== range.length) add(`${segment} ${byteRange} answered ${status}`);
      const picture = readKeyFrame(body);
      if (!picture.isSync) add(`${segment} ${byteRange} is no key frame`);
      if (picture.length !== range.length) add(`${segment} ${byteRange}: moof and frame are ${picture.length} bytes`);
      sizes.push({ durationS, bytes: range.length });
    }
    const beside = media.find((each) => folderOf(each.uri) === folderOf(uri));
    const apartS = lengthS(playlist) - (beside ? lengthS(beside.playlist) : 0);
    if (Math.abs(apartS) > SUM_ROUNDING_S) add(`pictures last ${apartS} s longer than segments`);
    return { uri, playlist, sizes };
  }

  async #readWords(uri: string): Promise<void> {
    const { body } = await this.#ask(this.#resolve(uri), "playlist");
    const add = (message: string) => this.violations.add("H34", `${uri}: ${message}`);
    const { complete, isEnded, playlistType } = readMediaPlaylist(body.toString());
    if (!isEnded || playlistType !== "VOD" || complete.length === 0) add("words are there from the first moment");
    for (const { uri: name = "" } of complete) {
      const { status, headers, body: words } = await this.#client.ask(this.#resolve(name, uri));
      if (status !== 200 || !/^text\/vtt/.test(headers["content-type"] ?? "")) add(`${name} answered ${status}`);
      if (!words.toString().startsWith("WEBVTT")) add(`${name} is no WebVTT`);
    }
  }

  /** HLS §4.1 has to be measured in the same way: every run of segments of half to one and a half targets. */
  #checkBandwidths(
    multivariant: MultivariantPlaylist,
    media: readonly Measured[],
    pictures: readonly Measured[],
  ): void {
    const all = [...media, ...pictures];
    if (!all.every(({ playlist }) => playlist.isEnded)) return;
    const measured = (uri: string) => all.find((each) => each.uri === uri);
    const most = (uris: readonly string[], of: (found: Measured) => number) =>
      Math.max(0, ...uris.flatMap((uri) => measured(uri) ?? []).map(of));
    const check = (variant: Variant, name: string, of: (found: Measured) => number) => {
      const found = measured(variant.uri);
      const truth = (found ? of(found) : 0) + most(audioUrisOf(multivariant, variant), of);
      const declared = Number(variant.attributes.get(name));
      if (Math.abs(declared - truth) > BANDWIDTH_TOLERANCE * truth) {
        this.violations.add("H38", `${variant.uri}: ${name}=${declared}, measured ${Math.round(truth)}`);
      }
    };
    for (const variant of [...multivariant.variants, ...multivariant.iframeVariants]) {
      check(variant, "BANDWIDTH", peakBps);
      check(variant, "AVERAGE-BANDWIDTH", averageBps);
    }
  }

  /** Gives how many Representations of media there are. */
  async #readMpd(media: readonly Measured[]): Promise<number> {
    const url = new URL("manifest.mpd", this.#masterUrl).href;
    const { body } = await this.#ask(url, "mpd");
    const whole = readMpd(body.toString());
    const isMedia = ({ element }: { readonly element: { readonly attributes: ReadonlyMap<string, string> } }) =>
      /^(video|audio)$/.test(element.attributes.get("contentType") ?? "");
    const periods = whole.periods.map((period) => ({
      ...period,
      adaptationSets: period.adaptationSets.filter(isMedia),
    }));
    const mpd = { ...whole, periods };
    for (const { rule, message } of checkMpd(mpd)) {
      // A film that grows needs no clock, and forgets nothing.
      if (mpd.isDynamic && (rule === "Z10" || /timeShiftBufferDepth/.test(message))) continue;
      this.violations.add(rule, message);
    }
    if (mpd.isDynamic !== media.some(({ playlist }) => !playlist.isEnded)) {
      this.violations.add("D13", `the MPD is ${mpd.isDynamic ? "dynamic" : "static"}, playlists are not`);
    }
    const listed = new Set(
      media.flatMap(({ uri, playlist }) => playlist.complete.map((each) => this.#resolve(each.uri ?? "", uri))),
    );
    const representations = representationsOf(mpd);
    const named = representations.flatMap(({ segments }) => segments.map(({ uri }) => new URL(uri, url).href));
    const strangers = [
      ...named.filter((each) => !listed.has(each)),
      ...[...listed].filter((each) => !named.includes(each)),
    ];
    if (strangers.length > 0)
      this.violations.add("O1", `${strangers.length} objects in HLS or DASH alone: ${strangers[0]}`);
    return representations.length;
  }

  async #playlist(uri: string): Promise<MediaPlaylist> {
    const { body } = await this.#ask(this.#resolve(uri), "playlist");
    const playlist = readMediaPlaylist(body.toString());
    for (const { rule, message } of checkStoredPlaylist(playlist)) this.violations.add(rule, `${uri}: ${message}`);
    const add = (rule: string, message: string) => this.violations.add(rule, message);
    // Nobody waits for the next segment of a film as for that of a broadcast: no pace is judged.
    const history = this.#histories.get(uri) ?? new RenditionHistory(uri, add, Number.POSITIVE_INFINITY);
    this.#histories.set(uri, history);
    history.observe(playlist, 0);
    return playlist;
  }

  async #ask(url: string, expected: Expected, options: AskOptions = {}): Promise<Answer> {
    const answer = await this.#client.ask(url, options);
    if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}: ${answer.body}`);
    for (const { rule, message } of checkAnswer(answer, expected)) this.violations.add(rule, message);
    return answer;
  }

  #resolve(uri: string, from = ""): string {
    return new URL(uri, new URL(from, this.#masterUrl)).href;
  }
}

function folderOf(uri: string): string {
  return uri.slice(0, uri.lastIndexOf("/"));
}

function lengthS({ complete }: MediaPlaylist): number {
  return complete.reduce((sum, { durationS }) => sum + durationS, 0);
}

function averageBps({ sizes }: Measured): number {
  return (
    (8 * sizes.reduce((sum, { bytes }) => sum + bytes, 0)) / sizes.reduce((sum, { durationS }) => sum + durationS, 0)
  );
}

function peakBps(measured: Measured): number {
  const { playlist, sizes } = measured;
  const [least, most] = [0.5 * playlist.targetDurationS, 1.5 * playlist.targetDurationS];
  const rates = sizes.flatMap((_, first) => {
    let [durationS, bytes] = [0, 0];
    const own: number[] = [];
    for (const size of sizes.slice(first)) {
      durationS += size.durationS;
      bytes += size.bytes;
      if (durationS > most) break;
      if (durationS >= least) own.push((8 * bytes) / durationS);
    }
    return own;
  });
  return Math.max(averageBps(measured), ...rates);
}
