interface RecoveryBudgetOptions {
  /** So many recoveries within `windowMs`. */
  readonly count: number;
  readonly windowMs: number;
}

/** Bounds how often something is tried again: trouble now and then never runs out, a loop does. */
export class RecoveryBudget {
  readonly #options: RecoveryBudgetOptions;
  #spentAtMs: number[] = [];
  #total = 0;

  constructor(options: RecoveryBudgetOptions) {
    this.#options = options;
  }

  /** How many were ever granted. */
  get total(): number {
    return this.#total;
  }

  /** Whether one more try is granted at `nowMs`; granting it takes it from the budget. */
  trySpend(nowMs: number): boolean {
    this.#spentAtMs = this.#spentAtMs.filter((spentMs) => nowMs - spentMs < this.#options.windowMs);
    if (this.#spentAtMs.length >= this.#options.count) return false;
    this.#spentAtMs.push(nowMs);
    this.#total++;
    return true;
  }
}
