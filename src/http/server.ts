import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import Fastify, { type FastifyInstance } from "fastify";
import { type Clock, systemClock } from "../core/clock.ts";
import { DomainError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { AnswerHeads } from "./answer-heads.ts";
import { CONTENT_TYPES } from "./content-types.ts";
import { DirectConnection } from "./direct-connection.ts";
import type { HttpRequest, HttpResponse } from "./http-exchange.ts";
import { answerProblem, installProblemHandlers, sendProblem } from "./problem.ts";

/** Bounds against peers that are slow, silent or too many. */
export interface HttpLimits {
  readonly maxConnectionCount: number;
  readonly maxHeaderBytes: number;
  readonly maxBodyBytes: number;
  /** Until the head of a request is complete. */
  readonly headersTimeoutMs: number;
  /** Until its body is complete, unless its route keeps time itself (`keepOwnTime`). */
  readonly requestTimeoutMs: number;
  /** Between two requests on one connection; above what proxies in front keep idle (60 s). */
  readonly keepAliveTimeoutMs: number;
  /** Without any byte either way while a request is open; must be longer than any answer is held. */
  readonly idleTimeoutMs: number;
  /** How long held answers may take at `close` before their connections are cut. */
  readonly closeGraceMs: number;
}

const DEFAULT_HTTP_LIMITS: HttpLimits = {
  maxConnectionCount: 20_000,
  maxHeaderBytes: 16 * 1024,
  maxBodyBytes: 1024 * 1024,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 60_000,
  keepAliveTimeoutMs: 65_000,
  idleTimeoutMs: 120_000,
  closeGraceMs: 5_000,
};

/** Connections that may wait to be accepted: players come back in thousands at once. The kernel's own limit cuts it. */
const LISTEN_BACKLOG_COUNT = 4_096;
const CONNECTION_CHECK_MS = 1_000;

declare module "fastify" {
  interface FastifyRequest {
    /** For routes whose bodies may take long: from here on the route alone ends a request that is slow or silent. */
    keepOwnTime(): void;
  }
}

const CLOSE_CHECK_MS = 50;
const TCP_KEEP_ALIVE_MS = 30_000;

export interface HttpServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly log: Logger;
  /**
   * Sees every GET that is plain enough to be answered past node:http. Returns true when it took it, and has done nothing
   * otherwise: `fast` is asked then.
   */
  readonly direct?: ((req: HttpRequest, res: HttpResponse) => boolean) | undefined;
  /** Sees every other request first, on the bare response. Returns true when it took it: Fastify never hears of it then. */
  readonly fast: (req: IncomingMessage, res: ServerResponse) => boolean;
  readonly limits?: Partial<HttpLimits>;
  readonly clock?: Clock;
}

/** One listener for a raw hot path and a Fastify application. Routes are added to `app` before `start`. */
export class HttpServer {
  readonly app: FastifyInstance;
  readonly #host: string;
  readonly #port: number;
  readonly #log: Logger;
  readonly #direct: HttpServerOptions["direct"];
  readonly #fast: HttpServerOptions["fast"];
  readonly #limits: HttpLimits;
  readonly #clock: Clock;
  readonly #servers: Server[] = [];
  readonly #heads: AnswerHeads;
  readonly #directConnections = new Set<DirectConnection>();
  /** Requests whose body is on its way -> what stops their time. */
  readonly #bodyTimers = new WeakMap<IncomingMessage, () => void>();
  #isClosing = false;
  #closed: Promise<void> | undefined;
  #droppedCount = 0;
  #reportedDropAtMs = Number.NEGATIVE_INFINITY;

  constructor({ host, port, log, direct, fast, limits, clock = systemClock }: HttpServerOptions) {
    this.#host = host;
    this.#port = port;
    this.#log = log;
    this.#direct = direct;
    this.#fast = fast;
    this.#limits = { ...DEFAULT_HTTP_LIMITS, ...limits };
    this.#clock = clock;
    this.#heads = new AnswerHeads({ clock, keepAliveTimeoutMs: this.#limits.keepAliveTimeoutMs });
    this.app = Fastify({
      logger: false,
      bodyLimit: this.#limits.maxBodyBytes,
      // What arrives on an open connection during close is still answered, as its last.
      return503OnClosing: false,
      serverFactory: (handler) => this.#createServer(handler),
      clientErrorHandler: answerClientError,
      frameworkErrors: (error, request, reply) => {
        reply.hijack();
        sendProblem(request.raw, reply.raw, error);
      },
    });
    installProblemHandlers(this.app, { log });
    const bodyTimers = this.#bodyTimers;
    this.app.decorateRequest("keepOwnTime", function keepOwnTime() {
      bodyTimers.get(this.raw)?.();
      // node:http sets it again with the next request of the connection.
      this.raw.socket.setTimeout(0);
    });
  }

