import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { namedPartBytes, serve, servedPresentation } from "../../test/support/served-presentation.ts";

const SEGMENT = "/streams/cam/source/e0-2.m4s";
const HINTED = "/streams/cam/source/e0-4.0.m4s";
const OPEN = "/streams/cam/source/e0-4.m4s";
const WHOLE = Buffer.concat([0, 1, 2, 3].map((index) => namedPartBytes({ name: `e0-2.${index}.m4s` })));

function part(msn: number, index: number): string {
  return Buffer.from(namedPartBytes({ name: `e0-${msn}.${index}.m4s` })).toString();
}

test("sends init segments, parts and complete segments to be kept for ever", async (t) => {
  const { ask } = await serve(t, servedPresentation());
  const cases: [string, string, string][] = [
    ["source/e0-0.init.mp4", "video/mp4", "\0"],
    ["source/e0-2.1.m4s", "video/mp4", part(2, 1)],
    ["source/e0-2.m4s", "video/mp4", WHOLE.toString()],
    ["audio_source/e0-2.1.m4s", "audio/mp4", part(2, 1)],
  ];
  for (const [name, contentType, body] of cases) {
    const answer = await ask(`/streams/cam/${name}`);
    assert.equal(answer.status, 200);
    assert.equal(answer.body.toString(), body);
    assert.equal(answer.headers["content-length"], String(body.length));
    assert.equal(answer.headers["content-type"], contentType);
    assert.equal(answer.headers["cache-control"], "public, max-age=31536000, immutable");
    assert.equal(answer.headers["accept-ranges"], "bytes");
    assert.equal(answer.headers["access-control-allow-origin"], "*");
    const again = await ask(`/streams/cam/${name}`, { headers: { "if-none-match": answer.headers.etag ?? "" } });
    assert.equal(again.status, 304);
    assert.equal(again.headers.etag, answer.headers.etag);
    assert.equal(again.body.byteLength, 0);
  }
});

test("answers ranges, also across parts", async (t) => {
  const { ask } = await serve(t, servedPresentation());
  const { headers } = await ask(SEGMENT);
  const cases: [string, number, number][] = [
    ["bytes=0-99", 0, 99],
    ["bytes=50-349", 50, 349],
    ["bytes=-50", 350, 399],
    ["bytes=100-", 100, 399],
    ["bytes=100-9007199254740991", 100, 399],
  ];
  for (const [range, first, last] of cases) {
    const answer = await ask(SEGMENT, { headers: { range } });
    assert.equal(answer.status, 206, range);
    assert.equal(answer.headers["content-range"], `bytes ${first}-${last}/400`);
    assert.equal(answer.headers["content-length"], String(last - first + 1));
    assert.equal(answer.headers.etag, headers.etag);
    assert.deepEqual(answer.body, WHOLE.subarray(first, last + 1));
  }
});

test("answers a range that holds no byte with 416, and one that is none in full", async (t) => {
  const { ask } = await serve(t, servedPresentation());
  const beyond = await ask(SEGMENT, { headers: { range: "bytes=400-" } });
  assert.equal(beyond.status, 416);
  assert.equal(beyond.headers["content-range"], "bytes */400");
  assert.equal(beyond.headers["access-control-allow-origin"], "*");
  for (const range of ["bytes=9-1", "lines=0-1", "bytes=0-1,4-5", "bytes=0-0,0-0,0-0"]) {
    const answer = await ask(SEGMENT, { headers: { range } });
    assert.equal(answer.status, 200, range);
    assert.deepEqual(answer.body, WHOLE);
  }
});

