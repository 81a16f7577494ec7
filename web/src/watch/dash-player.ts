import { type ErrorEvent as DashErrorEvent, MediaPlayer, type MediaPlayerClass, type Representation } from "dashjs";
import { bufferedAheadS, catchUpRate } from "./catch-up.ts";
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

const RETRY_MS = 1000;
const RETRY_COUNT = 60;
const REATTACH_DELAY_MS = 1500;
const DRY_S = 1;
/** One segment of a film as it came may be 20 MB; who cannot have a smaller one waits for it. */
const STORED_LOAD_MAX_MS = 300_000;
/** How many parts behind our MPDs ask players to stay; more where these are short, as dash.js needs it (ADR 16). */
const TARGET_PARTS = 4;
/** Who is further behind than this has sought back. */
const MAX_LATE_S = 5;

const { errors } = MediaPlayer;
/** Of dash.js' CoreEvents, which it does not list as its player's: some bytes of a segment have come. */
const LOADING_PROGRESS = "loadingProgress";
/** What has come cannot be shown. */
const MEDIA_ERRORS = [
  errors.APPEND_ERROR_CODE,
  errors.CAPABILITY_MEDIASOURCE_ERROR_CODE,
  errors.MEDIASOURCE_TYPE_UNSUPPORTED_CODE,
];

/** DASH and LL-DASH by dash.js. Attaches afresh, a bounded number of times, before it gives up. */
export class DashPlayer implements Player {
  readonly format = "dash";
  readonly #dash: MediaPlayerClass;
  readonly #options: PlayerOptions;
  readonly #budget = new RecoveryBudget({ count: 8, windowMs: 120_000 });
  #qualities: readonly Quality[] = [];
  #choice = "auto";
  #loadMark = 0;
  #reattach: ReturnType<typeof setTimeout> | undefined;
  readonly #catchUp = () => this.#setSpeed();

