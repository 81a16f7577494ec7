import type { IncomingMessage, OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { FlatHeaders } from "./flat-headers.ts";

/** What scripts of other origins may read beside the safelisted headers (players compute tune-in and errors from them). */
const EXPOSED =
  "Content-Length, Content-Range, Date, Age, ETag, Link, Location, Retry-After, Server-Timing, CMSD-Static, CMSD-Dynamic";

const REQUEST_HEADERS =
  "Range, If-Range, If-None-Match, If-Modified-Since, Authorization, Content-Type, CMCD-Object, CMCD-Request, CMCD-Session, CMCD-Status";

/** For every public resource and its errors: without them a player sees a network error instead of a status. */
export const PUBLIC_CORS_HEADERS: FlatHeaders = [
  "Access-Control-Allow-Origin",
  "*",
  "Access-Control-Expose-Headers",
  EXPOSED,
  "Timing-Allow-Origin",
  "*",
];

/** The whole answer (204) to a preflight for a public resource that takes `methods`, e.g. `GET, HEAD, OPTIONS`. */
export function publicPreflightHeaders(methods: string): FlatHeaders {
  return [...PUBLIC_CORS_HEADERS, ...permissions(methods)];
}

/**
 * For resources that read cookies: the origin is echoed when `isTrusted` takes it, never `*`, and the answer varies by
 * it. Without an Origin header, or for another origin, only the Vary remains.
 */
export function credentialedCorsHeaders(
  origin: string | undefined,
  isTrusted: (origin: string) => boolean,
  preflightMethods?: string,
): FlatHeaders {
  if (origin === undefined || origin === "null" || !isTrusted(origin)) return ["Vary", "Origin"];
  return [
    "Vary",
    "Origin",
    "Access-Control-Allow-Origin",
    origin,
    "Access-Control-Allow-Credentials",
    "true",
    "Access-Control-Expose-Headers",
    EXPOSED,
    ...(preflightMethods === undefined ? [] : permissions(preflightMethods)),
  ];
}

/**
 * Narrows what `res` will say to every origin down to the listed ones: of them, the one that asks is echoed. Public
 * headers stay prepared for `*`, which costs nothing; only who restricts them pays, once for each answer.
 */
export function restrictOrigins(req: IncomingMessage, res: ServerResponse, allowed: readonly string[]): void {
  const { origin } = req.headers;
  const granted = origin !== undefined && allowed.includes(origin) ? origin : undefined;
  const writeHead = res.writeHead.bind(res);
  const narrow = (status: number, headers?: OutgoingHttpHeaders | OutgoingHttpHeader[]) => {
    for (const [name, value] of pairsOf(headers)) res.appendHeader(name, value);
    if (res.getHeader("access-control-allow-origin") === "*") {
      for (const name of ["access-control-allow-origin", "timing-allow-origin"]) {
        res.removeHeader(name);
        if (granted !== undefined) res.setHeader(name, granted);
      }
      const vary = String(res.getHeader("vary") ?? "");
      res.setHeader("vary", vary === "" ? "Origin" : `${vary}, Origin`);
    }
    return writeHead(status);
  };
  res.writeHead = narrow as typeof res.writeHead;
}

function* pairsOf(headers: OutgoingHttpHeaders | OutgoingHttpHeader[] = []): Generator<[string, string | string[]]> {
  const entries = Array.isArray(headers)
    ? headers.flatMap((name, index) => (index % 2 === 0 ? [[String(name), headers[index + 1]] as const] : []))
    : Object.entries(headers);
  for (const [name, value] of entries) {
    if (value !== undefined) yield [name, Array.isArray(value) ? value.map(String) : String(value)];
  }
}

function permissions(methods: string): FlatHeaders {
  return [
    "Access-Control-Allow-Methods",
    methods,
    "Access-Control-Allow-Headers",
    REQUEST_HEADERS,
    "Access-Control-Max-Age",
    "86400",
  ];
}
