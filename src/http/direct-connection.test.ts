import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { ManualClock } from "../core/clock.ts";
import { DomainError } from "../core/errors.ts";
import { silentLogger } from "../core/logger.ts";
import type { HttpRequest, HttpResponse } from "./http-exchange.ts";
import { createHttpServer, type HttpLimits } from "./server.ts";

const HELLO: readonly string[] = ["Content-Type", "text/plain", "Content-Length", "5"];

type Answer = (req: HttpRequest, res: HttpResponse) => void;

/** A server that answers `/direct...` directly, and everything else by Fastify. */
async function startServer(t: TestContext, answer: Answer, limits: Partial<HttpLimits> = {}) {
  const directUrls: (string | undefined)[] = [];
  const server = createHttpServer({
    host: "127.0.0.1",
    port: 0,
    log: silentLogger,
    direct: (req, res) => {
      if (!req.url?.startsWith("/direct")) return false;
      directUrls.push(req.url);
      answer(req, res);
      return true;
    },
    fast: () => false,
    limits,
  });
  server.app.get("/api", () => ({ from: "fastify" }));
  const { port } = await server.start();
  t.after(() => server.close());
  return { server, port, directUrls };
}

const sayHello: Answer = (_req, res) => {
  res.writeHead(200, [...HELLO]);
  res.end("hello");
};

const get = (path: string, headers = "") => `GET ${path} HTTP/1.1\r\nHost: here\r\n${headers}\r\n`;
const LAST = "Connection: close\r\n";

/** A peer of which one reads what has come so far. */
class Peer {
  readonly socket: Socket;
  #received = "";

  constructor(t: TestContext, port: number) {
    this.socket = connect(port, "127.0.0.1").setEncoding("latin1");
    this.socket.on("data", (data) => {
      this.#received += data;
    });
    t.after(() => this.socket.destroy());
  }

