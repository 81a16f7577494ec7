import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import fc from "fast-check";
import { readPlainRequest } from "./plain-request.ts";

const PLAIN = "GET /a/b.m3u8?c=d HTTP/1.1\r\nHost: here\r\nAccept-Encoding:  gzip, br \r\nX-Empty:\r\n\r\n";

test("reads a GET without body", () => {
  const request = readPlainRequest(Buffer.from(PLAIN));
  assert.equal(request?.url, "/a/b.m3u8?c=d");
  assert.deepEqual(request.block.headers, { host: "here", "accept-encoding": "gzip, br", "x-empty": "" });
  assert.ok(readPlainRequest(Buffer.from("GET / HTTP/1.1\r\nhost: h\r\nConnection: Keep-Alive\r\n\r\n")));
});

test("reads a repeated header block once, and another one anew", () => {
  const first = readPlainRequest(Buffer.from(PLAIN));
  const second = readPlainRequest(Buffer.from(PLAIN.replace("/a/", "/longer/")), first?.block);
  assert.equal(second?.url, "/longer/b.m3u8?c=d");
  assert.equal(second.block, first?.block);
  const third = readPlainRequest(Buffer.from(PLAIN.replace("gzip", "zstd")), first?.block);
  assert.equal(third?.block.headers["accept-encoding"], "zstd, br");
  const longer = readPlainRequest(Buffer.from(PLAIN.replace("\r\n\r\n", "\r\nA: b\r\n\r\n")), first?.block);
  assert.equal(longer?.block.headers.a, "b");
});

test("keeps a header block beyond the memory that it was read from", () => {
  const bytes = Buffer.from(PLAIN);
  const block = readPlainRequest(bytes)?.block;
  bytes.fill(0);
  assert.equal(readPlainRequest(Buffer.from(PLAIN), block)?.block, block);
});

test("leaves to node:http what may mean more", () => {
  const host = "Host: here\r\n";
  for (const text of [
    "",
    "GET ",
    `HEAD / HTTP/1.1\r\n${host}\r\n`,
    `get / HTTP/1.1\r\n${host}\r\n`,
    `GET / HTTP/1.0\r\n${host}\r\n`,
    `GET http://here/ HTTP/1.1\r\n${host}\r\n`,
    `GET /a b HTTP/1.1\r\n${host}\r\n`,
    `GET /\u00e4 HTTP/1.1\r\n${host}\r\n`,
    `GET / HTTP/1.1\r\n${host}`,
    `GET / HTTP/1.1\r\n${host}\r\nx`,
    `GET / HTTP/1.1\r\n${host}\r\nGET / HTTP/1.1\r\n${host}\r\n`,
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost:\r\n\r\n",
    `GET / HTTP/1.1\r\n${host}${host}\r\n`,
    `GET / HTTP/1.1\n${host}\r\n`,
    `GET / HTTP/1.1\r\n${host}A: b\nC: d\r\n\r\n`,
    `GET / HTTP/1.1\r\n${host}A: b\rC: d\r\n\r\n`,
    `GET / HTTP/1.1\r\n${host} folded\r\n\r\n`,
    `GET / HTTP/1.1\r\n${host}A : b\r\n\r\n`,
    `GET / HTTP/1.1\r\n${host}: b\r\n\r\n`,
    `GET / HTTP/1.1\r\n${host}A: \u00e4\r\n\r\n`,
    `GET / HTTP/1.1\r\n${host}A: \0\r\n\r\n`,
    `GET / HTTP/1.1\r\n${host}Content-Length: 0\r\n\r\n`,
    `GET / HTTP/1.1\r\n${host}transfer-encoding: chunked\r\n\r\n`,
    `GET / HTTP/1.1\r\n${host}Expect: 100-continue\r\n\r\n`,
    `GET / HTTP/1.1\r\n${host}Connection: upgrade\r\nUpgrade: websocket\r\n\r\n`,
    `GET / HTTP/1.1\r\n${host}Connection: close\r\n\r\n`,
  ]) {
    assert.equal(readPlainRequest(Buffer.from(text, "latin1")), undefined, JSON.stringify(text));
  }
});

test("understands what it takes as node:http does", async (t) => {
  const server = createServer((req, res) => {
    res.setHeader("Connection", "close");
    res.end(JSON.stringify({ method: req.method, url: req.url, headers: req.headers }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const askNode = async (bytes: Buffer) => {
    const peer = connect(port, "127.0.0.1");
    peer.end(bytes);
    const answer = await text(peer);
    return JSON.parse(answer.slice(answer.indexOf("{"), answer.lastIndexOf("}") + 1));
  };
  const edit = fc.record({ at: fc.nat(PLAIN.length - 1), byte: fc.nat(255), isInsertion: fc.boolean() });
  let takenCount = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { maxLength: 3 }), async (edits) => {
      const bytes = [...Buffer.from(PLAIN)];
      for (const { at, byte, isInsertion } of edits) bytes.splice(at, isInsertion ? 0 : 1, byte);
      const taken = readPlainRequest(Buffer.from(bytes));
      if (!taken) return;
      takenCount += 1;
      const { url, block } = taken;
      assert.deepEqual(await askNode(Buffer.from(bytes)), { method: "GET", url, headers: block.headers });
    }),
    { numRuns: 300 },
  );
  assert.ok(takenCount > 20, `${takenCount} were taken`);
});
