/** Where in a stored video its viewer is, kept while players come and go. */
export class Playhead {
  readonly #video: HTMLVideoElement;
  #positionS = 0;
  #isPaused = false;
  /** A picture was seen since the element was emptied: what its clock says before is no place of the viewer's. */
  #isShown = false;

  /** Follows the element until `signal` aborts. */
  constructor(video: HTMLVideoElement, signal: AbortSignal) {
    this.#video = video;
    const on = (event: string, react: () => void) => video.addEventListener(event, react, { signal });
    on("emptied", () => {
      this.#isShown = false;
    });
    on("timeupdate", () => this.#read());
    on("seeked", () => this.#read());
    // What is sought may never come while the server is away.
    on("seeking", () => {
      if (this.#isShown) this.#positionS = video.currentTime;
    });
    on("play", () => {
      this.#isPaused = false;
    });
    on("pause", () => {
      this.#isPaused = true;
    });
    // Whoever plays on from the end begins again.
    on("ended", () => {
      this.#positionS = 0;
    });
  }

  get positionS(): number {
    return this.#positionS;
  }

  /** Whether the viewer has paused it: an element that is emptied calls itself paused, too, but does not say so. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  #read(): void {
    const { readyState, seeking, ended, currentTime } = this.#video;
    if (readyState < HAVE_CURRENT_DATA || seeking || ended) return;
    this.#isShown = true;
    this.#positionS = currentTime;
  }
}

const HAVE_CURRENT_DATA = 2;
