import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseMediaPath } from "./media-route.ts";

test("knows the paths of a presentation and its renditions", () => {
  const streamId = "cam-1";
  assert.deepEqual(parseMediaPath("/time"), { kind: "time" });
  assert.deepEqual(parseMediaPath("/streams/cam-1/master.m3u8"), { kind: "multivariant", streamId });
  assert.deepEqual(parseMediaPath("/streams/cam-1/playlist.m3u8"), { kind: "multivariant", streamId });
  assert.deepEqual(parseMediaPath("/streams/cam-1/manifest.mpd"), { kind: "mpd", streamId });
  const renditionId = "720p";
  assert.deepEqual(parseMediaPath("/streams/cam-1/720p/playlist.m3u8"), {
    kind: "playlist",
    streamId,
    renditionId,
    form: "segments",
  });
  assert.deepEqual(parseMediaPath("/streams/cam-1/720p/iframes.m3u8"), {
    kind: "playlist",
    streamId,
    renditionId,
    form: "iframes",
  });
  const name = "ab12-7.3.m4s";
  assert.deepEqual(parseMediaPath("/streams/cam-1/720p/ab12-7.3.m4s"), { kind: "object", streamId, renditionId, name });
});

test("leaves every other path to the API", () => {
  const paths = [
    "/",
    "",
    "/streams",
    "/streams/",
    "/streams/a",
    "/streams/a/",
    "/streams/a/heartbeat",
    "/streams//x.mpd",
  ];
  const others = ["/streams/a/whip", "/streams/a/keys/rotate", "/streams/a/b/c/d.m4s", "/streams/a//x.m4s", "/timer"];
  for (const path of [...paths, ...others, "/api/v1/streams/a/master.m3u8", "http://h/streams/a/master.m3u8"]) {
    assert.equal(parseMediaPath(path), undefined, path);
  }
});

test("never yields a name that holds a slash, whatever the path", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.string(), fc.constantFrom("..", ".", "%2e%2e", "a.m4s"))), (segments) => {
      const route = parseMediaPath(`/streams/${segments.join("/")}`);
      for (const value of Object.values(route ?? {})) assert.ok(value !== "" && !value.includes("/"));
    }),
  );
});
