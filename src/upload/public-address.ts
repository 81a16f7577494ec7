import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";
import { DomainError } from "../core/errors.ts";

/** Where nobody on the internet is (IANA's registries of special-purpose addresses): our own networks, above all. */
const SPECIAL_IPV4 = [
  ...["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"],
  ...["192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"],
  ...["224.0.0.0/4", "240.0.0.0/4"],
];
/** Global unicast. All others are loopback, link-local, private, multicast, or IPv4 in disguise (mapped, NAT64). */
const PUBLIC_IPV6 = ["2000::/3"];
/** Within it: protocol assignments and Teredo, documentation, and 6to4, which again is IPv4 in disguise. */
const SPECIAL_IPV6 = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"];

const specialIpv4 = listOf(SPECIAL_IPV4);
const publicIpv6 = listOf(PUBLIC_IPV6);
const specialIpv6 = listOf(SPECIAL_IPV6);

/** An address to connect to; a name that leads there may lead elsewhere the next time. */
export interface ResolvedAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/** Whether `address` is one that the whole internet can reach. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !specialIpv4.check(address, "ipv4");
  if (family === 6) return publicIpv6.check(address, "ipv6") && !specialIpv6.check(address, "ipv6");
  return false;
}

/** Decides where other servers are asked: on the internet, and in networks that are named. */
export class AddressGuard {
  readonly #allowed: BlockList;

  /** `networks` are addresses and CIDR blocks. */
  constructor(networks: readonly string[]) {
    this.#allowed = listOf(networks);
  }

  allows(address: string): boolean {
    return isPublicAddress(address) || this.#allowed.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
  }

  /**
   * The address to connect to for the host of a URL. Throws INVALID_REQUEST when there is none or one of its addresses is
   * not allowed, and UNAVAILABLE when names cannot be looked up now.
   */
  async resolve(host: string): Promise<ResolvedAddress> {
    const name = host.replace(/^\[|\]$/g, "");
    const addresses = await lookUp(name);
    const [first] = addresses;
    if (!first) throw new DomainError("INVALID_REQUEST", `there is no host ${name}`);
    if (addresses.every(({ address }) => this.allows(address))) return first;
    throw new DomainError(
      "INVALID_REQUEST",
      `${name} is not on the internet, and its network is not one that is allowed`,
    );
  }
}

async function lookUp(name: string): Promise<readonly ResolvedAddress[]> {
  try {
    const found = await lookup(name, { all: true });
    return found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }));
  } catch (cause) {
    const isUnknown = cause instanceof Error && "code" in cause && cause.code === "ENOTFOUND";
    if (isUnknown) throw new DomainError("INVALID_REQUEST", `there is no host ${name}`, { cause });
    throw new DomainError("UNAVAILABLE", `the host ${name} could not be looked up`, { cause });
  }
}

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", bits] = network.split("/");
    const family = isIP(address) === 6 ? "ipv6" : "ipv4";
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}
