import Hls, { type ErrorData, ErrorTypes, Events, type Fragment } from "hls.js";
import workerPath from "hls.js/dist/hls.worker.js?url";
import { bufferedAheadS, catchUpRate } from "./catch-up.ts";
import { hlsConfig, MAX_LATENCY_DURATION_COUNT } from "./hls-config.ts";
import {
  type AudioTrack,
  type Delay,
  highestFirst,
  type Player,
  type PlayerOptions,
  type Quality,
  qualityLabel,
} from "./player.ts";
import { RecoveryBudget } from "./recovery-budget.ts";

const RELOAD_DELAY_MS = 1000;

/** HLS and LL-HLS by hls.js. Recovers by itself, a bounded number of times, before it gives up. */
export class HlsPlayer implements Player {
  readonly format = "hls";
  readonly #hls: Hls;
  readonly #options: PlayerOptions;
  readonly #budget = new RecoveryBudget({ count: 8, windowMs: 120_000 });
  readonly #catchUp = () => this.#setSpeed();
  #qualities: readonly Quality[] = [];
  #reload: ReturnType<typeof setTimeout> | undefined;
  /** What is being loaded, or was last, of pictures and of sound. */
  readonly #loads = new Map<string, Fragment>();

  constructor(options: PlayerOptions) {
    this.#options = options;
    const hasOtherRendition = () => this.#hls.levels.length > 1;
    const { isLive, isLowLatency } = options;
    const startPositionS = options.positionS();
    this.#hls = new Hls({ ...hlsConfig({ isLive, isLowLatency, startPositionS, hasOtherRendition }), workerPath });
    if (isLive) this.#hls.config.liveMaxLatencyDurationCount = MAX_LATENCY_DURATION_COUNT;
    this.#hls.on(Events.MANIFEST_PARSED, () => this.#readQualities());
    this.#hls.on(Events.LEVELS_UPDATED, () => this.#readQualities());
    this.#hls.on(Events.LEVEL_SWITCHED, () => options.listener.onQualities());
    this.#hls.on(Events.AUDIO_TRACKS_UPDATED, () => options.listener.onQualities());
    this.#hls.on(Events.AUDIO_TRACK_SWITCHED, () => options.listener.onQualities());
    this.#hls.on(Events.FRAG_LOADING, (_event, { frag }) => this.#loads.set(frag.type, frag));
    this.#hls.on(Events.ERROR, (_event, data) => this.#onError(data));
    if (options.isLowLatency) options.video.addEventListener("timeupdate", this.#catchUp);
    this.#hls.attachMedia(options.video);
    this.#hls.loadSource(options.url);
  }

  get library(): Hls {
    return this.#hls;
  }

  get qualities(): readonly Quality[] {
    return this.#qualities;
  }

  get choice(): string {
    return this.#hls.autoLevelEnabled ? "auto" : String(this.#hls.manualLevel);
  }

  get current(): string | undefined {
    return this.#hls.currentLevel < 0 ? undefined : String(this.#hls.currentLevel);
  }

  get audioTracks(): readonly AudioTrack[] {
    return this.#hls.audioTracks.map(({ name }, index) => ({
      id: String(index),
      label: name,
      isChosen: index === this.#hls.audioTrack,
    }));
  }

  get bandwidthBps(): number | undefined {
    const bps = this.#hls.bandwidthEstimate;
    return Number.isFinite(bps) ? bps : undefined;
  }

  get recoveryCount(): number {
    return this.#budget.total;
  }

  get loadMark(): number {
    return this.#loads.values().reduce((sum, { sn, stats }) => sum + Number(sn) + stats.loaded, 0);
  }

  choose(id: string): void {
    this.#hls.nextLevel = id === "auto" ? -1 : Number(id);
    this.#options.listener.onQualities();
  }

  chooseAudio(id: string): void {
    this.#hls.audioTrack = Number(id);
  }

  /** By PROGRAM-DATE-TIME where the playlist has it: what is seen now beside the clock on the wall. */
  delay(): Delay {
    if (!this.#options.isLive) return { latencyS: undefined, targetS: undefined };
    const targetS = this.#hls.targetLatency ?? undefined;
    const playing = this.#hls.playingDate;
    if (playing === null) return { latencyS: this.#hls.latency || undefined, targetS };
    return { latencyS: (Date.now() + this.#options.clockSkewMs - playing.getTime()) / 1000, targetS };
  }

  seekToLive(): void {
    const position = this.#hls.liveSyncPosition;
    if (position !== null) this.#options.video.currentTime = position;
  }

  close(): void {
    clearTimeout(this.#reload);
    this.#options.video.removeEventListener("timeupdate", this.#catchUp);
    this.#options.video.playbackRate = 1;
    this.#hls.destroy();
  }

  #setSpeed(): void {
    const { video } = this.#options;
    const { latency: latencyS, targetLatency: targetS, latestLevelDetails: details } = this.#hls;
    if (targetS === null || !details?.live || !details.partTarget) {
      video.playbackRate = 1;
      return;
    }
    const [partS, maxLateS] = [details.partTarget, details.targetduration];
    video.playbackRate = catchUpRate({ latencyS, targetS, bufferS: bufferedAheadS(video), partS, maxLateS });
  }

  #readQualities(): void {
    this.#qualities = highestFirst(
      this.#hls.levels.map(({ width, height, frameRate, bitrate }, index) => ({
        id: String(index),
        label: qualityLabel(width, height, frameRate, bitrate),
        bitrateBps: bitrate,
      })),
    );
    this.#options.listener.onQualities();
  }

  #onError(data: ErrorData): void {
    const status = data.response?.code ? ` ${data.response.code}` : "";
    const text = `${data.type} ${data.details}${status}`;
    this.#options.listener.onError({ text, isFatal: data.fatal, atMs: Date.now() });
    if (!data.fatal) return;
    if (data.type === ErrorTypes.MUX_ERROR || data.type === ErrorTypes.KEY_SYSTEM_ERROR || !this.#trySpend()) {
      this.#options.listener.onGiveUp(data.type === ErrorTypes.NETWORK_ERROR ? "loading" : "media");
    } else if (data.type === ErrorTypes.MEDIA_ERROR) this.#hls.recoverMediaError();
    else this.#reloadSoon();
  }

  #trySpend(): boolean {
    return this.#budget.trySpend(Date.now());
  }

  #reloadSoon(): void {
    clearTimeout(this.#reload);
    this.#reload = setTimeout(() => {
      if (this.#hls.levels.length === 0) this.#hls.loadSource(this.#options.url);
      else this.#hls.startLoad();
    }, RELOAD_DELAY_MS);
  }
}
