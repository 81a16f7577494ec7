import { api } from "../api/client.ts";
import { ApiProblem, sentenceOf } from "../api/problem.ts";
import { chooseFormat, hasMediaSource, openPlayer } from "./open-player.ts";
import { canPlay, type MediaView, type Phase, phaseOf, playerStep, type ServerView } from "./phase.ts";
import type { AudioTrack, Format, GiveUpCause, Player, PlayerError, PlayerListener, Quality } from "./player.ts";
import { Playhead } from "./playhead.ts";
import { RecoveryBudget } from "./recovery-budget.ts";
import { measureSkew } from "./server-clock.ts";
import { type Watchable, watchable } from "./watchable.ts";
import { Wishes } from "./wishes.ts";

const POLL_MS = 2000;
const TICK_MS = 1000;
/**
 * The player libraries mend most stalls within seconds; what lasts longer needs a fresh player. It would ask for the same
 * segment of a video again, so that gets more time, counted from the last bytes that came.
 */
const STALL_MAX_MS = { stream: 12_000, video: 60_000 };
const ERROR_COUNT_MAX = 50;
/** So much later than its aim, and the way back to the live edge is offered. */
const BEHIND_S = 3;

const PROBLEMS: Readonly<Record<GiveUpCause, Readonly<Record<Watchable["kind"], string>>>> = {
  loading: {
    stream: "The broadcast could not be loaded. The connection may be too slow, or the server too busy.",
    video: "The video could not be loaded. The connection may be too slow, or the server too busy.",
  },
  media: {
    stream: "This browser cannot show the broadcast. Another quality, format or browser may.",
    video: "This browser cannot show the video. Another quality, format or browser may.",
  },
};

export interface WatchStats {
  readonly state: Phase;
  readonly format: Format | undefined;
  readonly currentTime: number;
  readonly isLive: boolean;
  /** Wall clock minus the clock of the picture that is seen. */
  readonly latencyS: number | undefined;
  readonly targetLatencyS: number | undefined;
  readonly bufferedS: number;
  /** Label of the quality that is played. */
  readonly rendition: string | undefined;
  readonly width: number;
  readonly height: number;
  readonly droppedFrames: number;
  readonly decodedFrames: number;
  readonly bandwidthBps: number | undefined;
  readonly playbackRate: number;
  /** Players opened beyond the first, and recoveries inside of them. */
  readonly recoveries: number;
  readonly stalls: number;
  /** The newest 50. */
  readonly errors: readonly PlayerError[];
  readonly fatalCount: number;
  /** Why nothing plays, in a sentence, after a failure. */
  readonly problem: string | undefined;
}

/** What the page shows; a new object at every change. */
export interface WatchView {
  readonly phase: Phase;
  readonly media: MediaView;
  readonly shown: Watchable | undefined;
  /** What plays, or is being loaded to play. */
  readonly format: Format | undefined;
  readonly qualities: readonly Quality[];
  readonly choice: string;
  readonly current: string | undefined;
  readonly audioTracks: readonly AudioTrack[];
  readonly isBehindLive: boolean;
  /** Plays sound alone. */
  readonly isAudioOnly: boolean;
  /** Why it failed, in a sentence. */
  readonly problem: string | undefined;
}

export interface WatchSessionOptions {
  /** Of a stream or of a video. */
  readonly id: string;
  readonly video: HTMLVideoElement;
  readonly format: "hls" | "dash";
  readonly onChange: (view: WatchView) => void;
}

/** One viewer at one stream or video: asks the server while nothing plays, opens and closes the player, tells what is to be shown. */
export class WatchSession {
  readonly #options: WatchSessionOptions;
  readonly #stop = new AbortController();
  readonly #budget = new RecoveryBudget({ count: 6, windowMs: 180_000 });
  #wishedFormat: "hls" | "dash";
  #server: ServerView = "unknown";
  #media: MediaView = "none";
  #mediaSinceMs = Date.now();
  #loadMark = 0;
  readonly #playhead: Playhead;
  readonly #wishes = new Wishes();
  #shown: Watchable | undefined;
  #player: Player | undefined;
  #format: Format | undefined;
  /** Grows with every opening and closing: a library that arrives late for an older one is not used. */
  #opening = 0;
  #clockSkewMs = 0;
  #problem: string | undefined;
  #poll: ReturnType<typeof setTimeout> | undefined;
  #tick: ReturnType<typeof setInterval> | undefined;
  #recoveredCount = 0;
  #stallCount = 0;
  #fatalCount = 0;
  #errors: PlayerError[] = [];

  constructor(options: WatchSessionOptions) {
    this.#options = options;
    this.#wishedFormat = options.format;
    this.#playhead = new Playhead(options.video, this.#stop.signal);
  }

  get player(): Player | undefined {
    return this.#player;
  }

  get phase(): Phase {
    return phaseOf(this.#server, this.#media, this.#kind);
  }

  get #kind(): Watchable["kind"] {
    return this.#shown?.kind ?? "stream";
  }

  start(): void {
    this.#listen();
    this.#tick = setInterval(() => this.#onTick(), TICK_MS);
    void this.#begin();
  }

