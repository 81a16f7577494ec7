import type { Page } from "playwright-core";
import { TestBrowser } from "../browser.ts";
import { PlayerHost } from "./player-host.ts";
import type { PlayerReport } from "./report.ts";

export interface PlayOptions {
  /** Handed to the library as its own configuration; JSON values only. */
  readonly config?: Readonly<Record<string, unknown>>;
}

interface Waiter {
  readonly predicate: (report: PlayerReport) => boolean;
  readonly resolve: (report: PlayerReport) => void;
}

/** One player at one address. Reports arrive ten times a second and at every event of the media element. */
export class PlayerHandle {
  readonly name: string;
  #page: Page | undefined;
  #report: PlayerReport | undefined;
  readonly #waiters = new Set<Waiter>();

  constructor(name: string) {
    this.name = name;
  }

  /** The page, for a screenshot or for the library's object at `window.player`. */
  get page(): Page {
    if (this.#page === undefined) throw new Error(`${this.name} is not open yet`);
    return this.#page;
  }

  /** The newest report; throws before the first. */
  get report(): PlayerReport {
    if (this.#report === undefined) throw new Error(`${this.name} has not reported yet`);
    return this.#report;
  }

  /** Resolves with the first report, from the newest on, that the predicate holds for. Rejects when `signal` aborts. */
  until(predicate: (report: PlayerReport) => boolean, signal: AbortSignal): Promise<PlayerReport> {
    if (this.#report !== undefined && predicate(this.#report)) return Promise.resolve(this.#report);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        predicate,
        resolve: (report) => {
          signal.removeEventListener("abort", onAbort);
          resolve(report);
        },
      };
      const onAbort = () => {
        this.#waiters.delete(waiter);
        const state = JSON.stringify(this.#report);
        reject(new Error(`${this.name} did not get there; last: ${state}`, { cause: signal.reason }));
      };
      if (signal.aborted) return onAbort();
      signal.addEventListener("abort", onAbort, { once: true });
      this.#waiters.add(waiter);
    });
  }

  async close(): Promise<void> {
    await this.#page?.context().close();
  }

  /** Of the page that plays for this handle. */
  attach(page: Page): void {
    this.#page = page;
  }

  /** Takes a report of the page. */
  receive(report: PlayerReport): void {
    this.#report = report;
    for (const waiter of this.#waiters) {
      if (!waiter.predicate(report)) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(report);
    }
  }
}

/** hls.js, dash.js and Shaka in one headless Chromium, each on a page that holds nothing else. */
export class Players implements AsyncDisposable {
  readonly browser: TestBrowser;
  readonly #host: PlayerHost;

  private constructor(browser: TestBrowser, host: PlayerHost) {
    this.browser = browser;
    this.#host = host;
  }

  static async open(): Promise<Players> {
    return new Players(await TestBrowser.launch(), await PlayerHost.listen());
  }

  playHls(url: string, options: PlayOptions = {}): Promise<PlayerHandle> {
    return this.#play("hls", url, options);
  }

  playDash(url: string, options: PlayOptions = {}): Promise<PlayerHandle> {
    return this.#play("dash", url, options);
  }

  /** HLS or DASH, as the address says. */
  playShaka(url: string, options: PlayOptions = {}): Promise<PlayerHandle> {
    return this.#play("shaka", url, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.browser.close();
    await this.#host[Symbol.asyncDispose]();
  }

  async #play(kind: "hls" | "dash" | "shaka", url: string, { config = {} }: PlayOptions): Promise<PlayerHandle> {
    const handle = new PlayerHandle(`${kind} of ${url}`);
    const query = new URLSearchParams({ url, config: JSON.stringify(config) });
    const { page } = await this.browser.openPage(`${this.#host.origin}/${kind}.html?${query}`, {
      // Every picture is scaled without a graphics card.
      width: 320,
      height: 180,
      expose: { sendReport: (report: PlayerReport) => handle.receive(report) },
    });
    handle.attach(page);
    return handle;
  }
}
