import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { LookupFunction } from "node:net";
import type { Clock } from "../core/clock.ts";
import { DomainError } from "../core/errors.ts";
import { cleanFileName } from "./file-name.ts";
import { checkSize, limitTime, type UploadLimits } from "./guarded-bytes.ts";
import type { AddressGuard, ResolvedAddress } from "./public-address.ts";

const MAX_REDIRECT_COUNT = 5;
const REDIRECTS = [301, 302, 303, 307, 308];

export interface UrlSourceOptions {
  readonly guard: AddressGuard;
  readonly limits: UploadLimits;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** A file that another server sends. Whoever has it reads `bytes` to the end or leaves the loop. */
export interface UrlSource {
  /** The last name in the path of its URL. */
  readonly fileName: string;
  /** Undefined when the other server does not say. */
  readonly sizeBytes: number | undefined;
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** The URL of a file on another server. Throws INVALID_REQUEST for all but http and https without a password. */
export function parseSourceUrl(text: string, base?: URL): URL {
  const url = URL.parse(text, base);
  if (!url) throw refused("it is not a URL");
  if (url.protocol !== "http:" && url.protocol !== "https:") throw refused("only http and https are asked");
  if (url.username !== "" || url.password !== "") throw refused("no password may stand in it");
  return url;
}

/**
 * Asks for `url`, at an address that the guard allows, and over at most five redirects, each of which is looked at anew. Throws
 * INVALID_REQUEST for what is not asked or not answered with a file, UPLOAD_TOO_LARGE, and UNAVAILABLE for what may be otherwise
 * the next time, also in the middle of the bytes.
 */
export async function openUrl(url: string, options: UrlSourceOptions): Promise<UrlSource> {
  let target = parseSourceUrl(url);
  for (let redirectCount = 0; redirectCount <= MAX_REDIRECT_COUNT; redirectCount++) {
    const address = await options.guard.resolve(target.hostname);
    const answer = await ask(target, address, options);
    const { location } = answer.headers;
    if (!REDIRECTS.includes(answer.statusCode ?? 0) || location === undefined)
      return described(target, answer, options);
    answer.destroy();
    target = parseSourceUrl(location, target);
  }
  throw refused(`it leads over more than ${MAX_REDIRECT_COUNT} redirects`);
}

function ask(url: URL, address: ResolvedAddress, { limits, signal }: UrlSourceOptions): Promise<IncomingMessage> {
  const request = url.protocol === "https:" ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const sent = request(url, {
      lookup: pinnedTo(address),
      // A connection of its own: no other request may come to share an address that was checked for this one.
      agent: false,
      headers: { accept: "*/*", "accept-encoding": "identity", "user-agent": "Headwater" },
      timeout: limits.idleTimeoutMs,
      signal,
    });
    sent.on("timeout", () => sent.destroy(new Error("no answer in time")));
    sent.on("response", (answer) => {
      // Whoever reads the answer knows better what it is that does not come.
      sent.setTimeout(0);
      resolve(answer);
    });
    sent.on("error", (cause) => {
      reject(signal.aborted ? signal.reason : broken(`${url.host} could not be asked (${cause.message})`, cause));
    });
    sent.end();
  });
}

/** Newer connects ask for all addresses at once, to try them side by side. */
function pinnedTo({ address, family }: ResolvedAddress): LookupFunction {
  return (_host, { all }, done) => (all ? done(null, [{ address, family }]) : done(null, address, family));
}

function described(url: URL, answer: IncomingMessage, { limits, clock, signal }: UrlSourceOptions): UrlSource {
  try {
    const { statusCode = 0, headers } = answer;
    // Later it may be there again; what is not found or not allowed stays so.
    if (statusCode === 429 || statusCode >= 500) throw broken(`${url.host} answers with ${statusCode}`);
    if (statusCode !== 200) throw refused(`${url.host} answers with ${statusCode}`);
    if ((headers["content-encoding"] ?? "identity") !== "identity") throw refused("the answer is compressed");
    const announced = headers["content-length"];
    const sizeBytes = announced === undefined ? undefined : Number(announced);
    checkSize(sizeBytes ?? 0, limits);
    return { fileName: fileNameOf(url), sizeBytes, bytes: bytesOf(answer, limits, clock, signal) };
  } catch (error) {
    answer.destroy();
    throw error;
  }
}

async function* bytesOf(
  answer: IncomingMessage,
  limits: UploadLimits,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* limitTime(answer, limits, clock);
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    throw broken(cause instanceof DomainError ? cause.message : "the other server stopped in the middle", cause);
  } finally {
    answer.destroy();
  }
}

function fileNameOf({ pathname }: URL): string {
  const name = pathname.split("/").at(-1) ?? "";
  try {
    return cleanFileName(decodeURIComponent(name), "import");
  } catch {
    return cleanFileName(name, "import"); // a stray percent sign belongs to the name then
  }
}

function refused(why: string): DomainError {
  return new DomainError("INVALID_REQUEST", `nothing can be imported from this URL: ${why}`);
}

function broken(message: string, cause?: unknown): DomainError {
  return new DomainError("UNAVAILABLE", message, { cause });
}
