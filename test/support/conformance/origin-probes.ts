import { gunzipSync } from "node:zlib";
import { checkAnswer, maxAgeS } from "./http-rules.ts";
import { type MediaPlaylist, positionOf, readMediaPlaylist } from "./media-playlist.ts";
import type { Answer, OriginClient } from "./origin-client.ts";
import type { Violations } from "./violations.ts";

export interface OriginProbesOptions {
  readonly client: OriginClient;
  readonly violations: Violations;
  readonly masterUrl: string;
  /** Lateness that is not judged. */
  readonly slackMs?: number | undefined;
  /** URL of one media playlist. */
  readonly mediaUrl: string;
}

/** Answers that refuse come at once. */
const AT_ONCE_MS = 1000;
const GZIP_ATTEMPTS = 5;

/** Questions that a player asks rarely, each once: what is refused and how, ranges, conditions, compression. */
export class OriginProbes {
  readonly #options: OriginProbesOptions;

  constructor(options: OriginProbesOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const { mediaUrl, client } = this.#options;
    const playlist = readMediaPlaylist((await client.ask(mediaUrl)).body.toString());
    const segment = playlist.complete.find(({ uri, isGap }) => uri !== undefined && !isGap)?.uri;
    const map = playlist.complete[0]?.map;
    await this.#probeRefusals(playlist);
    await this.#probeAbsent(segment);
    await this.#probeGzip();
    if (map !== undefined) await this.#probeConditional(new URL(map, mediaUrl).href);
    if (segment !== undefined) await this.#probeRanges(new URL(segment, mediaUrl).href);
    await this.#probeMsnAlone(playlist);
  }

