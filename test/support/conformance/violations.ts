/** A broken rule: its id (`docs/adr/0018` explains), and what was seen. */
export interface Violation {
  readonly rule: string;
  readonly message: string;
}

/** More than this many are counted, not kept: a run of hours must not fill memory. */
const MAX_KEPT = 500;

/** Collects what a checker finds. */
export class Violations {
  readonly kept: Violation[] = [];
  readonly #counts = new Map<string, { count: number; first: string }>();

  add(rule: string, message: string): void {
    const entry = this.#counts.get(rule);
    if (entry) entry.count++;
    else this.#counts.set(rule, { count: 1, first: message });
    if (this.kept.length < MAX_KEPT) this.kept.push({ rule, message });
  }

  /** Ids of the rules that were broken. */
  get rules(): string[] {
    return [...this.#counts.keys()].sort();
  }

  get count(): number {
    return [...this.#counts.values()].reduce((sum, { count }) => sum + count, 0);
  }

  /** One line a rule: id, how often, the first example. Empty when nothing is wrong. */
  report(): string {
    return this.rules.map((rule) => `${rule.padEnd(4)} ${this.#line(rule)}`).join("\n");
  }

  #line(rule: string): string {
    const { count, first } = this.#counts.get(rule) ?? { count: 0, first: "" };
    return `x${count}  ${first}`;
  }
}
