import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import type { Clock } from "../../core/clock.ts";
import { DomainError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import type { PublishGate } from "../../live/publication.ts";
import { ConnectionSlots, DEFAULT_RTMP_LIMITS, type RtmpLimits } from "./limits.ts";
import { RtmpSession } from "./session.ts";

/** Connections that the kernel holds until we accept them: enough for every encoder to come back at once. */
const BACKLOG = 1024;
/** A flood of refused connections makes one log line in this time. */
const REFUSAL_LOG_MS = 1000;

export interface RtmpServerOptions {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly gate: PublishGate;
  /** What is missing stands in `DEFAULT_RTMP_LIMITS`. */
  readonly limits?: Partial<RtmpLimits>;
  readonly log: Logger;
  readonly clock: Clock;
}

/** Takes encoders at `rtmp://host:port/live/<stream key>`. */
export class RtmpServer {
  readonly #options: RtmpServerOptions;
  readonly #limits: RtmpLimits;
  readonly #slots: ConnectionSlots;
  readonly #listener: Server;
  readonly #sessions = new Map<RtmpSession, Promise<void>>();
  readonly #stop = new AbortController();
  #refusedCount = 0;
  #loggedRefusedCount = 0;
  #cancelRefusalLog: (() => void) | undefined;

  constructor(options: RtmpServerOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_RTMP_LIMITS, ...options.limits };
    this.#slots = new ConnectionSlots(this.#limits);
    this.#listener = createServer((socket) => this.#accept(socket));
  }

  /** Connections now, and those refused since the start because there was no room. */
  get counts(): { pendingCount: number; publisherCount: number; refusedCount: number } {
    const { pendingCount, publisherCount } = this.#slots;
    return { pendingCount, publisherCount, refusedCount: this.#refusedCount };
  }

  /** Listens. Throws DomainError PORT_IN_USE. */
  async start(): Promise<{ port: number }> {
    const { host, port } = this.#options;
    this.#listener.listen({ host, port, backlog: BACKLOG });
    try {
      await once(this.#listener, "listening");
    } catch (error) {
      throw listenError(error, port);
    }
    this.#listener.on("error", (error) => this.#options.log.error({ err: error }, "rtmp listener failed"));
    const address = this.#listener.address();
    return { port: address !== null && typeof address === "object" ? address.port : port };
  }

  /** Stops accepting, and asks the encoders that understand it to connect anew; those that publish go on. */
  drain(): void {
    if (this.#listener.listening) this.#listener.close();
    for (const session of this.#sessions.keys()) session.requestReconnect();
  }

  /** Ends every session, and any that still comes; each encoder is told `reason`. Resolves when all are gone. */
  async endSessions(reason: DomainError): Promise<void> {
    this.#stop.abort(reason);
    await Promise.all(this.#sessions.values());
  }

  /** Stops accepting and ends every session. */
  async close(): Promise<void> {
    this.#cancelRefusalLog?.();
    if (this.#listener.listening) this.#listener.close();
    await this.endSessions(new DomainError("UNAVAILABLE", "The server is shutting down."));
  }

  #accept(socket: Socket): void {
    if (!this.#slots.enter()) {
      this.#refuse(socket);
      return;
    }
    const { gate, log, clock } = this.#options;
    const session = new RtmpSession({ socket, gate, log, clock, limits: this.#limits, slots: this.#slots });
    const ended = session.run(this.#stop.signal).finally(() => this.#sessions.delete(session));
    this.#sessions.set(session, ended);
  }

  /** There is no word for "full" before the handshake, so the connection is closed at once, in order. */
  #refuse(socket: Socket): void {
    socket.on("error", () => socket.destroy());
    socket.end(() => socket.destroy());
    this.#refusedCount += 1;
    this.#cancelRefusalLog ??= this.#options.clock.after(REFUSAL_LOG_MS, () => this.#logRefusals());
  }

  #logRefusals(): void {
    this.#cancelRefusalLog = undefined;
    const refusedCount = this.#refusedCount - this.#loggedRefusedCount;
    this.#loggedRefusedCount = this.#refusedCount;
    this.#options.log.warn({ refusedCount, ...this.#limits }, "rtmp connections refused: too many are pending");
  }
}

function listenError(error: unknown, port: number): Error {
  if (error instanceof Error && "code" in error && error.code === "EADDRINUSE") {
    return new DomainError("PORT_IN_USE", `Port ${port} for RTMP is in use.`, { cause: error });
  }
  return error instanceof Error ? error : new Error(String(error));
}
