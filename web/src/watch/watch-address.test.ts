import assert from "node:assert/strict";
import { test } from "node:test";
import { parseWatchAddress, withFormat } from "./watch-address.ts";

test("the address names stream, format and embedding", () => {
  assert.deepEqual(parseWatchAddress("http://h/watch/a_1?embed=1&format=dash"), {
    id: "a_1",
    format: "dash",
    isEmbedded: true,
  });
});

test("without a word it is HLS on a page of its own", () => {
  assert.deepEqual(parseWatchAddress("http://h/watch/a?format=rtsp&embed=0"), {
    id: "a",
    format: "hls",
    isEmbedded: false,
  });
});

test("the format is remembered beside whatever else the address says", () => {
  const dash = withFormat("http://h/watch/a?embed=1", "dash");
  assert.equal(dash, "http://h/watch/a?embed=1&format=dash");
  assert.equal(withFormat(dash, "hls"), "http://h/watch/a?embed=1");
});
