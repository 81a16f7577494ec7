import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { Upload } from "tus-js-client";
import { canPass, isLocked, isRefused, keepUpload, sentenceFor } from "./upload-answers.ts";

const FILE = Buffer.from("1234567890");
const HALF = FILE.byteLength / 2;
/** What asks for no connection is answered on a closed one. */
const BREAK = 0;

/** Has half of a file, and answers each HEAD after that with the next of `statuses`, then with how far it is. */
async function startServer(t: TestContext, statuses: readonly number[]) {
  const requests: string[] = [];
  const left = [...statuses];
  let isHalf = true;
  const server = createServer(async (request, response) => {
    requests.push(request.method ?? "");
    await request.resume().toArray();
    const status = request.method === "HEAD" ? left.shift() : undefined;
    if (status === BREAK) return request.socket.destroy();
    if (status !== undefined) return response.writeHead(status).end();
    if (request.method === "POST") return response.writeHead(201, { location: "/uploads/a" }).end();
    const isFirst = request.method === "PATCH" && isHalf;
    if (isFirst) {
      isHalf = false;
      return response.writeHead(502).end();
    }
    const offset = request.method === "HEAD" ? HALF : FILE.byteLength;
    return response.writeHead(204, { "upload-offset": offset, "upload-length": FILE.byteLength }).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return { requests, endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/uploads` };
}

/** Sends as the studio does; resolves with what it fails for. */
function send(endpoint: string): Promise<Error | undefined> {
  return new Promise((resolve) => {
    const upload = new Upload(FILE, {
      endpoint,
      retryDelays: Array(20).fill(0),
      onAfterResponse: keepUpload,
      onShouldRetry: canPass,
      onSuccess: () => resolve(undefined),
      onError: resolve,
    });
    upload.start();
  });
}

test("an upload goes on where it is, whatever stands between it and the server says for a while", async (t) => {
  for (const status of [BREAK, 408, 423, 429, 500, 502, 503, 504]) {
    const { requests, endpoint } = await startServer(t, [status, status]);
    assert.equal(await send(endpoint), undefined);
    assert.equal(requests.join(), "POST,PATCH,HEAD,HEAD,HEAD,PATCH", `${status}`);
  }
});

test("an upload is begun anew when the server says that it is gone, and only then", async (t) => {
  const gone = await startServer(t, [404]);
  assert.equal(await send(gone.endpoint), undefined);
  assert.equal(gone.requests.join(), "POST,PATCH,HEAD,POST,PATCH");
  for (const [status, isFinal] of [
    [401, false],
    [403, false],
    [400, true],
    [422, true],
  ] as const) {
    const { requests, endpoint } = await startServer(t, [status]);
    const error = await send(endpoint);
    assert.ok(error);
    assert.deepEqual([requests.join(), isRefused(error), isLocked(error)], ["POST,PATCH,HEAD", isFinal, false]);
    assert.match(sentenceFor(error), status === 401 ? /^Your session ended/ : new RegExp(`answered ${status}\\.$`));
  }
});
