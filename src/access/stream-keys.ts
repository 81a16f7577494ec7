import { createHash, timingSafeEqual } from "node:crypto";

/** SHA-256 in hex of a stream key: what is stored of it, and how it is found. A key holds 160 bits of chance, so no salt. */
export function hashStreamKey(streamKey: string): string {
  return createHash("sha256").update(streamKey).digest("hex");
}

/**
 * Whether two secrets are the same, in a time that tells nothing about where they differ: their digests are compared,
 * which also hides the length.
 */
export function sameSecret(given: string, expected: string): boolean {
  return timingSafeEqual(digest(given), digest(expected));
}

function digest(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}
