import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { MalformedInput } from "../../../core/errors.ts";

/** C1, S1, C2 and S2 are all this long. */
export const HANDSHAKE_BYTES = 1536;
const VERSION = 3;
/** A first byte from here on is a letter of another protocol (RTMP 5.2.2). */
const FIRST_TEXT_BYTE = 32;
const DIGEST_BYTES = 32;
/** The digest lies at a chosen place inside a block of this many bytes, after 4 bytes that choose it. */
const DIGEST_RANGE = 728;

/** Public constants of every Flash Player and Flash Media Server: a name, and 32 bytes that both share. */
const SHARED_KEY = Buffer.from("f0eec24a8068bee82e00d0d1029e7e576eec5d2d29806fab93b8e636cfeb31ae", "hex");
const PLAYER_NAME = Buffer.from("Genuine Adobe Flash Player 001", "latin1");
const SERVER_NAME = Buffer.from("Genuine Adobe Flash Media Server 001", "latin1");
const SERVER_KEY = Buffer.concat([SERVER_NAME, SHARED_KEY]);
export const PLAYER_KEY = Buffer.concat([PLAYER_NAME, SHARED_KEY]);

/** Stands where the protocol has zeros; anything but zero says "I know digests". */
const SERVER_VERSION = Buffer.from([5, 0, 17, 1]);

/** Where the four bytes that choose the digest's place lie: schema 0 has its key block first, schema 1 its digest block. */
const SCHEMA_BLOCK_OFFSETS = [772, 8] as const;

/**
 * The server's side of the handshake, plain or with digests, fed as bytes come. It answers as soon as C1 is whole and
 * does not check C2: encoders in the field send it wrong.
 */
export class ServerHandshake {
  readonly #received = Buffer.allocUnsafe(1 + HANDSHAKE_BYTES);
  #receivedBytes = 0;
  #ignoredBytes = 0;

  get isDone(): boolean {
    return this.#ignoredBytes === HANDSHAKE_BYTES;
  }

  /**
   * Takes what it needs of `data`. Returns how much that was, and S0, S1 and S2 once C1 is whole.
   * Throws MalformedInput when the first byte belongs to another protocol.
   */
  push(data: Uint8Array): { consumedBytes: number; reply: Uint8Array | undefined } {
    const greeting = this.#takeGreeting(data);
    const reply = greeting > 0 && this.#receivedBytes === this.#received.length ? answer(this.#received) : undefined;
    const rest = Math.min(data.length - greeting, HANDSHAKE_BYTES - this.#ignoredBytes);
    if (this.#receivedBytes < this.#received.length) return { consumedBytes: greeting, reply };
    this.#ignoredBytes += rest;
    return { consumedBytes: greeting + rest, reply };
  }

  #takeGreeting(data: Uint8Array): number {
    const version = data[0];
    if (this.#receivedBytes === 0 && version !== undefined && version >= FIRST_TEXT_BYTE) {
      throw new MalformedInput("RTMP", 0, `handshake begins with byte ${version}, which is no RTMP version`);
    }
    const taken = Math.min(data.length, this.#received.length - this.#receivedBytes);
    this.#received.set(data.subarray(0, taken), this.#receivedBytes);
    this.#receivedBytes += taken;
    return taken;
  }
}

/** S0, S1 and S2 to C0 and C1. A version that is not ours is answered with ours (RTMP 5.2.2). */
function answer(received: Buffer): Uint8Array {
  const c1 = received.subarray(1);
  const digest = findDigest(c1, PLAYER_NAME);
  const s1 = randomBytes(HANDSHAKE_BYTES);
  s1.fill(0, 0, 8);
  if (!digest) return Buffer.concat([Buffer.of(VERSION), s1, c1]);
  SERVER_VERSION.copy(s1, 4);
  signDigest(s1, digest.schema, SERVER_NAME);
  return Buffer.concat([Buffer.of(VERSION), s1, signedEcho(digest.bytes)]);
}

/** The digest inside a C1 or S1 made with `key`, and its schema; undefined when neither place holds a true one. */
export function findDigest(packet: Buffer, key: Buffer): { schema: number; bytes: Buffer } | undefined {
  if (packet.readUInt32BE(4) === 0) return undefined;
  for (let schema = 0; schema < SCHEMA_BLOCK_OFFSETS.length; schema++) {
    const offset = digestOffset(packet, schema);
    const bytes = packet.subarray(offset, offset + DIGEST_BYTES);
    if (timingSafeEqual(bytes, digestOf(packet, offset, key))) return { schema, bytes };
  }
  return undefined;
}

/** Writes the digest of a C1 or S1 into its place. */
export function signDigest(packet: Buffer, schema: number, key: Buffer): void {
  const offset = digestOffset(packet, schema);
  digestOf(packet, offset, key).copy(packet, offset);
}

/** S2 (or C2 with the player's key): chance, signed with a key that only a reader of the peer's digest can make. */
export function signedEcho(peerDigest: Buffer, key = SERVER_KEY): Buffer {
  const chance = randomBytes(HANDSHAKE_BYTES - DIGEST_BYTES);
  return Buffer.concat([chance, hmac(hmac(key, peerDigest), chance)]);
}

function digestOffset(packet: Buffer, schema: number): number {
  const block = SCHEMA_BLOCK_OFFSETS[schema] ?? 8;
  let sum = 0;
  for (let i = 0; i < 4; i++) sum += packet.readUInt8(block + i);
  return block + 4 + (sum % DIGEST_RANGE);
}

function digestOf(packet: Buffer, offset: number, key: Buffer): Buffer {
  return createHmac("sha256", key)
    .update(packet.subarray(0, offset))
    .update(packet.subarray(offset + DIGEST_BYTES))
    .digest();
}

function hmac(key: Buffer, data: Buffer): Buffer {
  return createHmac("sha256", key).update(data).digest();
}

/** The keys for both directions of C1 and S1, for clients (and tests) that want the digest form. */
export const DIGEST_KEYS = { player: PLAYER_NAME, server: SERVER_NAME } as const;
