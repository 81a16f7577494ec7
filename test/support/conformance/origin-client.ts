import http from "node:http";
import https from "node:https";

export interface Answer {
  readonly url: string;
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
  /** Monotonic clock, ms. */
  readonly sentAtMs: number;
  readonly firstByteAtMs: number;
  readonly endedAtMs: number;
}

export interface AskOptions {
  readonly method?: "GET" | "HEAD";
  readonly headers?: Readonly<Record<string, string>>;
}

const TIMEOUT_MS = 30_000;

/** Asks an origin as a player does: connections are kept, and every answer is read to its end and timed. */
export class OriginClient {
  readonly #signal: AbortSignal;
  readonly #http = new http.Agent({ keepAlive: true });
  readonly #https = new https.Agent({ keepAlive: true, rejectUnauthorized: false });

  /** Requests under way end with `signal`. */
  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** Rejects when there is no whole answer: connection refused, cut, too slow, or the client was stopped. */
  ask(url: string, { method = "GET", headers = {} }: AskOptions = {}): Promise<Answer> {
    const sentAtMs = performance.now();
    const isSecure = url.startsWith("https:");
    return new Promise((resolve, reject) => {
      const request = (isSecure ? https : http).request(url, {
        method,
        headers,
        agent: isSecure ? this.#https : this.#http,
        signal: this.#signal,
        timeout: TIMEOUT_MS,
      });
      request.on("timeout", () => request.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
      request.on("error", reject);
      request.on("response", (response) => {
        const firstByteAtMs = performance.now();
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            url,
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks),
            sentAtMs,
            firstByteAtMs,
            endedAtMs: performance.now(),
          }),
        );
      });
      request.end();
    });
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }
}
