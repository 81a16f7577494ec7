import type { StreamRepository } from "../catalog/stream-repository.ts";
import type { Clock } from "../core/clock.ts";
import type { StreamId } from "../core/ids.ts";
import type { Logger } from "../core/logger.ts";
import type { RunningStreams } from "./running-streams.ts";

export interface HeartbeatWatchOptions {
  readonly streams: Pick<StreamRepository, "get">;
  readonly running: Pick<RunningStreams, "ids" | "status" | "stop">;
  readonly clock: Clock;
  readonly log: Logger;
  /** A broadcast ends when its last heartbeat is older. */
  readonly staleThresholdMs: number;
  readonly cleanupIntervalMs: number;
}

/**
 * Ends broadcasts that nobody wants any more. Whoever sends heartbeats during a broadcast promises to go on: when they
 * stop, it is stale. One that never had a heartbeat lives as long as its publisher, and so does the next broadcast of a
 * stream that was stale.
 */
export class HeartbeatWatch {
  readonly #options: HeartbeatWatchOptions;
  #cancel: (() => void) | undefined;
  #isClosed = false;
  #check: Promise<void> = Promise.resolve();

  constructor(options: HeartbeatWatchOptions) {
    this.#options = options;
  }

  /** Checks once each cleanup interval from now on. */
  start(): void {
    if (this.#isClosed) return;
    const { clock, cleanupIntervalMs } = this.#options;
    this.#cancel = clock.after(cleanupIntervalMs, () => {
      this.#check = this.#checkAndLog().then(() => this.start());
    });
  }

  /** Stops checking; resolves when a check under way is through. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancel?.();
    await this.#check;
  }

  /** Ends every stale broadcast now, and gives their ids. One that fails to end does not keep the others. */
  async check(): Promise<StreamId[]> {
    const stale: StreamId[] = [];
    for (const streamId of this.#options.running.ids()) if (await this.#isStale(streamId)) stale.push(streamId);
    const outcomes = await Promise.allSettled(stale.map((streamId) => this.#stop(streamId)));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    return stale;
  }

  async #checkAndLog(): Promise<void> {
    try {
      await this.check();
    } catch (error) {
      this.#options.log.error({ err: error }, "stale check failed");
    }
  }

  async #isStale(streamId: StreamId): Promise<boolean> {
    const { streams, running, clock, staleThresholdMs } = this.#options;
    const record = await streams.get(streamId);
    const live = running.status(streamId);
    const lastMs = record?.lastHeartbeatAtMs ?? undefined;
    if (!live || lastMs === undefined || lastMs < Math.floor(live.startedAtMs)) return false;
    return clock.nowMs() - lastMs > staleThresholdMs;
  }

  async #stop(streamId: StreamId): Promise<void> {
    this.#options.log.info({ streamId }, "broadcast is stale");
    await this.#options.running.stop(streamId, "No heartbeat came for too long");
  }
}
