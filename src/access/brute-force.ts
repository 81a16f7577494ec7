import { isIPv6 } from "node:net";
import type { Clock } from "../core/clock.ts";

export interface BruteForceOptions {
  readonly clock: Clock;
  /** This many failures within the window block an address. */
  readonly maxFailures?: number;
  readonly windowMs?: number;
  readonly blockMs?: number;
  /** Addresses that are remembered; the one that failed longest ago is forgotten first. */
  readonly maxAddresses?: number;
}

interface Record {
  /** Monotonic instants of the latest failures, oldest first; never more than `maxFailures`. */
  failuresMs: number[];
  blockedUntilMs: number;
}

/**
 * Slows down whoever guesses secrets: five failures within a minute block their address for five minutes. A block
 * belongs to an address, never to the secret, so the owner of a right one elsewhere notices nothing.
 */
export class BruteForceGuard {
  readonly #clock: Clock;
  readonly #maxFailures: number;
  readonly #windowMs: number;
  readonly #blockMs: number;
  readonly #maxAddresses: number;
  /** By `addressGroup`, in the order of their latest failure. */
  readonly #records = new Map<string, Record>();

  constructor(options: BruteForceOptions) {
    this.#clock = options.clock;
    this.#maxFailures = options.maxFailures ?? 5;
    this.#windowMs = options.windowMs ?? 60_000;
    this.#blockMs = options.blockMs ?? 300_000;
    this.#maxAddresses = options.maxAddresses ?? 10_000;
  }

  /** How long the address stays blocked, in ms; 0 when it may try. Asked before a secret is looked at. */
  blockedForMs(address: string): number {
    const record = this.#records.get(addressGroup(address));
    return record ? Math.max(0, record.blockedUntilMs - this.#clock.monotonicMs()) : 0;
  }

  /** Counts a wrong secret; the answer is whether the address is blocked now. */
  recordFailure(address: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    const group = addressGroup(address);
    const record = this.#records.get(group) ?? { failuresMs: [], blockedUntilMs: 0 };
    record.failuresMs = record.failuresMs.filter((atMs) => nowMs - atMs < this.#windowMs);
    record.failuresMs.push(nowMs);
    if (record.failuresMs.length >= this.#maxFailures) {
      record.failuresMs = [];
      record.blockedUntilMs = nowMs + this.#blockMs;
    }
    this.#remember(group, record);
    return record.blockedUntilMs > nowMs;
  }

  get addressCount(): number {
    return this.#records.size;
  }

  #remember(group: string, record: Record): void {
    this.#records.delete(group);
    this.#records.set(group, record);
    if (this.#records.size <= this.#maxAddresses) return;
    const oldest = this.#records.keys().next();
    if (!oldest.done) this.#records.delete(oldest.value);
  }
}

/**
 * Whose address it is: an IPv4 address itself (also when mapped into IPv6), the /64 of an IPv6 address, because one
 * customer is given a whole /64.
 */
export function addressGroup(address: string): string {
  const bare = address.split("%", 1)[0] ?? "";
  if (!isIPv6(bare)) return bare.slice(0, 64);
  const groups = ipv6Groups(bare);
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (isMapped) return groups.slice(6).flatMap(bytesOf).join(".");
  const prefix = groups.slice(0, 4).map((group) => group.toString(16));
  return `${prefix.join(":")}::/64`;
}

/** The eight 16-bit groups of a valid IPv6 address. */
function ipv6Groups(address: string): number[] {
  const [head = "", tail] = address.split("::");
  const leading = groupsOf(head);
  const trailing = tail === undefined ? [] : groupsOf(tail);
  const zeros = Array.from({ length: 8 - leading.length - trailing.length }, () => 0);
  return [...leading, ...zeros, ...trailing];
}

/** The groups on one side of `::`; a dotted tail makes two. */
function groupsOf(side: string): number[] {
  if (side === "") return [];
  return side.split(":").flatMap((group) => {
    if (!group.includes(".")) return Number.parseInt(group, 16);
    const [a = 0, b = 0, c = 0, d = 0] = group.split(".").map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}

function bytesOf(group: number): number[] {
  return [group >> 8, group & 0xff];
}
