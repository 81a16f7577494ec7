import type { Clock } from "../core/clock.ts";

/** One thing that must work for Headwater to be of use: ffmpeg, the store, the catalog. */
export interface Check {
  readonly name: string;
  /** Resolves with what a person may like to know (a version, free space); throws why not. */
  readonly run: () => Promise<string | undefined>;
}

export interface CheckResult {
  readonly name: string;
  readonly isReady: boolean;
  readonly detail: string | undefined;
}

export interface ReadinessOptions {
  readonly checks: readonly Check[];
  readonly clock: Clock;
  /** A check that has not answered by then is not ready. */
  readonly maxWaitMs?: number;
  /** Results serve everyone who asks within this time: probes may be many, and a check may start a program. */
  readonly keepMs?: number;
}

/** Whether Headwater can do its work, asked of everything that it needs. */
export class Readiness {
  readonly #options: Required<ReadinessOptions>;
  #running: Promise<readonly CheckResult[]> | undefined;
  #results: readonly CheckResult[] = [];
  #freshUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: ReadinessOptions) {
    this.#options = { maxWaitMs: 2000, keepMs: 1000, ...options };
  }

  /** Never throws: what fails is a check that is not ready. */
  async check(): Promise<readonly CheckResult[]> {
    if (this.#options.clock.monotonicMs() < this.#freshUntilMs) return this.#results;
    this.#running ??= this.#runAll().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #runAll(): Promise<readonly CheckResult[]> {
    this.#results = await Promise.all(this.#options.checks.map((check) => this.#run(check)));
    this.#freshUntilMs = this.#options.clock.monotonicMs() + this.#options.keepMs;
    return this.#results;
  }

  async #run({ name, run }: Check): Promise<CheckResult> {
    const { clock, maxWaitMs } = this.#options;
    const late = Promise.withResolvers<never>();
    const cancel = clock.after(maxWaitMs, () => late.reject(new Error(`no answer within ${maxWaitMs} ms`)));
    try {
      return { name, isReady: true, detail: await Promise.race([run(), late.promise]) };
    } catch (problem) {
      return { name, isReady: false, detail: problem instanceof Error ? problem.message : String(problem) };
    } finally {
      cancel();
    }
  }
}
