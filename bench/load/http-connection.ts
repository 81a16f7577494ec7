import { createConnection, type Socket } from "node:net";

/** Every connection reads into it: what is read is looked at before the next read. */
const READ_BUFFER = Buffer.alloc(256 * 1024);
const HEAD_END = Buffer.from("\r\n\r\n");

export interface HttpAnswer {
  readonly status: number;
  /** The head as text. */
  readonly head: string;
  readonly bodyBytes: number;
  /** Only when it was asked for. */
  readonly body: Buffer | undefined;
}

interface Asked {
  readonly keepsBody: (head: string) => boolean;
  readonly onAnswer: (answer: HttpAnswer) => void;
}

/**
 * One keep-alive connection of HTTP/1.1 that does nothing but what a load needs: one request at a time, answers with
 * Content-Length. Thousands of them fit into one thread.
 */
export class HttpConnection {
  readonly #port: number;
  readonly #onError: (error: Error) => void;
  #socket: Socket | undefined;
  #asked: Asked | undefined;
  #head = "";
  #headBytes: Buffer | undefined;
  #bodyBytes = 0;
  #leftBytes = -1;
  #kept: Buffer[] | undefined;

  constructor(port: number, onError: (error: Error) => void) {
    this.#port = port;
    this.#onError = onError;
  }

  get isBusy(): boolean {
    return this.#asked !== undefined;
  }

  ask(request: Buffer, keepsBody: Asked["keepsBody"], onAnswer: Asked["onAnswer"]): void {
    this.#asked = { keepsBody, onAnswer };
    this.#socket ??= this.#connect();
    this.#socket.write(request);
  }

  close(): void {
    this.#asked = undefined;
    this.#socket?.destroy();
  }

  #connect(): Socket {
    const socket = createConnection({
      port: this.#port,
      host: "127.0.0.1",
      noDelay: true,
      onread: {
        buffer: READ_BUFFER,
        callback: (byteCount) => {
          this.#read(READ_BUFFER.subarray(0, byteCount));
          return true;
        },
      },
    });
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("closed")));
    return socket;
  }

  #fail(error: Error): void {
    this.#socket = undefined;
    if (this.#asked) this.#onError(error);
    this.#asked = undefined;
    this.#leftBytes = -1;
    this.#headBytes = undefined;
  }

  #read(bytes: Buffer): void {
    if (this.#leftBytes >= 0) this.#readBody(bytes);
    else this.#readHead(bytes);
  }

  #readHead(bytes: Buffer): void {
    const all = this.#headBytes ? Buffer.concat([this.#headBytes, bytes]) : bytes;
    const end = all.indexOf(HEAD_END);
    if (end < 0) {
      this.#headBytes = Buffer.from(all);
      return;
    }
    this.#headBytes = undefined;
    this.#head = all.toString("latin1", 0, end + 2);
    this.#bodyBytes = Number(headerOf(this.#head, "Content-Length"));
    this.#leftBytes = this.#bodyBytes;
    this.#kept = this.#asked?.keepsBody(this.#head) ? [] : undefined;
    this.#readBody(all.subarray(end + 4));
  }

  #readBody(bytes: Buffer): void {
    this.#kept?.push(Buffer.from(bytes));
    this.#leftBytes -= bytes.length;
    if (this.#leftBytes > 0) return;
    const asked = this.#asked;
    this.#asked = undefined;
    this.#leftBytes = -1;
    asked?.onAnswer({
      status: Number(this.#head.slice(9, 12)),
      head: this.#head,
      bodyBytes: this.#bodyBytes,
      body: this.#kept && Buffer.concat(this.#kept),
    });
  }
}

/** The value of a header as our server and nginx write its name; empty when there is none. */
export function headerOf(head: string, name: string): string {
  const at = head.indexOf(`\r\n${name}: `);
  if (at < 0) return "";
  const from = at + name.length + 4;
  return head.slice(from, head.indexOf("\r\n", from));
}
