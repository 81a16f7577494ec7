import type { Socket } from "node:net";
import type { AnswerHeads } from "./answer-heads.ts";
import { DirectResponse } from "./direct-response.ts";
import type { HttpRequest, HttpResponse } from "./http-exchange.ts";
import { type HeaderBlock, readPlainRequest } from "./plain-request.ts";

export interface DirectConnectionOptions {
  readonly socket: Socket;
  readonly heads: AnswerHeads;
  readonly maxHeaderBytes: number;
  /** Without any byte either way, while nothing is held. */
  readonly idleTimeoutMs: number;
  /** Answers a request, now or later; false when it is not of those that are answered here. Must not throw. */
  readonly answer: (req: HttpRequest, res: HttpResponse) => boolean;
  /** Gives the connection, with all that it still has to say, to node:http. */
  readonly handOver: (socket: Socket) => void;
  /** Called once, when the connection is closed or handed over. */
  readonly onGone: () => void;
}

/**
 * A connection whose requests are so plain that they are read and answered here, for less than half of what node:http
 * takes. At the first one that is not, or is not for `answer`, all is handed over, and node:http never knows.
 */
export class DirectConnection {
  readonly #options: DirectConnectionOptions;
  readonly #socket: Socket;
  #block: HeaderBlock | undefined;
  /** Of the request that is being answered. */
  #response: DirectResponse | undefined;
  #isClosing = false;
  readonly #isLast = () => this.#isClosing;
  readonly #onEnd = () => this.#finish();
  readonly #onData = (bytes: Buffer) => this.#read(bytes);
  readonly #onTimeout = () => this.#expire();
  readonly #onDrain = () => this.#proceed();
  readonly #onPeerEnd = () => this.#socket.end();
  readonly #onClose = () => this.#close();

  constructor(options: DirectConnectionOptions) {
    this.#options = options;
    this.#socket = options.socket;
    this.#socket.setTimeout(options.idleTimeoutMs);
    this.#socket.on("timeout", this.#onTimeout);
    this.#socket.on("drain", this.#onDrain);
    this.#socket.on("end", this.#onPeerEnd);
    this.#socket.on("error", ignore);
    this.#socket.on("close", this.#onClose);
    this.#socket.on("data", this.#onData);
  }

  /** Ends it as soon as nothing is under way. */
  close(): void {
    this.#isClosing = true;
    if (!this.#response) this.#socket.destroySoon();
  }

  /** Ends it at once. */
  destroy(): void {
    this.#socket.destroy();
  }

  #read(bytes: Buffer): void {
    if (this.#response || this.#socket.writableNeedDrain) {
      // One request after the other, and none for a peer that does not take its answers.
      this.#socket.pause();
      this.#socket.unshift(bytes);
      return;
    }
    const request = bytes.length <= this.#options.maxHeaderBytes ? readPlainRequest(bytes, this.#block) : undefined;
    if (!request) {
      this.#handOver(bytes);
      return;
    }
    this.#block = request.block;
    this.#answer({ method: "GET", url: request.url, headers: request.block.headers, socket: this.#socket }, bytes);
  }

  #answer(request: HttpRequest, bytes: Buffer): void {
    const { heads, answer } = this.#options;
    const response = new DirectResponse({ socket: this.#socket, heads, isLast: this.#isLast, onEnd: this.#onEnd });
    this.#response = response;
    if (answer(request, response)) return;
    this.#response = undefined;
    this.#handOver(bytes);
  }

  #finish(): void {
    const response = this.#response;
    this.#response = undefined;
    if (response?.isLast || this.#isClosing) this.#socket.destroySoon();
    else if (!this.#socket.writableNeedDrain) this.#proceed();
  }

  /** What the peer takes has left: more can be written, or read. */
  #proceed(): void {
    if (this.#response) this.#response.emit("drain");
    else if (this.#socket.isPaused()) this.#socket.resume();
  }

  /** Who is held has a limit of its own; everybody else has had time enough. */
  #expire(): void {
    if (!this.#response || this.#socket.writableLength > 0) this.#socket.destroy();
  }

  #close(): void {
    const response = this.#response;
    this.#response = undefined;
    response?.close();
    this.#options.onGone();
  }

  #handOver(bytes: Buffer): void {
    const socket = this.#socket;
    socket.off("timeout", this.#onTimeout);
    socket.off("drain", this.#onDrain);
    socket.off("end", this.#onPeerEnd);
    socket.off("error", ignore);
    socket.off("close", this.#onClose);
    socket.off("data", this.#onData);
    socket.setTimeout(0);
    this.#options.onGone();
    socket.pause();
    socket.unshift(bytes);
    this.#options.handOver(socket);
    socket.resume();
  }
}

/** `close` follows, and says all that matters. */
function ignore(): void {}
