import type { IncomingHttpHeaders } from "node:http";

/** What an answer may depend on of a request. node:http's `IncomingMessage` is one. */
export interface HttpRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly socket: { readonly remoteAddress?: string | undefined };
}

/** Where an answer is written. node:http's `ServerResponse` is one; so is a `DirectResponse`. */
export interface HttpResponse {
  readonly headersSent: boolean;
  /** Too much waits for the peer: `drain` says when to go on. */
  readonly writableNeedDrain: boolean;
  /** null while the response of an earlier request is still to be written on the same connection. */
  readonly socket: object | null;
  writeHead(status: number, headers: string[]): unknown;
  cork(): void;
  write(bytes: Uint8Array): boolean;
  end(bytes?: Uint8Array | string): unknown;
  /** Cuts the connection, so that nobody takes what was sent for the whole. */
  destroy(): unknown;
  /** `close`: it was written, or can no longer be. */
  on(event: "close" | "drain", listener: () => void): unknown;
  off(event: "close" | "drain", listener: () => void): unknown;
}
