import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { newVideoId } from "../core/ids.ts";
import { parseStoredPath } from "./stored-route.ts";

const videoId = newVideoId();
const base = `../../../../videos/${videoId}/`;

test("knows the addresses of a video", () => {
  const routes = {
    [`/videos/${videoId}/master.m3u8`]: { kind: "multivariant", videoId, base: undefined },
    [`/videos/${videoId}/playlist.m3u8`]: { kind: "multivariant", videoId, base: undefined },
    [`/videos/${videoId}/manifest.mpd`]: { kind: "mpd", videoId, base: undefined },
    [`/api/stream/${videoId}/hls/playlist.m3u8`]: { kind: "multivariant", videoId, base },
    [`/api/stream/${videoId}/dash/manifest.mpd`]: { kind: "mpd", videoId, base },
    [`/videos/${videoId}/storyboard.m3u8`]: { kind: "images", videoId },
    [`/videos/${videoId}/720p/playlist.m3u8`]: { kind: "playlist", videoId, renditionId: "720p", form: "segments" },
    [`/videos/${videoId}/720p/iframes.m3u8`]: { kind: "playlist", videoId, renditionId: "720p", form: "iframes" },
    [`/videos/${videoId}/720p/e1-7.m4s`]: { kind: "object", videoId, renditionId: "720p", name: "e1-7.m4s" },
    [`/videos/${videoId}/poster.jpg`]: { kind: "file", videoId, name: "poster.jpg" },
  };
  for (const [path, route] of Object.entries(routes)) assert.deepEqual(parseStoredPath(path), route, path);
});

test("leaves other addresses to others, and names what is not there among its own", () => {
  for (const path of ["/", "/videos", "/watch/x", `/api/stream/${videoId}`, "/api/stream/a?b", "/api/v1/videos"]) {
    assert.equal(parseStoredPath(path), undefined, path);
  }
  const own = ["/videos/", "/videos/x/master.m3u8", `/videos/${videoId}`, `/videos/${videoId}/a/b/c.m4s`];
  for (const path of [...own, "/api/stream/x/hls/playlist.m3u8", `/videos/${videoId}/720p/`]) {
    assert.equal(parseStoredPath(path), "absent", path);
  }
});

test("takes any path, and gives no name that could lead elsewhere", () => {
  const piece = fc.oneof(
    fc.string(),
    fc.constantFrom("..", ".", "%2e%2e", "720p", "e1-1.m4s", videoId, "playlist.m3u8"),
  );
  const path = fc
    .tuple(fc.constantFrom("/videos/", `/videos/${videoId}/`, "/api/stream/", "/"), fc.array(piece, { maxLength: 5 }))
    .map(([head, pieces]) => head + pieces.join("/"));
  fc.assert(
    fc.property(path, (each) => {
      const route = parseStoredPath(each);
      if (route === undefined || route === "absent") return;
      assert.equal(route.videoId, videoId);
      if ("name" in route) assert.ok(!route.name.includes("/"));
      if ("renditionId" in route) assert.ok(!route.renditionId.includes("/"));
    }),
  );
});
