import type { FastifyInstance } from "fastify";
import { ZodError } from "zod";
import { DomainError, ERRORS, type ErrorCategory, type ErrorCode } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { CONTENT_TYPES } from "./content-types.ts";
import { type FlatHeaders, writeHead } from "./flat-headers.ts";
import type { HttpRequest, HttpResponse } from "./http-exchange.ts";

const STATUS_OF_CATEGORY = {
  invalid: 400,
  denied: 403,
  "not-found": 404,
  conflict: 409,
  exhausted: 429,
  unavailable: 503,
  internal: 500,
} as const satisfies Record<ErrorCategory, number>;

/** Where HTTP has a finer word than the category. */
const STATUS_OF_CODE: Partial<Record<ErrorCode, number>> = {
  UNAUTHENTICATED: 401,
  ADDRESS_BLOCKED: 429,
  UNSUPPORTED_CODEC: 422,
  NOT_MEDIA: 422,
  UNSUPPORTED_CONTAINER: 422,
  MEDIA_DAMAGED: 422,
  DURATION_EXCEEDED: 422,
  PICTURE_TOO_LARGE: 422,
  UPLOAD_TOO_LARGE: 413,
  RANGE_NOT_SATISFIABLE: 416,
  STORAGE_FULL: 507,
  NOT_IMPLEMENTED: 501,
};

const DEFAULT_RETRY_AFTER_S = 1;

/** One fault of a request body: a JSON pointer (RFC 6901) to the place and what is wrong there. */
interface ProblemPointer {
  readonly pointer: string;
  readonly detail: string;
}

/** An RFC 9457 body. `code` is the name of the error in `core/errors.ts`. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail?: string;
  readonly instance?: string;
  readonly code: ErrorCode;
  readonly errors?: readonly ProblemPointer[];
}

/** A problem with the response headers that its status asks for (RFC 9110 §15), content type included. */
export interface ProblemAnswer {
  readonly problem: Problem;
  readonly headers: FlatHeaders;
}

export interface ProblemOptions {
  /** Path of the request that met the problem; its query is cut off, for it may hold a secret. */
  readonly instance?: string | undefined;
  /** Replaces the status of the error's category. */
  readonly status?: number | undefined;
  /** Methods that the resource takes, for 405. */
  readonly allow?: string | undefined;
  readonly retryAfterS?: number | undefined;
}

/**
 * The answer to `error`. A DomainError speaks for itself (`details.retry_after_s` becomes Retry-After), a ZodError
 * becomes 422 with a pointer per issue, what Fastify refused keeps its 4xx status. Anything else is 500 without detail:
 * no message, path or stack of ours leaves the process.
 */
export function answerProblem(error: unknown, options: ProblemOptions = {}): ProblemAnswer {
  const known = describe(error);
  const status = options.status ?? known.status;
  const problem: Problem = {
    type: `urn:headwater:error:${known.code.toLowerCase().replaceAll("_", "-")}`,
    title: ERRORS[known.code].title,
    status,
    ...(known.detail === undefined ? {} : { detail: known.detail }),
    ...(options.instance === undefined ? {} : { instance: withoutQuery(options.instance) }),
    code: known.code,
    ...(known.errors === undefined ? {} : { errors: known.errors }),
  };
  return {
    problem,
    headers: headersFor(status, { ...options, retryAfterS: options.retryAfterS ?? known.retryAfterS }),
  };
}

/** Writes `error` to a raw response, with `extraHeaders` (CORS, caching) beside the problem's own. HEAD gets no body. Returns what was sent. */
export function sendProblem(
  req: HttpRequest,
  res: HttpResponse,
  error: unknown,
  extraHeaders: FlatHeaders = [],
  options: ProblemOptions = {},
): Problem {
  const { problem, headers } = answerProblem(error, { instance: req.url, ...options });
  const body = Buffer.from(JSON.stringify(problem));
  writeHead(res, problem.status, [...headers, "Content-Length", String(body.byteLength), ...extraHeaders]);
  res.end(req.method === "HEAD" ? undefined : body);
  return problem;
}

/**
 * Makes every failure of `app` a problem body, and tells 405 with Allow from 404. Must be installed before the routes.
 * Faults of ours are logged with their stack.
 */