  async #probeRefusals(playlist: MediaPlaylist): Promise<void> {
    // Who promises nothing to those who wait reads no directives.
    if (playlist.isEnded || !playlist.serverControl) return;
    const { mediaUrl } = this.#options;
    const last = positionOf(playlist)?.msn ?? playlist.mediaSequence;
    await this.#refused("L20", `${mediaUrl}?_HLS_part=1`);
    await this.#refused("L20", `${mediaUrl}?_HLS_msn=-1`);
    await this.#refused("L20", `${mediaUrl}?_HLS_msn=abc`);
    await this.#refused("L21", `${mediaUrl}?_HLS_msn=${last + 50}`);
    if (playlist.partTargetS !== undefined)
      await this.#refused("L21", `${mediaUrl}?_HLS_msn=${last + 1}&_HLS_part=900`);
  }

  get #atOnceMs(): number {
    return AT_ONCE_MS + (this.#options.slackMs ?? 0);
  }

  async #refused(rule: string, url: string): Promise<void> {
    const answer = await this.#options.client.ask(url);
    if (answer.status !== 400) this.#add(rule, url, `answered ${answer.status}, not 400`);
    else this.#checkError(answer);
    if (answer.status === 400 && !/no-store/.test(answer.headers["cache-control"] ?? "")) {
      this.#add("L37", url, `400 with Cache-Control ${answer.headers["cache-control"]}`);
    }
    const tookMs = answer.firstByteAtMs - answer.sentAtMs;
    if (tookMs > this.#atOnceMs) this.#add(rule, url, `refused after ${Math.round(tookMs)} ms`);
  }

  async #probeAbsent(segment: string | undefined): Promise<void> {
    const { mediaUrl, masterUrl } = this.#options;
    await this.#absent("L22", new URL("../no-such-stream/master.m3u8", masterUrl).href);
    await this.#absent("L29", new URL("no-such-part-1.0.m4s", mediaUrl).href);
    const future = segment?.replace(/-\d+\.m4s$/, "-4000000000.7.m4s");
    if (future !== undefined) await this.#absent("L29", new URL(future, mediaUrl).href);
  }

  async #absent(rule: string, url: string): Promise<void> {
    const answer = await this.#options.client.ask(url);
    if (answer.status !== 404 && answer.status !== 410) this.#add(rule, url, `answered ${answer.status}, not 404`);
    else this.#checkError(answer);
    if (answer.firstByteAtMs - answer.sentAtMs > this.#atOnceMs) this.#add(rule, url, "was held");
  }

  /** A playlist moves on between two requests: its two forms are compared when they are of one instant. */
  async #probeGzip(): Promise<void> {
    const { client, mediaUrl } = this.#options;
    for (let attempt = 0; attempt < GZIP_ATTEMPTS; attempt++) {
      const [plain, packed] = await Promise.all([
        client.ask(mediaUrl),
        client.ask(mediaUrl, { headers: { "accept-encoding": "gzip" } }),
      ]);
      if (packed.headers["content-encoding"] !== "gzip") {
        this.#add("H4", mediaUrl, `Content-Encoding ${packed.headers["content-encoding"]}`);
        return;
      }
      for (const { headers } of [plain, packed]) {
        if (!/accept-encoding/i.test(headers.vary ?? "")) this.#add("H4", mediaUrl, `Vary ${headers.vary}`);
      }
      if (!gunzipSync(packed.body).equals(plain.body)) continue;
      const [a, b] = [plain.headers.etag, packed.headers.etag];
      if (a === b && !a?.startsWith("W/")) this.#add("N6", mediaUrl, `one strong ETag for two forms: ${a}`);
      return;
    }
    this.#add("H8", mediaUrl, "gzip and identity forms are never the same playlist");
  }

  async #probeConditional(url: string): Promise<void> {
    const { client } = this.#options;
    const first = await client.ask(url);
    const etag = first.headers.etag ?? "";
    const again = await client.ask(url, { headers: { "if-none-match": etag } });
    if (again.status !== 304 || again.body.length > 0) this.#add("N5", url, `If-None-Match answered ${again.status}`);
    else {
      if (again.headers.etag !== etag) this.#add("N5", url, "304 with another ETag");
      if (again.headers["cache-control"] !== first.headers["cache-control"])
        this.#add("N5", url, "304 with other caching");
    }
    const other = await client.ask(url, { headers: { "if-none-match": '"another"' } });
    if (other.status !== 200) this.#add("N5", url, `another If-None-Match answered ${other.status}`);
  }

  async #probeRanges(url: string): Promise<void> {
    const { client } = this.#options;
    const { body, headers } = await client.ask(url);
    const size = body.length;
    for (const [range, from, to] of [
      ["bytes=0-99", 0, 99],
      ["bytes=-50", size - 50, size - 1],
      ["bytes=100-", 100, size - 1],
    ] as const) {
      const part = await client.ask(url, { headers: { range } });
      const isRight =
        part.status === 206 &&
        part.headers["content-range"] === `bytes ${from}-${to}/${size}` &&
        part.headers.etag === headers.etag &&
        part.body.equals(body.subarray(from, to + 1));
      if (!isRight) this.#add("N1", url, `${range} answered ${part.status} ${part.headers["content-range"]}`);
    }
    const beyond = await client.ask(url, { headers: { range: `bytes=${size}-` } });
    if (beyond.status !== 416 || beyond.headers["content-range"] !== `bytes */${size}`) {
      this.#add("N2", url, `a range beyond the end answered ${beyond.status} ${beyond.headers["content-range"]}`);
    }
    const weak = await client.ask(url, { headers: { range: "bytes=0-9", "if-range": 'W/"x"' } });
    if (weak.status !== 200) this.#add("N4", url, `If-Range with a weak tag answered ${weak.status}`);
    const head = await client.ask(url, { method: "HEAD" });
    const isHead = head.status === 200 && head.body.length === 0 && head.headers["content-length"] === String(size);
    if (!isHead)
      this.#add("N7", url, `HEAD answered ${head.status} with Content-Length ${head.headers["content-length"]}`);
  }

  /** A segment number alone waits for the whole segment. */
  async #probeMsnAlone(playlist: MediaPlaylist): Promise<void> {
    const wanted = (playlist.complete.at(-1)?.msn ?? playlist.mediaSequence - 1) + 1;
    if (playlist.isEnded || !playlist.serverControl?.has("CAN-BLOCK-RELOAD")) return;
    const url = `${this.#options.mediaUrl}?_HLS_msn=${wanted}`;
    const answer = await this.#options.client.ask(url);
    const after = readMediaPlaylist(answer.body.toString());
    const last = after.complete.at(-1)?.msn ?? 0;
    if (last < wanted && !after.isEnded) this.#add("L17", url, `lists complete segments up to ${last}`);
    const seconds = maxAgeS(answer.headers["cache-control"]);
    if (seconds !== undefined && seconds > 6 * after.targetDurationS)
      this.#add("L36", url, `may be kept for ${seconds} s`);
  }

  #checkError(answer: Answer): void {
    for (const { rule, message } of checkAnswer(answer, "error")) this.#options.violations.add(rule, message);
  }

  #add(rule: string, url: string, message: string): void {
    const { pathname, search } = new URL(url);
    this.#options.violations.add(rule, `${pathname}${search}: ${message}`);
  }
}
