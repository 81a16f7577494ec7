import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { systemClock } from "../core/clock.ts";
import { AddressGuard } from "./public-address.ts";
import { openUrl, parseSourceUrl } from "./url-source.ts";

const LIMITS = { maxSizeBytes: 1000, idleTimeoutMs: 60_000, timeLimitMs: 60_000 };
const NEVER = new AbortController().signal;

async function serve(t: TestContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function read(url: string, { limits = LIMITS, networks = ["127.0.0.1"], signal = NEVER } = {}) {
  const options = { guard: new AddressGuard(networks), limits, clock: systemClock, signal };
  const { fileName, sizeBytes, bytes } = await openUrl(url, options);
  return { fileName, sizeBytes, content: Buffer.concat(await Array.fromAsync(bytes)).toString() };
}

test("reads a file of another server, over redirects", async (t) => {
  const seen: (string | undefined)[] = [];
  const origin = await serve(t, (req, res) => {
    seen.push(req.headers["accept-encoding"]);
    if (req.url === "/start?token=1") res.writeHead(302, { location: "/next/" }).end("elsewhere");
    else if (req.url === "/next/") res.writeHead(308, { location: `${origin}/films/a%20film.mp4?x=y` }).end();
    else res.end("film");
  });
  assert.deepEqual(await read(`${origin}/start?token=1`), { fileName: "a film.mp4", sizeBytes: 4, content: "film" });
  assert.deepEqual(seen, ["identity", "identity", "identity"]);
  assert.equal((await read(`${origin}/100%25%`)).fileName, "100%25%");
  assert.equal((await read(origin)).fileName, "import");
});

test("asks nobody who is not on the internet, nor where a redirect leads there", async (t) => {
  let askedCount = 0;
  const inside = await serve(t, (_req, res) => {
    askedCount += 1;
    res.end("secret");
  });
  const port = new URL(inside).port;
  const origin = await serve(
    t,
    (_req, res) => void res.writeHead(302, { location: `http://127.0.0.2:${port}/` }).end(),
  );
  const refused = { code: "INVALID_REQUEST", message: /not on the internet/ };
  await assert.rejects(read(origin), refused);
  for (const url of [
    inside,
    `http://localhost:${port}`,
    `http://[::ffff:7f00:1]:${port}`,
    `http://2130706433:${port}`,
  ]) {
    await assert.rejects(read(url, { networks: [] }), refused, url);
  }
  assert.equal(askedCount, 0);
});

test("refuses what is no address of a file", () => {
  for (const url of [
    "",
    "film.mp4",
    "file:///etc/passwd",
    "ftp://host/a",
    "concat:a|b",
    "http://me:secret@host/",
    "data:,a",
  ]) {
    assert.throws(() => parseSourceUrl(url), { code: "INVALID_REQUEST" }, url);
  }
});

test("says what is wrong with the other server's answer, and whether it may pass", async (t) => {
  const origin = await serve(t, (req, res) => {
    const path = req.url ?? "";
    if (path === "/loop") res.writeHead(302, { location: "/loop" }).end();
    else if (path === "/zipped") res.writeHead(200, { "content-encoding": "gzip" }).end("x");
    else if (path === "/large") res.end(Buffer.alloc(1001));
    else if (path === "/cut") {
      res.writeHead(200, { "content-length": 10 }).write("half");
      setImmediate(() => res.destroy());
    } else res.writeHead(Number(path.slice(1))).end();
  });
  const final: [string, string, RegExp][] = [
    ["/loop", "INVALID_REQUEST", /more than 5 redirects/],
    ["/zipped", "INVALID_REQUEST", /compressed/],
    ["/404", "INVALID_REQUEST", /answers with 404/],
    ["/204", "INVALID_REQUEST", /answers with 204/],
    ["/large", "UPLOAD_TOO_LARGE", /the 1000 B that/],
    ["/503", "UNAVAILABLE", /answers with 503/],
    ["/429", "UNAVAILABLE", /answers with 429/],
    ["/cut", "UNAVAILABLE", /stopped in the middle/],
  ];
  for (const [path, code, message] of final) await assert.rejects(read(origin + path), { code, message }, path);
  const closed = createServer().listen(0, "127.0.0.1");
  await once(closed, "listening");
  const { port } = closed.address() as AddressInfo;
  closed.close();
  await assert.rejects(read(`http://127.0.0.1:${port}/`), { code: "UNAVAILABLE", message: /could not be asked/ });
});

test("waits no longer than it is told, and ends when it is stopped", async (t) => {
  const origin = await serve(t, (req, res) => {
    if (req.url === "/half") res.writeHead(200).write("half");
  });
  const within = (idleTimeoutMs: number) => ({ limits: { ...LIMITS, idleTimeoutMs } });
  await assert.rejects(read(`${origin}/silent`, within(50)), { code: "UNAVAILABLE", message: /no answer in time/ });
  // Long enough for half an answer on a busy machine.
  await assert.rejects(read(`${origin}/half`, within(2_000)), { code: "UNAVAILABLE", message: /no more bytes/ });
  const stop = new AbortController();
  const reading = assert.rejects(read(`${origin}/silent`, { signal: stop.signal }), /enough/);
  stop.abort(new Error("enough"));
  await reading;
});
