/** What a player of a test is doing. The page writes it, tests read it. */
export interface PlayerReport {
  readonly currentTime: number;
  /** Wall clock minus the clock of the picture that is seen; null while the player does not know. */
  readonly latencyS: number | null;
  readonly bufferedS: number;
  /** `1280x720` of what is shown; empty before the first picture. */
  readonly rendition: string;
  /** Every video quality that can be chosen, in the player's order. */
  readonly renditions: readonly string[];
  readonly droppedFrames: number;
  readonly decodedFrames: number;
  readonly isPaused: boolean;
  readonly hasEnded: boolean;
  /** Times that the picture waited for data after it had moved. */
  readonly stallCount: number;
  /** All that the library reported, oldest first; the page keeps the newest 200. */
  readonly errors: readonly string[];
  /** Those that the library does not recover from by itself. */
  readonly fatal: readonly string[];
}
