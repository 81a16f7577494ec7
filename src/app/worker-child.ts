import type { ChildProcess } from "node:child_process";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import { BackOff } from "../encode/back-off.ts";
import type { JobEnd, OnJobEnd } from "./job-ends.ts";

/** How often the live encoders are looked at. */
const LOOK_EVERY_MS = 1_000;
/** A worker gives its jobs back in less; what it does not give back is taken over when their lease ends. */
const CLOSE_LIMIT_MS = 7_000;

/** What the server tells its worker. */
export interface WorkerMessage {
  /** Live encoders cannot keep up: the worker begins no further encode. */
  readonly isLiveBehind: boolean;
}

/** What the worker tells its server. */
export interface WorkerReport {
  readonly ended: JobEnd;
}

export interface WorkerChildOptions {
  /** Starts a worker with a channel to this process, at whose end it ends. */
  readonly spawn: () => ChildProcess;
  readonly isLiveBehind: () => boolean;
  readonly onJobEnd: OnJobEnd;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The worker that a server keeps beside it: started when there is work, again when it crashes, gone with the server. */
export class WorkerChild {
  readonly #options: WorkerChildOptions;
  readonly #backOff = new BackOff();
  #child: ChildProcess | undefined;
  #exited: Promise<void> | undefined;
  #cancelTimer: () => void = () => {};
  #hasStarted = false;
  #closed: Promise<void> | undefined;

  constructor(options: WorkerChildOptions) {
    this.#options = options;
  }

  /** Undefined while none runs. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** From now on there is a worker. */
  start(): void {
    if (this.#hasStarted || this.#closed) return;
    this.#hasStarted = true;
    this.#run();
  }

  /** Lets the worker give back what it has in hand, and waits for its end. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#cancelTimer();
    const child = this.#child;
    if (!child) return;
    // Not by a signal: whoever presses Ctrl-C has sent one to both of us, and a second one means "at once".
    if (child.connected) child.disconnect();
    const cancel = this.#options.clock.after(CLOSE_LIMIT_MS, () => child.kill("SIGKILL"));
    await this.#exited;
    cancel();
  }

  #run(): void {
    const { spawn, onJobEnd, clock, log } = this.#options;
    const startedAtMs = clock.monotonicMs();
    const child = spawn();
    this.#child = child;
    child.on("message", ({ ended }: WorkerReport) => onJobEnd(ended));
    log.info({ pid: child.pid }, "worker process started");
    this.#exited = new Promise((resolve) => {
      const end = (reason: unknown) => {
        if (this.#child !== child) return;
        this.#child = undefined;
        this.#cancelTimer();
        resolve();
        if (!this.#closed) this.#restart(reason, clock.monotonicMs() - startedAtMs);
      };
      child.once("exit", (code, signal) => end(signal ?? code));
      child.on("error", (error) => {
        // Also said of a message that found the worker gone, of which `exit` tells.
        if (child.pid === undefined) end(error.message);
      });
    });
    this.#watchLive(child, undefined);
  }

  #restart(reason: unknown, ranForMs: number): void {
    const { clock, log } = this.#options;
    const retryInMs = this.#backOff.after(ranForMs);
    log.error({ reason, retryInMs }, "worker process ended by itself");
    this.#cancelTimer = clock.after(retryInMs, () => this.#run());
  }

  /** Tells the worker when live encoders fall behind, and when they have caught up. */
  #watchLive(child: ChildProcess, told: boolean | undefined): void {
    const isLiveBehind = this.#options.isLiveBehind();
    if (isLiveBehind !== (told ?? false) && child.connected) child.send({ isLiveBehind } satisfies WorkerMessage);
    this.#cancelTimer = this.#options.clock.after(LOOK_EVERY_MS, () => this.#watchLive(child, isLiveBehind));
  }
}
