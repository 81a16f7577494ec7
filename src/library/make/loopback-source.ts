import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { DomainError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import type { ObjectInfo, ObjectStore } from "../../storage/object-store.ts";
import type { SourceInput } from "../probe/source-input.ts";
import type { SourceAccess } from "./contract.ts";

export interface LoopbackSourceOptions {
  readonly store: ObjectStore;
  readonly info: ObjectInfo;
  readonly logger: Logger;
}

const TOKEN_BYTES = 24;
const MOST_CONNECTIONS = 8;
/** A store that breaks off is asked again from where it was so many times without a byte in between. */
const MOST_TRIES = 3;

/**
 * One object of a store over HTTP on this machine, for as long as a job reads it: a port of chance and a secret path, so that
 * ffmpeg needs no credentials and nobody else can read it.
 */
export class LoopbackSource implements SourceAccess {
  readonly input: SourceInput;
  readonly #options: LoopbackSourceOptions;
  readonly #server: Server;
  readonly #path: string;
  #failure: Error | undefined;

  static async open(options: LoopbackSourceOptions): Promise<LoopbackSource> {
    const server = createServer();
    server.maxConnections = MOST_CONNECTIONS;
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new LoopbackSource(server, options);
  }

  private constructor(server: Server, options: LoopbackSourceOptions) {
    this.#options = options;
    this.#server = server;
    this.#path = `/${randomBytes(TOKEN_BYTES).toString("base64url")}`;
    const { port } = server.address() as AddressInfo;
    this.input = { url: `http://127.0.0.1:${port}${this.#path}`, protocols: "http,tcp" };
    server.on("request", (request, response) => void this.#answer(request, response));
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.#send(request, response);
    } catch (error) {
      if (!response.destroyed) this.#fail(error);
      // What was promised cannot be kept: whoever reads must not take it for the end.
      response.destroy();
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
    this.#options.logger.warn({ err: error }, "an original could not be read");
  }

  async #send(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { sizeBytes } = this.#options.info;
    if (request.url !== this.#path) return void response.writeHead(404).end();
    if (request.method !== "GET" && request.method !== "HEAD") return void response.writeHead(405).end();
    const range = readRange(request.headers.range, sizeBytes);
    if (range.first >= sizeBytes) {
      return void response.writeHead(416, { "content-range": `bytes */${sizeBytes}` }).end();
    }
    response.writeHead(range.isPartial ? 206 : 200, {
      "accept-ranges": "bytes",
      "content-type": "application/octet-stream",
      "content-length": range.last + 1 - range.first,
      ...(range.isPartial ? { "content-range": `bytes ${range.first}-${range.last}/${sizeBytes}` } : {}),
    });
    if (request.method === "GET") await this.#sendBytes(response, range.first, range.last);
    response.end();
  }

  async #sendBytes(response: ServerResponse, first: number, last: number): Promise<void> {
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    let at = first;
    for (let triesLeft = MOST_TRIES; at <= last && !response.destroyed; ) {
      const before = at;
      try {
        for await (const piece of await this.#read(at, last, gone.signal)) {
          at += piece.length;
          if (!response.write(piece)) await drained(response);
          if (response.destroyed) return;
        }
        if (at <= last) throw new DomainError("UNAVAILABLE", "the store ended an object early");
      } catch (error) {
        if (response.destroyed) return;
        triesLeft = at > before ? MOST_TRIES - 1 : triesLeft - 1;
        if (triesLeft === 0) throw error;
      }
    }
  }

  async #read(first: number, last: number, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const { store, info } = this.#options;
    const object = await store.get(info.key, { range: { first, last }, signal });
    if (object?.info.etag === info.etag) return object.body;
    object?.cancel();
    throw new DomainError("NOT_FOUND", "the original has gone while it was read");
  }
}

/** Resolves when more can be written, or nobody is there to write to. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done).off("close", done);
      resolve();
    };
    response.once("drain", done).once("close", done);
    if (response.destroyed) done();
  });
}

/** ffmpeg asks for `bytes=first-` and sometimes for `bytes=first-last`; anything else is answered whole. */
function readRange(header: string | undefined, sizeBytes: number): { first: number; last: number; isPartial: boolean } {
  const match = /^bytes=(\d{1,15})-(\d{1,15})?$/.exec(header ?? "");
  if (!match) return { first: 0, last: sizeBytes - 1, isPartial: false };
  const last = match[2] === undefined ? sizeBytes - 1 : Math.min(Number(match[2]), sizeBytes - 1);
  return { first: Number(match[1]), last, isPartial: true };
}
