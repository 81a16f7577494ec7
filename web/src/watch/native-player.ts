import type { Delay, Player, PlayerOptions } from "./player.ts";
import { RecoveryBudget } from "./recovery-budget.ts";

const RELOAD_DELAY_MS = 2000;
/** MediaError.MEDIA_ERR_DECODE. */
const DECODE_ERROR = 3;

/** Safari and others that have no Media Source but play HLS by themselves. */
interface DatedVideo extends HTMLVideoElement {
  getStartDate?(): Date;
}

/** HLS by the browser itself; it chooses the quality alone. */
export class NativePlayer implements Player {
  readonly format = "native";
  readonly library = null;
  readonly qualities = [];
  readonly audioTracks = [];
  readonly choice = "auto";
  readonly current = undefined;
  readonly bandwidthBps = undefined;
  readonly #video: DatedVideo;
  readonly #options: PlayerOptions;
  readonly #budget = new RecoveryBudget({ count: 8, windowMs: 120_000 });
  readonly #stop = new AbortController();
  #progressCount = 0;
  #reload: ReturnType<typeof setTimeout> | undefined;

  constructor(options: PlayerOptions) {
    this.#options = options;
    this.#video = options.video;
    this.#video.addEventListener("error", () => this.#onError(), { signal: this.#stop.signal });
    this.#video.addEventListener("loadedmetadata", () => this.#seek(), { signal: this.#stop.signal });
    this.#video.addEventListener("progress", () => this.#progressCount++, { signal: this.#stop.signal });
    this.#video.src = options.url;
  }

  get loadMark(): number {
    return this.#progressCount;
  }

  get recoveryCount(): number {
    return this.#budget.total;
  }

  choose(): void {}
  chooseAudio(): void {}

  delay(): Delay {
    const startMs = this.#video.getStartDate?.().getTime() ?? Number.NaN;
    if (Number.isNaN(startMs)) return { latencyS: undefined, targetS: undefined };
    const shownMs = startMs + this.#video.currentTime * 1000;
    return { latencyS: (Date.now() + this.#options.clockSkewMs - shownMs) / 1000, targetS: undefined };
  }

  seekToLive(): void {
    const { seekable } = this.#video;
    if (seekable.length > 0) this.#video.currentTime = seekable.end(seekable.length - 1);
  }

  close(): void {
    clearTimeout(this.#reload);
    this.#stop.abort();
    this.#video.removeAttribute("src");
    this.#video.load();
  }

  #seek(): void {
    const { isLive, positionS } = this.#options;
    if (!isLive && positionS() > 0) this.#video.currentTime = positionS();
  }

  #onError(): void {
    const text = `media error ${this.#video.error?.code ?? ""} ${this.#video.error?.message ?? ""}`.trim();
    this.#options.listener.onError({ text, isFatal: true, atMs: Date.now() });
    if (!this.#budget.trySpend(Date.now())) {
      this.#options.listener.onGiveUp(this.#video.error?.code === DECODE_ERROR ? "media" : "loading");
      return;
    }
    clearTimeout(this.#reload);
    this.#reload = setTimeout(() => {
      this.#video.src = this.#options.url;
    }, RELOAD_DELAY_MS);
  }
}
