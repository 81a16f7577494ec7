import { DomainError } from "../core/errors.ts";

const MAX_KEY_BYTES = 512;
const MAX_NAME_BYTES = 255;
const NAME = /^[A-Za-z0-9._-]+$/;

/** Throws INVALID_REQUEST unless `key` is one that every store takes (see `ObjectStore`). */
export function checkObjectKey(key: string): void {
  if (!isObjectKey(key)) throw new DomainError("INVALID_REQUEST", `"${key}" is not a key of an object`);
}

/** Throws INVALID_REQUEST when no key could begin with `prefix`. */
export function checkKeyPrefix(prefix: string): void {
  const isPossible = prefix === "" || isObjectKey(prefix.endsWith("/") ? prefix.slice(0, -1) : prefix);
  // `a/.` is no key, but what `a/.b` begins with.
  if (!isPossible && !isObjectKey(`${prefix}_`)) {
    throw new DomainError("INVALID_REQUEST", `no key can begin with "${prefix}"`);
  }
}

/** Whether a store may hold an object by this key. */
export function isObjectKey(key: string): boolean {
  return key.length <= MAX_KEY_BYTES && key.split("/").every(isName);
}

function isName(name: string): boolean {
  return NAME.test(name) && name.length <= MAX_NAME_BYTES && name !== "." && name !== "..";
}