test("honours If-Range and If-Match by the strong tag alone", async (t) => {
  const { ask } = await serve(t, servedPresentation());
  const { etag = "" } = (await ask(SEGMENT)).headers;
  const status = async (headers: Record<string, string>) => (await ask(SEGMENT, { headers })).status;
  assert.equal(await status({ range: "bytes=0-9", "if-range": etag }), 206);
  assert.equal(await status({ range: "bytes=0-9", "if-range": `W/${etag}` }), 200);
  assert.equal(await status({ range: "bytes=0-9", "if-range": '"other"' }), 200);
  assert.equal(await status({ "if-match": etag }), 200);
  assert.equal(await status({ "if-match": '"other"' }), 412);
  assert.equal(await status({ "if-none-match": etag, range: "bytes=0-9" }), 304);
});

test("holds a request for the hinted part and sends the part whole, or the range of it", async (t) => {
  const presentation = servedPresentation();
  const { ask, counts, delivery } = await serve(t, presentation);
  const whole = ask(HINTED);
  const range = ask(HINTED, { headers: { range: "bytes=1-4" } });
  await counts.until("handled", 2);
  assert.equal(delivery.heldCount, 2);
  presentation.advance();
  assert.equal((await whole).body.toString(), part(4, 0));
  assert.equal((await whole).headers["content-length"], "100");
  assert.equal((await range).status, 206);
  assert.equal((await range).body.toString(), "e0-4");
});

test("answers 404 when the hint is withdrawn, when the stream ends, and for a gap", async (t) => {
  const presentation = servedPresentation();
  const { ask, counts } = await serve(t, presentation);
  presentation.advance();
  const withdrawn = ask("/streams/cam/source/e0-4.1.m4s");
  await counts.until("handled", 1);
  presentation.complete();
  assert.equal((await withdrawn).status, 404);
  assert.equal((await withdrawn).headers["cache-control"], "public, max-age=1");

  presentation.addGap("source", 2000);
  presentation.advance("source", { durationMs: 500, isGap: true });
  assert.equal((await ask("/streams/cam/source/e0-5.m4s")).status, 404);
  assert.equal((await ask("/streams/cam/source/e0-6.0.m4s")).status, 404);

  const handledCount = 3;
  const last = ask("/streams/cam/source/e0-6.1.m4s");
  await counts.until("handled", handledCount + 1);
  presentation.finish();
  assert.equal((await last).status, 404);
});

test("refuses a hinted part that does not come in time", async (t) => {
  const { ask, clock, counts } = await serve(t, servedPresentation());
  const answer = ask(HINTED);
  await counts.until("handled", 1);
  clock.advance(6000);
  assert.equal((await answer).status, 503);
});

test("sends an open segment part by part, each as one chunk of the transfer", async (t) => {
  const presentation = servedPresentation();
  const { counts, port } = await serve(t, presentation);
  presentation.advance();
  const socket = connect(port, "127.0.0.1");
  socket.setEncoding("latin1").write(`GET ${OPEN} HTTP/1.1\r\nHost: a\r\n\r\n`);
  let text = "";
  const receive = async (end: string) => {
    while (!text.endsWith(end)) text += (await once(socket, "data"))[0];
    const received = text;
    text = "";
    return received;
  };
  const chunk = (index: number) => `64\r\n${part(4, index)}\r\n`;
  const head = await receive(chunk(0));
  assert.match(head, /^HTTP\/1\.1 200 OK\r\n.*Transfer-Encoding: chunked\r\n/s);
  assert.doesNotMatch(head, /^(content-length|etag|accept-ranges):/im);
  for (const index of [1, 2]) {
    presentation.advance();
    assert.equal(await receive(chunk(index)), chunk(index));
  }
  presentation.complete();
  assert.equal(await receive("0\r\n\r\n"), "0\r\n\r\n");
  assert.deepEqual(counts.answers, [{ kind: "segment", status: 200, bodyBytes: 300 }]);
  socket.destroy();
});

