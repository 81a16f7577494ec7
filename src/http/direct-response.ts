import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import type { AnswerHeads } from "./answer-heads.ts";
import type { FlatHeaders } from "./flat-headers.ts";
import type { HttpResponse } from "./http-exchange.ts";

export interface DirectResponseOptions {
  readonly socket: Socket;
  readonly heads: AnswerHeads;
  /** Whether the connection ends with this answer. Asked when the head is written. */
  readonly isLast: () => boolean;
  /** Called once, when all was handed to the connection. */
  readonly onEnd: () => void;
}

const LAST_CHUNK = Buffer.from("0\r\n\r\n");

/**
 * The answer to a GET, written to its connection without node:http in between: one write for head and body. A body whose
 * length is not in the headers goes out in chunks.
 */
export class DirectResponse extends EventEmitter<{ close: []; drain: [] }> implements HttpResponse {
  readonly socket: Socket;
  readonly #options: DirectResponseOptions;
  #status = 0;
  #headers: FlatHeaders | undefined;
  /** From the first byte on. */
  #isLast = false;
  #isChunked = false;
  #isBegun = false;
  #isEnded = false;

  constructor(options: DirectResponseOptions) {
    super();
    this.#options = options;
    this.socket = options.socket;
  }

  get headersSent(): boolean {
    return this.#headers !== undefined;
  }

  get writableNeedDrain(): boolean {
    return this.socket.writableNeedDrain;
  }

  /** Whether nothing may follow it on the connection. */
  get isLast(): boolean {
    return this.#isLast;
  }

  writeHead(status: number, headers: FlatHeaders): void {
    this.#status = status;
    this.#headers = headers;
  }

  /** What is written until the end leaves in one piece, as far as it fits. */
  cork(): void {
    this.socket.cork();
  }

  write(bytes: Uint8Array): boolean {
    if (this.#isEnded || this.socket.destroyed || bytes.byteLength === 0) return !this.writableNeedDrain;
    this.socket.cork();
    this.#begin();
    this.#writeBody(bytes);
    process.nextTick(uncork, this.socket);
    return !this.writableNeedDrain;
  }

  end(body?: Uint8Array | string): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    if (!this.socket.destroyed) this.#finish(typeof body === "string" ? Buffer.from(body) : body);
    this.#options.onEnd();
    this.emit("close");
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** The connection is gone. */
  close(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.emit("close");
  }

  #finish(body: Uint8Array | undefined): void {
    if (body && !this.#isBegun) {
      this.#isLast = this.#options.isLast();
      const whole = this.#options.heads.whole(this.#status, this.#headers ?? [], this.#isLast, body);
      if (whole) {
        this.socket.write(whole);
        return;
      }
    }
    this.socket.cork();
    this.#begin();
    if (body) this.#writeBody(body);
    if (this.#isChunked) this.socket.write(LAST_CHUNK);
    uncork(this.socket);
  }

  #begin(): void {
    if (this.#isBegun) return;
    this.#isBegun = true;
    this.#isLast = this.#options.isLast();
    const { bytes, isChunked } = this.#options.heads.head(this.#status, this.#headers ?? [], this.#isLast);
    this.#isChunked = isChunked;
    this.socket.write(bytes);
  }

  #writeBody(bytes: Uint8Array): void {
    if (!this.#isChunked) {
      this.socket.write(bytes);
      return;
    }
    this.socket.write(`${bytes.byteLength.toString(16)}\r\n`, "latin1");
    this.socket.write(bytes);
    this.socket.write("\r\n", "latin1");
  }
}

/** Undoes every `cork` there was. */
function uncork(socket: Socket): void {
  while (socket.writableCorked > 0) socket.uncork();
}
