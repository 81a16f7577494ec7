import type { IncomingHttpHeaders } from "node:http";

/** What the server holds now, as far as it says so. `etag` is written with its quotes. */
export interface Validators {
  readonly etag: string | undefined;
  readonly lastModifiedMs?: number | undefined;
}

export type PreconditionOutcome = "proceed" | "not-modified" | "failed";

/**
 * Weighs If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since in that order (RFC 9110 §13.2.2).
 * `not-modified` is answered with 304, `failed` with 412. If-Range comes after: see `isRangeCurrent`.
 */
export function evaluatePreconditions(
  method: string | undefined,
  headers: IncomingHttpHeaders,
  current: Validators,
): PreconditionOutcome {
  const ifMatch = headers["if-match"];
  if (ifMatch !== undefined) {
    if (!listsTag(ifMatch, current.etag, "strong")) return "failed";
  } else if (isAfter(current.lastModifiedMs, headers["if-unmodified-since"])) return "failed";

  const isRead = method === "GET" || method === "HEAD";
  const ifNoneMatch = headers["if-none-match"];
  if (ifNoneMatch !== undefined) {
    if (!listsTag(ifNoneMatch, current.etag, "weak")) return "proceed";
    return isRead ? "not-modified" : "failed";
  }
  const ifModifiedSince = headers["if-modified-since"];
  if (!isRead || ifModifiedSince === undefined || current.lastModifiedMs === undefined) return "proceed";
  const sinceMs = parseHttpDate(ifModifiedSince);
  return sinceMs !== undefined && wholeSecondsMs(current.lastModifiedMs) <= sinceMs ? "not-modified" : "proceed";
}

/** Whether a Range may be honoured under this If-Range: no header, or exactly the current strong tag or date (§13.1.5). */
export function isRangeCurrent(ifRange: string | undefined, current: Validators): boolean {
  if (ifRange === undefined) return true;
  const text = ifRange.trim();
  if (text.startsWith('"')) return text === current.etag;
  if (text.startsWith("W/") || current.lastModifiedMs === undefined) return false;
  return parseHttpDate(text) === wholeSecondsMs(current.lastModifiedMs);
}

const ENTITY_TAG = /(W\/)?("[\x21\x23-\x7e\x80-\xff]*")/g;

function listsTag(header: string, etag: string | undefined, comparison: "strong" | "weak"): boolean {
  if (header.trim() === "*") return etag !== undefined;
  if (etag === undefined) return false;
  // The usual client sends back the one tag it was given.
  if (header === etag) return comparison === "weak" || !etag.startsWith("W/");
  if (comparison === "strong" && etag.startsWith("W/")) return false;
  const opaque = etag.startsWith("W/") ? etag.slice(2) : etag;
  for (const [, weakMark, tag] of header.matchAll(ENTITY_TAG)) {
    if (tag === opaque && (comparison === "weak" || weakMark === undefined)) return true;
  }
  return false;
}

function isAfter(lastModifiedMs: number | undefined, header: string | undefined): boolean {
  if (lastModifiedMs === undefined || header === undefined) return false;
  const sinceMs = parseHttpDate(header);
  return sinceMs !== undefined && wholeSecondsMs(lastModifiedMs) > sinceMs;
}

const HTTP_DATE = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/** An IMF-fixdate in ms since the Unix epoch, undefined for anything else: a bad date is no date (§13.1.3). */
export function parseHttpDate(text: string): number | undefined {
  if (!HTTP_DATE.test(text)) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

function wholeSecondsMs(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}
