/** What the RTMP server takes before it says no. 0 turns `maxBitrateKbps` off. */
export interface RtmpLimits {
  /** Connections that publish. */
  readonly maxPublisherCount: number;
  /** Connections that do not publish (yet). */
  readonly maxPendingCount: number;
  /** From the connection to the granted publish. */
  readonly publishTimeoutMs: number;
  /** Without a single byte, while publishing. */
  readonly idleTimeoutMs: number;
  readonly maxMessageBytes: number;
  /** Mean of the last five seconds. */
  readonly maxBitrateKbps: number;
}

export const DEFAULT_RTMP_LIMITS: RtmpLimits = {
  maxPublisherCount: 50,
  maxPendingCount: 100,
  publishTimeoutMs: 10_000,
  idleTimeoutMs: 10_000,
  maxMessageBytes: 10 << 20,
  maxBitrateKbps: 20_000,
};

/** Counts connections against their two limits: those that publish, and those that do not. */
export class ConnectionSlots {
  readonly #limits: Pick<RtmpLimits, "maxPublisherCount" | "maxPendingCount">;
  #pendingCount = 0;
  #publisherCount = 0;

  constructor(limits: Pick<RtmpLimits, "maxPublisherCount" | "maxPendingCount">) {
    this.#limits = limits;
  }

  get pendingCount(): number {
    return this.#pendingCount;
  }

  get publisherCount(): number {
    return this.#publisherCount;
  }

  /** Lets a new connection in as pending; false when there is no room. */
  enter(): boolean {
    if (this.#pendingCount >= this.#limits.maxPendingCount) return false;
    this.#pendingCount += 1;
    return true;
  }

  /** A pending connection is gone. */
  leave(): void {
    this.#pendingCount -= 1;
  }

  /** Turns a pending connection into a publisher; false when there is no room, and it stays pending. */
  publish(): boolean {
    if (this.#publisherCount >= this.#limits.maxPublisherCount) return false;
    this.#publisherCount += 1;
    this.#pendingCount -= 1;
    return true;
  }

  /** Turns a publisher back into a pending connection. */
  unpublish(): void {
    this.#publisherCount -= 1;
    this.#pendingCount += 1;
  }
}