  close(): void {
    this.#stop.abort();
    clearTimeout(this.#poll);
    clearInterval(this.#tick);
    this.#closePlayer();
  }

  /** Plays on in the other format: from the live edge, or where the video was. */
  switchFormat(format: "hls" | "dash"): void {
    if (format === this.#wishedFormat) return;
    this.#wishedFormat = format;
    this.#reopen();
  }

  choose(qualityId: string): void {
    if (this.#player) this.#wishes.choose(this.#player, qualityId);
    this.#changed();
  }

  chooseAudio(trackId: string): void {
    if (this.#player) this.#wishes.chooseAudio(this.#player, trackId);
    this.#changed();
  }

  seekToLive(): void {
    this.#player?.seekToLive();
    this.#play();
  }

  /** The viewer asks for another try after a failure. */
  retry(): void {
    this.#problem = undefined;
    this.#reopen();
    this.#pollIn(0);
  }

  stats(): WatchStats {
    const { video } = this.#options;
    const player = this.#player;
    const delay = player?.delay();
    const frames = video.getVideoPlaybackQuality();
    return {
      state: this.phase,
      format: player?.format,
      currentTime: video.currentTime,
      isLive: this.#kind === "stream",
      latencyS: delay?.latencyS,
      targetLatencyS: delay?.targetS,
      bufferedS: bufferedAhead(video),
      rendition: player?.qualities.find(({ id }) => id === player.current)?.label,
      width: video.videoWidth,
      height: video.videoHeight,
      droppedFrames: frames.droppedVideoFrames,
      decodedFrames: frames.totalVideoFrames,
      bandwidthBps: player?.bandwidthBps,
      playbackRate: video.playbackRate,
      recoveries: this.#recoveredCount + (player?.recoveryCount ?? 0),
      stalls: this.#stallCount,
      errors: [...this.#errors],
      fatalCount: this.#fatalCount,
      problem: this.#problem,
    };
  }

  async #begin(): Promise<void> {
    this.#clockSkewMs = await measureSkew(this.#stop.signal);
    if (!this.#stop.signal.aborted) await this.#ask();
  }

  #listen(): void {
    const { video } = this.#options;
    const on = (event: string, react: () => void) =>
      video.addEventListener(event, react, { signal: this.#stop.signal });
    on("playing", () => this.#setMedia("playing"));
    on("timeupdate", () => {
      if (this.#media === "stalled" && video.readyState > 2 && !video.paused) this.#setMedia("playing");
    });
    on("waiting", () => {
      if (this.#media === "playing") this.#setMedia("stalled");
    });
    on("pause", () => {
      const isUnderWay = this.#media === "playing" || this.#media === "stalled";
      if (!video.ended && (isUnderWay || (this.#media === "starting" && this.#kind === "video"))) {
        this.#setMedia("paused");
      }
    });
    on("play", () => {
      if (this.#media === "paused" || this.#media === "blocked") this.#setMedia("stalled");
    });
    on("ended", () => this.#setMedia("ended"));
    on("canplay", () => this.#playOn());
    on("emptied", () => {
      if (this.#media === "playing" && this.#kind === "video") this.#setMedia("stalled");
    });
  }

  /** There are media to be shown: of a player that was opened, or of a video whose player has attached it anew. */
  #playOn(): void {
    const isVideo = this.#kind === "video";
    const isAnew = isVideo && this.#media === "stalled" && this.#options.video.paused;
    if (this.#media !== "starting" && !isAnew) return;
    if (isVideo && this.#playhead.isPaused) this.#setMedia("paused");
    else this.#play();
  }

  #play(): void {
    this.#options.video.play().catch((error: unknown) => {
      // Anything else ends in an event of the element or the player.
      if (error instanceof DOMException && error.name === "NotAllowedError") this.#setMedia("blocked");
    });
  }

  #setMedia(media: MediaView): void {
    if (media === this.#media || (this.#player === undefined && media !== "none" && media !== "starting")) return;
    if (media === "stalled" && this.#media === "playing") this.#stallCount++;
    this.#media = media;
    this.#mediaSinceMs = Date.now();
    if (media === "playing") {
      this.#problem = undefined;
      clearTimeout(this.#poll);
      this.#poll = undefined;
    } else if (this.#poll === undefined) this.#pollIn(POLL_MS / 2);
    this.#changed();
  }

  #pollIn(delayMs: number): void {
    clearTimeout(this.#poll);
    this.#poll = setTimeout(() => this.#ask(), delayMs);
  }

  async #ask(): Promise<void> {
    const before = this.#server;
    await this.#readShown();
    if (this.#stop.signal.aborted) return;
    if (canPlay(this.#server) && !canPlay(before) && this.#media === "failed") this.#closePlayer();
    const step = playerStep(this.#server, this.#media);
    if (step === "close") this.#closePlayer();
    if (step === "open") await this.#openPlayer();
    this.#changed();
    this.#poll = undefined;
    if (this.#mayChange && !this.#stop.signal.aborted) this.#pollIn(POLL_MS);
  }

  /** Whether the server may have news: not while media come in, nor of a video that is there. */
  get #mayChange(): boolean {
    return this.#media !== "playing" && !(this.#server === "stored" && this.#player);
  }

  async #readShown(): Promise<void> {
    try {
      this.#shown = watchable(await api.playback(this.#options.id, this.#stop.signal));
      this.#server = this.#shown.state;
      if (this.#media !== "failed") this.#problem = undefined;
    } catch (error) {
      this.#server = error instanceof ApiProblem && error.status === 404 ? "missing" : "unreachable";
      this.#problem = sentenceOf(error);
    }
  }

  async #openPlayer(): Promise<void> {
    this.#closePlayer();
    const { hlsUrl, dashUrl } = this.#shown ?? { hlsUrl: null, dashUrl: null };
    const offers = { hls: hlsUrl !== null, dash: dashUrl !== null };
    const format = chooseFormat(this.#wishedFormat, offers, hasMediaSource());
    const url = format === "dash" ? dashUrl : hlsUrl;
    if (format === undefined || url === null) {
      this.#problem = "This browser can play none of the formats that are offered.";
      this.#media = "failed";
      return;
    }
    const opening = ++this.#opening;
    this.#format = format;
    this.#setMedia("starting");
    try {
      const player = await openPlayer(format, {
        video: this.#options.video,
        url: new URL(url, location.href).href,
        isLive: this.#kind === "stream",
        positionS: () => this.#playhead.positionS,
        isLowLatency: this.#shown?.isLowLatency ?? false,
        clockSkewMs: this.#clockSkewMs,
        listener: this.#listener(opening),
      });
      if (opening !== this.#opening) player.close();
      else this.#take(player);
    } catch (error) {
      if (opening === this.#opening) this.#fail(sentenceOf(error));
    }
  }

  #take(player: Player): void {
    this.#player = player;
    this.#onQualities();
  }

  #onQualities(): void {
    if (this.#player) this.#wishes.grant(this.#player);
    this.#changed();
  }

  #listener(opening: number): PlayerListener {
    const ifCurrent =
      <Args extends unknown[]>(react: (...args: Args) => void) =>
      (...args: Args) => {
        if (opening === this.#opening) react(...args);
      };
    return {
      onQualities: ifCurrent(() => this.#onQualities()),
      onError: ifCurrent((error: PlayerError) => {
        if (error.isFatal) this.#fatalCount++;
        this.#errors = [...this.#errors, error].slice(-ERROR_COUNT_MAX);
      }),
      onGiveUp: ifCurrent((cause: GiveUpCause) => this.#recover(cause)),
    };
  }

  /** A fresh player while the budget lasts, else the failure is shown. */
  #recover(cause: GiveUpCause): void {
    if (!this.#budget.trySpend(Date.now())) {
      this.#fail(PROBLEMS[cause][this.#kind]);
      return;
    }
    this.#recoveredCount++;
    this.#reopen();
  }

  #fail(problem: string): void {
    this.#closePlayer();
    this.#problem = problem;
    this.#media = "failed";
    this.#pollIn(POLL_MS);
    this.#changed();
  }

  #reopen(): void {
    if (this.#player === undefined && this.#media !== "failed") return;
    void this.#openPlayer().then(() => this.#changed());
  }

  #closePlayer(): void {
    this.#opening++;
    this.#recoveredCount += this.#player?.recoveryCount ?? 0;
    this.#player?.close();
    this.#player = undefined;
    this.#setMedia("none");
  }

  #onTick(): void {
    this.#heedLoading();
    const isStuck = this.#media === "stalled" || this.#media === "starting";
    if (isStuck && canPlay(this.#server) && Date.now() - this.#mediaSinceMs > STALL_MAX_MS[this.#kind]) {
      this.#mediaSinceMs = Date.now();
      this.#recover("loading");
    }
    this.#changed();
  }

  /** While bytes of a video come, its picture will, too. */
  #heedLoading(): void {
    const loadMark = this.#player?.loadMark ?? 0;
    if (this.#kind === "video" && loadMark !== this.#loadMark) this.#mediaSinceMs = Date.now();
    this.#loadMark = loadMark;
  }

  #changed(): void {
    if (this.#stop.signal.aborted) return;
    const player = this.#player;
    const { latencyS, targetS } = player?.delay() ?? { latencyS: undefined, targetS: undefined };
    this.#options.onChange({
      phase: this.phase,
      media: this.#media,
      shown: this.#shown,
      format: this.#format,
      qualities: player?.qualities ?? [],
      choice: player?.choice ?? "auto",
      current: player?.current,
      audioTracks: player?.audioTracks ?? [],
      isBehindLive: latencyS !== undefined && targetS !== undefined && latencyS - targetS > BEHIND_S,
      isAudioOnly: this.#media === "playing" && this.#options.video.videoWidth === 0,
      problem: this.#problem,
    });
  }
}

function bufferedAhead({ buffered, currentTime }: HTMLVideoElement): number {
  for (let index = 0; index < buffered.length; index++) {
    if (buffered.start(index) <= currentTime + 0.1 && buffered.end(index) > currentTime) {
      return buffered.end(index) - currentTime;
    }
  }
  return 0;
}