  constructor(options: PlayerOptions) {
    this.#options = options;
    this.#dash = MediaPlayer().create();
    this.#dash.initialize();
    this.#dash.updateSettings({
      streaming: {
        delay: { useSuggestedPresentationDelay: true },
        buffer: { mediaSourceDurationInfinity: true, bufferToKeep: 30 },
        // Its own sets the speed of a video element that it has let go of, when that has media again.
        liveCatchup: { enabled: false },
        // Gaps are what a publisher leaves who goes and comes back.
        gaps: { jumpGaps: true, jumpLargeGaps: true, enableStallFix: true },
        retryAttempts: { MPD: RETRY_COUNT, InitializationSegment: RETRY_COUNT, MediaSegment: 5 },
        retryIntervals: { MPD: RETRY_MS, InitializationSegment: RETRY_MS, MediaSegment: RETRY_MS },
      },
    });
    if (!options.isLive) {
      this.#dash.updateSettings({ streaming: { fragmentRequestTimeout: STORED_LOAD_MAX_MS } });
      this.#dash.setAutoPlay(false);
    }
    // dash.js would else ask a public server for the time.
    this.#dash.clearDefaultUTCTimingSources();
    this.#dash.addUTCTimingSource("urn:mpeg:dash:utc:http-iso:2014", new URL("/time", location.href).href);
    const { events } = MediaPlayer;
    this.#dash.on(events.STREAM_INITIALIZED, () => this.#readQualities());
    this.#dash.on(events.QUALITY_CHANGE_RENDERED, () => options.listener.onQualities());
    this.#dash.on(events.TRACK_CHANGE_RENDERED, () => options.listener.onQualities());
    this.#dash.on(LOADING_PROGRESS, () => this.#loadMark++);
    this.#dash.on(events.ERROR, (event) => this.#onError(event as DashErrorEvent));
    if (options.isLowLatency) options.video.addEventListener("timeupdate", this.#catchUp);
    this.#dash.attachView(options.video);
    this.#attach();
  }

  get library(): MediaPlayerClass {
    return this.#dash;
  }

  get qualities(): readonly Quality[] {
    return this.#qualities;
  }

  get choice(): string {
    return this.#choice;
  }

  get current(): string | undefined {
    return this.#dash.getCurrentRepresentationForType("video")?.id;
  }

  get audioTracks(): readonly AudioTrack[] {
    const chosen = this.#dash.getCurrentTrackFor("audio");
    return this.#dash.getTracksFor("audio").map((track, index) => ({
      id: String(index),
      label: track.labels[0]?.text || track.lang || `Audio ${index + 1}`,
      isChosen: track.index === chosen?.index,
    }));
  }

  get bandwidthBps(): number | undefined {
    const kbps = this.#dash.getAverageThroughput("video");
    return kbps > 0 ? kbps * 1000 : undefined;
  }

  get loadMark(): number {
    return this.#loadMark;
  }

  get recoveryCount(): number {
    return this.#budget.total;
  }

  choose(id: string): void {
    this.#choice = id;
    this.#dash.updateSettings({ streaming: { abr: { autoSwitchBitrate: { video: id === "auto" } } } });
    if (id !== "auto") this.#dash.setRepresentationForTypeById("video", id);
    this.#options.listener.onQualities();
  }

  chooseAudio(id: string): void {
    const track = this.#dash.getTracksFor("audio")[Number(id)];
    if (track) this.#dash.setCurrentTrack(track);
  }

  delay(): Delay {
    if (!this.#options.isLive) return { latencyS: undefined, targetS: undefined };
    const latencyS = this.#dash.getCurrentLiveLatency();
    const targetS = this.#dash.getTargetLiveDelay();
    return { latencyS: latencyS > 0 ? latencyS : undefined, targetS: targetS > 0 ? targetS : undefined };
  }

  seekToLive(): void {
    this.#dash.seekToOriginalLive();
  }

  close(): void {
    clearTimeout(this.#reattach);
    this.#options.video.removeEventListener("timeupdate", this.#catchUp);
    this.#options.video.playbackRate = 1;
    this.#dash.destroy();
  }

  #attach(): void {
    const { isLive, url, positionS } = this.#options;
    if (isLive) this.#dash.attachSource(url);
    else this.#dash.attachSource(url, positionS());
  }

  #setSpeed(): void {
    const { video } = this.#options;
    const { latencyS, targetS } = this.delay();
    if (latencyS === undefined || targetS === undefined) return;
    const [bufferS, partS] = [bufferedAheadS(video), targetS / TARGET_PARTS];
    video.playbackRate = catchUpRate({ latencyS, targetS, bufferS, partS, maxLateS: MAX_LATE_S });
  }

  #readQualities(): void {
    this.#qualities = highestFirst(this.#dash.getRepresentationsByType("video").map(qualityOf));
    this.#options.listener.onQualities();
  }

  /** dash.js raises errors only after its own tries are used up, and mostly stops then; a clock it can do without. */
  #onError(event: DashErrorEvent): void {
    const text = errorText(event);
    const isFatal = !text.startsWith(`${errors.TIME_SYNC_FAILED_ERROR_CODE} `);
    this.#options.listener.onError({ text, isFatal, atMs: Date.now() });
    if (!isFatal) return;
    if (!this.#budget.trySpend(Date.now())) {
      this.#options.listener.onGiveUp(MEDIA_ERRORS.some((code) => text.startsWith(`${code} `)) ? "media" : "loading");
      return;
    }
    this.#reattachSoon();
  }

  /** What is there of a video is played out first: to attach it anew throws that away. */
  #reattachSoon(): void {
    const { isLive, video } = this.#options;
    clearTimeout(this.#reattach);
    this.#reattach = setTimeout(() => {
      if (!isLive && bufferedAheadS(video) > DRY_S) this.#reattachSoon();
      else this.#attach();
    }, REATTACH_DELAY_MS);
  }
}

function qualityOf({ id, width, height, frameRate, bandwidth }: Representation): Quality {
  return { id, label: qualityLabel(width, height, frameRate, bandwidth), bitrateBps: bandwidth };
}

function errorText(event: DashErrorEvent): string {
  const { error } = event;
  if (typeof error === "string") return error;
  return `${error.code} ${error.message}`;
}