  /** Resolves with all that has come, once it holds `wanted`. */
  async until(wanted: string | RegExp): Promise<string> {
    while (this.#received.search(wanted) < 0) await once(this.socket, "data");
    return this.#received;
  }
}

test("answers one request after the other on a connection that is kept", async (t) => {
  const { port, directUrls } = await startServer(t, sayHello);
  const peer = new Peer(t, port);
  peer.socket.write(get("/direct/1"));
  const first = await peer.until("hello");
  assert.match(
    first,
    /^HTTP\/1\.1 200 OK\r\nContent-Type: text\/plain\r\nContent-Length: 5\r\nDate: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT\r\nConnection: keep-alive\r\nKeep-Alive: timeout=65\r\n\r\nhello$/,
  );
  peer.socket.write(get("/direct/2", "X-Other: yes\r\n"));
  await peer.until(/hello.*hello/s);
  assert.deepEqual(directUrls, ["/direct/1", "/direct/2"]);
});

test("hands a connection over at the first request that is another's", async (t) => {
  const { port, directUrls } = await startServer(t, sayHello);
  const peer = new Peer(t, port);
  peer.socket.write(get("/direct/1"));
  await peer.until("hello");
  peer.socket.write(get("/api"));
  await peer.until('{"from":"fastify"}');
  peer.socket.write(get("/none", LAST));
  await peer.until("404 Not Found");
  await once(peer.socket, "close");
  assert.deepEqual(directUrls, ["/direct/1"]);
});

test("leaves to node:http what comes in pieces, in one piece with more, or has a body", async (t) => {
  const { port, directUrls } = await startServer(t, sayHello);
  const torn = connect(port, "127.0.0.1");
  torn.write("GET /api HT");
  await once(torn, "connect");
  torn.write("TP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n");
  assert.match(await text(torn), /fastify/);

  const pipelined = connect(port, "127.0.0.1");
  pipelined.write(get("/api") + get("/api") + get("/none", LAST));
  assert.match(await text(pipelined), /fastify.*fastify.* 404 Not Found/s);

  const long = connect(port, "127.0.0.1");
  long.write(get("/direct", `X: ${"x".repeat(20_000)}\r\n`));
  assert.match(await text(long), /^HTTP\/1\.1 431 /);
  assert.deepEqual(directUrls, []);
});

test("keeps a request that comes while another is held until that is answered", async (t) => {
  const held = Promise.withResolvers<HttpResponse>();
  const { port, directUrls } = await startServer(t, (req, res) => {
    if (req.url === "/direct/1") held.resolve(res);
    else sayHello(req, res);
  });
  const peer = new Peer(t, port);
  peer.socket.write(get("/direct/1"));
  const res = await held.promise;
  peer.socket.write(get("/direct/2") + get("/api"));
  res.writeHead(200, ["Content-Length", "5"]);
  res.end(Buffer.from("first"));
  // node:http is given both, and asks `fast`, which knows neither of these paths directly.
  const all = await peer.until(/fastify/);
  assert.match(all, /first.*404 Not Found.*fastify/s);
  assert.deepEqual(directUrls, ["/direct/1"]);
});

test("reads no request of a peer that takes no answers", async (t) => {
  const body = Buffer.alloc(20_000_000, "b");
  const waitingBytes: number[] = [];
  const first = Promise.withResolvers<Socket>();
  const { port } = await startServer(t, (_req, res) => {
    const socket = res.socket as Socket;
    waitingBytes.push(socket.writableLength);
    res.writeHead(200, ["Content-Length", String(body.byteLength)]);
    res.end(body);
    first.resolve(socket);
  });
  const peer = connect(port, "127.0.0.1").pause();
  t.after(() => peer.destroy());
  let receivedBytes = 0;
  peer.on("data", (data: Buffer) => {
    receivedBytes += data.byteLength;
  });
  peer.write(get("/direct/1"));
  const socket = await first.promise;
  const paused = once(socket, "pause");
  peer.write(get("/direct/2"));
  await paused;
  peer.resume();
  while (receivedBytes < 2 * body.byteLength) await once(peer, "data");
  assert.deepEqual(waitingBytes, [0, 0]);
});

test("sends a body of unknown length in chunks", async (t) => {
  const { port } = await startServer(t, (_req, res) => {
    res.writeHead(200, ["Content-Type", "text/plain"]);
    res.write(Buffer.from("one "));
    setImmediate(() => {
      res.write(Buffer.from("two "));
      res.end(Buffer.from("three"));
    });
  });
  const answer = await fetch(`http://127.0.0.1:${port}/direct`);
  assert.equal(answer.headers.get("transfer-encoding"), "chunked");
  assert.equal(await answer.text(), "one two three");
});

test("sends large and empty bodies as they are", async (t) => {
  const body = Buffer.alloc(3_000_000, "m");
  const { port } = await startServer(t, ({ url }, res) => {
    if (url === "/direct/304") {
      res.writeHead(304, ["ETag", '"a"']);
      res.end();
      return;
    }
    res.writeHead(206, ["Content-Length", String(2 * body.byteLength)]);
    res.cork();
    res.write(body);
    res.write(body);
    res.end();
  });
  const peer = new Peer(t, port);
  peer.socket.write(get("/direct/304"));
  assert.doesNotMatch(await peer.until("\r\n\r\n"), /chunked|Content-Length/);
  const large = await fetch(`http://127.0.0.1:${port}/direct/large`);
  assert.equal(large.status, 206);
  assert.equal((await large.arrayBuffer()).byteLength, 6_000_000);
});

test("writes the date of each second though the headers stay the same", async () => {
  const clock = new ManualClock();
  const server = createHttpServer({
    ...{ host: "127.0.0.1", port: 0, log: silentLogger, clock },
    direct: (_req, res) => {
      res.writeHead(200, HELLO as string[]);
      res.end(Buffer.from("hello"));
      return true;
    },
    fast: () => false,
  });
  const { port } = await server.start();
  const dates: (string | null)[] = [];
  for (const deltaMs of [0, 999, 1]) {
    clock.advance(deltaMs);
    dates.push((await fetch(`http://127.0.0.1:${port}/`)).headers.get("date"));
  }
  const closed = server.close();
  clock.advance(60_000);
  await closed;
  assert.deepEqual(dates, [
    "Thu, 01 Jan 2026 00:00:00 GMT",
    "Thu, 01 Jan 2026 00:00:00 GMT",
    "Thu, 01 Jan 2026 00:00:01 GMT",
  ]);
});

test("refuses to send a header that would be two", async (t) => {
  const { port } = await startServer(t, (_req, res) => {
    res.writeHead(200, ["X-Bad", "a\r\nX-More: b", "Content-Length", "0"]);
    res.end(Buffer.alloc(0));
  });
  await assert.rejects(fetch(`http://127.0.0.1:${port}/direct`));
});

test("tells who answers that the peer is gone", async (t) => {
  const held = Promise.withResolvers<HttpResponse>();
  const { port } = await startServer(t, (_req, res) => held.resolve(res));
  const peer = new Peer(t, port);
  peer.socket.write(get("/direct"));
  const res = await held.promise;
  const gone = new Promise<void>((resolve) => res.on("close", resolve));
  peer.socket.destroy();
  await gone;
  sayHello({ headers: {}, socket: {} }, res);
});

test("answers a fault with a problem and lives on", async (t) => {
  const { port } = await startServer(t, ({ url }) => {
    throw url === "/direct/busy" ? new DomainError("UNAVAILABLE") : new TypeError("hunter2");
  });
  const peer = new Peer(t, port);
  peer.socket.write(get("/direct/busy"));
  await peer.until(/503 Service Unavailable.*\}/s);
  peer.socket.write(get("/direct/bug"));
  assert.doesNotMatch(await peer.until(/500 Internal Server Error.*\}/s), /hunter2/);
});

test("cuts connections that are idle for too long", async (t) => {
  const { port } = await startServer(t, sayHello, { keepAliveTimeoutMs: 50 });
  const silent = connect(port, "127.0.0.1").resume();
  const idle = new Peer(t, port);
  idle.socket.write(get("/direct"));
  await Promise.all([once(silent, "close"), once(idle.socket, "close")]);
  await idle.until("hello");
});

test("finishes what is held at close, and says that it was the last", async (t) => {
  const held = Promise.withResolvers<HttpResponse>();
  const { server, port } = await startServer(t, (req, res) => {
    if (req.url === "/direct/held") held.resolve(res);
    else sayHello(req, res);
  });
  const idle = new Peer(t, port);
  idle.socket.write(get("/direct"));
  await idle.until("hello");
  const peer = new Peer(t, port);
  peer.socket.write(get("/direct/held"));
  const res = await held.promise;
  const idleClosed = once(idle.socket, "close");
  const closed = server.close();
  await idleClosed;
  sayHello({ headers: {}, socket: {} }, res);
  await once(peer.socket, "close");
  assert.match(await peer.until("hello"), /\r\nConnection: close\r\n/);
  await closed;
});

test("cuts what is still held when the grace is over", async (t) => {
  const held = Promise.withResolvers<HttpResponse>();
  const { server, port } = await startServer(t, (_req, res) => held.resolve(res), { closeGraceMs: 20 });
  const peer = new Peer(t, port);
  peer.socket.write(get("/direct"));
  await held.promise;
  const peerClosed = once(peer.socket, "close");
  await server.close();
  await peerClosed;
});
