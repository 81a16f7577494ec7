import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { serve, servedPresentation } from "../../test/support/served-presentation.ts";

test("holds one request of a connection, however many it pipelines", async (t) => {
  const presentation = servedPresentation();
  const { counts, delivery, port } = await serve(t, presentation);
  const socket = connect(port, "127.0.0.1");
  t.after(() => socket.destroy());
  const request = "GET /streams/cam/source/playlist.m3u8?_HLS_msn=4 HTTP/1.1\r\nHost: a\r\n\r\n";
  socket.write(request.repeat(50));
  await counts.until("handled", 50);
  assert.equal(delivery.heldCount, 1);
  presentation.advance();
  presentation.complete();
  const [answer] = await once(socket, "data");
  assert.match(String(answer), /^HTTP\/1\.1 200 OK\r\n/);
});
