import { PUBLIC_CORS_HEADERS } from "../http/cors.ts";
import type { FlatHeaders } from "../http/flat-headers.ts";
import type { HttpRequest, HttpResponse } from "../http/http-exchange.ts";
import { LIVE_RANGE_END, parseByteRange } from "../http/ranges.ts";
import type { Segment } from "../packaging/presentation.ts";
import { IMMUTABLE } from "./media-body.ts";

/**
 * How a request for an open segment is answered: its parts as they come (`stream`, from a byte on), bytes that are there
 * already (`bytes`), or only once it is complete (`wait`: a range into what nobody knows yet).
 */
export type OpenSegmentPlan =
  | { readonly kind: "stream"; readonly firstByte: number; readonly isPartial: boolean }
  | { readonly kind: "bytes"; readonly first: number; readonly last: number }
  | { readonly kind: "wait" };

/**
 * Reads the Range of a request for a segment of which `availableBytes` exist. "To 2^53 - 1" streams what the segment
 * becomes (RFC 8673; HLS §4.4.5.3). An open segment has no validator, so If-Range never matches.
 */
export function planOpenSegment(req: HttpRequest, availableBytes: number): OpenSegmentPlan {
  const range =
    req.method === "GET" && req.headers["if-range"] === undefined ? parseByteRange(req.headers.range) : undefined;
  if (!range) return { kind: "stream", firstByte: 0, isPartial: false };
  if ("suffixBytes" in range) return { kind: "wait" };
  if (range.last === LIVE_RANGE_END && range.first <= availableBytes) {
    return { kind: "stream", firstByte: range.first, isPartial: true };
  }
  return range.last < availableBytes ? { kind: "bytes", first: range.first, last: range.last } : { kind: "wait" };
}

/** Headers of a segment that is still being made: neither a length nor a tag before the last byte is known. */
export function openSegmentHeaders(contentType: string, contentRange?: string): FlatHeaders {
  return [
    "Content-Type",
    contentType,
    "Cache-Control",
    IMMUTABLE,
    ...(contentRange === undefined ? [] : ["Content-Range", contentRange]),
    ...PUBLIC_CORS_HEADERS,
  ];
}

export interface SegmentStreamOptions {
  readonly res: HttpResponse;
  readonly firstByte: number;
  /** How far the segment may grow while the reader takes nothing. */
  readonly maxBacklogBytes: number;
  /** Called once, when the response is over: `isCut` when the reader could not follow. */
  readonly onEnd: (sentBytes: number, isCut: boolean) => void;
}

/**
 * One reader of an open segment: each part leaves as one chunk of the transfer as soon as it exists. A reader whose
 * connection is full is left alone until it drains; what it misses meanwhile waits in the segment, whose bytes are shared.
 * One that takes nothing while the segment grows beyond a bound is cut.
 */
export class SegmentStream {
  readonly #res: HttpResponse;
  readonly #maxBacklogBytes: number;
  readonly #onEnd: SegmentStreamOptions["onEnd"];
  #skipBytes: number;
  #nextPart = 0;
  #sentBytes = 0;
  #isEnded = false;
  #segment: Segment | undefined;
  /** Length of the segment when the reader last took something. */
  #followedBytes = 0;

  constructor({ res, firstByte, maxBacklogBytes, onEnd }: SegmentStreamOptions) {
    this.#res = res;
    this.#skipBytes = firstByte;
    this.#maxBacklogBytes = maxBacklogBytes;
    this.#onEnd = onEnd;
    res.on("drain", () => this.#write());
    res.on("close", () => this.#end(false));
  }

  /** Sends what `segment`, as it stands now, has beyond what was sent. */
  follow(segment: Segment): void {
    this.#segment = segment;
    this.#write();
    if (!this.#isEnded && segment.byteLength - this.#followedBytes > this.#maxBacklogBytes) this.cut();
  }

  /** Ends the transfer in its middle, so that nobody takes what was sent for the whole. */
  cut(): void {
    this.#end(true);
    this.#res.destroy();
  }

  #write(): void {
    const segment = this.#segment;
    if (!segment || this.#isEnded || this.#res.writableNeedDrain) return;
    this.#followedBytes = segment.byteLength;
    while (this.#nextPart < segment.parts.length && !this.#res.writableNeedDrain) this.#writePart(segment);
    if (segment.isComplete && this.#nextPart === segment.parts.length) {
      this.#res.end();
      this.#end(false);
    }
  }

  #writePart(segment: Segment): void {
    const bytes = segment.parts[this.#nextPart++]?.bytes;
    if (!bytes) return;
    const skipped = Math.min(this.#skipBytes, bytes.byteLength);
    this.#skipBytes -= skipped;
    if (skipped === bytes.byteLength) return;
    this.#sentBytes += bytes.byteLength - skipped;
    this.#res.write(skipped === 0 ? bytes : bytes.subarray(skipped));
  }

  #end(isCut: boolean): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#segment = undefined;
    this.#onEnd(this.#sentBytes, isCut);
  }
}