  /** Listens. Throws PORT_IN_USE when another process has the port, INVALID_CONFIG when it cannot be had at all. */
  async start(): Promise<AddressInfo> {
    try {
      await this.app.listen({ host: this.#host, port: this.#port, backlog: LISTEN_BACKLOG_COUNT });
    } catch (error) {
      throw listenError(error, this.#host, this.#port);
    }
    const { address, port } = this.address;
    this.#log.info({ address, port }, "http server listens");
    return this.address;
  }

  /** Where it listens. Throws when it does not. */
  get address(): AddressInfo {
    const address = this.#servers[0]?.address();
    if (address === null || typeof address !== "object")
      throw new DomainError("INTERNAL", "the server does not listen");
    return address;
  }

  /** The listener itself, for what upgrades connections. */
  get server(): Server {
    return this.app.server;
  }

  /** Stops accepting, lets answers under way finish within the grace, then cuts what is left. Safe to call twice. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#isClosing = true;
    const stopSweep = this.#sweepIdleConnections();
    const stopGrace = this.#clock.after(this.#limits.closeGraceMs, () => {
      for (const server of this.#servers) server.closeAllConnections();
      for (const connection of this.#directConnections) connection.destroy();
    });
    for (const connection of this.#directConnections) connection.close();
    try {
      await this.app.close();
    } finally {
      stopSweep();
      stopGrace();
    }
    this.#log.info({}, "http server closed");
  }

  /** A connection whose held answer ends after `close` began turns idle then, and would keep the server open. */
  #sweepIdleConnections(): () => void {
    let cancel: () => void;
    const sweep = () => {
      for (const server of this.#servers) server.closeIdleConnections();
      cancel = this.#clock.after(CLOSE_CHECK_MS, sweep);
    };
    cancel = this.#clock.after(CLOSE_CHECK_MS, sweep);
    return () => cancel();
  }

  #createServer(handler: (req: IncomingMessage, res: ServerResponse) => void): Server {
    const limits = this.#limits;
    const server = createServer(
      {
        maxHeaderSize: limits.maxHeaderBytes,
        headersTimeout: limits.headersTimeoutMs,
        // It could not tell an upload from the rest: `#limitBody` keeps that time.
        requestTimeout: 0,
        keepAliveTimeout: limits.keepAliveTimeoutMs,
        connectionsCheckingInterval: CONNECTION_CHECK_MS,
        keepAlive: true,
        keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
        noDelay: true,
        // What viewers ask for has no body: its stream is made ended, and no reading of nothing is set up.
        optimizeEmptyRequests: true,
      },
      (req, res) => {
        if (this.#isClosing) res.shouldKeepAlive = false;
        if (hasBody(req)) this.#limitBody(req);
        if (this.#try(this.#fast, req, res)) return;
        // Fastify would wait for the end of a stream that has ended.
        if (!hasBody(req)) delete req.headers["content-type"];
        handler(req, res);
      },
    );
    server.maxConnections = limits.maxConnectionCount;
    server.setTimeout(limits.idleTimeoutMs);
    server.on("drop", () => this.#reportDrop());
    if (this.#direct) this.#receiveDirectly(server, this.#direct);
    this.#servers.push(server);
    return server;
  }

  /** Takes connections before node:http does; it gets those that are more than what `direct` answers. */
  #receiveDirectly(server: Server, direct: NonNullable<HttpServerOptions["direct"]>): void {
    const adopt = server.listeners("connection");
    server.removeAllListeners("connection");
    server.on("connection", (socket: Socket) => {
      const connection = new DirectConnection({
        socket,
        heads: this.#heads,
        maxHeaderBytes: this.#limits.maxHeaderBytes,
        idleTimeoutMs: this.#limits.keepAliveTimeoutMs,
        answer: (req, res) => this.#try(direct, req, res),
        handOver: () => {
          for (const listener of adopt) listener.call(server, socket);
        },
        onGone: () => this.#directConnections.delete(connection),
      });
      this.#directConnections.add(connection);
    });
  }

  #try<Req extends HttpRequest, Res extends HttpResponse>(
    answer: (req: Req, res: Res) => boolean,
    req: Req,
    res: Res,
  ): boolean {
    try {
      return answer(req, res);
    } catch (error) {
      this.#log.error({ err: error, method: req.method }, "request failed");
      if (res.headersSent) res.destroy();
      else sendProblem(req, res, error);
      return true;
    }
  }

  /** Cuts the peer of a body that is not there in time; said before the answer has begun. */
  #limitBody(req: IncomingMessage): void {
    const cancel = this.#clock.after(this.#limits.requestTimeoutMs, () => {
      answerClientError(Object.assign(new Error("the body did not come in time"), { code: BODY_TIMEOUT }), req.socket);
    });
    this.#bodyTimers.set(req, cancel);
    req.once("end", cancel);
    req.once("close", cancel);
  }

  #reportDrop(): void {
    this.#droppedCount += 1;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#reportedDropAtMs < 1000) return;
    this.#reportedDropAtMs = nowMs;
    this.#log.warn(
      { dropped: this.#droppedCount, limit: this.#limits.maxConnectionCount },
      "connections refused above the limit",
    );
  }
}

/** RFC 9112 §6.3: a request has a body when it says how long it is, or that it comes in chunks. */
function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || headers["content-length"] !== undefined;
}

export function createHttpServer(options: HttpServerOptions): HttpServer {
  return new HttpServer(options);
}

function listenError(error: unknown, host: string, port: number): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const options = { cause: error, details: { host, port } };
  if (code === "EADDRINUSE") return new DomainError("PORT_IN_USE", `port ${port} is in use`, options);
  if (code === "EACCES") return new DomainError("INVALID_CONFIG", `port ${port} needs privileges`, options);
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") {
    return new DomainError("INVALID_CONFIG", `this machine has no address ${host}`, options);
  }
  return error;
}

const BODY_TIMEOUT = "ERR_HTTP_REQUEST_TIMEOUT";
const CLIENT_ERROR_STATUS: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  [BODY_TIMEOUT]: 408,
};

/** What is not HTTP, or did not arrive in time, is told so once and cut. */
function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable || socket.bytesWritten > 0) {
    socket.destroy();
    return;
  }
  const status = CLIENT_ERROR_STATUS[error.code ?? ""] ?? 400;
  const { problem } = answerProblem(new DomainError("INVALID_REQUEST"), { status });
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `Content-Type: ${CONTENT_TYPES.problem}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`, () => socket.destroy());
}
