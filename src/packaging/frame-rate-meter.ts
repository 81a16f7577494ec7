/** Rates that cameras and encoders really have; a measured rate this close to one of them is that one. */
const STANDARD_RATES = [24000 / 1001, 24, 25, 30000 / 1001, 30, 48, 50, 60000 / 1001, 60, 120000 / 1001, 120];
const SNAP = 0.0004;
/** Below this much media, rounding of millisecond stamps hides the difference between 29.97 and 30. */
const SURE_AFTER_S = 8;

/** Frames per second over all that was seen, snapped to a standard rate when it is one. */
export class FrameRateMeter {
  readonly #declared: number | undefined;
  #frameCount = 0;
  #seconds = 0;

  /** `declared` is what the codec's timing information says, trusted while it agrees with what is seen. */
  constructor(declared: number | undefined) {
    this.#declared = declared;
  }

  add(frameCount: number, seconds: number): void {
    this.#frameCount += frameCount;
    this.#seconds += seconds;
  }

  get framesPerSecond(): number | undefined {
    if (this.#seconds <= 0) return undefined;
    const measured = this.#frameCount / this.#seconds;
    if (this.#declared && Math.abs(measured - this.#declared) < this.#declared * 0.01) return this.#declared;
    const tolerance = this.#seconds < SURE_AFTER_S ? 0.002 : SNAP;
    const nearest = STANDARD_RATES.reduce((a, b) => (Math.abs(measured - a) <= Math.abs(measured - b) ? a : b));
    return Math.abs(measured - nearest) < nearest * tolerance ? nearest : measured;
  }
}
