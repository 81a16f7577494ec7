import type { Phase } from "./phase.ts";
import type { WatchSession, WatchStats } from "./watch-session.ts";

/**
 * `window.headwater` on the watch page: for tests, monitors and pages that embed the player from the same origin.
 * `state` is what the viewer is shown, `stats()` what the stats panel reads, `player` the hls.js or dash.js object.
 */
export interface HeadwaterHandle {
  readonly state: Phase;
  readonly player: unknown;
  stats(): WatchStats;
}

declare global {
  interface Window {
    headwater?: HeadwaterHandle;
  }
}

/** Puts the handle in place; it follows the session. */
export function exposeHandle(session: WatchSession): void {
  window.headwater = {
    get state() {
      return session.phase;
    },
    get player() {
      return session.player?.library;
    },
    stats: () => session.stats(),
  };
}
