import { DomainError } from "../core/errors.ts";
import { evaluatePreconditions, isRangeCurrent } from "../http/conditional.ts";
import { PUBLIC_CORS_HEADERS, publicPreflightHeaders } from "../http/cors.ts";
import { type FlatHeaders, writeHead } from "../http/flat-headers.ts";
import type { HttpRequest, HttpResponse } from "../http/http-exchange.ts";
import { sendProblem } from "../http/problem.ts";
import { selectRange } from "../http/ranges.ts";
import { type MediaBody, sliceChunks } from "./media-body.ts";
import type { TextBody } from "./text-body.ts";

/** What was written, for the counters; undefined when the request is held. */
export type Answer = { readonly status: number; readonly bodyBytes: number } | undefined;

const METHODS = "GET, HEAD, OPTIONS";
const PREFLIGHT: FlatHeaders = publicPreflightHeaders(METHODS);
const NO_STORE: FlatHeaders = ["Cache-Control", "no-store", ...PUBLIC_CORS_HEADERS];
const BRIEFLY: FlatHeaders = ["Cache-Control", "public, max-age=1", ...PUBLIC_CORS_HEADERS];

/** Answers a preflight, and refuses every other method that media do not know; returns the status. */
export function answerOtherMethod(req: HttpRequest, res: HttpResponse): number {
  if (req.method === "OPTIONS") {
    writeHead(res, 204, PREFLIGHT);
    res.end();
    return 204;
  }
  const error = new DomainError("INVALID_REQUEST", `${req.method} is not possible here`);
  sendProblem(req, res, error, NO_STORE, { status: 405, allow: METHODS });
  return 405;
}

/** Answers a GET or HEAD for a playlist or MPD in the coding that the client likes best. */
export function answerText(req: HttpRequest, res: HttpResponse, body: TextBody, cacheControl: string): Answer {
  const form = body.formFor(req.headers["accept-encoding"], cacheControl);
  const outcome = evaluatePreconditions(req.method, req.headers, form);
  if (outcome === "not-modified") return answerNotModified(res, form.validatorHeaders);
  if (outcome === "failed") return refuse(req, res, "the playlist is another", 412);
  writeHead(res, 200, form.headers);
  if (req.method === "HEAD") return endEmpty(res, 200);
  res.end(form.bytes);
  return { status: 200, bodyBytes: form.bytes.byteLength };
}

/** Answers a GET or HEAD for a final object: whole, a range of it (206, 416), unchanged (304) or refused (412). */
export function answerMedia(req: HttpRequest, res: HttpResponse, body: MediaBody): Answer {
  const { headers, method } = req;
  const outcome = evaluatePreconditions(method, headers, body);
  if (outcome === "not-modified") return answerNotModified(res, body.validatorHeaders);
  if (outcome === "failed") return refuse(req, res, "the object is another", 412);
  // A range counts for GET alone (RFC 9110 §14.2).
  if (headers.range !== undefined && method === "GET" && isRangeCurrent(headers["if-range"]?.toString(), body)) {
    const selection = selectRange(headers.range, body.lengthBytes);
    if (selection.kind === "unsatisfiable") {
      const contentRange = ["Content-Range", `bytes */${body.lengthBytes}`];
      return refuse(req, res, "no byte of the object lies in the range", 416, contentRange);
    }
    if (selection.kind === "partial") {
      const { first, last } = selection;
      const contentRange = `bytes ${first}-${last}/${body.lengthBytes}`;
      const own = ["Content-Type", body.contentType, "Accept-Ranges", "bytes", ...body.validatorHeaders];
      return answerRange(res, body.chunks, first, last, ["Content-Range", contentRange, ...own]);
    }
  }
  writeHead(res, 200, body.headers);
  if (method === "HEAD") return endEmpty(res, 200);
  endWithChunks(res, body.chunks);
  return { status: 200, bodyBytes: body.lengthBytes };
}

/** 206 with bytes `first` to `last` (inclusive) of chunks that lie one after another. */
export function answerRange(
  res: HttpResponse,
  chunks: readonly Uint8Array[],
  first: number,
  last: number,
  headers: FlatHeaders,
): Answer {
  const bodyBytes = last - first + 1;
  writeHead(res, 206, ["Content-Length", String(bodyBytes), ...headers]);
  endWithChunks(res, sliceChunks(chunks, first, last + 1));
  return { status: 206, bodyBytes };
}

/** 307 to where it is for now. */
export function answerElsewhere(res: HttpResponse, location: string): Answer {
  writeHead(res, 307, ["Location", location, "Content-Length", "0", ...BRIEFLY]);
  return endEmpty(res, 307);
}

/** 404 that a cache may keep for a second: what is not there now may be soon. */
export function answerAbsent(req: HttpRequest, res: HttpResponse, error = new DomainError("NOT_FOUND")): Answer {
  return { status: sendProblem(req, res, error, BRIEFLY).status, bodyBytes: 0 };
}

/** 503 with Retry-After, never kept: nobody else should be told of our trouble. */
export function answerUnavailable(req: HttpRequest, res: HttpResponse, detail: string): Answer {
  const error = new DomainError("UNAVAILABLE", detail);
  return { status: sendProblem(req, res, error, PUBLIC_CORS_HEADERS).status, bodyBytes: 0 };
}

/** A refusal of this one request, never kept. */
export function refuse(
  req: HttpRequest,
  res: HttpResponse,
  detail: string,
  status: number,
  headers: FlatHeaders = [],
): Answer {
  sendProblem(req, res, new DomainError("INVALID_REQUEST", detail), [...headers, ...NO_STORE], { status });
  return { status, bodyBytes: 0 };
}

/** A fault of ours on a request that may have begun to be answered. */
export function answerFault(req: HttpRequest, res: HttpResponse, error: unknown): Answer {
  if (!res.headersSent) return { status: sendProblem(req, res, error, PUBLIC_CORS_HEADERS).status, bodyBytes: 0 };
  res.destroy();
  return undefined;
}

export function endEmpty(res: HttpResponse, status: number): Answer {
  res.end();
  return { status, bodyBytes: 0 };
}

function answerNotModified(res: HttpResponse, headers: FlatHeaders): Answer {
  writeHead(res, 304, headers);
  return endEmpty(res, 304);
}

/** One `writev` for all chunks: the response is corked from its head until `end`. */
function endWithChunks(res: HttpResponse, chunks: readonly Uint8Array[]): void {
  if (chunks.length === 1) {
    res.end(chunks[0]);
    return;
  }
  res.cork();
  for (const chunk of chunks) res.write(chunk);
  res.end();
}
