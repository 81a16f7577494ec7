import type { IncomingHttpHeaders } from "node:http";
import { BlockList, isIP } from "node:net";

/** What of a request tells who sent it. */
interface Sender {
  readonly headers: IncomingHttpHeaders;
  readonly socket: { readonly remoteAddress?: string | undefined };
}

/** More entries than any chain of proxies has are not looked at. */
const MAX_HOP_COUNT = 16;

/**
 * The proxies whose word is taken for who sent a request. `X-Forwarded-For` is read, or `Forwarded` (RFC 7239) where there
 * is none, from the right: the first address that is not a trusted proxy's is the sender's. What stands left of it is
 * whatever the sender liked to write.
 */
export class TrustedProxies {
  readonly #proxies = new BlockList();
  readonly #isEmpty: boolean;

  /** Takes addresses and CIDR blocks (`isNetwork` says which are). */
  constructor(networks: readonly string[]) {
    this.#isEmpty = networks.length === 0;
    for (const network of networks) {
      const [address = "", bits] = network.split("/");
      const family = isIP(address) === 6 ? "ipv6" : "ipv4";
      if (bits === undefined) this.#proxies.addAddress(address, family);
      else this.#proxies.addSubnet(address, Number(bits), family);
    }
  }

  /** The address of whoever sent the request, as far as it is known for sure. */
  addressOf({ headers, socket }: Sender): string {
    const peer = socket.remoteAddress ?? "";
    if (this.#isEmpty || !this.#trusts(peer)) return peer;
    const forwarded = headers["x-forwarded-for"];
    const hops = forwarded === undefined ? forwardedFor(headers.forwarded) : listOf(forwarded).map(bareAddress);
    let address = peer;
    for (const hop of hops.slice(-MAX_HOP_COUNT).reverse()) {
      if (isIP(hop) === 0) break;
      address = hop;
      if (!this.#trusts(hop)) break;
    }
    return address;
  }

  #trusts(address: string): boolean {
    const family = isIP(address);
    return family !== 0 && this.#proxies.check(address, family === 6 ? "ipv6" : "ipv4");
  }
}

/** An IP address, or one with the length of its prefix behind a slash. */
export function isNetwork(text: string): boolean {
  const [address = "", bits, ...more] = text.split("/");
  const family = isIP(address);
  if (family === 0 || more.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 6 ? 128 : 32));
}

/** The `for` of every hop; empty where a hop does not say, so that nothing left of it is believed. */
function forwardedFor(header: string | undefined): string[] {
  return listOf(header ?? []).map((hop) => bareAddress(/(?:^|;)\s*for\s*=\s*"?([^";]*)/i.exec(hop)?.[1] ?? ""));
}

function listOf(header: string | readonly string[]): string[] {
  return String(header)
    .split(",")
    .map((hop) => hop.trim());
}

/** Without the brackets of IPv6 and the port that some proxies add. */
function bareAddress(hop: string): string {
  if (isIP(hop) !== 0) return hop;
  return /^\[([^\]]+)\](?::\d+)?$/.exec(hop)?.[1] ?? /^([\d.]+):\d+$/.exec(hop)?.[1] ?? hop;
}
