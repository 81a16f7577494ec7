import type { Clock } from "../core/clock.ts";
import type { HttpRequest, HttpResponse } from "../http/http-exchange.ts";

/** A count of requests that may be held at once; a presentation's lies within the server's. */
export class HoldBudget {
  readonly #maxCount: number;
  readonly #parent: HoldBudget | undefined;
  #heldCount = 0;

  constructor(maxCount: number, parent?: HoldBudget) {
    this.#maxCount = maxCount;
    this.#parent = parent;
  }

  get heldCount(): number {
    return this.#heldCount;
  }

  take(): boolean {
    if (this.#heldCount >= this.#maxCount || this.#parent?.take() === false) return false;
    this.#heldCount += 1;
    return true;
  }

  giveBack(): void {
    this.#heldCount -= 1;
    this.#parent?.giveBack();
  }
}

interface Group<Wait> {
  readonly key: string;
  readonly wait: Wait;
  readonly held: Set<HeldRequest<Wait>>;
}

interface HeldRequest<Wait> {
  readonly req: HttpRequest;
  readonly res: HttpResponse;
  readonly group: Group<Wait>;
  readonly expiresAtMs: number;
  readonly onClose: () => void;
}

export interface HeldRequestsOptions<Wait> {
  readonly clock: Clock;
  readonly holdMs: number;
  readonly budget: HoldBudget;
  /** Writes the answer of one request that is due. Must not throw. */
  readonly answer: (req: HttpRequest, res: HttpResponse, wait: Wait) => void;
  /** Refuses one that was held for `holdMs`. Must not throw. */
  readonly expire: (req: HttpRequest, res: HttpResponse) => void;
}

/** How many answers are written before the event loop gets a turn: about 5 ms of writing, so that ingest goes on. */
const BATCH_COUNT = 256;

/**
 * Requests that wait for the same few things: those with an equal key form one group, looked at once per change. Who
 * closes its connection is forgotten at once; who waits too long is refused, oldest first, by one timer.
 */
export class HeldRequests<Wait> {
  readonly #clock: Clock;
  readonly #holdMs: number;
  readonly #budget: HoldBudget;
  readonly #answer: HeldRequestsOptions<Wait>["answer"];
  readonly #expire: HeldRequestsOptions<Wait>["expire"];
  readonly #groups = new Map<string, Group<Wait>>();
  /** All that are held; the order of insertion is the order of expiry. */
  readonly #byAge = new Set<HeldRequest<Wait>>();
  /** Due, and not yet written. */
  readonly #due = new Set<HeldRequest<Wait>>();
  #isDraining = false;
  #isTimerSet = false;

  constructor({ clock, holdMs, budget, answer, expire }: HeldRequestsOptions<Wait>) {
    this.#clock = clock;
    this.#holdMs = holdMs;
    this.#budget = budget;
    this.#answer = answer;
    this.#expire = expire;
  }

  /**
   * Holds a request; false when the budget is spent, or when it stands behind another on its connection: one peer could
   * pipeline the whole budget away, and no player pipelines. Requests of one `key` share the first one's `wait`.
   */
  hold(key: string, wait: Wait, req: HttpRequest, res: HttpResponse): boolean {
    const isPipelined = res.socket === null;
    if (isPipelined || !this.#budget.take()) return false;
    let group = this.#groups.get(key);
    if (!group) {
      group = { key, wait, held: new Set() };
      this.#groups.set(key, group);
    }
    const held: HeldRequest<Wait> = {
      req,
      res,
      group,
      expiresAtMs: this.#clock.monotonicMs() + this.#holdMs,
      onClose: () => this.#forget(held),
    };
    group.held.add(held);
    this.#byAge.add(held);
    res.on("close", held.onClose);
    if (!this.#isTimerSet) this.#setTimer(held.expiresAtMs);
    return true;
  }

  /** Answers every group whose wait is over. */
  settle(isOver: (wait: Wait) => boolean): void {
    for (const [key, { wait, held }] of this.#groups) {
      if (!isOver(wait)) continue;
      this.#groups.delete(key);
      for (const one of held) {
        this.#byAge.delete(one);
        this.#due.add(one);
      }
    }
    if (!this.#isDraining) this.#drain();
  }

  #drain(): void {
    let leftCount = BATCH_COUNT;
    for (const held of this.#due) {
      if (leftCount-- === 0) break;
      this.#forget(held);
      this.#answer(held.req, held.res, held.group.wait);
    }
    this.#isDraining = this.#due.size > 0;
    if (this.#isDraining) setImmediate(() => this.#drain());
  }

  #forget(held: HeldRequest<Wait>): void {
    const { group } = held;
    if (!group.held.delete(held)) return;
    if (group.held.size === 0 && this.#groups.get(group.key) === group) this.#groups.delete(group.key);
    this.#byAge.delete(held);
    this.#due.delete(held);
    held.res.off("close", held.onClose);
    this.#budget.giveBack();
  }

  #setTimer(atMs: number): void {
    this.#isTimerSet = true;
    this.#clock.after(Math.max(0, atMs - this.#clock.monotonicMs()), () => this.#expireOldest());
  }

  #expireOldest(): void {
    this.#isTimerSet = false;
    const nowMs = this.#clock.monotonicMs();
    for (const held of this.#byAge) {
      if (held.expiresAtMs > nowMs) {
        this.#setTimer(held.expiresAtMs);
        return;
      }
      this.#forget(held);
      this.#expire(held.req, held.res);
    }
  }
}
