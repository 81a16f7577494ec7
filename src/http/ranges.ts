/** What a Range header asks of a representation of known length. `last` is inclusive, as on the wire. */
export type RangeSelection =
  | { readonly kind: "full" }
  | { readonly kind: "partial"; readonly first: number; readonly last: number }
  | { readonly kind: "unsatisfiable" };

/** One `bytes` range as it was written; `last` is Infinity when open, `suffixBytes` stands alone. */
export type ByteRange = { readonly first: number; readonly last: number } | { readonly suffixBytes: number };

const FULL: RangeSelection = { kind: "full" };
const UNSATISFIABLE: RangeSelection = { kind: "unsatisfiable" };
const SINGLE_RANGE = /^bytes[ \t]*=[ \t]*(\d*)-(\d*)[ \t]*$/i;

/** The `last` with which a client says "to the end of what is still growing" (RFC 8673 by way of HLS: 2^53 - 1). */
export const LIVE_RANGE_END = Number.MAX_SAFE_INTEGER;

/**
 * The only range of the header, or undefined when the header is absent, malformed, of another unit or asks for several
 * ranges: all of these are answered with the whole representation (RFC 9110 §14.2; several never amplify, §17.15).
 */
export function parseByteRange(header: string | undefined): ByteRange | undefined {
  const match = header === undefined ? null : SINGLE_RANGE.exec(header);
  if (!match) return undefined;
  const [, first = "", last = ""] = match;
  if (first === "") return last === "" ? undefined : { suffixBytes: Number(last) };
  if (last === "") return { first: Number(first), last: Number.POSITIVE_INFINITY };
  return Number(last) < Number(first) ? undefined : { first: Number(first), last: Number(last) };
}

/** What of `lengthBytes` the header selects. */
export function selectRange(header: string | undefined, lengthBytes: number): RangeSelection {
  const range = parseByteRange(header);
  if (!range) return FULL;
  if ("suffixBytes" in range) {
    if (range.suffixBytes === 0 || lengthBytes === 0) return UNSATISFIABLE;
    return { kind: "partial", first: Math.max(0, lengthBytes - range.suffixBytes), last: lengthBytes - 1 };
  }
  if (range.first >= lengthBytes) return UNSATISFIABLE;
  return { kind: "partial", first: range.first, last: Math.min(range.last, lengthBytes - 1) };
}
