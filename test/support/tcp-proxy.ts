import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type { TestContext } from "node:test";

/** What befalls one connection. Bytes are counted from its beginning. */
export type Fault =
  | { readonly kind: "reset" }
  /** Takes all that comes and never answers. */
  | { readonly kind: "silent" }
  /** Answers the first request with 503, as S3 does when it is asked too much. */
  | { readonly kind: "unavailable" }
  | { readonly kind: "cut-request"; readonly afterBytes: number }
  | { readonly kind: "cut-answer"; readonly afterBytes: number };

const SLOW_DOWN = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";

/** Stands between a client and a server of this machine and does to connections what networks do. */
export class TcpProxy {
  readonly port: number;
  /** How many have come so far. */
  connectionCount = 0;
  lostAnswerCount = 0;
  readonly #server: Server;
  readonly #targetPort: number;
  readonly #sockets = new Set<Socket>();
  #faults: Fault[] = [];
  #lostRequest: RegExp | undefined;

  private constructor(server: Server, targetPort: number) {
    this.#server = server;
    this.#targetPort = targetPort;
    this.port = (server.address() as AddressInfo).port;
    server.on("connection", (socket) => this.#take(socket));
  }

  static async start(t: TestContext, targetPort: number): Promise<TcpProxy> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const proxy = new TcpProxy(server, targetPort);
    t.after(() => proxy.goDown());
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** The next connections meet these, one each; those that follow them nothing. */
  failNext(...faults: readonly Fault[]): void {
    this.#faults = [...faults];
  }

  /** The next request whose head matches gets to the server, its answer gets lost with the connection. */
  loseAnswersOf(head: RegExp): void {
    this.#lostRequest = head;
    this.lostAnswerCount = 0;
  }

  /** Cuts all connections and refuses new ones. */
  async goDown(): Promise<void> {
    for (const socket of this.#sockets) socket.resetAndDestroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, "close");
  }

  async comeBack(): Promise<void> {
    this.#server.listen(this.port, "127.0.0.1");
    await once(this.#server, "listening");
  }

  #take(client: Socket): void {
    this.connectionCount += 1;
    this.#watch(client);
    const fault = this.#faults.shift();
    if (fault?.kind === "reset") client.resetAndDestroy();
    else if (fault?.kind === "silent") client.resume();
    else if (fault?.kind === "unavailable") refuse(client);
    else this.#join(client, fault);
  }

  #join(client: Socket, fault: Fault | undefined): void {
    const server = connect(this.#targetPort, "127.0.0.1");
    this.#watch(server);
    const cut = () => {
      client.resetAndDestroy();
      server.resetAndDestroy();
    };
    const limitOf = (kind: Fault["kind"]) =>
      fault?.kind === kind && "afterBytes" in fault ? fault.afterBytes : undefined;
    let isLost = false;
    client.on("data", (chunk: Buffer) => {
      if (!this.#lostRequest?.test(chunk.toString("latin1"))) return;
      this.#lostRequest = undefined;
      isLost = true;
    });
    server.prependListener("data", () => {
      if (!isLost) return;
      this.lostAnswerCount += 1;
      isLost = false;
      cut();
    });
    pass(client, server, limitOf("cut-request"), cut);
    pass(server, client, limitOf("cut-answer"), cut);
  }

  #watch(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    // What is cut here is an error there; both ends are told by their closing.
    socket.on("error", () => {});
  }
}

function pass(from: Socket, to: Socket, limitBytes: number | undefined, cut: () => void): void {
  let passedBytes = 0;
  from.on("data", (chunk: Buffer) => {
    const restBytes = (limitBytes ?? Number.POSITIVE_INFINITY) - passedBytes;
    passedBytes += chunk.byteLength;
    if (chunk.byteLength > restBytes) {
      // What came until then has to arrive before the cut.
      to.write(chunk.subarray(0, restBytes), cut);
      from.pause();
    } else if (!to.write(chunk)) {
      from.pause();
      to.once("drain", () => from.resume());
    }
  });
  from.on("end", () => to.end());
  from.on("close", () => to.destroy());
}

function refuse(client: Socket): void {
  client.once("data", () => {
    const head = `HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nContent-Length: ${SLOW_DOWN.length}`;
    client.end(`${head}\r\nConnection: close\r\n\r\n${SLOW_DOWN}`);
  });
  client.resume();
}
