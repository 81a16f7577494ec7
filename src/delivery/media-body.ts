import { PUBLIC_CORS_HEADERS } from "../http/cors.ts";
import type { FlatHeaders } from "../http/flat-headers.ts";

/** Names are never used for other bytes, so nobody need ever ask again. */
export const IMMUTABLE = "public, max-age=31536000, immutable";

/** Bytes that are final: an init segment, a part, or the parts of a complete segment one after another. */
export interface MediaBody {
  readonly chunks: readonly Uint8Array[];
  readonly lengthBytes: number;
  readonly contentType: string;
  readonly etag: string;
  readonly headers: FlatHeaders;
  /** For 304, and beside the range of 206. */
  readonly validatorHeaders: FlatHeaders;
}

/** Prepares an object once for all who ask for it. Its name is its tag: the same name always means the same bytes. */
export function createMediaBody(name: string, contentType: string, chunks: readonly Uint8Array[]): MediaBody {
  const lengthBytes = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  const etag = `"${name}"`;
  const validatorHeaders = ["ETag", etag, "Cache-Control", IMMUTABLE, ...PUBLIC_CORS_HEADERS];
  const headers = ["Content-Length", String(lengthBytes), "Content-Type", contentType, "Accept-Ranges", "bytes"];
  return { chunks, lengthBytes, contentType, etag, headers: [...headers, ...validatorHeaders], validatorHeaders };
}

/** Bytes `start` to `end` (exclusive) of chunks that lie one after another, as views of them. */
export function sliceChunks(chunks: readonly Uint8Array[], start: number, end: number): Uint8Array[] {
  const views: Uint8Array[] = [];
  let offset = 0;
  for (const chunk of chunks) {
    const from = Math.max(0, start - offset);
    const to = Math.min(chunk.byteLength, end - offset);
    if (from < to) views.push(from === 0 && to === chunk.byteLength ? chunk : chunk.subarray(from, to));
    offset += chunk.byteLength;
  }
  return views;
}
