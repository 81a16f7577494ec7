import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRoute, streamHref, videoHref } from "./route.ts";

test("the studio link carries its token behind the hash", () => {
  assert.deepEqual(parseRoute("#token=hw_a-b"), { view: "sign-in", token: "hw_a-b" });
  assert.deepEqual(parseRoute("#token="), { view: "sign-in", token: "" });
});

test("a stream's address reads back to its id", () => {
  assert.deepEqual(parseRoute(streamHref("studio_1")), { view: "stream", streamId: "studio_1" });
});

test("videos have a list and a page each", () => {
  assert.deepEqual(parseRoute("#/videos"), { view: "videos" });
  assert.deepEqual(parseRoute(videoHref("0b7e")), { view: "video", videoId: "0b7e" });
});

test("everything else is the list", () => {
  for (const hash of ["", "#", "#/", "#/streams", "#/streams/", "#/nothing/here"]) {
    assert.deepEqual(parseRoute(hash), { view: "streams" });
  }
});

test("a broken escape does not throw", () => {
  assert.deepEqual(parseRoute("#/streams/%E0%A4%A"), { view: "stream", streamId: "%E0%A4%A" });
});
