import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { DomainError } from "../core/errors.ts";
import { silentLogger } from "../core/logger.ts";
import { createHttpServer, type HttpLimits, type HttpServer } from "./server.ts";

type Fast = (req: IncomingMessage, res: ServerResponse) => boolean;

async function startServer(
  t: TestContext,
  fast: Fast = () => false,
  limits: Partial<HttpLimits> = {},
  addRoutes: (app: HttpServer["app"]) => void = () => undefined,
) {
  const server = createHttpServer({ host: "127.0.0.1", port: 0, log: silentLogger, fast, limits });
  server.app.get("/api", () => ({ from: "fastify" }));
  addRoutes(server.app);
  const { port } = await server.start();
  t.after(() => server.close());
  return { server, port, url: `http://127.0.0.1:${port}` };
}

test("gives the fast path each request first, and Fastify what it leaves", async (t) => {
  const seen: (string | undefined)[] = [];
  const { url } = await startServer(t, (req, res) => {
    seen.push(req.url);
    if (req.url !== "/fast") return false;
    res.end("fast");
    return true;
  });
  assert.equal(await (await fetch(`${url}/fast`)).text(), "fast");
  assert.deepEqual(await (await fetch(`${url}/api`)).json(), { from: "fastify" });
  assert.equal((await fetch(`${url}/none`)).status, 404);
  assert.deepEqual(seen, ["/fast", "/api", "/none"]);
});

test("answers a throwing fast path with a problem and lives on", async (t) => {
  const { url } = await startServer(t, (req) => {
    if (req.url === "/busy") throw new DomainError("UNAVAILABLE");
    if (req.url === "/bug") throw new TypeError("hunter2");
    return false;
  });
  const busy = await fetch(`${url}/busy`);
  assert.equal(busy.status, 503);
  assert.equal(busy.headers.get("retry-after"), "1");
  const bug = await fetch(`${url}/bug`);
  assert.equal(bug.status, 500);
  assert.doesNotMatch(await bug.text(), /hunter2/);
  assert.equal((await fetch(`${url}/api`)).status, 200);
});

test("answers a request that names a type of body and has none", { timeout: 60_000 }, async (t) => {
  const { server, port } = await startServer(t);
  for (const method of ["DELETE", "POST"]) {
    const peer = connect(port, "127.0.0.1");
    peer.write(`${method} /none HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n`);
    assert.match(await text(peer), /^HTTP\/1\.1 404 /, method);
  }
  await server.close();
});

test("names the port that is in use", async (t) => {
  const { port } = await startServer(t);
  const second = createHttpServer({ host: "127.0.0.1", port, log: silentLogger, fast: () => false });
  await assert.rejects(second.start(), (error) => {
    assert.ok(error instanceof DomainError);
    assert.equal(error.code, "PORT_IN_USE");
    assert.match(error.message, new RegExp(String(port)));
    return true;
  });
  await second.close();
});

test("finishes a held answer at close, refuses new connections and cuts idle ones", async (t) => {
  const held = Promise.withResolvers<ServerResponse>();
  const { server, port, url } = await startServer(t, (_req, res) => {
    held.resolve(res);
    return true;
  });
  const idle = connect(port, "127.0.0.1");
  await once(idle, "connect");
  const answer = fetch(`${url}/held`);
  const res = await held.promise;
  const idleClosed = once(idle.resume(), "close");
  const closed = server.close();
  await idleClosed;
  const late = connect(port, "127.0.0.1");
  const [refusal] = (await once(late, "error")) as [NodeJS.ErrnoException];
  assert.equal(refusal.code, "ECONNREFUSED");
  res.end("whole");
  assert.equal(await (await answer).text(), "whole");
  await closed;
});

test("cuts what is still held when the grace is over", async (t) => {
  const held = Promise.withResolvers<void>();
  const fast: Fast = () => {
    held.resolve();
    return true;
  };
  const { server, url } = await startServer(t, fast, { closeGraceMs: 20 });
  const answer = assert.rejects(fetch(`${url}/held`));
  await held.promise;
  await server.close();
  await answer;
});

async function exchange(port: number, request: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.write(request);
  return text(socket);
}

test("tells a peer that does not speak HTTP, or too much of it, and cuts it", async (t) => {
  const { port } = await startServer(t, undefined, { maxHeaderBytes: 2048 });
  assert.match(await exchange(port, "SSH-2.0-probe\r\n\r\n"), /^HTTP\/1\.1 400 Bad Request\r\n.*problem\+json/s);
  const flood = `GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(4096)}\r\n\r\n`;
  assert.match(await exchange(port, flood), /^HTTP\/1\.1 431 Request Header Fields Too Large\r\n/);
});

test("cuts a peer that never finishes its request head", async (t) => {
  const { port } = await startServer(t, undefined, { headersTimeoutMs: 50, requestTimeoutMs: 100 });
  assert.match(await exchange(port, "GET / HTTP/1.1\r\nHost: a\r\n"), /^HTTP\/1\.1 408 /);
});

test("cuts a peer that never finishes its body, but where the route keeps time itself", async (t) => {
  const { server, port } = await startServer(t, undefined, { requestTimeoutMs: 100 }, (app) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", (_request, _payload, done) => done(null));
    app.post("/patient", async (request) => {
      request.keepOwnTime();
      return { length: (await text(request.raw)).length };
    });
    app.post("/hasty", async (request) => text(request.raw));
  });
  const head = (path: string) => `POST ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\n`;
  const patient = connect(port, "127.0.0.1");
  patient.write(`${head("/patient")}a`);
  assert.match(await exchange(port, `${head("/hasty")}a`), /^HTTP\/1\.1 408 /);
  // That took longer than the patient one was given.
  patient.write("b");
  assert.match(await text(patient), /^HTTP\/1\.1 200 .*"length":2/s);
  await server.close();
});

test("refuses connections above the cap", async (t) => {
  const { port } = await startServer(t, undefined, { maxConnectionCount: 1 });
  const first = connect(port, "127.0.0.1");
  await once(first, "connect");
  const second = connect(port, "127.0.0.1");
  await once(second.resume(), "close");
  assert.equal(second.bytesRead, 0);
  assert.equal(first.destroyed, false);
  first.destroy();
});
