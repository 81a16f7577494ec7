import { STATUS_CODES, validateHeaderName, validateHeaderValue } from "node:http";
import type { Clock } from "../core/clock.ts";
import type { FlatHeaders } from "./flat-headers.ts";

/** The head of an answer as it goes out. */
export interface AnswerHead {
  readonly bytes: Buffer;
  /** Nobody said how long the body is. */
  readonly isChunked: boolean;
}

interface KeptHead extends AnswerHead {
  readonly status: number;
  readonly second: number;
  readonly isLast: boolean;
  /** The newest body behind it, when that is small, and both in one piece. */
  body?: Uint8Array;
  whole?: Buffer;
}

export interface AnswerHeadsOptions {
  readonly clock: Clock;
  /** What clients are told about how long a connection may be idle. */
  readonly keepAliveTimeoutMs: number;
}

/** Below this, putting a body behind its head once costs less than handing the kernel two pieces each time. */
const SMALL_BODY_BYTES = 16 * 1024;
const NO_BODY_STATUSES: readonly number[] = [204, 304];

/**
 * The heads of answers, each written out once a second for all whom the same list of headers is for: lists that live as
 * long as what they describe are kept by their owners.
 */
export class AnswerHeads {
  readonly #clock: Clock;
  readonly #keepAlive: string;
  readonly #kept = new WeakMap<FlatHeaders, KeptHead>();
  #second = Number.NEGATIVE_INFINITY;
  #date = "";

  constructor({ clock, keepAliveTimeoutMs }: AnswerHeadsOptions) {
    this.#clock = clock;
    this.#keepAlive = `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(keepAliveTimeoutMs / 1000)}\r\n`;
  }

  /** The head of an answer; with `isLast`, one that says so. Throws when a header is none. */
  head(status: number, headers: FlatHeaders, isLast: boolean): AnswerHead {
    return this.#head(status, headers, isLast);
  }

  /** Head and body in one piece, when the body is small and its length stands in the head; undefined otherwise. */
  whole(status: number, headers: FlatHeaders, isLast: boolean, body: Uint8Array): Buffer | undefined {
    if (body.byteLength > SMALL_BODY_BYTES) return undefined;
    const head = this.#head(status, headers, isLast);
    if (head.isChunked) return undefined;
    if (head.whole === undefined || head.body !== body) {
      head.body = body;
      head.whole = Buffer.concat([head.bytes, body]);
    }
    return head.whole;
  }

  #head(status: number, headers: FlatHeaders, isLast: boolean): KeptHead {
    this.#look();
    let head = this.#kept.get(headers);
    if (!head || head.second !== this.#second || head.status !== status || head.isLast !== isLast) {
      head = this.#create(status, headers, isLast);
      this.#kept.set(headers, head);
    }
    return head;
  }

  #look(): void {
    const nowMs = this.#clock.nowMs();
    const second = Math.floor(nowMs / 1000);
    if (second === this.#second) return;
    this.#second = second;
    this.#date = new Date(nowMs).toUTCString();
  }

  #create(status: number, headers: FlatHeaders, isLast: boolean): KeptHead {
    let text = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n`;
    let isChunked = !NO_BODY_STATUSES.includes(status);
    for (let i = 0; i < headers.length; i += 2) {
      const [name = "", value = ""] = [headers[i], headers[i + 1]];
      validateHeaderName(name);
      validateHeaderValue(name, value);
      if (name.toLowerCase() === "content-length") isChunked = false;
      text += `${name}: ${value}\r\n`;
    }
    text += `Date: ${this.#date}\r\n${isLast ? "Connection: close\r\n" : this.#keepAlive}`;
    if (isChunked) text += "Transfer-Encoding: chunked\r\n";
    const bytes = Buffer.from(`${text}\r\n`, "latin1");
    return { bytes, isChunked, status, second: this.#second, isLast };
  }
}
