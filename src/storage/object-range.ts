import { DomainError } from "../core/errors.ts";
import type { ObjectRange } from "./object-store.ts";

/** Throws INVALID_REQUEST for a range that no object could satisfy. */
export function checkRange({ first, last = first }: ObjectRange): void {
  const isRange = Number.isSafeInteger(first) && Number.isSafeInteger(last) && first >= 0 && last >= first;
  if (!isRange) throw new DomainError("INVALID_REQUEST", `${first} to ${last} is not a range of bytes`);
}

/** What `range` selects of `sizeBytes`, all of it without one. Throws RANGE_NOT_SATISFIABLE when that is nothing. */
export function selectBytes(range: ObjectRange | undefined, sizeBytes: number): { first: number; last: number } {
  if (range === undefined) return { first: 0, last: sizeBytes - 1 };
  checkRange(range);
  if (range.first >= sizeBytes) {
    throw new DomainError("RANGE_NOT_SATISFIABLE", `byte ${range.first} is behind the end of ${sizeBytes} bytes`);
  }
  return { first: range.first, last: Math.min(range.last ?? sizeBytes - 1, sizeBytes - 1) };
}
