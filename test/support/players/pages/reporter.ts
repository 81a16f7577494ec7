import type { PlayerReport } from "../report.ts";

declare global {
  interface Window {
    /** Put in place by the test. */
    sendReport(report: PlayerReport): Promise<void>;
    /** The library's own object, for a test that asks for more. */
    player: unknown;
  }
}

/** What only the library knows. */
export interface PlayerFacts {
  latencyS(): number | null;
  renditions(): string[];
}

const REPORT_MS = 100;
const ERROR_COUNT_MAX = 200;
const EVENTS = ["playing", "waiting", "pause", "ended", "seeked", "resize", "error"];

/** Sends reports of the page's video element to the test. */
export class Reporter {
  readonly video: HTMLVideoElement;
  readonly #facts: PlayerFacts;
  readonly #errors: string[] = [];
  readonly #fatal: string[] = [];
  #stallCount = 0;
  #hasMoved = false;

  constructor(video: HTMLVideoElement, facts: PlayerFacts) {
    this.video = video;
    this.#facts = facts;
    video.addEventListener("playing", () => {
      this.#hasMoved = true;
    });
    video.addEventListener("waiting", () => {
      if (this.#hasMoved) this.#stallCount++;
    });
    video.addEventListener("error", () => this.note(`media element: ${video.error?.message}`, true));
    window.addEventListener("error", (event) => this.note(`page: ${event.message}`, true));
    window.addEventListener("unhandledrejection", (event) => this.note(`page: ${event.reason}`, true));
    for (const event of EVENTS) video.addEventListener(event, () => this.#send());
    setInterval(() => this.#send(), REPORT_MS);
  }

  note(error: string, isFatal: boolean): void {
    this.#errors.push(error);
    if (isFatal) this.#fatal.push(error);
    this.#errors.splice(0, this.#errors.length - ERROR_COUNT_MAX);
    this.#fatal.splice(0, this.#fatal.length - ERROR_COUNT_MAX);
    this.#send();
  }

  #send(): void {
    // Rejects only when the test has closed the page.
    window.sendReport(this.#read()).catch(() => {});
  }

  #read(): PlayerReport {
    const { video } = this;
    const frames = video.getVideoPlaybackQuality();
    return {
      currentTime: video.currentTime,
      latencyS: this.#facts.latencyS(),
      bufferedS: bufferedAhead(video),
      rendition: video.videoWidth > 0 ? `${video.videoWidth}x${video.videoHeight}` : "",
      renditions: this.#facts.renditions(),
      droppedFrames: frames.droppedVideoFrames,
      decodedFrames: frames.totalVideoFrames,
      isPaused: video.paused,
      hasEnded: video.ended,
      stallCount: this.#stallCount,
      errors: [...this.#errors],
      fatal: [...this.#fatal],
    };
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

/** The video element of the page and what the test asks to be played on it. */
export function task(): { video: HTMLVideoElement; url: string; config: Record<string, unknown> } {
  const video = document.querySelector("video");
  const query = new URLSearchParams(location.search);
  const url = query.get("url");
  if (video === null || url === null) throw new Error("a video element and ?url= are needed");
  return { video, url, config: JSON.parse(query.get("config") ?? "{}") };
}