export function installProblemHandlers(app: FastifyInstance, { log }: { log: Logger }): void {
  const routes: { method: string; segments: readonly string[] }[] = [];
  app.addHook("onRoute", ({ method, url }) => {
    for (const name of Array.isArray(method) ? method : [method])
      routes.push({ method: name, segments: url.split("/") });
  });

  app.setErrorHandler((error, request, reply) => {
    const { problem, headers } = answerProblem(error, { instance: request.url });
    if (problem.status >= 500 && problem.code === "INTERNAL") {
      log.error({ err: error, method: request.method, path: withoutQuery(request.url) }, "request failed");
    }
    setHeaders(reply, headers);
    return reply.code(problem.status).send(Buffer.from(JSON.stringify(problem)));
  });

  app.setNotFoundHandler((request, reply) => {
    const segments = withoutQuery(request.url).split("/");
    const allowed = new Set(routes.filter((route) => matches(route.segments, segments)).map((route) => route.method));
    const { problem, headers } =
      allowed.size === 0 || allowed.has(request.method)
        ? answerProblem(new DomainError("NOT_FOUND"), { instance: request.url })
        : answerProblem(new DomainError("INVALID_REQUEST", `${request.method} is not possible here`), {
            instance: request.url,
            status: 405,
            allow: [...allowed].sort().join(", "),
          });
    setHeaders(reply, headers);
    return reply.code(problem.status).send(Buffer.from(JSON.stringify(problem)));
  });
}

interface KnownError {
  readonly code: ErrorCode;
  readonly status: number;
  readonly detail?: string | undefined;
  readonly errors?: readonly ProblemPointer[];
  readonly retryAfterS?: number | undefined;
}

function describe(error: unknown): KnownError {
  if (error instanceof DomainError) return describeDomainError(error);
  if (error instanceof ZodError) {
    const errors = error.issues.map(({ path, message }) => ({ pointer: toPointer(path), detail: message }));
    return { code: "INVALID_REQUEST", status: 422, detail: firstOf(errors), errors };
  }
  return describeRefusal(error) ?? { code: "INTERNAL", status: 500 };
}

function describeDomainError(error: DomainError): KnownError {
  const status = STATUS_OF_CODE[error.code] ?? STATUS_OF_CATEGORY[error.category];
  const { retry_after_s: retryAfterS } = error.details;
  return {
    code: error.code,
    status,
    detail: error.category === "internal" ? undefined : error.message,
    retryAfterS: typeof retryAfterS === "number" ? retryAfterS : undefined,
  };
}

/** What Fastify itself refuses: a failed schema (`validation`), a body that is too large, not JSON, of another type. */
function describeRefusal(error: unknown): KnownError | undefined {
  if (!(error instanceof Error)) return undefined;
  if ("validation" in error && Array.isArray(error.validation)) {
    const isBody = !("validationContext" in error) || error.validationContext === "body";
    const errors = error.validation.map(pointerOf);
    return { code: "INVALID_REQUEST", status: isBody ? 422 : 400, detail: firstOf(errors), errors };
  }
  if (!("statusCode" in error) || typeof error.statusCode !== "number") return undefined;
  if (error.statusCode < 400 || error.statusCode > 499) return undefined;
  return { code: "INVALID_REQUEST", status: error.statusCode, detail: error.message };
}

function pointerOf(fault: unknown): ProblemPointer {
  const { instancePath, message } = fault as { instancePath?: unknown; message?: unknown };
  return { pointer: String(instancePath ?? ""), detail: String(message ?? "is not valid") };
}

function firstOf(errors: readonly ProblemPointer[]): string | undefined {
  const [first] = errors;
  return first && `${first.pointer || "the body"}: ${first.detail}`;
}

function toPointer(path: readonly PropertyKey[]): string {
  return path.map((key) => `/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

function headersFor(status: number, { allow, retryAfterS }: ProblemOptions): FlatHeaders {
  const headers = ["Content-Type", CONTENT_TYPES.problem];
  if (status === 401) headers.push("WWW-Authenticate", "Bearer");
  if (status === 405) headers.push("Allow", allow ?? "");
  if (status === 429 || status === 503) {
    headers.push("Retry-After", String(Math.max(1, Math.ceil(retryAfterS ?? DEFAULT_RETRY_AFTER_S))));
  }
  if (status >= 500) headers.push("Cache-Control", "no-store");
  return headers;
}

/** For what Fastify answers: no failure there is worth keeping, and some caches keep a 404 for minutes unasked. */
function setHeaders(reply: { header(name: string, value: string): unknown }, headers: FlatHeaders): void {
  reply.header("Cache-Control", "no-store");
  for (let i = 0; i < headers.length; i += 2) reply.header(headers[i] ?? "", headers[i + 1] ?? "");
}

/** Whether a route's pattern (`:name` for one segment, a trailing `*` for all that follow) takes this path. */
function matches(pattern: readonly string[], path: readonly string[]): boolean {
  for (const [i, expected] of pattern.entries()) {
    if (expected === "*") return i < path.length;
    const actual = path[i];
    if (actual === undefined || (expected.startsWith(":") ? actual === "" : actual !== expected)) return false;
  }
  return pattern.length === path.length;
}

function withoutQuery(url: string): string {
  const at = url.indexOf("?");
  return at < 0 ? url : url.slice(0, at);
}
