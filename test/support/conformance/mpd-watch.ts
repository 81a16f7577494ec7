import { setTimeout as delay } from "node:timers/promises";
import { type DashConformance, objectUris } from "./dash-conformance.ts";
import { checkAnswer } from "./http-rules.ts";
import { durationS, type Mpd } from "./mpd-text.ts";
import type { Answer, AskOptions, OriginClient } from "./origin-client.ts";
import { messageOf } from "./rendition-watch.ts";
import type { Violations } from "./violations.ts";
import { childrenOf } from "./xml-text.ts";

export interface MpdWatchOptions {
  readonly url: string;
  readonly client: OriginClient;
  readonly dash: DashConformance;
  readonly violations: Violations;
  readonly signal: AbortSignal;
}

/** Difference between the server's clock and ours that is no mistake. */
const MAX_CLOCK_DIFFERENCE_MS = 2000;
/** Every so many updates, the newest segment is read while it is being made. */
const SAMPLE_EVERY = 4;

/** Follows the MPD as a player does, with conditional requests at its update period. */
export class MpdWatch {
  updateCount = 0;
  unchangedCount = 0;
  growingCount = 0;
  newest: Mpd | undefined;
  readonly #options: MpdWatchOptions;
  #etag: string | undefined;
  #sampleAtUpdate = 1;

  constructor(options: MpdWatchOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const { signal } = this.#options;
    while (!signal.aborted) {
      const isNew = await this.refresh();
      if (!this.newest?.isDynamic) return;
      if (this.updateCount === 1 && isNew) await this.#checkClock(this.newest);
      if (isNew && this.updateCount >= this.#sampleAtUpdate) await this.#sample(this.newest);
      const updateS = durationS(this.newest.root.attributes.get("minimumUpdatePeriod"));
      await delay((updateS || 1) * 1000, undefined, { signal }).catch(() => {});
    }
  }

  /** Fetches the MPD once; true when it has changed. */
  async refresh(): Promise<boolean> {
    const { url, dash } = this.#options;
    const answer = await this.#ask(url, this.#etag === undefined ? {} : { headers: { "if-none-match": this.#etag } });
    if (!answer) return false;
    if (answer.status === 304) {
      this.unchangedCount++;
      return false;
    }
    if (answer.status !== 200) {
      this.#add("D4", `${url} answered ${answer.status}`);
      return false;
    }
    for (const { rule, message } of checkAnswer(answer, "mpd")) this.#options.violations.add(rule, message);
    if (answer.headers.etag === undefined || answer.headers.etag === this.#etag) {
      this.#add("D14", `200 with ETag ${answer.headers.etag} after ${this.#etag}`);
    }
    this.#etag = answer.headers.etag;
    this.updateCount++;
    this.newest = dash.observe(answer.body.toString(), Date.now()) ?? this.newest;
    return true;
  }

  async #checkClock(mpd: Mpd): Promise<void> {
    const value = childrenOf(mpd.root, "UTCTiming")[0]?.attributes.get("value");
    if (value === undefined) return;
    const url = new URL(value, this.#options.url).href;
    const answer = await this.#ask(url);
    if (!answer) return;
    const offMs = Date.parse(answer.body.toString().trim()) - Date.now();
    if (answer.status !== 200 || !(Math.abs(offMs) < MAX_CLOCK_DIFFERENCE_MS)) {
      this.#add("D17", `${url} answered ${answer.status}: ${answer.body.toString().slice(0, 40)}`);
    }
    if (!/no-store/.test(answer.headers["cache-control"] ?? "")) this.#add("D17", `${url} may be cached`);
    if (answer.headers["access-control-allow-origin"] !== "*") this.#add("D17", `${url} without CORS`);
  }

  /** A segment that was complete by the time it was asked for says little of low latency: the next update is tried. */
  async #sample(mpd: Mpd): Promise<void> {
    const countBefore = this.growingCount;
    await this.#readNewest(mpd);
    const isDone = this.growingCount > countBefore || !mpd.isLowLatency;
    this.#sampleAtUpdate = this.updateCount + (isDone ? SAMPLE_EVERY : 1);
  }

  /** What the MPD lists last is there, or comes while it is made: chunked, without a length, never empty. */
  async #readNewest(mpd: Mpd): Promise<void> {
    const uris = mpd.periods.at(-1)?.adaptationSets.map((set) => set.representations[0]?.segments.at(-1)?.uri) ?? [];
    for (const uri of uris) {
      if (uri === undefined) continue;
      const url = new URL(uri, this.#options.url).href;
      const growing = await this.#ask(url);
      if (!growing) continue;
      if (growing.status !== 200 || growing.body.length === 0) {
        this.#add("D4", `${uri} is listed, answered ${growing.status} with ${growing.body.length} bytes`);
        continue;
      }
      const isGrowing = growing.headers["content-length"] === undefined;
      for (const { rule, message } of checkAnswer(growing, "segment", isGrowing))
        this.#options.violations.add(rule, message);
      if (!isGrowing) continue;
      this.growingCount++;
      if (growing.headers["transfer-encoding"] !== "chunked") this.#add("D24", `${uri} grows, but is not chunked`);
      if (growing.headers.etag !== undefined) this.#add("N8", `${uri} grows and has an ETag`);
      const whole = await this.#ask(url);
      if (whole && !whole.body.equals(growing.body)) this.#add("D24", `${uri} is other bytes than while it grew`);
    }
  }

  /** Every segment that the MPD names is named by HLS, and the other way round; the newest may be ahead in either. */
  compareObjects(hlsUrls: ReadonlyMap<string, number>): void {
    const { newest } = this;
    if (!newest) return;
    const named = objectUris(newest).segments.map((uri) => new URL(uri, this.#options.url).href);
    for (const group of Map.groupBy(named, folderOf).values()) {
      const unknown = group.slice(0, -1).filter((url) => !hlsUrls.has(url));
      for (const url of unknown) this.#add("O1", `${new URL(url).pathname} is in the MPD alone`);
    }
    const folders = new Set(named.map(folderOf));
    const missing = [...new Set([...hlsUrls.keys()].map(folderOf))].filter((folder) => !folders.has(folder));
    for (const folder of missing) this.#add("O1", `${new URL(folder).pathname} is in HLS alone`);
  }

  async #ask(url: string, options: AskOptions = {}): Promise<Answer | undefined> {
    try {
      return await this.#options.client.ask(url, options);
    } catch (error) {
      if (!this.#options.signal.aborted) this.#add("H8", `${url}: ${messageOf(error)}`);
      return undefined;
    }
  }

  #add(rule: string, message: string): void {
    this.#options.violations.add(rule, message);
  }
}

function folderOf(url: string): string {
  return new URL(".", url).href;
}