test("holds a request for the segment that comes next, and never begins with nothing", async (t) => {
  const presentation = servedPresentation();
  const { ask, counts, delivery } = await serve(t, presentation);
  const answer = ask(OPEN);
  await counts.until("handled", 1);
  assert.equal(delivery.heldCount, 1);
  presentation.advance();
  assert.equal(delivery.heldCount, 0);
  presentation.advance();
  presentation.complete();
  assert.equal((await answer).status, 200);
  assert.equal((await answer).body.toString(), part(4, 0) + part(4, 1));
});

test("ends an open segment's answer when the stream ends", async (t) => {
  const presentation = servedPresentation();
  const { ask, counts } = await serve(t, presentation);
  presentation.advance();
  const answer = ask(OPEN);
  await counts.until("handled", 1);
  presentation.finish();
  assert.equal((await answer).body.toString(), part(4, 0));
});

test("answers ranges of an open segment: what is there, what it becomes, or once it is complete", async (t) => {
  const presentation = servedPresentation();
  const { ask, counts, delivery } = await serve(t, presentation);
  presentation.advance();
  const there = await ask(OPEN, { headers: { range: "bytes=1-4" } });
  assert.equal(there.status, 206);
  assert.equal(there.headers["content-range"], "bytes 1-4/*");
  assert.equal(there.body.toString(), "e0-4");

  const becoming = ask(OPEN, { headers: { range: "bytes=90-9007199254740991" } });
  const suffix = ask(OPEN, { headers: { range: "bytes=-100" } });
  const beyond = ask(OPEN, { headers: { range: "bytes=100-149" } });
  await counts.until("handled", 4);
  assert.equal(delivery.heldCount, 2);
  presentation.advance();
  assert.equal(delivery.heldCount, 2);
  presentation.complete();
  assert.equal((await becoming).status, 206);
  assert.equal((await becoming).headers["content-range"], "bytes 90-9007199254740991/*");
  assert.equal((await becoming).body.toString(), part(4, 0).slice(90) + part(4, 1));
  assert.equal((await suffix).headers["content-range"], "bytes 100-199/200");
  assert.equal((await suffix).body.toString(), part(4, 1));
  assert.equal((await beyond).headers["content-range"], "bytes 100-149/200");
});

test("cuts a reader for whom the segment is kept no longer", async (t) => {
  const presentation = servedPresentation({ partBytes: () => new Uint8Array(16 * 1024 * 1024) });
  const { counts, port } = await serve(t, presentation, { maxBacklogBytes: 64 * 1024 * 1024 });
  presentation.advance();
  const slow = connect(port, "127.0.0.1");
  slow.pause().write(`GET ${OPEN} HTTP/1.1\r\nHost: a\r\n\r\n`);
  await counts.until("handled", 1);
  presentation.advance();
  presentation.complete();
  assert.equal(counts.cutCount, 0);
  presentation.rendition("source").all.splice(0, 4);
  presentation.advance();
  assert.equal(counts.cutCount, 1);
  slow.destroy();
});

test("cuts a reader that cannot follow, and serves the others", async (t) => {
  const megabyte = new Uint8Array(1024 * 1024);
  const presentation = servedPresentation({ partBytes: () => megabyte });
  const { ask, counts, port } = await serve(t, presentation, { maxBacklogBytes: 4 * megabyte.byteLength });
  presentation.advance();
  const slow = connect(port, "127.0.0.1");
  slow.pause().write(`GET ${OPEN} HTTP/1.1\r\nHost: a\r\n\r\n`);
  await counts.until("handled", 1);
  // More than the bound and all that two sockets' buffers may take.
  for (let i = 0; i < 4; i++) presentation.advance();
  assert.equal(counts.cutCount, 0);
  for (let i = 0; i < 30 && counts.cutCount === 0; i++) presentation.advance();
  assert.equal(counts.cutCount, 1);
  slow.destroy();

  const follower = ask(OPEN);
  await counts.until("handled", 2);
  presentation.complete();
  assert.equal((await follower).body.byteLength, presentation.rendition("source").all.at(-1)?.byteLength);
});
